#include "log/epoch_cache.h"

#include <algorithm>

#include "base/check.h"

namespace moldau::log {

bool EpochCache::assign(LeaderEpoch epoch, Offset start) {
  CHECK(epoch.value >= 0 && start.value >= 0);
  if (!entries_.empty() && entries_.back().epoch == epoch && start >= entries_.back().start) return false;
  while (!entries_.empty() && (entries_.back().epoch >= epoch || entries_.back().start >= start))
    entries_.pop_back();
  entries_.push_back({epoch, start});
  return true;
}

bool EpochCache::truncate_from_end(Offset end) {
  const std::size_t before = entries_.size();
  while (!entries_.empty() && entries_.back().start >= end) entries_.pop_back();
  return entries_.size() != before;
}

bool EpochCache::truncate_from_start(Offset start) {
  const auto after = std::ranges::find_if(entries_, [&](const EpochEntry& e) { return e.start > start; });
  if (after == entries_.begin()) return false;
  const auto last = after - 1;
  if (last == entries_.begin() && last->start == start) return false;
  last->start = start;
  entries_.erase(entries_.begin(), last);
  return true;
}

bool EpochCache::clear() {
  const bool changed = !entries_.empty();
  entries_.clear();
  return changed;
}

std::optional<EpochEntry> EpochCache::latest() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.back());
}

std::optional<EpochEntry> EpochCache::earliest() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.front());
}

EpochEndOffset EpochCache::end_offset_for(LeaderEpoch epoch, Offset log_end) const {
  if (epoch == kNoLeaderEpoch || entries_.empty()) return {};
  if (entries_.back().epoch == epoch) return {epoch, log_end};
  const auto higher = std::ranges::find_if(entries_, [&](const EpochEntry& e) { return e.epoch > epoch; });
  if (higher == entries_.end()) return {};
  // Below the first known epoch: its records are gone, and the follower begins where ours begin.
  if (higher == entries_.begin()) return {epoch, higher->start};
  return {(higher - 1)->epoch, higher->start};
}

LeaderEpoch EpochCache::epoch_for(Offset offset) const {
  const auto after = std::ranges::find_if(entries_, [&](const EpochEntry& e) { return e.start > offset; });
  return after == entries_.begin() ? kNoLeaderEpoch : (after - 1)->epoch;
}

}  // namespace moldau::log
