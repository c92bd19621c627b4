// Letters made of functions, for work that is rare enough to pay for an allocation.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "env/loop.h"

namespace moldau::broker {

// Runs `function` once on `loop`'s thread. Any thread.
inline void post(env::Loop& loop, std::move_only_function<void()> function) {
  struct Letter final : env::Task {
    explicit Letter(std::move_only_function<void()> f) : function(std::move(f)) {}
    void run() override {
      const std::unique_ptr<Letter> self(this);
      function();
    }
    std::move_only_function<void()> function;
  };
  loop.post(*std::make_unique<Letter>(std::move(function)).release());
}

}  // namespace moldau::broker
