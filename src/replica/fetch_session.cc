#include "replica/fetch_session.h"

#include <algorithm>

namespace moldau::replica {
namespace {

constexpr env::Duration kMinEvictionAge = std::chrono::minutes(2);  // kafka.server.FetchSession's cache

}  // namespace

std::size_t FetchSession::Hash::operator()(const FetchWish& w) const {
  return std::hash<std::string>{}(w.topic) ^ std::hash<Uuid>{}(w.topic_id) ^
         static_cast<std::size_t>(w.partition) * 0x9e3779b97f4a7c15ull;
}

void FetchSession::put(FetchWish wish) {
  if (const auto found = index_.find(wish); found != index_.end()) {
    found->second->wish = std::move(wish);
    return;
  }
  entries_.push_back({wish});
  index_.emplace(std::move(wish), std::prev(entries_.end()));
}

void FetchSession::forget(const FetchWish& key) {
  const auto found = index_.find(key);
  if (found == index_.end()) return;
  entries_.erase(found->second);
  index_.erase(found);
}

std::vector<FetchWish> FetchSession::wishes() const {
  std::vector<FetchWish> all;
  all.reserve(entries_.size());
  for (const Entry& entry : entries_) all.push_back(entry.wish);
  return all;
}

bool FetchSession::tell(const FetchWish& key, const FetchNews& news) {
  const auto found = index_.find(key);
  if (found == index_.end()) return true;
  Entry& entry = *found->second;
  bool told = news.has_records || news.must_tell;
  if (entry.told_high_watermark != news.high_watermark ||
      entry.told_log_start_offset != news.log_start_offset)
    told = true;
  entry.told_high_watermark =
      news.must_tell ? -1 : news.high_watermark;  // -1: say it again when the error is over
  entry.told_log_start_offset = news.log_start_offset;
  if (news.has_records) entries_.splice(entries_.end(), entries_, found->second);
  return told;
}

FetchPlan FetchSessions::plan(std::int32_t session_id, std::int32_t epoch, bool by_topic_id,
                              std::vector<FetchWish> wishes, const std::vector<FetchWish>& forgotten,
                              env::Instant now, env::Random& random) {
  if (epoch == kInitialEpoch || epoch == kFinalEpoch) {
    return plan_full(session_id, epoch, by_topic_id, std::move(wishes), now, random);
  }
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return {.error = wire::ErrorCode::kFetchSessionIdNotFound};
  FetchSession& session = *found->second;
  if (session.next_epoch_ != epoch) return {.error = wire::ErrorCode::kInvalidFetchSessionEpoch};
  if (session.by_topic_id_ != by_topic_id) return {.error = wire::ErrorCode::kFetchSessionTopicIdError};
  for (FetchWish& wish : wishes) session.put(std::move(wish));
  for (const FetchWish& key : forgotten) session.forget(key);
  if (session.size() == 0) {
    sessions_.erase(found);
    return {};
  }
  session.next_epoch_ = session.next_epoch_ == INT32_MAX ? 1 : session.next_epoch_ + 1;
  session.last_used_ = now;
  return {.wishes = session.wishes(), .session_id = session_id, .incremental = true};
}

FetchPlan FetchSessions::plan_full(std::int32_t session_id, std::int32_t epoch, bool by_topic_id,
                                   std::vector<FetchWish> wishes, env::Instant now, env::Random& random) {
  if (session_id != kNoSession) sessions_.erase(session_id);
  FetchPlan plan{.wishes = std::move(wishes)};
  if (epoch == kFinalEpoch || plan.wishes.empty()) return plan;
  FetchSession* session = make(by_topic_id, now, random);
  if (session == nullptr) return plan;
  for (const FetchWish& wish : plan.wishes) session->put(wish);
  plan.session_id = session->id();
  return plan;
}

FetchSession* FetchSessions::make(bool by_topic_id, env::Instant now, env::Random& random) {
  if (slots_ == 0) return nullptr;
  if (sessions_.size() >= slots_) {
    const auto oldest =
        std::ranges::min_element(sessions_, {}, [](const auto& s) { return s.second->last_used_; });
    if (now - oldest->second->last_used_ < kMinEvictionAge) return nullptr;
    sessions_.erase(oldest);
    ++evictions_;
  }
  for (;;) {
    const auto id = static_cast<std::int32_t>(1 + random.below(INT32_MAX));
    const auto [at, fresh] = sessions_.try_emplace(id);
    if (!fresh) continue;
    at->second = std::make_unique<FetchSession>(id, by_topic_id);
    at->second->last_used_ = now;
    return at->second.get();
  }
}

std::vector<bool> FetchSessions::tell(std::int32_t session_id, const std::vector<FetchWish>& wishes,
                                      const std::vector<FetchNews>& news) {
  std::vector<bool> told(wishes.size(), true);
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) {  // a later request on the connection has closed it while this one waited
    for (std::size_t i = 0; i < wishes.size(); ++i) told[i] = news[i].has_records || news[i].must_tell;
    return told;
  }
  for (std::size_t i = 0; i < wishes.size(); ++i) told[i] = found->second->tell(wishes[i], news[i]);
  return told;
}

std::size_t FetchSessions::partitions() const {
  std::size_t sum = 0;
  for (const auto& [id, session] : sessions_) sum += session->size();
  return sum;
}

}  // namespace moldau::replica
