// tandem/net/server/event_stream.h - the text/event-stream format (WHATWG HTML 9.2): one event as bytes for a Stream.
//
// Room: net. What an event means is the business of its sender; a client that comes back sends the last id as
// Last-Event-ID.
#pragma once

#include <string_view>

#include "tandem/base/bytes.h"
#include "tandem/base/http.h"

namespace tandem::server {

struct StreamEvent {
  std::string_view id;  ///< empty: the client keeps its last one
  std::string_view type;  ///< empty: "message"
  std::string_view data;  ///< may have several lines
};

/// The event and the blank line that ends it. Line breaks in id and type, which would start another field, are dropped.
Bytes format_event(const StreamEvent& event);

/// A comment line: keeps proxies and the peer's timeout from closing a quiet stream.
Bytes format_heartbeat();

/// The headers that every event stream has.
Headers event_stream_headers();

}  // namespace tandem::server
