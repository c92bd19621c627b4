#include "env/filesystem.h"

#include <algorithm>

namespace moldau::env {

Result<std::size_t> Haste::read(const File& file, std::uint64_t position, MutableBytes out) {
  auto got = file.read_cached(position, out);
  if (!got && got.error().kind == ErrorKind::kWouldBlock && !full())
    missing_.push_back({.file = file.shared_from_this(), .position = position, .length = out.size()});
  return got;
}

std::uint64_t read_through(const File& file, std::uint64_t position, std::uint64_t length) {
  constexpr std::size_t kBuffer = 128u << 10;
  Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(kBuffer, length)));
  std::uint64_t done = 0;
  while (done < length) {
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), length - done));
    const auto got = file.read_at(position + done, MutableBytes(buffer).first(step));
    if (!got) break;
    done += *got;
    if (*got < step) break;
  }
  return done;
}

Status FileSystem::sync_all(const std::string& path) {
  return fail(ErrorKind::kUnsupported, path + ": files can only be synced one by one");
}

Result<Bytes> FileSystem::read_file(const std::string& path, std::uint64_t limit, Haste* haste) {
  TRY_ASSIGN(file, open(path, OpenMode::kRead));
  TRY_ASSIGN(size, file->size());
  if (size > limit) {
    return fail(ErrorKind::kInvalid, path + ": expected at most " + std::to_string(limit) + " bytes, found " +
                                         std::to_string(size));
  }
  Bytes content(size);
  TRY_ASSIGN(got, read(*file, 0, content, haste));
  content.resize(got);
  return content;
}

Status FileSystem::replace_file(const std::string& path, ByteView content) {
  const std::string temporary = path + ".tmp";
  {
    TRY_ASSIGN(file, open(temporary, OpenMode::kTruncate));
    TRY(file->write_at(0, content));
    TRY(file->sync());
  }
  TRY(rename(temporary, path));
  const std::size_t slash = path.rfind('/');
  return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash));
}

}  // namespace moldau::env
