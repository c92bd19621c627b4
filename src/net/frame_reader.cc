#include "net/frame_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "net/foreign_protocol.h"

namespace moldau::net {
namespace {

// With more than this left of a frame, that rest is worth a read of its own.
constexpr std::size_t kReadAlone = 32u << 10;
// How many times what has arrived a buffer may hold.
constexpr std::size_t kAhead = 4;

}  // namespace

std::span<const iovec> FrameReader::space() {
  CHECK(block_ == nullptr);
  std::size_t parts = 0;
  if (partial_ != nullptr) {
    make_room();
    const std::size_t left = partial_size_ - partial_have_;
    const std::size_t room = std::min(left, partial_->capacity() - partial_have_);
    space_[parts++] = {partial_->data() + partial_have_, room};
    if (room < left) return {space_.data(), parts};
    if (left >= kReadAlone || usual_size_ != 0) {
      // Room for the next frame's length, too: a read that does not fill it has found all there was.
      space_[parts++] = {head_.data(), kPrefix};
      return {space_.data(), parts};
    }
  }
  block_ = pool_.acquire(std::max(usual_size_, BufferPool::kSmallest));
  std::memcpy(block_->data(), head_.data(), head_have_);
  begin_ = 0;
  end_ = std::exchange(head_have_, std::uint8_t{0});
  const std::size_t room =
      usual_size_ != 0 ? std::min(usual_size_ + kPrefix, block_->capacity()) : block_->capacity();
  space_[parts++] = {block_->data() + end_, room - end_};
  return {space_.data(), parts};
}

void FrameReader::filled(std::size_t bytes) {
  if (partial_ != nullptr) {
    const std::size_t taken = std::min(bytes, partial_size_ - partial_have_);
    partial_->charge(taken);
    partial_have_ += taken;
    bytes -= taken;
  }
  if (block_ == nullptr) {
    head_have_ = static_cast<std::uint8_t>(bytes);
  } else {
    end_ += bytes;
  }
}

FrameReader::Cut FrameReader::next(env::Inbound& frame) {
  if (partial_ != nullptr && !in_mid_frame()) return finish_partial(frame);
  if (block_ == nullptr) return Cut::kNone;
  return next_of_block(frame);
}

FrameReader::Cut FrameReader::finish_partial(env::Inbound& frame) {
  if (block_ != nullptr && begin_ == end_) block_ = nullptr;
  remember(partial_size_);
  partial_->is_whole();
  frame.bytes = {partial_->data() + kPrefix, partial_size_ - kPrefix};
  frame.keep = std::move(partial_);
  partial_ = nullptr;
  return Cut::kFrame;
}

FrameReader::Cut FrameReader::next_of_block(env::Inbound& frame) {
  const std::size_t have = end_ - begin_;
  if (have < kPrefix) return keep_head();
  std::uint8_t* start = block_->data() + begin_;
  if (!check_length({start, have})) return Cut::kBad;
  const std::size_t size = kPrefix + static_cast<std::size_t>(load_be<std::int32_t>(start));
  if (have < size) return keep_rest(size);
  remember(size);
  block_->charge(size);
  frame.bytes = {start + kPrefix, size - kPrefix};
  begin_ += size;
  if (begin_ == end_) {
    frame.keep = std::move(block_);
    block_ = nullptr;
  } else {
    frame.keep = block_;
  }
  return Cut::kFrame;
}

FrameReader::Cut FrameReader::keep_head() {
  head_have_ = static_cast<std::uint8_t>(end_ - begin_);
  std::memcpy(head_.data(), block_->data() + begin_, head_have_);
  block_ = nullptr;
  return Cut::kNone;
}

FrameReader::Cut FrameReader::keep_rest(std::size_t frame_size) {
  const std::size_t have = end_ - begin_;
  const bool made_for_it =
      begin_ == 0 && frame_size <= block_->capacity() && frame_size > block_->capacity() / 2;
  if (made_for_it) {
    partial_ = std::move(block_);
  } else {
    partial_ = room_for(frame_size, have);
    std::memcpy(partial_->data(), block_->data() + begin_, have);
  }
  block_ = nullptr;
  partial_->charge(have);
  partial_have_ = have;
  partial_size_ = frame_size;
  return Cut::kNone;
}

BufferRef FrameReader::room_for(std::size_t frame_size, std::size_t have) {
  const bool usual = usual_size_ != 0 && frame_size <= std::bit_ceil(usual_size_);
  if (usual || frame_size > BufferPool::kLargest) return pool_.acquire_exact(frame_size);
  return pool_.acquire_exact(std::min(frame_size, std::max(kAhead * have, BufferPool::kSmallest)));
}

// For more of the frame that has begun.
void FrameReader::make_room() {
  if (partial_have_ < partial_->capacity()) return;
  BufferRef larger = room_for(partial_size_, partial_have_);
  std::memcpy(larger->data(), partial_->data(), partial_have_);
  larger->take_over_charge(*partial_);
  partial_ = std::move(larger);
}

void FrameReader::remember(std::size_t frame_size) {
  const bool large = frame_size > BufferPool::kSmallest && frame_size <= BufferPool::kLargest;
  usual_size_ = large ? frame_size : 0;
}

void FrameReader::clear() {
  partial_ = nullptr;
  block_ = nullptr;
  partial_have_ = partial_size_ = 0;
  begin_ = end_ = head_have_ = 0;
}

bool FrameReader::check_length(ByteView bytes) {
  const auto length = load_be<std::int32_t>(bytes.data());
  const std::string foreign = is_first_ ? foreign_protocol(bytes) : std::string();
  is_first_ = false;
  if (!foreign.empty()) {
    complaint_ = "expected Kafka's protocol, found " + foreign;
  } else if (length < 0) {
    complaint_ = "expected a request's size, found the negative number " + std::to_string(length);
  } else if (length > largest_frame_) {
    complaint_ = "found a request of " + std::to_string(length) + " bytes, expected at most " +
                 std::to_string(largest_frame_) + " (socket.request.max.bytes)";
  } else {
    return true;
  }
  return false;
}

}  // namespace moldau::net
