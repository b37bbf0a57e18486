// tandem/net/server/core.h - what all connections of one server share. Internal to this part.
//
// Room: net. Lifetime: connections, responders and streams hold the core, so it outlives the Server; after close() it
// calls neither the handler nor any seam.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tandem/net/server/asio.h"
#include "tandem/net/server/head.h"
#include "tandem/net/server/server.h"

namespace tandem::server {

class Connection;

/// One io thread: an io_context and the connections that live on it.
/// Threads: post() from anywhere; everything else on the loop's own thread.
class Loop {
 public:
  /// Runs `task` on the loop's thread. False when the loop has ended; then `task` is dropped.
  bool post(std::function<void()> task);
  /// The loop's thread. It gives back memory when nothing was to do for a while but to look for connections past their deadline.
  void run();
  /// Lets run() return once nothing is pending; from now on post() refuses.
  void finish();

  asio::io_context io{1};
  asio::steady_timer sweep_timer{io};  ///< when to look for connections past their deadline
  bool sweeping = true;
  bool sweep_awaited = false;  ///< there is somebody to look at
  std::size_t sweeps = 0;  ///< of late
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections = {};
  std::deque<std::shared_ptr<Connection>> finished =
      {};  ///< whose stream has been sent whole, and which are to be ended

 private:
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io.get_executor()};
  std::mutex mutex_;
  bool open_ = true;  ///< guarded by mutex_
};

struct Core {
  Core(ServerOptions with, HostSet named, Handler handle, ErrorBody on_error, ServerSeams borrowed,
       std::vector<std::unique_ptr<Loop>> run_on, std::shared_ptr<asio::ssl::context> secured_by)
      : options(std::move(with)),
        hosts(std::move(named)),
        handler(std::move(handle)),
        error_body(std::move(on_error)),
        seams(borrowed),
        loops(std::move(run_on)),
        tls(std::move(secured_by)) {}

  ServerOptions options;
  HostSet hosts;
  Handler handler;
  ErrorBody error_body;
  ServerSeams seams;
  std::vector<std::unique_ptr<Loop>> loops;
  std::shared_ptr<asio::ssl::context> tls;  ///< null: plain HTTP

  std::atomic<bool> stopping{false};  ///< drain() was called, or the server goes
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> overloaded{0};  ///< connections that are only told "503"

  /// Runs `task` on the Executor; close() waits for it when `must_run`, else a task that has not begun by then is
  /// dropped.
  enum class Kind : bool { kDroppable, kMustRun };
  static void run(const std::shared_ptr<Core>& core, Kind kind, Task task);

  /// Counts one down and wakes whoever waits for it.
  void remove_connection(std::atomic<std::size_t>& counter);
  /// Waits until no connection is left. False at the deadline.
  bool wait_for_connections(Deadline deadline);
  /// After this nothing of the user's runs any more.
  void close();

 private:
  void end_task();
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;  ///< guarded by mutex_
  std::size_t running_ = 0;  ///< droppable tasks that have begun, and must-run tasks; guarded by mutex_
};

}  // namespace tandem::server
