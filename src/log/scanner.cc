#include "log/scanner.h"

#include <algorithm>
#include <cstring>

namespace moldau::log {

namespace {
constexpr std::size_t kReadAhead = 128
                                   << 10;  // stays in a core's own cache between the copy and the checksum
constexpr std::string_view kCut = "a batch that is longer than what is left of the file";
}  // namespace

// Makes the bytes at next_ the first of the buffer.
Status HeaderScanner::fill() {
  const std::size_t wanted = std::min<std::uint64_t>(buffer_.size(), end_ - next_);
  TRY_ASSIGN(got, env::read(file_, next_, MutableBytes(buffer_).first(wanted), haste_));
  buffer_at_ = next_;
  buffer_size_ = got;
  return {};
}

Result<std::optional<record::BatchHeader>> HeaderScanner::next() {
  if (!broken_.empty() || next_ >= end_) return std::nullopt;
  const auto buffered = [&]() -> ByteView {
    if (next_ < buffer_at_ || next_ >= buffer_at_ + buffer_size_) return {};
    return ByteView(buffer_).first(buffer_size_).subspan(next_ - buffer_at_);
  };
  record::ParsedHeader parsed = record::parse_header(buffered());
  if (parsed.state == record::ParseState::kNeedMore) {
    TRY(fill());
    parsed = record::parse_header(buffered());
  }
  if (parsed.state != record::ParseState::kOk) {
    broken_ = parsed.state == record::ParseState::kCorrupt ? parsed.reason : kCut;
    return std::nullopt;
  }
  const auto size = static_cast<std::uint64_t>(parsed.header.size);
  if (size > end_ - next_) {
    broken_ = kCut;
    return std::nullopt;
  }
  position_ = next_;
  next_ += size;
  return parsed.header;
}

// Makes at least `bytes` bytes from next_ on (or all there are) the front of the buffer.
Status BatchScanner::need(std::size_t bytes) {
  const std::uint64_t buffer_end = buffer_at_ + filled_;
  const std::size_t have = next_ >= buffer_at_ && next_ < buffer_end ? buffer_end - next_ : 0;
  if (have >= bytes) return {};
  const std::size_t wanted = std::min<std::uint64_t>(std::max(bytes, kReadAhead), end_ - next_);
  if (have > 0) std::memmove(buffer_.data(), buffer_.data() + filled_ - have, have);
  if (buffer_.size() < wanted) buffer_.resize(wanted);
  buffer_at_ = next_;
  filled_ = have;
  TRY_ASSIGN(got, file_.read_at(next_ + have, MutableBytes(buffer_).subspan(have, wanted - have)));
  filled_ += got;
  return {};
}

Result<std::optional<record::BatchView>> BatchScanner::next() {
  if (!broken_.empty() || next_ >= end_) return std::nullopt;
  TRY(need(std::min<std::uint64_t>(record::kMaxHeaderSize, end_ - next_)));
  const auto here = [&] { return ByteView(buffer_).first(filled_).subspan(next_ - buffer_at_); };
  const record::ParsedHeader parsed = record::parse_header(here());
  if (parsed.state != record::ParseState::kOk) {
    broken_ = parsed.state == record::ParseState::kCorrupt ? parsed.reason : kCut;
    return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(parsed.header.size);
  if (size > end_ - next_) {
    broken_ = kCut;
    return std::nullopt;
  }
  TRY(need(size));
  if (here().size() < size) {
    broken_ = kCut;
    return std::nullopt;
  }
  const record::BatchView batch(here().first(size), parsed.header);
  if (!batch.crc_ok()) {
    broken_ = "a batch whose checksum does not match: stored " + std::to_string(parsed.header.crc) +
              ", computed " + std::to_string(batch.compute_crc());
    return std::nullopt;
  }
  position_ = next_;
  next_ += size;
  return batch;
}

}  // namespace moldau::log
