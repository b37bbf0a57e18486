// tandem/base/error_number.h - the type of an error number and of its record in contract/errors.json.
//
// Room: base. The numbers themselves are generated into error_numbers.h. Numbers are API, texts are free.
#pragma once

#include <cstdint>
#include <string_view>

namespace tandem {

/// The number of one kind of error; the constants are `tandem::errors::k...` (error_numbers.h).
enum class ErrorNumber : std::uint16_t {};

/// What the caller should do, as a family (style.md 6: families are advice).
enum class ErrorFamily : std::uint8_t {
  kInvalidArgument,     ///< the request is wrong whatever the state; correct it
  kNotFound,            ///< the named thing does not exist
  kAlreadyExists,       ///< the thing to be made is there already
  kFailedPrecondition,  ///< right request, wrong state; change the state first
  kPermissionDenied,    ///< the caller may not do this
  kUnauthenticated,     ///< who is calling is not known
  kResourceExhausted,   ///< a named limit was reached: disk, memory, money, size
  kUnavailable,         ///< a peer or device is away; try again later
  kDeadlineExceeded,    ///< the time given was used up
  kCancelled,           ///< somebody asked for it to stop
  kAborted,             ///< a concurrent change won; read again and retry
  kDataLoss,            ///< stored bytes are damaged or not what was promised
  kInternal,            ///< our own fault
};

/// One row of contract/errors.json.
struct ErrorRecord {
  ErrorNumber number;
  std::string_view name;   ///< snake_case, unique
  ErrorFamily family;
  std::string_view title;  ///< one short sentence, stable
  bool retryable;          ///< the same request may succeed later unchanged
  int http_status;
  int exit_code;           ///< of the CLI; always below 126
  std::string_view meaning;
  std::string_view action;  ///< what to do next
};

}  // namespace tandem
