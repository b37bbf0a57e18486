#include "tandem/base/error.h"

#include <algorithm>

#include "tandem/base/error_table.h"

namespace tandem {
namespace {

constexpr bool by_number(const ErrorRecord& a, const ErrorRecord& b) { return a.number < b.number; }
static_assert(std::is_sorted(errors::kTable.begin(), errors::kTable.end(), by_number),
              "error_record() searches by halves");
static_assert(errors::kTable.front().number == errors::kInternal, "the record of an unknown number");

}  // namespace

const ErrorRecord& error_record(ErrorNumber number) {
  const auto* const end = errors::kTable.data() + errors::kTable.size();
  const auto* const found = std::lower_bound(
      errors::kTable.data(), end, number, [](const ErrorRecord& record, ErrorNumber n) { return record.number < n; });
  return found != end && found->number == number ? *found : errors::kTable.front();
}

std::string_view to_string(ErrorFamily family) {
  switch (family) {
    case ErrorFamily::kInvalidArgument:
      return "invalid_argument";
    case ErrorFamily::kNotFound:
      return "not_found";
    case ErrorFamily::kAlreadyExists:
      return "already_exists";
    case ErrorFamily::kFailedPrecondition:
      return "failed_precondition";
    case ErrorFamily::kPermissionDenied:
      return "permission_denied";
    case ErrorFamily::kUnauthenticated:
      return "unauthenticated";
    case ErrorFamily::kResourceExhausted:
      return "resource_exhausted";
    case ErrorFamily::kUnavailable:
      return "unavailable";
    case ErrorFamily::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorFamily::kCancelled:
      return "cancelled";
    case ErrorFamily::kAborted:
      return "aborted";
    case ErrorFamily::kDataLoss:
      return "data_loss";
    case ErrorFamily::kInternal:
      return "internal";
  }
  return "internal";
}

std::string Error::to_string() const {
  return fmt::format("{}{}{} [{} {}]", place, place.empty() ? "" : ": ", message, static_cast<unsigned>(number),
                     error_record(number).name);
}

}  // namespace tandem
