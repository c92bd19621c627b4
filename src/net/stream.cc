#include "net/stream.h"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace moldau::net {
namespace {

Stream::Outcome outcome_of(ssize_t result, Stream::State of_zero) {
  if (result > 0) return {Stream::State::kDone, static_cast<std::size_t>(result)};
  if (result == 0) return {of_zero};
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {Stream::State::kWouldBlock};
  return {Stream::State::kBroken, 0, errno};
}

// Where not, the next edge is armed by this call.
bool takes_more(int fd) {
  pollfd asked{fd, POLLOUT, 0};
  return ::poll(&asked, 1, 0) > 0;
}

template <typename Call>
ssize_t uninterrupted(Call&& call) {
  ssize_t result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace

Stream::Outcome SocketStream::read(std::span<const iovec> into) {
  const ssize_t got = uninterrupted([&] {
    if (into.size() == 1) return ::recv(fd_, into[0].iov_base, into[0].iov_len, 0);
    return ::readv(fd_, into.data(), static_cast<int>(into.size()));
  });
  return outcome_of(got, State::kEnd);
}

Stream::Outcome SocketStream::write(std::span<const iovec> from, bool more) {
  const int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  const ssize_t put = uninterrupted([&] {
    if (from.size() == 1) return ::send(fd_, from[0].iov_base, from[0].iov_len, flags);
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    return ::sendmsg(fd_, &message, flags);
  });
  Outcome outcome = outcome_of(put, State::kWouldBlock);
  std::size_t asked = 0;
  for (const iovec& part : from) asked += part.iov_len;
  outcome.full = outcome.bytes < asked;
  return outcome;
}

Stream::Outcome SocketStream::send_file(const env::FileSlice& slice, std::uint64_t at_most) {
  constexpr std::uint64_t kAtOnce = 1u << 30;
  auto position = static_cast<off_t>(slice.position);
  const auto count = static_cast<std::size_t>(std::min({slice.length, at_most, kAtOnce}));
  const ssize_t put =
      uninterrupted([&] { return ::sendfile(fd_, slice.file->native_handle(), &position, count); });
  Outcome outcome = outcome_of(put, State::kEnd);
  // Unlike a write, sendfile may come up short for the file's sake too; asking is a tenth of trying in vain.
  outcome.full = outcome.bytes > 0 && outcome.bytes < count && !takes_more(fd_);
  return outcome;
}

void SocketStream::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace moldau::net
