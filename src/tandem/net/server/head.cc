#include "tandem/net/server/head.h"

#include <algorithm>
#include <array>
#include <chrono>

#include "tandem/base/text.h"

namespace tandem::server {
namespace {

constexpr std::array<std::string_view, 5> kOwnHeaders = {"content-length", "transfer-encoding", "connection", "date",
                                                         "trailer"};

/// The one value of `name`; nullopt when it is absent, an error when it stands more than once.
Result<void> check_length(const Headers& headers, HttpVersion version) {
  TANDEM_TRY_ASSIGN(const auto length, only_value(headers, "content-length"));
  TANDEM_TRY_ASSIGN(const auto coding, only_value(headers, "transfer-encoding"));
  if (length && coding) {
    return fail(errors::kBadRequest, "Content-Length and Transfer-Encoding contradict each other, send one of them");
  }
  if (length && (length->empty() || length->find_first_not_of("0123456789") != std::string_view::npos)) {
    return fail(errors::kBadRequest, "Content-Length is not a number of bytes");
  }
  if (coding && (to_lower(*coding) != "chunked" || version == HttpVersion::k10)) {
    return fail(errors::kBadRequest, "the only Transfer-Encoding is 'chunked', in HTTP/1.1");
  }
  return {};
}

}  // namespace

Result<std::optional<std::string_view>> only_value(const Headers& headers, std::string_view name) {
  std::optional<std::string_view> found;
  for (const auto& [key, value] : headers) {
    if (to_lower(key) != to_lower(name)) continue;
    if (found) return fail(errors::kBadRequest, "the header '{}' stands twice, send it once", name);
    found = value;
  }
  return found;
}

HostSet allowed_hosts(std::string_view listen_host, std::uint16_t port, const std::vector<std::string>& extra) {
  HostSet hosts;
  const bool v6 = listen_host.find(':') != std::string_view::npos;
  const std::string listened = v6 ? "[" + std::string(listen_host) + "]" : std::string(listen_host);
  for (const std::string& host : {std::string("127.0.0.1"), std::string("localhost"), std::string("[::1]"), listened}) {
    if (host == "0.0.0.0" || host == "[::]") continue;  // "any address" is not a name of this server
    hosts.insert(to_lower(host) + ":" + std::to_string(port));
    if (port == 80) hosts.insert(to_lower(host));
  }
  for (const std::string& host : extra) hosts.insert(to_lower(host));
  return hosts;
}

Result<void> check_head(const Headers& headers, HttpVersion version, const HostSet& hosts) {
  TANDEM_TRY(check_length(headers, version));
  TANDEM_TRY_ASSIGN(const auto host, only_value(headers, "host"));
  if (!host) return fail(errors::kBadRequest, "the header Host is missing");
  if (!hosts.contains(to_lower(*host))) {
    return fail(errors::kHostRefused, "this server does not answer for the host '{}', use the address it listens on",
                host->substr(0, 100));
  }
  // A page of any other origin must not drive this server through its visitor's browser (DNS rebinding, CSRF).
  TANDEM_TRY_ASSIGN(const auto origin, only_value(headers, "origin"));
  if (origin)
    return fail(errors::kOriginRefused, "requests from web pages are refused, here from the origin '{}'",
                origin->substr(0, 100));
  TANDEM_TRY_ASSIGN(const auto expectation, only_value(headers, "expect"));
  if (expectation && to_lower(*expectation) != "100-continue") {
    return fail(errors::kBadRequest, "the only expectation that is met is '100-continue'");
  }
  return {};
}

bool expects_continue(const Headers& headers, HttpVersion version) {
  return version == HttpVersion::k11 && !header_value(headers, "expect").empty();
}

bool are_sendable(const Headers& headers) {
  return std::all_of(headers.begin(), headers.end(), [](const auto& header) {
    const auto& [name, value] = header;
    const bool control = std::any_of(value.begin(), value.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
    });
    return is_http_token(name) && !control &&
           std::find(kOwnHeaders.begin(), kOwnHeaders.end(), to_lower(name)) == kOwnHeaders.end();
  });
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 402:
      return "Payment Required";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

std::string http_date(Timestamp time) {
  using namespace std::chrono;
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const sys_seconds seconds_since = floor<seconds>(sys_time<microseconds>(microseconds(time.micros)));
  const sys_days day = floor<days>(seconds_since);
  const year_month_day date(day);
  const hh_mm_ss clock(seconds_since - day);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1],
                     static_cast<int>(date.year()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count());
}

std::string response_head(int status, const Headers& headers, Framing framing, bool keep_alive, Timestamp now) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nConnection: {}\r\n", status, reason_phrase(status),
                                 http_date(now), keep_alive ? "keep-alive" : "close");
  if (framing.kind == Framing::Kind::kLength) head += fmt::format("Content-Length: {}\r\n", framing.length);
  if (framing.kind == Framing::Kind::kChunked) head += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : headers) head.append(name).append(": ").append(value).append("\r\n");
  head += "\r\n";
  return head;
}

}  // namespace tandem::server
