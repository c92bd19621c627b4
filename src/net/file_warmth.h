// Keeps a loop from waiting for a disk: says how much of a slice is in memory, and has the rest read by a
// background thread before it is sent.
//
//      sendable() > 0 ──▶ send that much
//      sendable() = 0 ──▶ warm() ──▶ job reads some of it ──▶ letter to the loop ──▶ then()
//
// Asking the kernel each time would cost a fetch more than it does now. So what has been found is believed
// for a few seconds, a reader that goes on where it was is asked for one page a few MiB ahead, and what was
// appended behind a range that reached the file's end has just been written: a reader of the tail costs
// nothing. A wrong belief costs one wait for the disk, and nothing else.
//
// Bounds: a connection has one job at most; a job reads little more than 2 MiB, through one small buffer; the
// jobs of a loop run one at a time. Loop thread only, but for construction and destruction.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "env/connection.h"
#include "net/page_cache.h"

namespace moldau::net {

class FileWarmth {
 public:
  static constexpr std::uint64_t kReadAtLeast = 256u << 10;  // by a job, unless the file ends
  static constexpr std::uint64_t kReadAtMost = 2u << 20;

  explicit FileWarmth(env::Loop& loop) : loop_(loop) {}
  ~FileWarmth();
  FileWarmth(const FileWarmth&) = delete;
  FileWarmth& operator=(const FileWarmth&) = delete;

  // Before the loop runs; both outlive the loop's run. Without: everything counts as in memory. Jobs still
  // under way at destruction are harmless. `lane`: the jobs' key.
  void use(env::Background& background, const PageCache& cache, std::uint64_t lane);

  // How many bytes of the slice, from its start, can be sent at once. 0: warm() it first.
  std::uint64_t sendable(const env::FileSlice& slice);
  // Reads the slice's beginning in the background, then calls `then` on the loop. False: the background has
  // no room; send it all the same.
  bool warm(const env::FileSlice& slice, std::function<void()> then);

 private:
  // [begin, end) is in memory, as far as we know.
  struct Range {
    std::uint64_t begin = 0, end = 0;
    bool to_end_of_file = false;
    env::Instant believed_until{};
  };
  using Ranges = std::array<Range, 2>;  // of one file: a reader of the tail, and one that comes behind
  struct Warming;

  void remember(Ranges& ranges, const Range& range);
  void warmed(Warming& warming);

  env::Loop& loop_;
  env::Background* background_ = nullptr;
  const PageCache* cache_ = nullptr;
  std::uint64_t lane_ = 0;
  // By the file's address: should another file get it, a belief is wrong, and that is all.
  std::unordered_map<const env::File*, Ranges> known_;
  std::vector<std::shared_ptr<Warming>> under_way_;
};

}  // namespace moldau::net
