// tandem/api/service/service.h - Service: what a client can ask for, as documents. The CLI and the HTTP API speak through it.
//
// Room: api. A service is one principal's: it does what that one may, with his name, and of other tenants it knows nothing.
// LocalService answers from the engine in this process; RemoteService asks the server that holds the data directory, which finds out
// who asks by a token.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/base/credential.h"
#include "tandem/base/executor.h"
#include "tandem/base/http.h"
#include "tandem/base/json.h"
#include "tandem/base/rng.h"
#include "tandem/model/job/job_spec.h"
#include "tandem/model/job/job_state.h"
#include "tandem/orchestrate/engine/engine.h"
#include "tandem/trust/identity/principal.h"

namespace tandem::service {

using engine::ApprovalQuery;
using engine::JobQuery;
using engine::SubmissionQuery;

/// Which charges are told: those of [from, to), of the current month in UTC where nothing is said.
struct UsageQuery {
  std::optional<budget::UsageBy> by = budget::UsageBy::kBackend;  ///< added up by that; empty: one by one, in pages
  std::optional<Timestamp> from = std::nullopt;
  std::optional<Timestamp> to = std::nullopt;
  std::size_t limit = 1000;  ///< charges of a page
  std::string page_token = "";  ///< of the page before
};

/// Called with events and progress of one job.
struct Watch {
  /// Every event from the log, by its sequence: none missed, none twice. On the thread that follows.
  std::function<void(const Json& event)> on_event;
  /// As it comes, on the threads of the engine; by RemoteService the time and the last event, on the thread that follows. It
  /// must not block.
  std::function<void(const engine::Progress&)> on_progress;
};

/// Threads: every method is safe to call concurrently. Documents follow contract/schemas.
/// Errors: those of the engine; 4102 not_permitted; 5001 job_not_found, 4103 approval_not_found and 5030 submission_not_found also of what its principal may not see. RemoteService also 2001..2006 and whatever the server answers, with its number. While the server is
///         away (2001, 2002, 2003, 3008) RemoteService asks again what may be asked twice: every reading, and a submission under
///         its key, which the error names when it gives up; and everything that was surely not sent or not done (2001, 5012
///         draining, 6007; 5023 to a submission). LocalService asks again a few times after 5023.
class Service {
 public:
  virtual ~Service() = default;
  /// {"job_id", "replayed"}; durable when it returns.
  virtual Result<Json> submit(const job::JobSpec& spec, std::string_view idempotency_key) = 0;
  /// The same, for whoever has better to do than to wait: `done` is called once, here or on another thread, and must be short.
  virtual void submit(std::shared_ptr<const job::JobSpec> spec, std::string_view idempotency_key,
                      std::function<void(Result<Json>)> done) = 0;
  virtual Result<Json> plan(const job::JobSpec& spec) = 0;
  virtual Result<Json> job(const JobId& id) = 0;
  virtual Result<Json> jobs(const JobQuery& query) = 0;  ///< {"jobs": [...], "next_page_token", "read_at"}
  virtual Result<Json> result(const JobId& id) = 0;
  virtual Result<Json> spec(const JobId& id) = 0;
  virtual Result<Json> plan_of(const JobId& id) = 0;
  virtual Result<Json> lineage(const JobId& id) = 0;
  virtual Result<Json> events(const JobId& id, std::uint64_t after, std::size_t limit) = 0;  ///< {"events": [...]}
  virtual Result<Json> replay_package(const JobId& id) = 0;
  virtual Result<Json> submissions(const JobId& id) = 0;  ///< {"submissions": [...]}
  virtual Result<void> cancel(const JobId& id, std::string_view reason) = 0;
  virtual Result<void> suspend(const JobId& id, std::string_view reason) = 0;
  virtual Result<void> resume(const JobId& id) = 0;
  virtual Result<Json> retry(const JobId& id, std::string_view idempotency_key) = 0;  ///< as submit()
  virtual Result<void> remove(const JobId& id, std::string_view reason) = 0;
  /// A person's word on a job that awaits review.
  virtual Result<void> review(const JobId& id, engine::Verdict verdict, std::string_view reason) = 0;
  virtual Result<Json> approvals(const ApprovalQuery& query) = 0;  ///< {"approvals": [...], "next_page_token"}
  virtual Result<Json> approval(std::string_view id) = 0;
  /// A person's word on a plan: {"approval_id", "state"} as it is after it. Durable when it returns.
  virtual Result<Json> decide(std::string_view id, const approval::Word& word) = 0;
  virtual Result<Json> submissions(const SubmissionQuery& query) = 0;  ///< {"submissions": [...], "next_page_token"}
  virtual Result<Json> submission(std::string_view token) = 0;
  /// A person's word on what held work has cost: the submission as it is then.
  virtual Result<Json> release(std::string_view token, std::string_view reason, job::Money billed) = 0;
  /// A person's word on which handle it has: the submission as it is then.
  virtual Result<Json> adopt(std::string_view token, std::string_view handle, std::string_view reason) = 0;
  virtual Result<Json> backends() = 0;  ///< {"backends": [...]}
  virtual Result<Json> usage(const UsageQuery& query) = 0;  ///< contract/schemas/usage.schema.json
  /// {"budgets": [...]}: the limits and where they stand. Who is bound to projects sees those of his projects.
  virtual Result<Json> budgets() = 0;
  /// Follows a job until it ended or the deadline; returns its view. All that the log has by then was reported before.
  /// Errors: 5004 at the deadline; those of Engine::wait.
  virtual Result<Json> follow(const JobId& id, const Watch& watch, Deadline deadline) = 0;
};

/// References that outlive the services made from it.
struct LocalSeams {
  engine::Engine& engine;
  backend::BackendRegistry& backends;
  submit::Submitter& submitter;
  const Clock& clock;
  Executor& executor;
};
/// Cheap: one is made for each request.
std::shared_ptr<Service> make_local_service(LocalSeams seams, identity::PrincipalPtr who);
struct RemoteSeams {
  Http& http;
  Executor& executor;  ///< its timers, while a server is away
  const Clock& clock;
  Rng& rng;  ///< for keys of submissions that have none of their own
};
struct RemoteOptions {
  std::chrono::milliseconds server_wait{
      60'000};  ///< how long a server that is away is asked again; follow(): its deadline, if it has one
  std::function<void(const Error&)> on_away;  ///< called when that begins, on the thread that asks
  std::optional<Secret> token = std::nullopt;  ///< of whoever asks; empty: the server asks for none
};
/// Where a server is.
struct ServerPlace {
  std::string address;  ///< "127.0.0.1:8642"; empty: nobody answers now
  /// Another one after every start, also at the same address: who does not listen any more is not asked again, for whoever is at
  /// its address then may be anybody. Empty: not known, and whoever is at the address is the server.
  std::string instance;
};
using FindServer = std::function<ServerPlace()>;
/// `find` is asked before every request. Threads: safe to call concurrently.
std::unique_ptr<Service> make_remote_service(FindServer find, RemoteSeams seams, RemoteOptions options);

/// One backend as a document, with availability as it is now.
Json backend_document(backend::Backend& backend, const Clock& clock);

/// The plain-words explanation of a job from its plan, result and submissions (null where there is none); lines for a terminal.
std::vector<std::string> explain(const Json& job, const Json& plan, const Json& result, const Json& submissions);
/// Which way the orders took, and what of the answer is old or partial; nothing when every order was answered whole by its first
/// backend.
std::vector<std::string> path_words(const Json& result);
/// What the engines of each race did and which found its best, by the lineage; nothing where no solver had several engines.
std::vector<std::string> race_words(const Json& lineage);
/// The confidence, its parts and the review, a line each.
std::vector<std::string> confidence_words(const Json& result);
/// "proved optimal", or what is known instead: "not proved: none is below -12.5, gap 4.2 %". Empty where nothing is, or for what is not feasible.
std::string proof_words(const Json& best);
/// One criterion of a result's acceptance, in words: "time 5.02 s, allowed 2 min 00 s".
std::string criterion_words(const Json& item);

/// What two jobs are compared by. A job that is not planned or has no result has null there.
struct JobDocuments {
  Json job;
  Json spec;
  Json plan;
  Json result;
};
/// What differs between two jobs: {"jobs", "verdict": "same" or "different", "differences": [{"part", "text", "places"}],
/// "timings": [text]}. Ids and measured times differ in any two jobs and count for nothing; money and verdicts count.
Json diff(const JobDocuments& first, const JobDocuments& second);

/// Time, of the budget of the solve where that is given and not over, incumbent, gap (|objective - bound| / |objective|; "-" where there
/// is none) and step in one line for a terminal.
std::string progress_line(const engine::Progress& progress, std::optional<double> budget_ms = std::nullopt);

/// RFC 9457 problem document of an error.
Json problem_document(const Error& error, std::string_view instance);
/// The error of a problem document that a server sent.
Error error_of_problem(const HttpResponse& response);

}  // namespace tandem::service
