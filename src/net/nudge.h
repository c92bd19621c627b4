// A letter that says "look again": however often it is sent before it is read, it is read once.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "env/loop.h"

namespace moldau::net {

class Nudge final : public env::Task {
 public:
  // Both outlive the nudge; it must not be on its way when it dies.
  Nudge(env::Loop& loop, std::function<void()> look) : loop_(loop), look_(std::move(look)) {}

  // Any thread.
  void send() {
    if (!on_its_way_.exchange(true)) loop_.post(*this);
  }
  void run() override {
    on_its_way_.store(false);
    look_();
  }

 private:
  env::Loop& loop_;
  std::function<void()> look_;
  std::atomic<bool> on_its_way_{false};
};

}  // namespace moldau::net
