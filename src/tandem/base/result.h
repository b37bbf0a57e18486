// tandem/base/result.h - Result<T>: a value or an Error. No exception crosses a room's border.
//
// Room: base. `TANDEM_TRY(expr);` returns the error of a Result<void>; `TANDEM_TRY_ASSIGN(auto x, expr);` binds the value.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "tandem/base/error.h"
#include "tandem/base/error_numbers.h"

namespace tandem {

template <typename T>
using Result = tl::expected<T, Error>;

using tl::unexpected;

/// `return fail(errors::kIndexOutOfRange, "index {} is not below {}", i, n);`
template <typename... Args>
tl::unexpected<Error> fail(ErrorNumber number, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(make_error(number, format, std::forward<Args>(args)...));
}
template <typename... Args>
tl::unexpected<Error> fail_at(std::string place, ErrorNumber number, fmt::format_string<Args...> format,
                              Args&&... args) {
  return tl::unexpected<Error>(make_error_at(std::move(place), number, format, std::forward<Args>(args)...));
}

}  // namespace tandem

#define TANDEM_CONCAT_INNER(a, b) a##b
#define TANDEM_CONCAT(a, b) TANDEM_CONCAT_INNER(a, b)
#define TANDEM_TRY(expression)                                                        \
  do {                                                                                \
    if (auto tandem_try_result = (expression); !tandem_try_result)                    \
      return ::tl::unexpected<::tandem::Error>(std::move(tandem_try_result).error()); \
  } while (false)
#define TANDEM_TRY_ASSIGN_INNER(temporary, declaration, expression)                       \
  auto temporary = (expression);                                                          \
  if (!temporary) return ::tl::unexpected<::tandem::Error>(std::move(temporary).error()); \
  declaration = std::move(*temporary)
#define TANDEM_TRY_ASSIGN(declaration, expression) \
  TANDEM_TRY_ASSIGN_INNER(TANDEM_CONCAT(tandem_try_, __LINE__), declaration, expression)
