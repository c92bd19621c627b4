// epoll over many connections: waits, and says which connection (by its index) is ready for what.
// Level-triggered; output is watched only while there is some to send. One thread.
#pragma once

#include <cstdint>
#include <span>
#include <sys/epoll.h>
#include <vector>

#include "base/result.h"

namespace moldau::bench {

struct Ready {
  std::size_t index;
  bool readable;  // also when the peer closed or refused: reading tells which
  bool writable;
};

class Poller {
 public:
  Poller();
  Poller(const Poller&) = delete;
  ~Poller();

  void add(int fd, std::size_t index, bool output);
  // Cheap when nothing changes.
  void watch_output(int fd, std::size_t index, bool output);
  void remove(int fd);
  // Waits until something is ready or the monotonic clock reads `until_ns`.
  std::span<const Ready> wait(std::int64_t until_ns);

 private:
  int epoll_;
  std::vector<bool> watching_output_;  // by index
  std::vector<epoll_event> events_;
  std::vector<Ready> ready_;
};

}  // namespace moldau::bench
