// A segment's index: a growing list of slots of which few are in memory.
//
//   slots      0 1 2 3 4 5 6 7 8 9 …                     one about every index.interval.bytes of the log
//   file       0 1 2 3 4 5 6 7                           written so far (Kafka's .index or .timeindex, bytes
//   below) samples    0       4                                 every 2^n-th of those; at most kMaxSamples,
//   then n grows pending                    8 9                       not in the file yet
//
//   .index      int32 last offset of the batch - base offset, int32 its position in the .log
//   .timeindex  int64 largest timestamp so far, int32 last offset of its batch - base offset
//
// Always holds: slots grow strictly. The list is derived data: what is wrong or missing is built anew from
// the log. Owned by its segment. (Kafka: OffsetIndex, TimeIndex; no mmap.)
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/result.h"
#include "env/filesystem.h"

namespace moldau::log {

struct OffsetSlot {
  static constexpr std::uint32_t kBytes = 8;
  std::uint32_t relative = 0;
  std::uint32_t position = 0;

  bool operator==(const OffsetSlot&) const = default;
  bool follows(const OffsetSlot& other) const {
    return relative > other.relative && position > other.position;
  }
  static OffsetSlot load(const std::uint8_t* at) {
    return {load_be<std::uint32_t>(at), load_be<std::uint32_t>(at + 4)};
  }
  void store(std::uint8_t* at) const { store_be(at, relative), store_be(at + 4, position); }
};

struct TimeSlot {
  static constexpr std::uint32_t kBytes = 12;
  std::int64_t timestamp = 0;
  std::uint32_t relative = 0;

  bool operator==(const TimeSlot&) const = default;
  bool follows(const TimeSlot& other) const {
    return timestamp > other.timestamp && relative >= other.relative;
  }
  static TimeSlot load(const std::uint8_t* at) {
    return {load_be<std::int64_t>(at), load_be<std::uint32_t>(at + 8)};
  }
  void store(std::uint8_t* at) const { store_be(at, timestamp), store_be(at + 8, relative); }
};

template <typename Slot>
class SparseIndex {
 public:
  static constexpr std::size_t kMaxSamples = 256;
  static constexpr std::size_t kSpillAt = 128;  // pending slots worth a write

  std::uint32_t count() const { return written_ + static_cast<std::uint32_t>(pending_.size()); }
  std::uint32_t written() const { return written_; }
  const std::optional<Slot>& last() const { return last_; }
  bool has_pending() const { return !pending_.empty(); }
  bool wants_spill() const { return pending_.size() >= kSpillAt; }

  // REQUIRES: follows the last one.
  void append(const Slot& slot) {
    CHECK(!last_ || slot.follows(*last_));
    pending_.push_back(slot);
    last_ = slot;
  }

  // Writes what is pending. On an error it stays pending.
  Status spill(env::File& file) {
    if (pending_.empty()) return {};
    Bytes bytes(pending_.size() * Slot::kBytes);
    for (std::size_t i = 0; i < pending_.size(); ++i) pending_[i].store(bytes.data() + i * Slot::kBytes);
    TRY(file.write_at(std::uint64_t{written_} * Slot::kBytes, bytes));
    for (const Slot& slot : pending_) sample(slot);
    pending_ = {};
    return {};
  }

  // Reads a file of `size` bytes. Kafka makes indexes large in advance: zeros up to the end are no slots.
  // Returns false where something else is wrong: a cut slot, one that does not follow the one before,
  // anything behind zeros.
  Result<bool> load(const env::File& file, std::uint64_t size, env::Haste* haste = nullptr) {
    *this = {};
    if (size % Slot::kBytes != 0) return false;
    std::array<std::uint8_t, 8192 / Slot::kBytes * Slot::kBytes> chunk;
    bool zeros = false;
    for (std::uint64_t at = 0; at < size;) {
      const std::size_t wanted = std::min<std::uint64_t>(chunk.size(), size - at);
      auto read = env::read(file, at, MutableBytes(chunk).first(wanted), haste);
      if (!read && haste != nullptr) haste->expect(size - at);
      TRY_ASSIGN(got, std::move(read));
      if (got < wanted) return false;
      for (std::size_t i = 0; i < got; i += Slot::kBytes) {
        const Slot slot = Slot::load(chunk.data() + i);
        zeros |= slot == Slot{};
        if (zeros && slot != Slot{}) return false;
        if (zeros) continue;
        if (last_ && !slot.follows(*last_)) return false;
        sample(slot);
        last_ = slot;
      }
      at += got;
    }
    return true;
  }

  // The last slot for which `holds` is true; it must be true for all slots before one for which it is.
  // `open()` gives the file when slots that are only there are needed.
  template <typename Holds, typename Open>
  Result<std::optional<Slot>> floor(Holds holds, Open open, env::Haste* haste = nullptr) const {
    TRY_ASSIGN(found, find(holds, open, haste));
    return found.slot;
  }

  // Keeps the slots for which `holds` is true, and cuts the file.
  template <typename Holds, typename Open>
  Status keep_while(Holds holds, Open open) {
    TRY_ASSIGN(found, find(holds, open, nullptr));
    last_ = found.slot;
    if (found.count >= written_) {
      pending_.resize(found.count - written_);
      return {};
    }
    pending_ = {};
    written_ = found.count;
    samples_.resize((written_ + stride() - 1) / stride());
    TRY_ASSIGN(file, open());
    return file->truncate(std::uint64_t{written_} * Slot::kBytes);
  }

  std::size_t memory() const { return (samples_.capacity() + pending_.capacity()) * sizeof(Slot); }

 private:
  struct Found {
    std::optional<Slot> slot;
    std::uint32_t count = 0;  // of slots up to it
  };

  std::uint32_t stride() const { return 1u << shift_; }

  void sample(const Slot& slot) {
    if (written_++ % stride() != 0) return;
    samples_.push_back(slot);
    if (samples_.size() <= kMaxSamples) return;
    ++shift_;
    std::size_t kept = 0;
    for (std::size_t i = 0; i < samples_.size(); i += 2) samples_[kept++] = samples_[i];
    samples_.resize(kept);
  }

  template <typename Holds>
  static std::size_t length_of_prefix(const std::vector<Slot>& slots, Holds& holds) {
    return static_cast<std::size_t>(std::ranges::partition_point(slots, holds) - slots.begin());
  }

  template <typename Holds, typename Open>
  Result<Found> find(Holds& holds, Open& open, env::Haste* haste) const {
    if (!pending_.empty() && holds(pending_.front())) {
      const std::size_t n = length_of_prefix(pending_, holds);
      return Found{pending_[n - 1], written_ + static_cast<std::uint32_t>(n)};
    }
    const std::size_t n = length_of_prefix(samples_, holds);
    if (n == 0) return Found{};
    const auto low = static_cast<std::uint32_t>(n - 1) << shift_;
    if (shift_ == 0) return Found{samples_[n - 1], low + 1};
    return find_in_file(holds, open, low, std::min(low + stride(), written_), haste);
  }

  // Slot `low` holds, slot `high` does not (or is the end).
  template <typename Holds, typename Open>
  Result<Found> find_in_file(Holds& holds, Open& open, std::uint32_t low, std::uint32_t high,
                             env::Haste* haste) const {
    TRY_ASSIGN(file, open());
    std::array<std::uint8_t, 256 * Slot::kBytes> block;
    const auto read = [&](std::uint32_t from, std::uint32_t count) -> Status {
      const std::size_t bytes = std::size_t{count} * Slot::kBytes;
      TRY_ASSIGN(
          got, env::read(*file, std::uint64_t{from} * Slot::kBytes, MutableBytes(block).first(bytes), haste));
      if (got < bytes) return fail(ErrorKind::kCorrupt, "an index file has lost slots");
      return {};
    };
    while (high - low > 256) {
      const std::uint32_t middle = low + (high - low) / 2;
      TRY(read(middle, 1));
      (holds(Slot::load(block.data())) ? low : high) = middle;
    }
    TRY(read(low, high - low));
    std::uint32_t n = 1;
    while (n < high - low && holds(Slot::load(block.data() + n * Slot::kBytes))) ++n;
    return Found{Slot::load(block.data() + (n - 1) * Slot::kBytes), low + n};
  }

  std::vector<Slot> samples_;
  std::vector<Slot> pending_;
  std::optional<Slot> last_;
  std::uint32_t written_ = 0;
  std::uint32_t shift_ = 0;
};

}  // namespace moldau::log
