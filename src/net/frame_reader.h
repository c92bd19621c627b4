// Cuts frames out of a byte stream:   frame = length (int32, big-endian), then that many bytes.
//
// Reads into a pooled buffer that holds many frames and hands them out as views into it. Between reads a
// connection holds at most what has come of one frame: up to 3 bytes of its length here, or a buffer that the
// frame begins in. The rest of that frame and what follows it are read with one call into two places:
//
//      partial_  [length|payload....|      free      ]      block_  [frame|frame|fra|   free     ]
//                                   ▲── first part ──▲                              ▲── second ──▲
//
// A stream of large frames is read frame by frame, each into a buffer of its own, so nothing is copied.
//
// What a frame's length announces costs no memory. Up to 64 KiB are taken at once; beyond, a buffer of four
// times what has arrived, which is copied into the next one when it is full, up to 1 MiB; for larger frames
// one that fills up page by page. Only who has just sent a whole frame of up to 1 MiB finds a buffer of that
// size for the next.
//
// Knows no socket. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <sys/uio.h>

#include "env/connection.h"
#include "net/buffer_pool.h"

namespace moldau::net {

class FrameReader {
 public:
  enum class Cut : std::uint8_t {
    kFrame,  // `frame` is set
    kNone,   // more bytes are needed
    kBad,    // the stream is not, or no longer, a stream of frames: see complaint()
  };

  // `pool` outlives the reader. `largest_frame`: socket.request.max.bytes.
  FrameReader(BufferPool& pool, std::int32_t largest_frame) : pool_(pool), largest_frame_(largest_frame) {}

  // Where the next bytes of the stream go. Follow with filled(), also after nothing came. REQUIRES: next()
  // has said kNone.
  std::span<const iovec> space();
  void filled(std::size_t bytes);
  Cut next(env::Inbound& frame);

  // next() has not said kNone since the last read.
  bool holds_frames() const { return block_ != nullptr || (partial_ != nullptr && !in_mid_frame()); }
  // The bytes of a frame that has begun, and its size (0: not known yet), length prefix included.
  std::size_t bytes_of_partial() const { return partial_ != nullptr ? partial_have_ : head_have_; }
  std::size_t size_of_partial() const { return partial_ != nullptr ? partial_size_ : 0; }
  // A frame has begun, and what has come of it counts against the budget.
  bool in_mid_frame() const { return partial_ != nullptr && partial_have_ < partial_size_; }
  // Whether the budget lets it go on. REQUIRES: in_mid_frame().
  bool may_grow() { return partial_->may_grow(); }
  const std::string& complaint() const { return complaint_; }
  void clear();  // lets go of all buffers

 private:
  static constexpr std::size_t kPrefix = 4;

  Cut next_of_block(env::Inbound& frame);
  Cut finish_partial(env::Inbound& frame);
  Cut keep_rest(std::size_t frame_size);
  BufferRef room_for(std::size_t frame_size, std::size_t have);
  void make_room();
  Cut keep_head();
  bool check_length(ByteView bytes);
  void remember(std::size_t frame_size);

  BufferPool& pool_;
  std::int32_t largest_frame_;
  bool is_first_ = true;
  std::uint8_t head_have_ = 0;  // bytes of `head_`
  std::array<std::uint8_t, kPrefix> head_{};
  std::size_t usual_size_ = 0;  // of the last frame if it was a large one: how much to read at once
  BufferRef partial_;
  std::size_t partial_have_ = 0, partial_size_ = 0;
  BufferRef block_;
  std::size_t begin_ = 0, end_ = 0;  // of the bytes in block_ not yet cut
  std::array<iovec, 2> space_{};
  std::string complaint_;
};

}  // namespace moldau::net
