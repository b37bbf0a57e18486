// tandem/base/error.h - Error: what went wrong, as a value that tells the caller what to do.
//
// Room: base. Not here: the numbers (contract/errors.json -> error_numbers.h), HTTP problem documents (api/http).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/error_number.h"

namespace tandem {

/// The record of `number`; a number without a record yields that of errors::kInternal.
const ErrorRecord& error_record(ErrorNumber number);

/// The spelling of a family in JSON and docs, e.g. "invalid_argument".
std::string_view to_string(ErrorFamily family);

/// An error. Messages start lower-case, have no final full stop, carry the offending value and the limit, and say what
/// to do next. `place` says where in the input ("job.yaml:12:5", "/problem/linear/3"); empty where there is none.
struct Error {
  ErrorNumber number{};
  std::string message{};
  std::string place{};
  bool cost_incurred = false;  ///< money may have been spent before this error
  std::uint32_t retry_after_s = 0;  ///< where it is known when the same may succeed; else 0

  ErrorFamily family() const { return error_record(number).family; }
  bool retryable() const { return error_record(number).retryable; }
  /// "job.yaml:12:5: unknown key 'tmie', did you mean 'time'? [1203 unknown_key]"
  std::string to_string() const;

  friend bool operator==(const Error&, const Error&) = default;
};

/// Builds an error with a formatted message.
template <typename... Args>
Error make_error(ErrorNumber number, fmt::format_string<Args...> format, Args&&... args) {
  return Error{.number = number, .message = fmt::format(format, std::forward<Args>(args)...)};
}

/// The same with a place ("file:line:column" or a JSON pointer).
template <typename... Args>
Error make_error_at(std::string place, ErrorNumber number, fmt::format_string<Args...> format, Args&&... args) {
  return Error{
      .number = number, .message = fmt::format(format, std::forward<Args>(args)...), .place = std::move(place)};
}

}  // namespace tandem
