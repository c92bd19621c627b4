// The real file system (POSIX), clock and entropy. Any thread, as the interfaces say; Entropy: one thread.
#pragma once

#include "env/clock.h"
#include "env/filesystem.h"
#include "env/random.h"

namespace moldau::os {

class FileSystem final : public env::FileSystem {
 public:
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
};

class Clock final : public env::Clock {
 public:
  env::Instant now() const override;
  std::int64_t wall_ms() const override;
};

// The operating system's random numbers, fetched 256 bytes at a time.
class Entropy final : public env::Random {
 public:
  std::uint64_t next() override;

 private:
  std::uint64_t pool_[32];
  std::size_t left_ = 0;
};

// Changes with every start of the machine (and of nothing less); empty where it cannot be had.
std::string boot_id();

}  // namespace moldau::os
