#include "net/reply_queue.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"

namespace moldau::net {
namespace {

constexpr std::size_t kKeptPieces = 64;  // capacity that an empty queue may keep

ByteView bytes_of(const std::variant<Bytes, env::SharedBytes, env::FileSlice>& payload) {
  if (const auto* own = std::get_if<Bytes>(&payload)) return *own;
  return std::get<env::SharedBytes>(payload).bytes;
}

}  // namespace

thread_local std::array<iovec, ReplyQueue::kPiecesPerCall> ReplyQueue::iovecs_;

std::uint64_t ReplyQueue::length(const Payload& payload) {
  if (const auto* slice = std::get_if<env::FileSlice>(&payload)) return slice->length;
  return bytes_of(payload).size();
}

void ReplyQueue::answer(std::uint64_t slot, env::Outbound&& outbound) {
  CHECK(slot >= head_ && slot < opened_, "a slot that is not open is answered");
  if (slot == head_) {
    enqueue(std::move(outbound));
    if (!early_.empty()) enqueue_early();
    return;
  }
  for (const Early& e : early_) CHECK(e.slot != slot, "a slot is answered twice");
  early_.push_back({slot, std::move(outbound)});
}

void ReplyQueue::enqueue(env::Outbound&& outbound) {
  ++head_;
  for (auto& payload : outbound.pieces) {
    const std::uint64_t size = length(payload);
    if (size == 0) continue;
    const bool file = is_file(payload);
    if (!file) bytes_queued_ += size;
    pieces_.push_back({std::move(payload), file && size >= kSendFileFrom, 0});
  }
  if (has_output()) {
    ++pieces_.back().frames_ended;
  } else {
    ++sent_;
  }
}

void ReplyQueue::enqueue_early() {
  for (;;) {
    const auto found = std::ranges::find(early_, head_, &Early::slot);
    if (found == early_.end()) return;
    enqueue(std::move(found->outbound));
    if (&*found != &early_.back()) *found = std::move(early_.back());
    early_.pop_back();
  }
}

Result<ReplyQueue::Next> ReplyQueue::next(bool send_files, const Sendable& sendable) {
  const auto sends_as_file = [&](const Piece& piece) {
    return piece.large && send_files && std::get<env::FileSlice>(piece.payload).file->native_handle() >= 0;
  };
  if (sends_as_file(pieces_[first_])) {
    const auto& slice = std::get<env::FileSlice>(pieces_[first_].payload);
    const std::uint64_t bytes = sendable ? sendable(slice) : slice.length;
    return bytes > 0 ? Next{.file = &slice, .of_file = bytes} : Next{.cold = &slice};
  }
  std::size_t count = 0, size = 0;
  for (; count < kPiecesPerCall && first_ + count < pieces_.size(); ++count) {
    const std::size_t at = first_ + count;
    if (is_file(pieces_[at].payload)) {
      if (sends_as_file(pieces_[at]) || size >= kFileChunk) break;
      const auto& slice = std::get<env::FileSlice>(pieces_[at].payload);
      if (sendable && sendable(slice) < std::min<std::uint64_t>(slice.length, kFileChunk)) {
        if (count == 0) return Next{.cold = &slice};
        break;
      }
      TRY(load_slice(at));
    }
    size += gather(at);
  }
  return Next{.bytes = {iovecs_.data(), count}, .size = size, .more = first_ + count < pieces_.size()};
}

// Puts the piece into its place of iovecs_ and returns its size.
std::size_t ReplyQueue::gather(std::size_t at) {
  const std::size_t skipped = at == first_ ? static_cast<std::size_t>(first_offset_) : 0;
  const ByteView bytes = bytes_of(pieces_[at].payload).subspan(skipped);
  iovecs_[at - first_] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  return bytes.size();
}

// Replaces the slice by its bytes, or by its first ones and a slice of the rest.
Status ReplyQueue::load_slice(std::size_t index) {
  auto& slice = std::get<env::FileSlice>(pieces_[index].payload);
  Bytes bytes(static_cast<std::size_t>(std::min<std::uint64_t>(slice.length, kFileChunk)));
  TRY_ASSIGN(got, slice.file->read_at(slice.position, bytes));
  if (got < bytes.size()) {
    return fail(ErrorKind::kIo, "a reply's file ends early: expected " + std::to_string(slice.length) +
                                    " bytes at " + std::to_string(slice.position) + ", found " +
                                    std::to_string(got));
  }
  bytes_queued_ += got;
  if (got == slice.length) {
    pieces_[index].payload = std::move(bytes);
    pieces_[index].large = false;
    return {};
  }
  slice.position += got;
  slice.length -= got;
  pieces_.insert(pieces_.begin() + static_cast<std::ptrdiff_t>(index), Piece{std::move(bytes)});
  return {};
}

void ReplyQueue::sent(std::uint64_t bytes) {
  while (bytes > 0) {
    Piece& piece = pieces_[first_];
    const std::uint64_t left = length(piece.payload) - (is_file(piece.payload) ? 0 : first_offset_);
    const std::uint64_t step = std::min(left, bytes);
    bytes -= step;
    if (auto* slice = std::get_if<env::FileSlice>(&piece.payload)) {
      slice->position += step;
      slice->length -= step;
    } else {
      bytes_queued_ -= step;
      first_offset_ += step;
    }
    if (step < left) return;
    sent_ += piece.frames_ended;
    piece.payload = Bytes();  // what it held is let go now, not when the whole queue has left
    first_offset_ = 0;
    ++first_;
  }
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
    if (pieces_.capacity() > kKeptPieces) pieces_.shrink_to_fit();
  } else if (first_ >= kPiecesPerCall) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void ReplyQueue::clear() {
  pieces_ = {};
  early_ = {};
  first_ = 0;
  first_offset_ = 0;
  bytes_queued_ = 0;
  sent_ = head_ = opened_;
}

}  // namespace moldau::net
