// What the broker keeps of a connection: the requests that wait, so that they end with it. Loop thread only.
#pragma once

#include <memory>
#include <unordered_map>
#include <utility>

#include "env/connection.h"

namespace moldau::broker {

// A request that waits for something other than its client.
class Waiting {
 public:
  virtual ~Waiting() = default;
  virtual void abandon() = 0;  // the connection is gone: stop waiting, answer nobody
  virtual void hurry() = 0;    // the broker stops: answer now with what there is
};

class ConnectionState {
 public:
  template <typename T>
  void add(const std::shared_ptr<T>& waiting) {
    waiting_.emplace(static_cast<Waiting*>(waiting.get()), waiting);
  }
  void remove(Waiting& waiting) { waiting_.erase(&waiting); }
  void abandon_all() {
    for (const auto& [key, waiting] : std::exchange(waiting_, {})) key->abandon();
  }
  // REQUIRES: no request comes any more.
  void hurry_all() {
    for (const auto& [key, waiting] : std::exchange(waiting_, {})) key->hurry();
  }

 private:
  std::unordered_map<Waiting*, std::shared_ptr<void>> waiting_;
};

inline ConnectionState& state_of(env::Connection& connection) {
  return *static_cast<ConnectionState*>(connection.handler_state.get());
}

}  // namespace moldau::broker
