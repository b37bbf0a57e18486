#include "tandem/net/client/redact.h"

#include <algorithm>
#include <array>

#include "tandem/base/text.h"

namespace tandem::client {
namespace {

constexpr std::array<std::string_view, 11> kSecretParts = {"authorization", "cookie",     "service-crn", "sig",
                                                           "token",         "key",        "secret",      "password",
                                                           "passwd",        "credential", "session"};

}  // namespace

bool is_secret_name(std::string_view name) {
  const std::string lower = to_lower(name);
  return std::any_of(kSecretParts.begin(), kSecretParts.end(),
                     [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

std::string redact_url(std::string_view url) {
  url = url.substr(0, url.find('#'));
  const std::string_view before_query = url.substr(0, url.find('?'));

  std::string redacted(before_query);
  // The last '@' before the path ends the user information, whatever stands in it.
  const std::size_t scheme_end = before_query.find("://");
  const std::size_t authority = scheme_end == std::string_view::npos ? 0 : scheme_end + 3;
  const std::size_t path = std::min(before_query.find('/', authority), before_query.size());
  const std::size_t at = before_query.substr(0, path).rfind('@');
  if (at != std::string_view::npos && at >= authority) {
    redacted = std::string(before_query.substr(0, authority)) + std::string(before_query.substr(at + 1));
  }
  if (before_query.size() == url.size()) return redacted;

  char separator = '?';
  for (std::string_view parameter : split(url.substr(before_query.size() + 1), '&')) {
    const std::size_t equals = parameter.find('=');
    redacted += separator;
    separator = '&';
    const std::string_view name = parameter.substr(0, equals);
    const bool encoded = name.find('%') != std::string_view::npos;  // an encoded name could hide what it is
    if (equals == std::string_view::npos || (!encoded && !is_secret_name(name))) {
      redacted += parameter;
    } else {
      redacted += std::string(parameter.substr(0, equals + 1)) + std::string(kRedacted);
    }
  }
  return redacted;
}

}  // namespace tandem::client
