// The deadlines of one machine: sessions, rebalances, expiry. A Deadline is embedded in the group or member
// that it belongs to; when it has come, Timers hands out what it says, one after the other, and the machine
// decides.
//
//   set(at) ──▶ scheduled ──advance, time has come──▶ due ──take──▶ (idle)
//      ▲            │ clear, destructor               │ set, clear, destructor: no longer due
//      └────────────┴──────────────────────────────────┘
//
// Always holds: a Deadline is scheduled or due at most once; it may die at any moment. One thread.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "env/timer_wheel.h"

namespace moldau::group {

class Timers;

// What has come. `member` is empty where a group as a whole is meant.
struct Due {
  enum class Kind : std::uint8_t {
    kSession,     // a member of a classic group was not heard of; or one that has not come back with its id
    kJoin,        // a classic group waits no longer for members to join
    kSync,        // … for members to ask for their assignment
    kConsumer,    // a member of a consumer group was not heard of
    kRevocation,  // … has not given back what it was asked for
    kRegex,       // regular expressions of a consumer group are to be resolved again
    kOffsetsExpire,  // offsets of the whole partition are looked through
  };
  Kind kind{};
  std::string group{};
  std::string member{};

  bool operator==(const Due&) const = default;
};

class Deadline final : public env::Timer {
 public:
  Deadline(Timers& timers, Due what) : timers_(timers), what_(std::move(what)) {}
  ~Deadline() override { clear(); }

  void set(env::Instant at);
  void clear();
  bool is_set() const { return scheduled || due_; }

 private:
  friend class Timers;
  void expired() override;

  Timers& timers_;
  Due what_;
  bool due_ = false;
};

class Timers {
 public:
  explicit Timers(env::Instant now) : wheel_(now) {}

  // The next thing that is due at `now`, in order of time.
  std::optional<Due> take(env::Instant now);
  // When take() should be called: possibly somewhat early, never late. nullopt: nothing is set.
  std::optional<env::Instant> next() const;

 private:
  friend class Deadline;
  env::TimerWheel wheel_;
  std::deque<Deadline*> due_;
};

}  // namespace moldau::group
