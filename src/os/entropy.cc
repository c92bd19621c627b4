#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <iterator>
#include <sys/random.h>
#include <unistd.h>

#include "base/check.h"
#include "os/filesystem.h"

namespace moldau::os {

std::uint64_t Entropy::next() {
  if (left_ == 0) {
    // Up to 256 bytes come whole once the pool is seeded, and are never interrupted.
    const ssize_t n = ::getrandom(pool_, sizeof pool_, 0);
    CHECK(n == static_cast<ssize_t>(sizeof pool_), "getrandom");
    left_ = std::size(pool_);
  }
  return pool_[--left_];
}

std::string boot_id() {
  const int fd = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char text[64];
  const ssize_t n = ::read(fd, text, sizeof text);
  ::close(fd);
  std::string id(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!id.empty() && (id.back() == '\n' || id.back() == ' ')) id.pop_back();
  return id;
}

}  // namespace moldau::os
