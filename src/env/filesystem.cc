#include "env/filesystem.h"

namespace moldau::env {

Status FileSystem::sync_all(const std::string& path) {
  return fail(ErrorKind::kUnsupported, path + ": files can only be synced one by one");
}

Result<Bytes> FileSystem::read_file(const std::string& path, std::uint64_t limit) {
  TRY_ASSIGN(file, open(path, OpenMode::kRead));
  TRY_ASSIGN(size, file->size());
  if (size > limit) {
    return fail(ErrorKind::kInvalid, path + ": expected at most " + std::to_string(limit) + " bytes, found " +
                                         std::to_string(size));
  }
  Bytes content(size);
  TRY_ASSIGN(got, file->read_at(0, content));
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
