// The answers of one connection: taken in any order, sent in the order of their slots.
//
//      slot:  sent ─┬─ queued (pieces_) ─┬─ not answered, or answered early (early_) ─┬─
//                   ▲ sent_              ▲ head_                                      ▲ opened_
//
// Pieces of all replies that may go out form one list; the sender takes as many as fit one system call.
// Knows no socket; reads files only where a slice cannot be sent as a file. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <sys/uio.h>
#include <variant>
#include <vector>

#include "base/result.h"
#include "env/connection.h"

namespace moldau::net {

class ReplyQueue {
 public:
  static constexpr std::size_t kSendFileFrom = 8u << 10;  // below, a copy is cheaper than a call
  static constexpr std::size_t kPiecesPerCall = 128;
  static constexpr std::size_t kFileChunk = 64u
                                            << 10;  // read at once of a slice that cannot be sent as a file

  // How many bytes of a slice, from its start, can be had without waiting for a disk.
  using Sendable = std::function<std::uint64_t(const env::FileSlice&)>;

  // What the next system call sends: bytes, or else a file, or nothing before `cold` has been read in.
  struct Next {
    std::span<const iovec> bytes = {};
    std::size_t size = 0;  // of `bytes`
    bool more = false;     // something follows at once: no need to send a half-filled packet
    const env::FileSlice* file = nullptr;
    std::uint64_t of_file = 0;  // so many bytes of `file` at most
    const env::FileSlice* cold = nullptr;
  };

  std::uint64_t open() { return opened_++; }
  // REQUIRES: `slot` is open and not answered.
  void answer(std::uint64_t slot, env::Outbound&& outbound);

  bool has_output() const { return first_ < pieces_.size(); }
  // REQUIRES: has_output(). `send_files`: the connection can send files as such. `sendable`: as above; none:
  // all of any slice. Errors: a slice that could not be read in full.
  Result<Next> next(bool send_files, const Sendable& sendable = {});
  void sent(std::uint64_t bytes);

  std::uint64_t opened() const { return opened_; }
  std::uint64_t unanswered() const { return opened_ - head_ - early_.size(); }
  std::uint64_t in_flight() const { return opened_ - sent_; }  // not yet answered, or not yet sent in full
  bool answered_up_to(std::uint64_t slot) const { return head_ >= slot; }
  std::uint64_t frames_sent() const { return sent_; }
  std::uint64_t bytes_queued() const { return bytes_queued_; }  // in memory
  void clear();

 private:
  using Payload = std::variant<Bytes, env::SharedBytes, env::FileSlice>;
  struct Piece {
    Payload payload;
    bool large = false;              // a slice worth a call of its own, also when most of it has left
    std::uint32_t frames_ended = 0;  // done when this piece has left: its own, and empty ones behind it
  };
  struct Early {
    std::uint64_t slot;
    env::Outbound outbound;
  };

  void enqueue(env::Outbound&& outbound);
  void enqueue_early();
  static std::uint64_t length(const Payload& payload);
  static bool is_file(const Payload& payload) { return std::holds_alternative<env::FileSlice>(payload); }
  Status load_slice(std::size_t index);
  std::size_t gather(std::size_t from);

  std::uint64_t opened_ = 0, head_ = 0, sent_ = 0;
  std::vector<Early> early_;
  std::vector<Piece> pieces_;
  std::size_t first_ = 0;           // of pieces_ not sent
  std::uint64_t first_offset_ = 0;  // bytes of that one already sent
  std::uint64_t bytes_queued_ = 0;
  static thread_local std::array<iovec, kPiecesPerCall> iovecs_;  // only lives through one call
};

}  // namespace moldau::net
