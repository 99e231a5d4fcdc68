// The three error lanes of evoke:
//
//  1. What happens to a candidate kernel is an Outcome (core/outcome.h): data,
//     counted and stored, never an exception.
//  2. I/O that fails in normal life returns Result<T>, and its Error tells
//     *absent* from *failed* from *timed out*.
//  3. Misuse and start-up throw UsageError or StartupError, caught once, in
//     main. Their text is "[Class::method] what happened. The usual cause."
//
// Exit codes of every program: 0 done, 1 failed, 2 usage.
#pragma once

#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace evoke {

enum class ErrorKind { absent, failed, timed_out };

// Why an operation did not give a value: one line that says what, where and
// what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::failed;
  std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> absent(std::string message) {
  return tl::unexpected<Error>({ErrorKind::absent, std::move(message)});
}
inline tl::unexpected<Error> failed(std::string message) {
  return tl::unexpected<Error>({ErrorKind::failed, std::move(message)});
}
inline tl::unexpected<Error> timed_out(std::string message) {
  return tl::unexpected<Error>({ErrorKind::timed_out, std::move(message)});
}
// Hands the error of one Result on as the error of another.
template <typename T>
tl::unexpected<Error> error_of(const Result<T>& result) {
  return tl::unexpected<Error>(result.error());
}

// The user asked for something that cannot be done as asked: exit code 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The program cannot do its work on this machine: exit code 1.
struct StartupError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace evoke
