// tandem/store/postgres/connection.h - one PostgreSQL session: statements go out together, answers come back together.
//
// Room: store. Not here: which statements there are (statements.h), who may write (group_writer.h).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/result.h"
#include "tandem/store/postgres/address.h"
#include "tandem/store/postgres/statements.h"
#include "tandem/store/postgres/wire.h"

namespace tandem::postgres {

/// In pipeline mode, never blocking in libpq. After 3008 the session is of no more use (broken()).
///
/// Errors: 3008 store_unreachable - no connection, a server that goes down, or no answer in time; 3001..3003, 1041 disk_full, 3007
///         store_out_of_memory, 1042 io_error, 1043, 1045 by what the server says (SQLSTATE).
/// Threads: one at a time.
class Connection {
 public:
  /// `answer_wait`: how long the server may say nothing, and to connect.
  static Result<std::unique_ptr<Connection>> open(const Address& address, std::chrono::milliseconds answer_wait,
                                                  const Clock& clock);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Adds a statement to what goes out; prepared on first use and kept.
  void send(const Statement& statement, const Params& params = {});
  /// Everything since the last call is on the server and answered, one answer a statement. After an error in one statement the
  /// server skips the others and undoes what it did since the last call, unless that was inside BEGIN. `on_sent` is called when nothing is left to send and nothing was read.
  Result<std::vector<Answer>> finish(const std::function<void()>& on_sent = {});
  /// The server is to answer what was sent since the last call without waiting for finish().
  void ask_to_confirm();
  /// Those answers. finish() makes all of it last, also what was sent after ask_to_confirm(): if the session is lost before that, nothing
  /// of it stays. After an error all of it is undone, and nothing is left to finish. Not inside BEGIN.
  Result<std::vector<Answer>> confirm();
  /// Whether the server has ended the session meanwhile; then it is broken(). Unless it is already, nothing may be waiting for finish().
  bool ended_meanwhile();
  /// SQLSTATE of the error that the last finish() or confirm() returned, where that was the server's answer: nothing of what was sent stays. Empty:
  /// the session was lost, and what became of it is not known.
  const std::string& refusal() const { return refusal_; }
  /// send() and finish().
  Result<Answer> run(const Statement& statement, const Params& params = {});
  /// SQL without parameters, several statements at once, as one transaction. Nothing may be waiting for finish().
  Result<void> script(const std::string& sql);

  /// Waits at most `wait` for notifications of channels that this session listens to; what those say that came from another session
  /// than `own` is by then. Nothing may be waiting for finish(). `wake`: a file that ends the wait when it can be read; -1: none.
  Result<std::vector<std::string>> wait_for_notification(std::chrono::milliseconds wait, const std::atomic<int>& own,
                                                         int wake = -1);
  int server_process() const { return PQbackendPID(handle_.get()); }

  bool broken() const { return broken_; }
  bool in_transaction() const { return PQtransactionStatus(handle_.get()) != PQTRANS_IDLE; }

 private:
  struct Close {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct Sent {
    const Statement* statement;
    bool prepares;
  };
  Connection(PGconn* handle, std::string shown, std::chrono::milliseconds answer_wait, const Clock& clock)
      : handle_(handle), shown_(std::move(shown)), answer_wait_(answer_wait), clock_(clock) {}
  Result<void> wait_until_answered();
  /// To the first `count` statements that have not been answered.
  Result<std::vector<Answer>> take_answers(std::size_t count);
  /// The next result, which may be null; waits for it.
  Result<PGresult*> next();
  Error lost(std::string_view why);
  /// The session is over, as the server's last words say, or without any.
  Error ended(const PGresult* result);
  Error error_of(const PGresult* result) const;

  std::unique_ptr<PGconn, Close> handle_;
  const std::string shown_;
  const std::chrono::milliseconds answer_wait_;
  const Clock& clock_;
  std::vector<Sent> sent_;
  std::size_t to_confirm_ = 0;  ///< of sent_
  std::set<const Statement*> prepared_;
  std::string refusal_;
  bool broken_ = false;
};

}  // namespace tandem::postgres
