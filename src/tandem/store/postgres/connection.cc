#include "tandem/store/postgres/connection.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem::postgres {
namespace {

/// How a session differs from the server's defaults.
/// enable_seqscan: the plans of prepared statements are made while tables may be empty, and must not rest on that.
/// enable_mergejoin, enable_hashjoin, enable_bitmapscan: rows are looked up, and locked, one by one in the order of the keys given.
/// jit: it compiles what looks expensive, and a scan that is off looks most expensive of all.
/// idle_in_transaction_session_timeout: a stopped process must not hold the head of the store for longer; group_writer.cc ends
/// sessions that wait for their client inside a statement.
/// tcp_keepalives, client_connection_check_interval: the server lets go of what a lost client holds.
constexpr const char* kSession = R"sql(
  SET search_path = tandem, pg_catalog;
  SET synchronous_commit = on;
  SET default_transaction_isolation = 'read committed';
  SET default_transaction_read_only = off;
  SET enable_seqscan = off;
  SET enable_mergejoin = off;
  SET enable_hashjoin = off;
  SET enable_bitmapscan = off;
  SET jit = off;
  SET plan_cache_mode = force_generic_plan;
  SET idle_in_transaction_session_timeout = '5s';
  SET lock_timeout = '6s';
  SET tcp_keepalives_idle = 10;
  SET tcp_keepalives_interval = 5;
  SET tcp_keepalives_count = 3;
  SET client_connection_check_interval = '5s';
  SET client_min_messages = warning;
)sql";

constexpr int kOldestServer = 150'000;  ///< as PQserverVersion() tells it
constexpr std::string_view kReadOnly = "25006";

ErrorNumber number_of(std::string_view state) {
  if (state == "53100") return errors::kDiskFull;
  if (state == "53200" || state == "54000") return errors::kStoreOutOfMemory;
  if (state == "55P03") return errors::kLockHeld;
  if (state == "58030") return errors::kIoError;
  if (state == "42501" || state == "28000" || state == "28P01") return errors::kFilePermissionDenied;
  // Damaged pages; tables or the whole schema that are gone.
  if (state.starts_with("XX") || state == "42P01" || state == "3F000") return errors::kStoreDamaged;
  // Connections that end, servers that stop or start, too many sessions, sessions ended by a time limit or an administrator.
  // 25006: the server became a standby.
  for (const std::string_view unreachable : {"08", "57", "53", "25P03", "25006", "40"})
    if (state.starts_with(unreachable)) return errors::kStoreUnreachable;
  return errors::kInternal;
}

std::string first_line(const char* text) { return std::string(trim(split(text == nullptr ? "" : text, '\n').front())); }

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Address& address, std::chrono::milliseconds answer_wait,
                                                     const Clock& clock) {
  const std::string seconds =
      std::to_string(std::max<std::int64_t>(2, std::chrono::ceil<std::chrono::seconds>(answer_wait).count()));
  const std::string milliseconds = std::to_string(answer_wait.count());
  std::map<std::string, std::string> options = {
      {"application_name", "tandem"},     {"client_encoding", "UTF8"},
      {"connect_timeout", seconds},       {"gssencmode", "disable"},  // beside it TLS, and its mode, are not used
      {"tcp_user_timeout", milliseconds}, {"target_session_attrs", "read-write"}};
  for (const auto& [key, value] : address.options) options[key] = value;
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (const auto& [key, value] : options) {
    keys.push_back(key.c_str());
    values.push_back(value.c_str());
  }
  keys.push_back(nullptr);
  values.push_back(nullptr);
  PGconn* handle = PQconnectdbParams(keys.data(), values.data(), 0);
  if (handle == nullptr) return fail(errors::kStoreOutOfMemory, "not enough memory to reach {}", address.shown);
  std::unique_ptr<Connection> out(new Connection(handle, address.shown, answer_wait, clock));
  if (PQstatus(handle) != CONNECTION_OK) {
    return fail(errors::kStoreUnreachable, "{} cannot be reached: {}", address.shown,
                first_line(PQerrorMessage(handle)));
  }
  if (const int version = PQserverVersion(handle); version < kOldestServer) {
    return fail(errors::kBadStoreAddress, "{} is PostgreSQL {}; use {} or newer", address.shown, version / 10'000,
                kOldestServer / 10'000);
  }
  PQsetNoticeProcessor(handle, [](void*, const char*) {}, nullptr);  // libpq would print them
  PQsetnonblocking(handle, 1);
  TANDEM_TRY(out->script(kSession));
  return out;
}

Error Connection::lost(std::string_view why) {
  broken_ = true;
  return make_error(errors::kStoreUnreachable, "{} does not answer: {}", shown_, why);
}

Error Connection::ended(const PGresult* result) {
  broken_ = true;
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? lost(first_line(PQerrorMessage(handle_.get()))) : error_of(result);
}

Error Connection::error_of(const PGresult* result) const {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return make_error(number_of(state == nullptr ? "08000" : state), "{}: {} [SQLSTATE {}]", shown_,
                    message == nullptr ? first_line(PQresultErrorMessage(result)) : message,
                    state == nullptr ? "none" : state);
}

void Connection::send(const Statement& statement, const Params& params) {
  if (broken_) return;  // finish() says so
  if (PQpipelineStatus(handle_.get()) == PQ_PIPELINE_OFF) PQenterPipelineMode(handle_.get());
  bool sent = true;
  if (prepared_.insert(&statement).second) {
    sent = PQsendPrepare(handle_.get(), statement.name.c_str(), statement.sql.c_str(), 0, nullptr) == 1;
    sent_.push_back({&statement, true});
  }
  sent = sent && PQsendQueryPrepared(handle_.get(), statement.name.c_str(), params.count(), params.values(),
                                     params.lengths(), params.formats(), 1) == 1;
  sent_.push_back({&statement, false});
  if (!sent) (void)lost(first_line(PQerrorMessage(handle_.get())));
}

Result<void> Connection::wait_until_answered() {
  Deadline silence = Deadline::after(clock_, answer_wait_);
  while (true) {
    const int unsent = PQflush(handle_.get());
    if (unsent < 0) return unexpected<Error>(lost(first_line(PQerrorMessage(handle_.get()))));
    if (PQisBusy(handle_.get()) == 0) return {};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(silence.left(clock_));
    if (left.count() <= 0) return unexpected<Error>(lost(fmt::format("nothing within {} ms", answer_wait_.count())));
    pollfd waiting{.fd = PQsocket(handle_.get()),
                   .events = static_cast<short>(unsent == 0 ? POLLIN : POLLIN | POLLOUT),
                   .revents = 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
    if (ready < 0 && errno != EINTR) return unexpected<Error>(lost(std::strerror(errno)));
    if (ready <= 0) continue;
    silence = Deadline::after(clock_, answer_wait_);  // something moves: large values take their time
    if ((waiting.revents & ~POLLOUT) != 0 && PQconsumeInput(handle_.get()) == 0)
      return unexpected<Error>(lost(first_line(PQerrorMessage(handle_.get()))));
  }
}

Result<PGresult*> Connection::next() {
  TANDEM_TRY(wait_until_answered());
  PGresult* result = PQgetResult(handle_.get());
  if (PQstatus(handle_.get()) != CONNECTION_BAD) return result;
  const Answer owned(result);
  return unexpected<Error>(ended(result));
}

void Connection::ask_to_confirm() {
  if (broken_) return;  // confirm() says so
  if (PQsendFlushRequest(handle_.get()) != 1) (void)lost(first_line(PQerrorMessage(handle_.get())));
  to_confirm_ = sent_.size();
}

Result<std::vector<Answer>> Connection::confirm() {
  refusal_.clear();
  if (broken_) {
    sent_.clear();
    return unexpected<Error>(lost("the session was lost before"));
  }
  TANDEM_ASSERT(to_confirm_ <= sent_.size());  // nothing was finished in between
  auto answers = take_answers(std::exchange(to_confirm_, 0));
  if (answers || broken_) return answers;
  const std::string refusal = refusal_;
  if (auto undone = finish(); !undone && broken_) return undone;
  refusal_ = refusal;
  return answers;
}

Result<std::vector<Answer>> Connection::finish(const std::function<void()>& on_sent) {
  refusal_.clear();
  if (broken_) {
    sent_.clear();
    return unexpected<Error>(lost("the session was lost before"));
  }
  if (PQpipelineStatus(handle_.get()) == PQ_PIPELINE_OFF) PQenterPipelineMode(handle_.get());
  if (PQpipelineSync(handle_.get()) != 1) return unexpected<Error>(lost(first_line(PQerrorMessage(handle_.get()))));
  if (on_sent && PQflush(handle_.get()) == 0) on_sent();
  auto answers = take_answers(sent_.size());
  if (!answers && broken_) return answers;
  TANDEM_TRY_ASSIGN(PGresult* const last, next());
  const Answer synced(last);
  if (PQresultStatus(last) != PGRES_PIPELINE_SYNC) return unexpected<Error>(ended(last));
  return answers;
}

Result<std::vector<Answer>> Connection::take_answers(std::size_t count) {
  const std::vector<Sent> sent(sent_.begin(), sent_.begin() + static_cast<std::ptrdiff_t>(count));
  sent_.erase(sent_.begin(), sent_.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<Answer> answers;
  std::optional<Error> failure;
  std::string first_state;
  for (const Sent& one : sent) {
    TANDEM_TRY_ASSIGN(PGresult* const result, next());
    Answer answer(result);
    const ExecStatusType status = PQresultStatus(result);
    const bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    const char* state = good ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!good && !failure && status != PGRES_PIPELINE_ABORTED) {
      failure = error_of(result);
      if (state != nullptr) first_state = state;
    }
    if (state != nullptr && std::string_view(state) == kReadOnly)
      broken_ = true;  // the next session looks for a server that writes
    if (!good && one.prepares) prepared_.erase(one.statement);
    if (good && !one.prepares) answers.push_back(std::move(answer));
    TANDEM_TRY_ASSIGN(PGresult* const end, next());  // null: no more of this statement
    if (const Answer unexpected_result(end); end != nullptr) return unexpected<Error>(ended(end));
  }
  refusal_ = std::move(first_state);
  if (failure) return unexpected<Error>(*std::move(failure));
  return answers;
}

Result<Answer> Connection::run(const Statement& statement, const Params& params) {
  send(statement, params);
  TANDEM_TRY_ASSIGN(std::vector<Answer> answers, finish());
  return std::move(answers.front());
}

bool Connection::ended_meanwhile() {
  TANDEM_ASSERT(broken_ || sent_.empty());
  pollfd waiting{.fd = PQsocket(handle_.get()), .events = POLLIN, .revents = 0};
  while (!broken_ && poll(&waiting, 1, 0) > 0)
    if (PQconsumeInput(handle_.get()) == 0) (void)lost(first_line(PQerrorMessage(handle_.get())));
  return broken_;
}

Result<std::vector<std::string>> Connection::wait_for_notification(std::chrono::milliseconds wait,
                                                                   const std::atomic<int>& own, int wake) {
  TANDEM_ASSERT(sent_.empty());
  std::array<pollfd, 2> waiting{
      {{.fd = PQsocket(handle_.get()), .events = POLLIN, .revents = 0}, {.fd = wake, .events = POLLIN, .revents = 0}}};
  const int ready = poll(waiting.data(), waiting.size(), static_cast<int>(wait.count()));
  if (ready < 0 && errno != EINTR) return unexpected<Error>(lost(std::strerror(errno)));
  if (waiting[0].revents != 0 && ready > 0 && PQconsumeInput(handle_.get()) == 0)
    return unexpected<Error>(lost(first_line(PQerrorMessage(handle_.get()))));
  std::vector<std::string> by_others;
  while (PGnotify* notification = PQnotifies(handle_.get())) {
    if (notification->be_pid != own) by_others.emplace_back(notification->extra);
    PQfreemem(notification);
  }
  return by_others;
}

Result<void> Connection::script(const std::string& sql) {
  TANDEM_ASSERT(sent_.empty());
  if (PQpipelineStatus(handle_.get()) != PQ_PIPELINE_OFF) {
    while (PGresult* left = PQgetResult(handle_.get())) PQclear(left);
    PQexitPipelineMode(handle_.get());
  }
  if (PQsendQuery(handle_.get(), sql.c_str()) != 1)
    return unexpected<Error>(lost(first_line(PQerrorMessage(handle_.get()))));
  std::optional<Error> failure;
  while (true) {
    TANDEM_TRY_ASSIGN(PGresult* const result, next());
    if (result == nullptr) break;
    const Answer owned(result);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !failure) failure = error_of(result);
  }
  if (failure) return unexpected<Error>(*std::move(failure));
  return {};
}

}  // namespace tandem::postgres
