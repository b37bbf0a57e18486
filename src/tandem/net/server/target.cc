#include "tandem/net/server/target.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tandem/base/text.h"

namespace tandem::server {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Result<std::string> decode_path(std::string_view text) {
  std::string path;
  const auto segments = split(text.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    TANDEM_TRY_ASSIGN(std::string segment, percent_decode(segments[i], Plus::kLiteral));
    const bool last = i + 1 == segments.size();
    if (segment.empty() && !last) return fail(errors::kBadRequest, "the path has an empty segment, write one '/'");
    if (segment == "." || segment == "..")
      return fail(errors::kBadRequest, "the path has a dot segment, write it resolved");
    if (segment.find_first_of("/\\") != std::string::npos) {
      return fail(errors::kBadRequest, "a path segment holds a slash or backslash, which no name here has");
    }
    path += '/';
    path += segment;
  }
  return path;
}

Result<std::map<std::string, std::string, std::less<>>> decode_query(std::string_view text,
                                                                     std::size_t parameters_max) {
  std::map<std::string, std::string, std::less<>> query;
  std::size_t count = 0;
  while (!text.empty()) {
    const std::string_view parameter = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(parameter.size() + 1, text.size()));
    if (parameter.empty()) continue;
    if (++count > parameters_max)
      return fail(errors::kBadRequest, "the query has more than {} parameters", parameters_max);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    TANDEM_TRY_ASSIGN(std::string name, percent_decode(parameter.substr(0, equals), Plus::kBlank));
    TANDEM_TRY_ASSIGN(std::string value,
                      percent_decode(parameter.substr(std::min(equals + 1, parameter.size())), Plus::kBlank));
    if (name.empty()) return fail(errors::kBadRequest, "a query parameter has no name");
    const auto [place, fresh] = query.emplace(std::move(name), std::move(value));
    if (!fresh) return fail(errors::kBadRequest, "the query parameter '{}' stands twice, send it once", place->first);
  }
  return query;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
      if (low < 0)
        return fail(errors::kBadRequest,
                    "a '%' in the request target has no two hexadecimal digits after it, write %25");
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus == Plus::kBlank) {
      c = ' ';
    }
    if (is_control(c)) return fail(errors::kBadRequest, "the request target encodes a control character, remove it");
    decoded += c;
  }
  if (invalid_utf8_at(decoded) != std::string_view::npos)
    return fail(errors::kBadRequest, "the request target does not decode to UTF-8");
  return decoded;
}

Result<Target> parse_target(std::string_view text, std::size_t query_parameters_max) {
  if (!text.starts_with('/'))
    return fail(errors::kBadRequest, "the request target does not start with '/', send the path only");
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#' && c != '\\'; });
  if (!plain) return fail(errors::kBadRequest, "the request target has a character that must be percent-encoded");

  const std::size_t mark = std::min(text.find('?'), text.size());
  Target target;
  TANDEM_TRY_ASSIGN(target.path, decode_path(text.substr(0, mark)));
  TANDEM_TRY_ASSIGN(target.query, decode_query(text.substr(std::min(mark + 1, text.size())), query_parameters_max));
  return target;
}

}  // namespace tandem::server
