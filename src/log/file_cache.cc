#include "log/file_cache.h"

#include <utility>

#include "base/check.h"

namespace moldau::log {

FileCache::FileCache(env::FileSystem& fs, std::uint32_t limit)
    : fs_(fs), limit_(limit), used_(new std::atomic<bool>[limit]()) {
  CHECK(limit > 0);
}

std::shared_ptr<env::File> FileCache::peek(FileSlot& slot) {
  auto file = slot.file.lock();
  if (file) {
    auto& used = used_[slot.seat];  // a stranger's seat by now, perhaps: it then stays a little longer
    if (!used.load(std::memory_order_relaxed)) used.store(true, std::memory_order_relaxed);
  }
  return file;
}

Result<std::shared_ptr<env::File>> FileCache::get(FileSlot& slot, const std::string& path,
                                                  env::OpenMode mode) {
  if (auto file = peek(slot)) return file;
  TRY_ASSIGN(file, fs_.open(path, mode));
  opened_.fetch_add(1, std::memory_order_relaxed);
  std::shared_ptr<env::File> leaving;  // closed here, outside of the exclusion
  slot.seat = seats_.with([&](Seats& seats) {
    const std::uint32_t seat = seat_for(seats, leaving);
    seats.files[seat] = file;
    used_[seat].store(false, std::memory_order_relaxed);  // it is used when somebody comes back for it
    return seat;
  });
  slot.file = file;
  return std::move(file);
}

// A free seat, or the first one that was not used since the hand passed it.
std::uint32_t FileCache::seat_for(Seats& seats, std::shared_ptr<env::File>& leaving) {
  if (seats.files.size() < limit_) {
    seats.files.emplace_back();
    return static_cast<std::uint32_t>(seats.files.size() - 1);
  }
  for (;;) {
    const std::uint32_t seat = seats.hand;
    seats.hand = (seats.hand + 1) % limit_;
    if (seats.files[seat] && used_[seat].exchange(false, std::memory_order_relaxed)) continue;
    leaving = std::move(seats.files[seat]);
    return seat;
  }
}

void FileCache::drop(FileSlot& slot) {
  if (auto file = slot.file.lock()) {
    std::shared_ptr<env::File> leaving;
    seats_.with([&](Seats& seats) {
      if (slot.seat < seats.files.size() && seats.files[slot.seat] == file)
        leaving = std::move(seats.files[slot.seat]);
    });
  }
  slot.file.reset();
}

void FileCache::close_idle() {
  std::vector<std::shared_ptr<env::File>> leaving;
  seats_.with([&](Seats& seats) {
    for (std::uint32_t seat = 0; seat < seats.files.size(); ++seat)
      if (seats.files[seat] && !used_[seat].exchange(false, std::memory_order_relaxed))
        leaving.push_back(std::move(seats.files[seat]));
  });
}

std::uint32_t FileCache::held() {
  return seats_.with([](Seats& seats) {
    std::uint32_t count = 0;
    for (const auto& file : seats.files) count += file != nullptr;
    return count;
  });
}

}  // namespace moldau::log
