// Files as the core sees them. Synchronous; what may block long (sync, remove_all, cold reads) is called from
// Background work (loop.h). Real ones in src/os; src/sim has one that loses and tears unsynced bytes at a
// crash. Errors name the path and the operating system's reason: kNoSpace, kIo, kNotFound, kBusy.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace moldau::env {

// An open file. Any number of threads may read; one at a time writes (the owner sees to that).
// The file stays readable through this handle after remove() or rename() of its path.
class File {
 public:
  virtual ~File() = default;

  // Fills `out` from `position`; returns the bytes read, fewer than asked only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const = 0;
  // Writes all pieces, one behind the other, from `position` on (one pwritev where possible). On an error an
  // unknown prefix may have been written: the caller truncates back.
  virtual Status write_at(std::uint64_t position, std::span<const ByteView> pieces) = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  virtual Status sync() = 0;  // data and size are on stable storage when it returns
  virtual Result<std::uint64_t> size() const = 0;
  // The descriptor for sendfile, or -1 where there is none (simulation).
  virtual int native_handle() const { return -1; }

  Status write_at(std::uint64_t position, ByteView piece) { return write_at(position, {&piece, 1}); }
};

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
  virtual Status sync_directory(const std::string& path) = 0;  // makes creations, renames, removals durable
  // Everything written so far on the file system of `path`, names included, is durable when it returns: one
  // wait for any number of files. kUnsupported where there is no such thing.
  virtual Status sync_all(const std::string& path);
  virtual Result<std::uint64_t> free_bytes(const std::string& path) = 0;
  virtual Result<std::uint64_t> total_bytes(const std::string& path) = 0;
  // kBusy if another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  // The whole file. kInvalid if it is longer than `limit` bytes.
  Result<Bytes> read_file(const std::string& path, std::uint64_t limit = 64u << 20);
  // Replaces `path` in one step: writes `path`.tmp, syncs it, renames, syncs the folder (Kafka's checkpoint
  // files).
  Status replace_file(const std::string& path, ByteView content);
};

}  // namespace moldau::env
