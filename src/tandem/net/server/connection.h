// tandem/net/server/connection.h - one client's connection as a state machine. Internal to this part.
//
// Room: net. Idle -> head -> body -> handling -> answering or streaming -> idle again, or lingering -> closed.
#pragma once

#include <memory>

#include "tandem/net/server/asio.h"
#include "tandem/net/server/core.h"

namespace tandem::server {

/// Serves `socket` on `loop` until it ends; beyond connections_max it is told so and closed. Call on the loop's thread.
void serve(const std::shared_ptr<Core>& core, Loop& loop, asio::ip::tcp::socket socket);

/// Closes every connection of the loop that is past its deadline.
void sweep(Loop& loop, Instant now);

/// How the connections of a loop are told that the server goes down.
enum class Ending : std::uint8_t {
  kStreams,  ///< close those that wait for a request, end streams after what they have buffered
  kEverything,  ///< close all at once
};
void end_connections(Loop& loop, Ending ending);

}  // namespace tandem::server
