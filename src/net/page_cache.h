// What of a file lies in memory. An interface, so that tests can say. Any thread.
#pragma once

#include <cstdint>

#include "env/filesystem.h"

namespace moldau::net {

class PageCache {
 public:
  struct Run {
    std::uint64_t bytes = 0;      // in memory from the asked position on, `length` at most
    bool to_end_of_file = false;  // and the file ends there
  };

  virtual ~PageCache() = default;
  // Four system calls, and some ten nanoseconds a page.
  virtual Run run(const env::File& file, std::uint64_t position, std::uint64_t length) const = 0;
  // Whether the byte at `position` is there and in memory. One system call.
  virtual bool has(const env::File& file, std::uint64_t position) const = 0;
};

// Asks the kernel. A file without a descriptor, and one it cannot tell about, is in memory.
class KernelPageCache final : public PageCache {
 public:
  Run run(const env::File& file, std::uint64_t position, std::uint64_t length) const override;
  bool has(const env::File& file, std::uint64_t position) const override;
};

}  // namespace moldau::net
