// tandem/net/client/redact.h - takes secrets out of requests before they are logged.
//
// Room: net. By name only: a header or query parameter whose name says that it carries a secret loses its value.
#pragma once

#include <string>
#include <string_view>

namespace tandem::client {

inline constexpr std::string_view kRedacted = "[redacted]";

/// True for Authorization, X-Auth-Token, Service-CRN, Cookie and every name that contains sig, token, key, secret,
/// password, credential or session, whatever the case. Over-cautious on purpose.
bool is_secret_name(std::string_view name);

/// The URL without user information and with the values of secret query parameters replaced; the fragment is dropped.
std::string redact_url(std::string_view url);

}  // namespace tandem::client
