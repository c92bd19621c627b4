// A loop: one thread, one epoll instance, one timing wheel, one letter box. A turn:
//
//      wait ─▶ read the clock ─▶ events of sockets ─▶ letters ─▶ timers ─▶ ends of turn ─▶ wait
//
// It waits until an event, a letter, or the wheel's next deadline, whichever is first, and not at all while a
// watcher has asked for the next turn: at rest it does not run. A turn costs one epoll_wait; sockets are
// registered once, edge-triggered, and never touched again (docs/decisions/0003-network-shell.md).
//
// Owned by the thread that calls run(); post() and stop() are for any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "env/loop.h"
#include "env/timer_wheel.h"
#include "net/counters.h"
#include "net/letter_box.h"

struct epoll_event;

namespace moldau::net {

// What a loop calls about a file descriptor. Alive while it is watched or waits for a turn.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // `events` as epoll tells them; 0: asked for by next_turn().
  virtual void ready(std::uint32_t events) = 0;
  virtual void turn_ends() {}  // asked for by at_end_of_turn()

 private:
  friend class EventLoop;
  bool waits_for_next_turn_ = false;
  bool waits_for_end_of_turn_ = false;
};

class EventLoop final : public env::Loop {
 public:
  // `clock` outlives the loop.
  EventLoop(const env::Clock& clock, std::unique_ptr<env::Random> random);
  ~EventLoop() override;

  std::size_t index() const override { return index_; }
  void set_index(std::size_t index) { index_ = index; }  // before it runs
  env::Instant now() const override { return now_; }
  std::int64_t wall_ms() const override;
  env::Random& random() override { return *random_; }
  void schedule(env::Timer& timer, env::Instant deadline) override { wheel_.schedule(timer, deadline); }
  void cancel(env::Timer& timer) override { wheel_.cancel(timer); }
  void post(env::Task& task) override;

  // `on_rest` is called on the loop's thread when it has waited for `after` and no event has come, and not
  // again until one has. Before it runs.
  void set_on_rest(std::function<void()> on_rest, std::chrono::milliseconds after = std::chrono::seconds(3)) {
    on_rest_ = std::move(on_rest);
    rest_ms_ = static_cast<int>(after.count());
  }

  // Turns until stop(). Letters that came before stop() have been run when it returns.
  void run();
  void stop();

  // Loop thread only. Registers `fd` for `events` (EPOLLET and so on); closing the descriptor ends it.
  // False: the system's limit of watches is reached.
  [[nodiscard]] bool watch(int fd, std::uint32_t events, Watcher& watcher);
  void change(int fd, std::uint32_t events, Watcher& watcher);
  void next_turn(Watcher& watcher);       // ready(0) in the next turn, which comes at once
  void at_end_of_turn(Watcher& watcher);  // turn_ends() before the loop waits again
  // Takes `watcher` off all lists, and keeps `keep` (which owns it) until events already fetched are dealt
  // with.
  void forget(Watcher& watcher, std::shared_ptr<void> keep);

  LoopCounters& counters() { return counters_; }

 private:
  std::size_t index_ = 0;
  struct StopTask final : env::Task {
    explicit StopTask(EventLoop& l) : loop(l) {}
    void run() override { loop.stopping_ = true; }
    EventLoop& loop;
  };

  int wait(std::span<epoll_event> events);
  int wait_ms();
  void read_clock();
  void run_letters();
  void end_turn();

  const env::Clock& clock_;
  std::unique_ptr<env::Random> random_;
  int epoll_ = -1;
  int wake_ = -1;
  env::Instant now_;
  mutable std::int64_t wall_ms_ = -1;  // asked for once a turn at most
  env::TimerWheel wheel_;
  std::vector<Watcher*> next_turn_, this_turn_, ends_;
  std::vector<std::shared_ptr<void>> forgotten_;
  std::function<void()> on_rest_;
  int rest_ms_ = 0;
  bool rests_ = false;  // and has been told so
  bool stopping_ = false;
  StopTask stop_task_{*this};
  LoopCounters counters_;
  alignas(64) LetterBox box_;
};

}  // namespace moldau::net
