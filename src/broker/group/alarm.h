// Wakes a group coordinator when its machine wants to be. The machine's deadlines move with every heartbeat;
// the alarm lies in a loop's wheel and is moved only where one comes earlier than it is set:
//
//   want(at), any thread ──a letter, where `at` is earlier──▶ loop: schedule ──time──▶ expired ──▶ tick
//
// At most one letter and one tick are under way. It dies when its loop turns no more, and
// before the loop does.
#pragma once

#include <atomic>
#include <limits>

#include "broker/group/coordinator.h"

namespace moldau::broker {

class GroupAlarm final : public env::Timer, public env::Task, public GroupCoordinator::Shared::Job {
 public:
  GroupAlarm(env::Loop& loop, GroupCoordinator::Shared& shared) : loop_(loop), shared_(shared) {}
  ~GroupAlarm() override { loop_.cancel(*this); }

  // Inside the coordinator only.
  void want(env::Instant at) {
    const std::int64_t ns = at.since_origin.count();
    if (ns >= set_for_.load(std::memory_order_acquire)) return;
    set_for_.store(ns, std::memory_order_release);
    if (!posted_.exchange(true, std::memory_order_acq_rel)) loop_.post(*this);
  }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

  // The letter, on the loop.
  void run() override {
    posted_.store(false, std::memory_order_release);
    const std::int64_t at = set_for_.load(std::memory_order_acquire);
    if (at != kNever) loop_.schedule(*this, env::Instant{env::Duration(at)});
  }
  // On the loop.
  void expired() override {
    if (!ticking_.exchange(true, std::memory_order_acq_rel)) shared_.execute(*this);
  }
  // Inside.
  void run(GroupDriver& inside) override {
    ticking_.store(false, std::memory_order_release);
    set_for_.store(kNever, std::memory_order_release);
    inside.tick();
  }

  env::Loop& loop_;
  GroupCoordinator::Shared& shared_;
  std::atomic<std::int64_t> set_for_{kNever};
  std::atomic<bool> posted_{false}, ticking_{false};
};

}  // namespace moldau::broker
