// tandem/base/id.h - typed ids. A job id is not a tenant name.
//
// Room: base.
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/base/result.h"

namespace tandem {

class Clock;
class Rng;

/// A string that names one kind of thing. Tag is an empty struct.
template <typename Tag>
struct Id {
  std::string value;
  Id() = default;
  explicit Id(std::string text) : value(std::move(text)) {}
  bool empty() const { return value.empty(); }
  friend auto operator<=>(const Id&, const Id&) = default;
};

using JobId = Id<struct JobTag>;
using LineageId = Id<struct LineageTag>;
using SubmissionId = Id<struct SubmissionTag>;
using BackendId = Id<struct BackendTag>;  ///< a name from the registry, e.g. "cpu.portfolio"
using TenantId = Id<struct TenantTag>;

/// RFC 9562 UUIDv7 text with a prefix, e.g. "job_0193...". Sorts by creation time.
std::string new_uuid7(const Clock& clock, Rng& rng);
JobId new_job_id(const Clock& clock, Rng& rng);
/// Errors: 1024 bad_id - not "job_" and 36 characters of UUID.
Result<JobId> parse_job_id(std::string_view text);

}  // namespace tandem

template <typename Tag>
struct std::hash<tandem::Id<Tag>> {
  std::size_t operator()(const tandem::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.value); }
};
