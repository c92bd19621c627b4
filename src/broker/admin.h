// The way to the controller for those who must not block: requests run in the background, one at a time, in
// order; the reply comes back to the loop that asked.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "broker/post.h"
#include "controller/driver.h"
#include "env/loop.h"

namespace moldau::broker {

inline constexpr std::uint64_t kMetadataWork = 0x6d657461;  // env::Background's key

class Admin {
 public:
  explicit Admin(env::Background& background) : background_(background) {}

  // Before the first request.
  void connect(controller::Driver& driver) { driver_ = &driver; }

  // Asks the controller; `then(Result<Reply>)` runs on `loop`. kBusy, at once, if too many wait already.
  template <typename Request, typename Then>
  void ask(env::Loop& loop, Request request, Then then) {
    run(
        loop, [request = std::move(request)](controller::Driver& driver) { return driver.execute(request); },
        std::move(then));
  }

  // Any work with the driver. `work(Driver&)` runs in the background and returns a Result; then(Result) on
  // `loop`.
  template <typename Work, typename Then>
  void run(env::Loop& loop, Work work, Then then) {
    using R = decltype(work(std::declval<controller::Driver&>()));
    const auto shared = std::make_shared<Then>(std::move(then));
    const bool taken =
        background_.submit(kMetadataWork, [this, &loop, shared, work = std::move(work)]() mutable {
          auto result = std::make_shared<R>(work(*driver_));
          post(loop, [shared, result] { (*shared)(std::move(*result)); });
        });
    if (!taken) (*shared)(R(fail(ErrorKind::kBusy, "too many administrative requests are waiting")));
  }

 private:
  env::Background& background_;
  controller::Driver* driver_ = nullptr;
};

}  // namespace moldau::broker
