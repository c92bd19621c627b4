#include "quorum/segment_scan.h"

#include <algorithm>

#include "quorum/batch_walk.h"
#include "record/batch.h"

namespace moldau::quorum {
namespace {

constexpr std::size_t kWindow = 1u << 20;

// A file in windows, so that a long segment does not need its size in memory.
class SegmentScan {
 public:
  SegmentScan(const std::string& path, const env::File& file, std::uint64_t size, Offset checked_from,
              const Walk* walk)
      : path_(path), file_(file), size_(size), checked_from_(checked_from), walk_(walk) {}

  // Walks to the end or to the first thing that is no valid batch, and judges that.
  Status run() {
    while (position_ < size_) {
      TRY(load(kWindow));
      const std::uint64_t before = position_;
      TRY_ASSIGN(good, walk_window());
      if (!good) return judge();
      if (position_ != before) continue;
      if (window_.size() == size_ - position_) return judge();  // a batch that ends behind the file
      TRY(load(window_.size() * 2));
      TRY_ASSIGN(still_good, walk_window());
      if (!still_good) return judge();
      if (position_ == before && window_.size() >= kMostForOneBatch) return judge();
    }
    return {};
  }

  bool torn() const { return position_ < size_; }

 private:
  static constexpr std::size_t kMostForOneBatch = 256u << 20;

  Status load(std::size_t bytes) {
    window_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size_ - position_)));
    TRY_ASSIGN(got, file_.read_at(position_, window_));
    window_.resize(got);
    return {};
  }

  // False at something that is no valid batch; position_ stands on it.
  Result<bool> walk_window() {
    record::BatchIterator batches(window_);
    std::size_t good = 0;
    while (const auto batch = batches.next()) {
      const record::BatchHeader& header = batch->header();
      if (header.base_offset < next_ || (header.last_offset >= checked_from_ && !batch->crc_ok())) {
        position_ += good;
        return false;
      }
      if (walk_ != nullptr && header.last_offset >= checked_from_)
        TRY(walk_batches(ByteView(window_).subspan(good, batches.position() - good), *walk_));
      next_ = header.next_offset();
      good = batches.position();
    }
    position_ += good;
    return batches.corrupt().empty();
  }

  Status judge() {
    constexpr std::uint64_t kLookBehind = 64u << 20;
    TRY(load(static_cast<std::size_t>(std::min(size_ - position_, kLookBehind))));
    const auto behind = find_batch_behind(window_, 0, next_);
    if (!behind) return {};
    return fail(ErrorKind::kCorrupt,
                path_ + ": expected a valid batch of offset " + std::to_string(next_.value) + " at byte " +
                    std::to_string(position_) + ", found damage, and valid batches behind it at byte " +
                    std::to_string(position_ + *behind) +
                    ": cutting here would lose acknowledged metadata; restore the file or a copy of it");
  }

  const std::string& path_;
  const env::File& file_;
  const std::uint64_t size_;
  const Offset checked_from_;
  const Walk* const walk_;
  std::uint64_t position_ = 0;
  Offset next_{0};
  Bytes window_;
};

}  // namespace

Status refuse_damaged_segments(env::FileSystem& files, const std::string& folder, Offset checked_from,
                               const Walk* walk) {
  TRY_ASSIGN(entries, files.list(folder));
  std::ranges::sort(entries, {}, &env::DirEntry::name);
  for (const env::DirEntry& entry : entries) {
    if (!entry.name.ends_with(".log")) continue;
    const std::string path = folder + "/" + entry.name;
    TRY_ASSIGN(file, files.open(path, env::OpenMode::kRead));
    TRY_ASSIGN(size, file->size());
    SegmentScan scan(path, *file, size, checked_from, walk);
    TRY(scan.run());
    if (scan.torn()) walk = nullptr;  // nothing behind it stays
  }
  return {};
}

}  // namespace moldau::quorum
