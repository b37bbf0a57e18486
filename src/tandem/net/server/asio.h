// tandem/net/server/asio.h - Asio as this part uses it, included nowhere else. Internal to this part.
//
// Room: net.
#pragma once

// One thread runs each io_context and everything from outside comes through post(), which locks: fences around handlers
// would only cost time, and the thread sanitizer cannot see through them.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK

#include <utility>  // before Asio 1.74, which uses std::exchange without it

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace tandem::server {

namespace asio = boost::asio;

}  // namespace tandem::server
