#include "net/page_cache.h"

#include <algorithm>
#include <array>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace moldau::net {
namespace {

constexpr std::size_t kMostPages = 1024;

}  // namespace

PageCache::Run KernelPageCache::run(const env::File& file, std::uint64_t position,
                                    std::uint64_t length) const {
  const int fd = file.native_handle();
  struct stat stat{};
  if (fd < 0 || ::fstat(fd, &stat) != 0) return {length, false};
  const auto size = static_cast<std::uint64_t>(stat.st_size);
  if (position >= size) return {length, true};  // whoever reads finds out
  static const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = position / page * page;
  const std::uint64_t end = std::min({position + length, size, begin + kMostPages * page});
  const auto mapped = static_cast<std::size_t>(end - begin);
  void* const map = ::mmap(nullptr, mapped, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(begin));
  if (map == MAP_FAILED) return {length, false};
  std::array<unsigned char, kMostPages> in_memory{};
  const bool told = ::mincore(map, mapped, in_memory.data()) == 0;
  ::munmap(map, mapped);
  if (!told) return {length, false};
  const std::size_t pages = (mapped + page - 1) / page;
  std::size_t count = 0;
  while (count < pages && (in_memory[count] & 1u) != 0) ++count;
  const std::uint64_t run_end = std::min(end, begin + count * page);
  return {run_end > position ? run_end - position : 0, run_end == size};
}

bool KernelPageCache::has(const env::File& file, std::uint64_t position) const {
  const int fd = file.native_handle();
  if (fd < 0) return true;
  char byte = 0;
  const iovec into{&byte, 1};
  return ::preadv2(fd, &into, 1, static_cast<off_t>(position), RWF_NOWAIT) == 1;
}

}  // namespace moldau::net
