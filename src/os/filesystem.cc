#include "os/filesystem.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"

namespace moldau::os {
namespace {

ErrorKind kind_of(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EMFILE:  // no trouble of the disk's: connections end, files are closed
    case ENFILE:
      return ErrorKind::kNoSpace;
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::kNotFound;
    case EWOULDBLOCK:
      return ErrorKind::kBusy;
    default:
      return ErrorKind::kIo;
  }
}

std::unexpected<Error> fail_with(int error, const char* what, const std::string& path) {
  return fail(kind_of(error), path + ": cannot " + what + ": " + std::strerror(error));
}

// What a sync could not write is no longer in memory either: a second try would say that all is well. So no
// error of it passes for one that time mends, a full disk included.
std::unexpected<Error> sync_failed(int error, const std::string& path) {
  return fail(ErrorKind::kIo, path + ": cannot sync: " + std::strerror(error));
}

class File final : public env::File {
 public:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~File() override { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  Result<std::size_t> read_at(std::uint64_t position, MutableBytes out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const ssize_t n =
          ::pread(fd_, out.data() + done, out.size() - done, static_cast<off_t>(position + done));
      if (n == 0) break;
      if (n > 0) {
        done += static_cast<std::size_t>(n);
      } else if (errno != EINTR) {
        return fail_with(errno, "read", path_);
      }
    }
    return done;
  }

  Result<std::size_t> read_cached(std::uint64_t position, MutableBytes out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const iovec rest{out.data() + done, out.size() - done};
      const ssize_t n = ::preadv2(fd_, &rest, 1, static_cast<off_t>(position + done), RWF_NOWAIT);
      if (n > 0) {
        done += static_cast<std::size_t>(n);
      } else if (n < 0 && errno == EAGAIN) {
        return fail(ErrorKind::kWouldBlock, path_ + ": not in memory");
      } else if (n == 0 || errno != EINTR) {
        return read_at(position, out);  // the end of the file, an error, or a file system that cannot tell
      }
    }
    return done;
  }

  Status write_at(std::uint64_t position, std::span<const ByteView> pieces) override {
    while (!pieces.empty()) {
      const std::size_t batch = std::min<std::size_t>(pieces.size(), kMaxPieces);
      TRY(write_some(position, pieces.first(batch)));
      pieces = pieces.subspan(batch);
    }
    return {};
  }

  Status truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return fail_with(errno, "truncate", path_);
    return {};
  }

  void begin_sync() override { ::sync_file_range(fd_, 0, 0, SYNC_FILE_RANGE_WRITE); }

  Status sync() override {
    if (::fdatasync(fd_) != 0) return sync_failed(errno, path_);
    return {};
  }

  Result<std::uint64_t> size() const override {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return fail_with(errno, "stat", path_);
    return static_cast<std::uint64_t>(info.st_size);
  }

  bool is_hole(std::uint64_t position) const override {
    return ::lseek(fd_, static_cast<off_t>(position), SEEK_DATA) < 0 && errno == ENXIO;
  }

  int native_handle() const override { return fd_; }

 private:
  static constexpr std::size_t kMaxPieces = 64;  // well below IOV_MAX; fits the stack

  // Writes `pieces` and moves `position` behind them; carries on after a short write.
  Status write_some(std::uint64_t& position, std::span<const ByteView> pieces) {
    iovec vectors[kMaxPieces];
    std::size_t count = 0;
    for (const ByteView piece : pieces) {
      if (!piece.empty()) vectors[count++] = {const_cast<std::uint8_t*>(piece.data()), piece.size()};
    }
    iovec* at = vectors;
    while (count > 0) {
      const ssize_t n = ::pwritev(fd_, at, static_cast<int>(count), static_cast<off_t>(position));
      if (n < 0) {
        if (errno == EINTR) continue;
        return fail_with(errno, "write", path_);
      }
      position += static_cast<std::uint64_t>(n);
      auto left = static_cast<std::size_t>(n);
      while (count > 0 && left >= at->iov_len) {
        left -= at->iov_len;
        ++at, --count;
      }
      if (left > 0) {
        at->iov_base = static_cast<std::uint8_t*>(at->iov_base) + left;
        at->iov_len -= left;
      }
    }
    return {};
  }

  const int fd_;
  const std::string path_;
};

class Lock final : public env::FileLock {
 public:
  explicit Lock(int fd) : fd_(fd) {}
  ~Lock() override { ::close(fd_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  const int fd_;
};

int flags_of(env::OpenMode mode) {
  switch (mode) {
    case env::OpenMode::kRead:
      return O_RDONLY;
    case env::OpenMode::kReadWrite:
      return O_RDWR;
    case env::OpenMode::kCreate:
      return O_RDWR | O_CREAT;
    case env::OpenMode::kTruncate:
      return O_RDWR | O_CREAT | O_TRUNC;
  }
  CHECK(false, "open mode");
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using OpenDir = std::unique_ptr<DIR, CloseDir>;

env::DirEntry entry_of(const char* name, const struct stat& info) {
  return {.name = name,
          .is_directory = S_ISDIR(info.st_mode),
          .size = S_ISDIR(info.st_mode) ? 0 : static_cast<std::uint64_t>(info.st_size),
          .modified_ms = S_ISDIR(info.st_mode)
                             ? 0
                             : std::int64_t{info.st_mtim.tv_sec} * 1000 + info.st_mtim.tv_nsec / 1'000'000};
}

Result<struct statvfs> space_of(const std::string& path) {
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0) return fail_with(errno, "ask for its space", path);
  return info;
}

}  // namespace

Result<std::shared_ptr<env::File>> FileSystem::open(const std::string& path, env::OpenMode mode) {
  const int fd = ::open(path.c_str(), flags_of(mode) | O_CLOEXEC, 0644);
  if (fd < 0) return fail_with(errno, "open", path);
  return std::make_shared<File>(fd, path);
}

Result<std::vector<env::DirEntry>> FileSystem::list(const std::string& directory) {
  const OpenDir dir(::opendir(directory.c_str()));
  if (!dir) return fail_with(errno, "list", directory);
  std::vector<env::DirEntry> entries;
  for (;;) {
    errno = 0;
    const dirent* found = ::readdir(dir.get());
    if (found == nullptr) {
      if (errno != 0) return fail_with(errno, "list", directory);
      break;
    }
    const std::string_view name = found->d_name;
    if (name == "." || name == "..") continue;
    if (found->d_type == DT_DIR) {  // nobody asks when something was made in it
      entries.push_back({.name = found->d_name, .is_directory = true});
      continue;
    }
    struct stat info;
    if (::fstatat(::dirfd(dir.get()), found->d_name, &info, 0) == 0)
      entries.push_back(entry_of(found->d_name, info));
    else if (errno != ENOENT)  // else: removed meanwhile, or a link to nothing
      return fail_with(errno, "stat", directory + "/" + found->d_name);
  }
  std::ranges::sort(entries, {}, &env::DirEntry::name);
  return entries;
}

bool FileSystem::exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Status FileSystem::create_directories(const std::string& path) {
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] != '/') continue;
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0755) == 0) continue;
    const int error = errno;
    struct stat info;
    const bool there = ::stat(part.c_str(), &info) == 0;
    if (there && S_ISDIR(info.st_mode)) continue;
    return fail_with(there && error == EEXIST ? ENOTDIR : error, "create the directory", part);
  }
  return {};
}

Status FileSystem::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_with(errno, ("rename to " + to).c_str(), from);
  return {};
}

Status FileSystem::remove(const std::string& path) {
  if (::remove(path.c_str()) != 0) return fail_with(errno, "remove", path);
  return {};
}

Status FileSystem::remove_all(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return fail_with(errno, "stat", path);
  }
  if (S_ISDIR(info.st_mode)) {
    std::vector<std::string> names;
    {
      const OpenDir dir(::opendir(path.c_str()));
      if (!dir) return fail_with(errno, "list", path);
      while (const dirent* found = ::readdir(dir.get())) {
        const std::string_view name = found->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
      }
    }
    for (const std::string& name : names) TRY(remove_all(path + "/" + name));
  }
  if (::remove(path.c_str()) != 0 && errno != ENOENT) return fail_with(errno, "remove", path);
  return {};
}

Status FileSystem::set_modified(const std::string& path, std::int64_t wall_ms) {
  const timespec modified{.tv_sec = wall_ms / 1000, .tv_nsec = wall_ms % 1000 * 1'000'000};
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, modified};
  if (::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) return fail_with(errno, "set the time of", path);
  return {};
}

Status FileSystem::sync_directory(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_with(errno, "open", path);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0 && error != EINVAL) return sync_failed(error, path);  // EINVAL: no such notion there
  return {};
}

Status FileSystem::sync_all(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_with(errno, "open", path);
  const int error = ::syncfs(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0) return sync_failed(error, path);
  return {};
}

Result<std::uint64_t> FileSystem::free_bytes(const std::string& path) {
  TRY_ASSIGN(info, space_of(path));
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Result<std::uint64_t> FileSystem::total_bytes(const std::string& path) {
  TRY_ASSIGN(info, space_of(path));
  return std::uint64_t{info.f_blocks} * info.f_frsize;
}

Result<std::unique_ptr<env::FileLock>> FileSystem::lock(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return fail_with(errno, "open", path);
  auto lock = std::make_unique<Lock>(fd);
  // Java's FileChannel.lock() is an fcntl lock, so this one keeps Kafka out too; as a lock of the open file,
  // not of the process, it also keeps out a second opening in this process.
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd, F_OFD_SETLK, &whole) != 0) {
    if (errno != EACCES && errno != EAGAIN) return fail_with(errno, "lock", path);
    return fail(ErrorKind::kBusy,
                path + ": expected a directory that no other process uses, found it locked");
  }
  return lock;
}

}  // namespace moldau::os
