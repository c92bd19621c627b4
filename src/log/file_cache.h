// The open files of all logs, bounded: files are opened when they are needed and closed when others need the
// room, so a quiet partition holds no handle.
//
// The cache holds the strong reference, a user (FileSlot, one per file of a segment) a weak one. While the
// file is open, get() costs one atomic increment; a second-chance clock decides who goes when the bound is
// reached. A file that somebody still uses (a reply under way) closes when the last user lets go.
//
// FileCache: any thread. FileSlot: the thread that owns the log at that moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "env/filesystem.h"
#include "env/serial.h"

namespace moldau::log {

// A user's hold on a file that may have been closed meanwhile. Copies nothing but a weak pointer.
struct FileSlot {
  std::weak_ptr<env::File> file;
  std::uint32_t seat = 0;
};

class FileCache {
 public:
  // Keeps at most `limit` files open (and those in use). REQUIRES: limit > 0.
  FileCache(env::FileSystem& fs, std::uint32_t limit);

  // The file of `slot`, opened at `path` if it is not open.
  Result<std::shared_ptr<env::File>> get(FileSlot& slot, const std::string& path, env::OpenMode mode);
  // As above, without a path to build: nullptr if it is not open.
  std::shared_ptr<env::File> peek(FileSlot& slot);
  // Forgets the file: the next get() opens the path anew.
  void drop(FileSlot& slot);
  // Closes what nobody asked for since it was opened or since the last call.
  void close_idle();

  std::uint32_t limit() const { return limit_; }
  std::uint64_t opened() const { return opened_.load(std::memory_order_relaxed); }  // ever; for metrics
  std::uint32_t held();                                                             // now, by the cache

 private:
  struct Seats {
    std::vector<std::shared_ptr<env::File>> files;
    std::uint32_t hand = 0;
  };
  std::uint32_t seat_for(Seats& seats, std::shared_ptr<env::File>& leaving);

  env::FileSystem& fs_;
  const std::uint32_t limit_;
  std::atomic<std::uint64_t> opened_{0};
  std::unique_ptr<std::atomic<bool>[]> used_;  // since the hand last came by, one per seat
  env::Serial<Seats> seats_;
};

}  // namespace moldau::log
