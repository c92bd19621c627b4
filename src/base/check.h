// CHECK: a broken invariant is a bug, and a bug stops the process with its place and its words.
// Always on, in every build. For what a peer, a disk or a user can cause, use Result (result.h) instead.
#pragma once

#include <string_view>

namespace moldau {

// Prints "CHECK failed: <condition> (<file>:<line>) <detail>" to stderr and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line, std::string_view detail);

}  // namespace moldau

#define CHECK(condition, ...)                                                                  \
  do {                                                                                         \
    if (!(condition)) [[unlikely]]                                                             \
      ::moldau::check_failed(#condition, __FILE__, __LINE__, ::std::string_view{__VA_ARGS__}); \
  } while (false)
