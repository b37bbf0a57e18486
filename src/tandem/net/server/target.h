// tandem/net/server/target.h - a request target, decoded so that no two readers can understand it differently.
//
// Room: net. RFC 9112 3.2.1 origin-form only: "/v1/jobs?limit=5".
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem::server {

struct Target {
  std::string path;
  std::map<std::string, std::string, std::less<>> query;
  friend bool operator==(const Target&, const Target&) = default;
};

/// Decodes path and query once. Refused, because a proxy, a cache and a router would read them differently: absolute
/// and other forms, raw bytes outside ASCII, '#', bad percent signs, control characters, invalid UTF-8, '\', encoded
/// '/', empty segments inside the path, "." and ".." segments in any spelling, and a query name that stands twice. '+'
/// in the query is a blank.
///
/// Errors: 6001 bad_request; place says where. Cost: linear.
Result<Target> parse_target(std::string_view text, std::size_t query_parameters_max);

/// Percent-decodes. Errors: 6001 bad_request - a '%' without two hexadecimal digits, a control character, invalid
/// UTF-8.
enum class Plus : bool { kLiteral, kBlank };
Result<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace tandem::server
