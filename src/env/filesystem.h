// Files as the core sees them. Synchronous; what may block long (sync, remove_all, cold reads) is called from
// Background work (loop.h). Real ones in src/os; src/sim has one that loses and tears unsynced bytes at a
// crash. Errors name the path and the operating system's reason: kNoSpace, kIo, kNotFound, kBusy.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace moldau::env {

// An open file, held by shared_ptr. Any number of threads may read; one at a time writes (the owner sees to
// that). The file stays readable through this handle after remove() or rename() of its path.
class File : public std::enable_shared_from_this<File> {
 public:
  virtual ~File() = default;

  // Fills `out` from `position`; returns the bytes read, fewer than asked only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const = 0;
  // The same for who must not wait for a disk: kWouldBlock where not all of it is in memory. A file that
  // cannot tell reads, and takes its time.
  virtual Result<std::size_t> read_cached(std::uint64_t position, MutableBytes out) const {
    return read_at(position, out);
  }
  // Writes all pieces, one behind the other, from `position` on (one pwritev where possible). On an error an
  // unknown prefix may have been written: the caller truncates back.
  virtual Status write_at(std::uint64_t position, std::span<const ByteView> pieces) = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Status sync() = 0;  // data and size are on stable storage when it returns
  // A hint: a sync follows soon. Files that are told one after the other before the first of them is synced
  // share one wait, as far as the system can.
  virtual void begin_sync() {}
  virtual Result<std::uint64_t> size() const = 0;
  // Nothing was ever written from `position` on: it reads as zeros, and did so since the file was made. False
  // where nobody can tell without reading.
  virtual bool is_hole(std::uint64_t /*position*/) const { return false; }
  // The descriptor for sendfile, or -1 where there is none (simulation).
  virtual int native_handle() const { return -1; }

  Status write_at(std::uint64_t position, ByteView piece) { return write_at(position, {&piece, 1}); }
};

// A part of a file that somebody needs in memory.
struct FilePart {
  std::shared_ptr<const File> file;
  std::uint64_t position = 0;
  std::uint64_t length = 0;
};

// A reader who must not wait for a disk gives one of these to what reads for him: where something is not in
// memory the read fails with kWouldBlock and says here what to read in, elsewhere, before it is tried again.
// One thread.
class Haste {
 public:
  Result<std::size_t> read(const File& file, std::uint64_t position, MutableBytes out);
  // Of the part missed last more will be needed: `length` bytes, all in all.
  void expect(std::uint64_t length) {
    if (!missing_.empty()) missing_.back().length = length;
  }
  bool full() const { return missing_.size() >= kMost; }  // what is missing besides is not noted
  const std::vector<FilePart>& missing() const { return missing_; }
  std::vector<FilePart> take() { return std::exchange(missing_, {}); }

 private:
  static constexpr std::size_t kMost = 64;  // each keeps a file open
  std::vector<FilePart> missing_;
};

// As File::read_at; with `haste`, without waiting.
inline Result<std::size_t> read(const File& file, std::uint64_t position, MutableBytes out, Haste* haste) {
  return haste != nullptr ? haste->read(file, position, out) : file.read_at(position, out);
}

// Reads and throws away, so that it is in memory then. Returns how many bytes: fewer at the end of the file,
// and on an error, which whoever reads again will meet.
std::uint64_t read_through(const File& file, std::uint64_t position, std::uint64_t length);

enum class OpenMode : std::uint8_t {
  kRead,       // must exist
  kReadWrite,  // must exist
  kCreate,     // read and write; made empty if missing, kept as it is if there
  kTruncate,   // read and write; made empty
};

struct DirEntry {
  std::string name;  // without folder
  bool is_directory = false;
  std::uint64_t size = 0;        // 0 for a directory
  std::int64_t modified_ms = 0;  // wall clock of the last write to it; 0 for a directory

  bool operator==(const DirEntry&) const = default;
};

// Held until destruction: advisory lock of one process (Kafka's `.lock`).
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual Result<std::shared_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  virtual Result<std::vector<DirEntry>> list(
      const std::string& directory) = 0;  // sorted by name, without . and ..
  virtual bool exists(const std::string& path) = 0;
  virtual Status create_directories(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;  // atomic, replaces `to`
  virtual Status remove(const std::string& path) = 0;                         // file or empty directory
  virtual Status remove_all(const std::string& path) = 0;                     // with content; fine if missing
  // DirEntry::modified_ms from now on. Nothing happens where files have no times.
  virtual Status set_modified(const std::string& /*path*/, std::int64_t /*wall_ms*/) { return {}; }
  virtual Status sync_directory(const std::string& path) = 0;  // makes creations, renames, removals durable
  // Everything written so far on the file system of `path`, names included, is durable when it returns: one
  // wait for any number of files. kUnsupported where there is no such thing.
  virtual Status sync_all(const std::string& path);
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  virtual Result<std::uint64_t> total_bytes(const std::string& path) = 0;
  // kBusy if another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  // The whole file. kInvalid if it is longer than `limit` bytes.
  Result<Bytes> read_file(const std::string& path, std::uint64_t limit = 64u << 20, Haste* haste = nullptr);
  // Replaces `path` in one step: writes `path`.tmp, syncs it, renames, syncs the folder (Kafka's checkpoint
  // files).
  Status replace_file(const std::string& path, ByteView content);
};

}  // namespace moldau::env
