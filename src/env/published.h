// A value that some publish and many read: the current image, the current settings. Readers get a shared
// pointer to an immutable value; it stays good while they hold it. Any thread.
#pragma once

#include <memory>
#include <utility>

#include "env/serial.h"

namespace moldau::env {

template <typename T>
class Published {
 public:
  explicit Published(std::shared_ptr<const T> first = nullptr) : value_(std::move(first)) {}

  std::shared_ptr<const T> get() const {
    return value_.with([](const std::shared_ptr<const T>& v) { return v; });
  }
  void set(std::shared_ptr<const T> next) {
    value_.with([&](std::shared_ptr<const T>& v) { v.swap(next); });  // the old one dies outside
  }

 private:
  mutable Serial<std::shared_ptr<const T>> value_;
};

}  // namespace moldau::env
