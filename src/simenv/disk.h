// A disk in memory that behaves as badly as real ones may. One thread.
//
// What is written lies in the "page cache" until it is synced:
//
//      write_at ──▶ cache ──sync──▶ platter            file content and size
//      create, rename, remove ──▶ journal ──sync_directory──▶ platter    names
//
// crash(kProcess): the process dies, the cache lives: everything written is there, but a write under way is
// cut. A file may be forgotten from the cache, for who asks before he reads. crash(kPower): each 512-byte
// sector written since the last sync is there, or not; a file's size is the old one, the new one or between;
// of the journal a prefix survives that holds at least what was synced. Files without names are gone.
//
// Faults are put in beforehand: a full disk, failing operations, rot, an operation at which the power goes.
// All is determined by the seed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "env/filesystem.h"
#include "simenv/clock.h"

namespace moldau::simenv {

enum class Crash : std::uint8_t { kProcess, kPower };

enum class DiskOp : std::uint8_t {
  kOpen,
  kList,
  kRead,
  kWrite,
  kTruncate,
  kSync,
  kSyncDirectory,
  kMakeDirectory,
  kRename,
  kRemove,
  kCount_
};

// What was asked of the disk.
struct DiskCounters {
  std::uint64_t of[static_cast<std::size_t>(DiskOp::kCount_)]{};
  std::uint64_t bytes_read = 0;
  std::uint64_t would_block = 0;  // reads that would have had to wait for the platter
  std::uint64_t bytes_written = 0;

  std::uint64_t operator[](DiskOp op) const { return of[static_cast<std::size_t>(op)]; }
};

// Operations of `op` on paths that contain `path` fail with `kind`: `times` of them, after `skip` good ones.
struct DiskFault {
  DiskOp op;
  std::string path{};
  ErrorKind kind = ErrorKind::kIo;
  std::uint64_t skip = 0;
  std::uint64_t times = ~std::uint64_t{0};
};

class Disk final : public env::FileSystem {
 public:
  explicit Disk(std::uint64_t seed, Clock* clock = nullptr);
  ~Disk() override;

  Result<std::shared_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override;
  Result<std::vector<env::DirEntry>> list(const std::string& directory) override;
  bool exists(const std::string& path) override;
  Status create_directories(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status remove(const std::string& path) override;
  Status remove_all(const std::string& path) override;
  Status set_modified(const std::string& path, std::int64_t wall_ms) override;
  Status sync_directory(const std::string& path) override;
  Status sync_all(const std::string& path) override;
  Result<std::uint64_t> free_bytes(const std::string& path) override;
  Result<std::uint64_t> total_bytes(const std::string& path) override;
  Result<std::unique_ptr<env::FileLock>> lock(const std::string& path) override;

  // The machine goes down and comes up again: handles and locks are dead, the disk holds what survived.
  void crash(Crash kind);

  // The operation that changes something after `operations` more such operations is cut in the middle, and
  // everything fails from then on, until crash().
  void cut_power_after(std::uint64_t operations) { cut_at_ = changes_ + operations; }
  // The same for the write to a path that contains `path`, behind `writes` more such. Empty: none.
  void cut_power_in_write_to(std::string path, std::uint64_t writes) {
    cut_path_ = std::move(path);
    writes_until_cut_ = writes;
  }
  std::uint64_t changes() const { return changes_; }  // operations so far that change something
  bool down() const { return down_; }

  void set_capacity(std::uint64_t bytes) { capacity_ = bytes; }
  std::uint64_t used_bytes() const;
  void add_fault(DiskFault fault) { faults_.push_back(std::move(fault)); }
  void clear_faults() { faults_.clear(); }
  // Each operation takes this much virtual time. REQUIRES: made with a clock.
  void set_latency(DiskOp op, env::Duration time) { latency_[static_cast<std::size_t>(op)] = time; }
  // Turns one bit over, on the platter as in the cache. False if the file is shorter.
  bool flip_bit(const std::string& path, std::uint64_t position, int bit);
  // What is read is no longer in memory: read_cached() refuses it until somebody has read it in.
  void forget_cache();
  // From here on, one read_cached() in so many finds that its file has been forgotten. 0: none.
  void set_forgetful(std::uint64_t one_in) { forgetful_ = one_in; }

  const DiskCounters& counters() const { return counters_; }
  std::vector<std::string> files() const;  // paths of all files, sorted

  struct Inode;
  class Handle;

 private:
  using Names = std::map<std::string, std::shared_ptr<Inode>>;  // a null inode is a directory
  struct Change {  // of names; an erased path first, then one that is set
    std::string from{}, to{};
    std::shared_ptr<Inode> inode{};
    bool is_directory = false;
  };

  Status begin(DiskOp op, const std::string& path, bool* cut = nullptr);
  void record(Change change);
  static void apply(Names& names, const Change& change);
  Status missing(const std::string& path) const;
  bool is_directory(const std::string& path) const;
  void lose_power();

  Random random_;
  Random cache_random_;  // of its own, so that a forgetful disk behaves as another one otherwise
  Clock* clock_;
  Names names_;                  // as the running system sees them
  Names platter_;                // as they are durable
  std::vector<Change> journal_;  // what turns platter_ into names_
  std::set<std::string> locks_;
  std::uint64_t life_ = 0;  // counts crashes: handles of an earlier life are dead
  std::uint64_t changes_ = 0;
  std::optional<std::uint64_t> cut_at_;
  std::string cut_path_;
  std::uint64_t writes_until_cut_ = 0;
  bool down_ = false;
  std::uint64_t capacity_ = std::uint64_t{1} << 40;
  std::uint64_t used_ = 0;
  std::uint64_t forgetful_ = 0;
  std::vector<DiskFault> faults_;
  env::Duration latency_[static_cast<std::size_t>(DiskOp::kCount_)]{};
  DiskCounters counters_;
};

}  // namespace moldau::simenv
