#include "net/receive_budget.h"

namespace moldau::net {

void ReceiveBudget::let_go(std::int64_t bytes) {
  const std::int64_t before = used_.fetch_sub(bytes);
  if (before < limit_ || before - bytes >= limit_) return;
  end_depletion();
  if (waited_for_.exchange(false)) tell();
}

bool ReceiveBudget::may_grow(Turn& turn) {
  if (has_room() || (turn != 0 && turn_.load() == turn)) return true;
  Turn none = 0;
  const Turn mine = turns_given_.fetch_add(1) + 1;
  if (!turn_.compare_exchange_strong(none, mine)) return false;
  whole_since_.store(-1);
  turn = mine;
  return true;
}

void ReceiveBudget::is_whole(Turn turn) {
  if (turn != 0 && turn_.load() == turn) whole_since_.store(clock_.now().since_origin.count());
}

void ReceiveBudget::end_turn(Turn turn) {
  if (turn == 0 || !turn_.compare_exchange_strong(turn, 0)) return;
  if (waited_for_.exchange(false)) tell();
}

void ReceiveBudget::end_overdue_turn(env::Instant now) {
  const Turn turn = turn_.load();
  const std::int64_t since = whole_since_.load();
  if (since >= 0 && now.since_origin - env::Duration(since) >= kTurnEnds) end_turn(turn);
}

void ReceiveBudget::wait_for_room(env::Instant now) {
  waited_for_.store(true);
  if (has_room()) return;
  begin_depletion(now);
  const std::int64_t last = last_wait_.exchange(now.since_origin.count());
  if (last >= 0 && now.since_origin - env::Duration(last) < kPeriodEnds) return;
  period_.fetch_add(1);
  tell();
}

bool ReceiveBudget::starves(env::Instant now) {
  if (depleted_.load()) last_wait_.store(now.since_origin.count());  // whoever waits says so only once
  const std::int64_t last = last_wait_.load();
  return last >= 0 && now.since_origin - env::Duration(last) < kPeriodEnds;
}

env::Duration ReceiveBudget::depleted() const {
  const std::lock_guard lock(mutex_);
  return depleted_before_ +
         (depleted_.load() && !closed_ ? clock_.now() - depleted_since_ : env::Duration::zero());
}

void ReceiveBudget::begin_depletion(env::Instant now) {
  if (depleted_.load()) return;
  {
    const std::lock_guard lock(mutex_);
    if (!depleted_.exchange(true)) depleted_since_ = now;
  }
  if (has_room()) end_depletion();  // which somebody else may have missed
}

void ReceiveBudget::end_depletion() {
  if (!depleted_.load()) return;
  const std::lock_guard lock(mutex_);
  if (closed_ || !depleted_.exchange(false)) return;
  depleted_before_ += clock_.now() - depleted_since_;
}

void ReceiveBudget::tell() {
  const std::lock_guard lock(mutex_);
  if (room_again_) room_again_();
}

void ReceiveBudget::close() {
  const std::lock_guard lock(mutex_);
  room_again_ = nullptr;
  closed_ = true;
}

}  // namespace moldau::net
