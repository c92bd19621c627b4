// Walks over the batches of a segment file.
// HeaderScanner reads headers only: a few kilobytes at a time, and skips the records. BatchScanner reads
// whole batches and checks them: for recovery. Both end cleanly at `end`, or before something that is no
// whole batch: broken() then says what, position() where. One thread; the file outlives them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "env/filesystem.h"
#include "record/batch.h"

namespace moldau::log {

class HeaderScanner {
 public:
  // With `haste`: where something is not in memory, next() fails with kWouldBlock.
  HeaderScanner(const env::File& file, std::uint64_t from, std::uint64_t end, env::Haste* haste = nullptr)
      : file_(file), haste_(haste), next_(from), end_(end) {}

  // The next batch's header, nothing at the end or when broken; an Error is the disk's.
  Result<std::optional<record::BatchHeader>> next();

  std::uint64_t position() const { return position_; }  // of the batch that next() returned
  std::uint64_t next_position() const { return next_; }
  std::string_view broken() const { return broken_; }

 private:
  Status fill();

  const env::File& file_;
  env::Haste* const haste_;
  std::uint64_t position_ = 0;
  std::uint64_t next_;
  const std::uint64_t end_;
  std::uint64_t buffer_at_ = 0;
  std::size_t buffer_size_ = 0;
  std::string_view broken_;
  std::array<std::uint8_t, 4096> buffer_;
};

class BatchScanner {
 public:
  BatchScanner(const env::File& file, std::uint64_t from, std::uint64_t end)
      : file_(file), next_(from), end_(end) {}

  // The next whole batch with a right CRC; good until the next call.
  Result<std::optional<record::BatchView>> next();

  std::uint64_t position() const { return position_; }
  std::uint64_t next_position() const { return next_; }
  const std::string& broken() const { return broken_; }

 private:
  Status need(std::size_t bytes);

  const env::File& file_;
  std::uint64_t position_ = 0;
  std::uint64_t next_;
  const std::uint64_t end_;
  std::uint64_t buffer_at_ = 0;
  std::string broken_;
  Bytes buffer_;  // its first filled_ bytes are those of the file from buffer_at_ on
  std::size_t filled_ = 0;
};

}  // namespace moldau::log
