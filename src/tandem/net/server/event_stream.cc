#include "tandem/net/server/event_stream.h"

#include <algorithm>

namespace tandem::server {
namespace {

void append_field(Bytes& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\n");
}

Bytes one_line(std::string_view text) {
  Bytes line;
  std::copy_if(text.begin(), text.end(), std::back_inserter(line),
               [](char c) { return c != '\r' && c != '\n' && c != '\0'; });
  return line;
}

}  // namespace

Bytes format_event(const StreamEvent& event) {
  Bytes out;
  if (!event.id.empty()) append_field(out, "id", one_line(event.id));
  if (!event.type.empty()) append_field(out, "event", one_line(event.type));
  std::string_view rest = event.data;
  for (;;) {
    // CR, LF and CRLF all end a line in this format.
    const std::size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
    append_field(out, "data", rest.substr(0, end));
    if (end == rest.size()) break;
    rest.remove_prefix(end + (rest.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  out += '\n';
  return out;
}

Bytes format_heartbeat() { return ":\n\n"; }

Headers event_stream_headers() {
  return {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
}

}  // namespace tandem::server
