// Result<T>: a value, or an Error that a person can act on. For disks, peers, corrupt bytes and bad
// configuration (DESIGN §6); protocol outcomes are ErrorCode values, broken invariants are CHECKs.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <utility>

namespace moldau {

// What a caller may want to branch on. The text says the rest.
enum class ErrorKind : std::uint8_t {
  kCorrupt,      // bytes that are not what their format says
  kIo,           // the operating system refused; storage may be failing
  kNoSpace,      // the disk is full, or descriptors are: retriable once there is room
  kNotFound,     // a file or entry that is not there
  kInvalid,      // a value outside its range: configuration, arguments
  kUnsupported,  // well-formed, of a version or kind that is not known here
  kBusy,         // held by somebody else: a locked directory, a used port
  kWouldBlock,   // a disk would have to be waited for, and the caller had no time (env::Haste)
};

// `message` says what was expected, what was found, and where, as one line without a final full stop.
struct Error {
  ErrorKind kind;
  std::string message;

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return std::unexpected(Error{kind, std::move(message)});
}

}  // namespace moldau

// Hands the error of a Result expression to our own caller: TRY(file->sync());
#define TRY(expression)                                             \
  do {                                                              \
    if (auto try_result_ = (expression); !try_result_) [[unlikely]] \
      return ::std::unexpected(::std::move(try_result_).error());   \
  } while (false)

// Declares `name` with the value of a Result expression, or hands its error on: TRY_ASSIGN(file,
// fs.open(path));
#define TRY_ASSIGN(name, expression)                               \
  auto name##_result_ = (expression);                              \
  if (!name##_result_) [[unlikely]]                                \
    return ::std::unexpected(::std::move(name##_result_).error()); \
  auto&& name = *name##_result_
