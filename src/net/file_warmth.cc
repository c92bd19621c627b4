#include "net/file_warmth.h"

#include <algorithm>
#include <mutex>
#include <utility>

namespace moldau::net {
namespace {

constexpr std::size_t kMostFiles = 4096;                       // known at once
constexpr env::Duration kBelieved = std::chrono::seconds(10);  // pages seldom leave sooner after their use
constexpr std::uint64_t kAhead = 4u << 20;
constexpr std::uint64_t kMargin = 64u << 10;  // the batches around an end

// Whoever reads on asks the log for as much again, and the log looks at the batches at both ends of that, on
// the loop. Of a slice that is read in one go those are read in, too.
void read_ends_of_next(const env::FileSlice& slice) {
  const std::uint64_t end = slice.position + slice.length;
  env::read_through(*slice.file, end, kMargin);
  if (slice.length > kMargin) read_through(*slice.file, end + slice.length - kMargin, 2 * kMargin);
}

}  // namespace

// One job. Held by the job and by its FileWarmth; the letter is itself.
struct FileWarmth::Warming final : env::Task {
  void run() override { owner->warmed(*this); }

  env::FileSlice slice;
  std::uint64_t length = 0;  // to read
  std::uint64_t got = 0;
  std::function<void()> then;
  FileWarmth* owner = nullptr;
  std::mutex mutex;
  env::Loop* loop = nullptr;  // under the mutex; nullptr: nobody is there any more
};

FileWarmth::~FileWarmth() {
  for (const auto& warming : under_way_) {
    const std::lock_guard lock(warming->mutex);
    warming->loop = nullptr;
  }
}

void FileWarmth::use(env::Background& background, const PageCache& cache, std::uint64_t lane) {
  background_ = &background;
  cache_ = &cache;
  lane_ = lane;
}

std::uint64_t FileWarmth::sendable(const env::FileSlice& slice) {
  if (background_ == nullptr) return slice.length;
  if (known_.size() >= kMostFiles) known_.clear();
  Ranges& ranges = known_[slice.file.get()];
  const std::uint64_t position = slice.position, end = position + slice.length;
  const env::Instant now = loop_.now();
  for (Range& range : ranges) {
    if (now >= range.believed_until || position < range.begin || position > range.end) continue;
    if (end <= range.end) return slice.length;
    if (range.to_end_of_file || cache_->has(*slice.file, std::max(end, range.end + kAhead) - 1)) {
      range.end = range.to_end_of_file ? end : std::max(end, range.end + kAhead);
      range.believed_until = now + kBelieved;
      return slice.length;
    }
    if (position < range.end) return range.end - position;
  }
  const PageCache::Run run = cache_->run(*slice.file, position, slice.length);
  if (run.bytes > 0) remember(ranges, {position, position + run.bytes, run.to_end_of_file, now + kBelieved});
  return std::min(run.bytes, slice.length);
}

// In the place of the one it goes on from, or else of the one that is believed least long.
void FileWarmth::remember(Ranges& ranges, const Range& range) {
  Range* place = &ranges[0];
  for (Range& other : ranges) {
    if (other.believed_until < place->believed_until) place = &other;
  }
  for (Range& other : ranges) {
    if (other.begin <= range.begin && range.begin <= other.end) place = &other;
  }
  *place = range;
}

bool FileWarmth::warm(const env::FileSlice& slice, std::function<void()> then) {
  auto warming = std::make_shared<Warming>();
  warming->slice = slice;
  warming->length = std::clamp(slice.length, kReadAtLeast, kReadAtMost);
  warming->then = std::move(then);
  warming->owner = this;
  warming->loop = &loop_;
  const bool accepted = background_->submit(lane_, [warming] {
    warming->got = env::read_through(*warming->slice.file, warming->slice.position, warming->length);
    if (warming->got >= warming->slice.length) read_ends_of_next(warming->slice);
    const std::lock_guard lock(warming->mutex);
    if (warming->loop != nullptr) warming->loop->post(*warming);
  });
  if (accepted) under_way_.push_back(std::move(warming));
  return accepted;
}

void FileWarmth::warmed(Warming& warming) {
  const auto found = std::ranges::find(under_way_, &warming, &std::shared_ptr<Warming>::get);
  const std::shared_ptr<Warming> self = std::move(*found);
  under_way_.erase(found);
  // A read that failed is over, too: without this, it would be tried for ever.
  const std::uint64_t begin = self->slice.position;
  const std::uint64_t bytes = self->got > 0 ? self->got : self->slice.length;
  remember(known_[self->slice.file.get()],
           {begin, begin + bytes, self->got < self->length, loop_.now() + kBelieved});
  self->then();
}

}  // namespace moldau::net
