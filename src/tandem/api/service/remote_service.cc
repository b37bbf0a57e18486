#include "tandem/api/service/event_reader.h"
#include "tandem/api/service/service.h"
#include "tandem/base/backoff.h"
#include "tandem/base/id.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"

namespace tandem::service {
namespace {

constexpr auto kRequestTime = std::chrono::seconds(60);  ///< for one request; submitting a large job takes longest
constexpr auto kWaitStep = std::chrono::milliseconds(10'000);  ///< of one long poll for the end of a job
constexpr auto kEventStep = std::chrono::milliseconds(500);  ///< the same where somebody wants its events meanwhile

// Between two questions to a server that is away.
constexpr auto kAgainMin = std::chrono::milliseconds(50);
constexpr auto kAgainMax = std::chrono::milliseconds(1'000);
constexpr std::int64_t kRetryAfterMax = 3600;  ///< seconds; beyond, the header is a mistake

/// What may be asked again when it is not known what became of the first time.
enum class Repeat : std::uint8_t { kSafe, kUnlessSent };

/// For a query: RFC 3986, everything but the unreserved characters.
std::string percent_encode(std::string_view text) {
  constexpr std::string_view kUnreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string out;
  for (const char c : text) {
    if (kUnreserved.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

/// A question that got no answer, or a refusal.
struct Refusal {
  Error error;
  bool is_away = false;  ///< the server, for a while, and the question may be asked again
  std::chrono::nanoseconds retry_after{0};  ///< the server asks for so much
};

/// Nobody says what became of the question.
bool is_lost(ErrorNumber number) {
  return number == errors::kPeerUnreachable || number == errors::kPeerTimeout || number == errors::kConnectionLost;
}

/// Every other error is an answer, also one with 503: a job may have ended with it. That the store was away says who read after
/// the writing, too.
bool is_for_a_while(ErrorNumber number, Repeat repeat) {
  return number == errors::kDraining || number == errors::kServerOverloaded || number == errors::kIdempotencyInFlight ||
         (number == errors::kStoreUnreachable && repeat == Repeat::kSafe);
}

Refusal refusal_of(const HttpFailure& failure, Repeat repeat) {
  return {.error = failure.error,
          .is_away = is_lost(failure.error.number) && (repeat == Repeat::kSafe || failure.sent == Sent::kNo)};
}

/// What is no problem document is not the server's: who stands between may have lost the server's answer.
Refusal refusal_of(const HttpResponse& response, Repeat repeat) {
  constexpr int kServiceUnavailable = 503;
  Refusal out{.error = error_of_problem(response)};
  const bool is_ours = header_value(response.headers, "Content-Type") == "application/problem+json";
  out.is_away = is_for_a_while(out.error.number, repeat) ||
                (!is_ours && response.status == kServiceUnavailable && repeat == Repeat::kSafe);
  const auto seconds = parse_int64(header_value(response.headers, "Retry-After"));
  if (seconds && *seconds > 0) out.retry_after = std::chrono::seconds(std::min(*seconds, kRetryAfterMax));
  return out;
}

class RemoteService final : public Service {
 public:
  RemoteService(FindServer find, RemoteSeams seams, RemoteOptions options)
      : find_(std::move(find)), seams_(seams), options_(std::move(options)) {}

  Result<Json> submit(const job::JobSpec& spec, std::string_view idempotency_key) override {
    return submit_to("/v1/jobs", idempotency_key, spec.text().text());
  }
  void submit(std::shared_ptr<const job::JobSpec> spec, std::string_view idempotency_key,
              std::function<void(Result<Json>)> done) override {
    done(submit(*spec, idempotency_key));
  }
  Result<Json> plan(const job::JobSpec& spec) override {
    return ask({.method = "POST",
                .url = "/v1/plans",
                .headers = {{"Content-Type", "application/json"}},
                .body = spec.text().text()},
               Repeat::kSafe);
  }
  Result<Json> job(const JobId& id) override { return get(id, ""); }
  Result<Json> jobs(const JobQuery& query) override {
    std::string url = fmt::format("/v1/jobs?limit={}", query.limit);
    if (query.state) url += fmt::format("&state={}", job::to_string(*query.state));
    if (query.error_number) url += fmt::format("&error={}", *query.error_number);
    if (!query.page_token.empty()) url += "&page_token=" + query.page_token;
    return ask({.url = std::move(url)}, Repeat::kSafe);
  }
  Result<Json> result(const JobId& id) override { return get(id, "/result"); }
  Result<Json> spec(const JobId& id) override { return get(id, "/spec"); }
  Result<Json> plan_of(const JobId& id) override { return get(id, "/plan"); }
  Result<Json> lineage(const JobId& id) override { return get(id, "/lineage"); }
  Result<Json> events(const JobId& id, std::uint64_t after, std::size_t limit) override {
    return get(id, fmt::format("/events?after={}&limit={}", after, limit));
  }
  Result<Json> replay_package(const JobId& id) override { return get(id, "/replay_package"); }
  Result<Json> submissions(const JobId& id) override { return get(id, "/submissions"); }
  Result<void> cancel(const JobId& id, std::string_view reason) override {
    return post(id, "cancel", {{"reason", reason}}).map([](const Json&) {});
  }
  Result<void> suspend(const JobId& id, std::string_view reason) override {
    return post(id, "suspend", {{"reason", reason}}).map([](const Json&) {});
  }
  Result<void> resume(const JobId& id) override {
    return post(id, "resume", Json()).map([](const Json&) {});
  }
  Result<void> remove(const JobId& id, std::string_view reason) override {
    const std::string query = reason.empty() ? "" : "?reason=" + percent_encode(reason);
    return send({.method = "DELETE", .url = fmt::format("/v1/jobs/{}{}", id.value, query)}, Repeat::kUnlessSent)
        .map([](const HttpResponse&) {});
  }
  Result<Json> retry(const JobId& id, std::string_view idempotency_key) override {
    return submit_to(fmt::format("/v1/jobs/{}/retry", id.value), idempotency_key, "");
  }
  Result<void> review(const JobId& id, engine::Verdict verdict, std::string_view reason) override {
    const char* decision = verdict == engine::Verdict::kAccept ? "accept" : "reject";
    auto answer = ask({.method = "POST",
                       .url = fmt::format("/v1/jobs/{}/review", id.value),
                       .headers = {{"Content-Type", "application/json"}},
                       .body = Json{{"decision", decision}, {"reason", reason}}.dump()},
                      Repeat::kUnlessSent);
    return answer.map([](const Json&) {});
  }
  Result<Json> approvals(const ApprovalQuery& query) override {
    std::string url = fmt::format("/v1/approvals?limit={}", query.limit);
    if (query.job) url += "&job_id=" + query.job->value;
    if (!query.page_token.empty()) url += "&page_token=" + query.page_token;
    return ask({.url = std::move(url)}, Repeat::kSafe);
  }
  Result<Json> approval(std::string_view id) override {
    TANDEM_TRY_ASSIGN(const approval::ApprovalId parsed, approval::ApprovalId::parse(id));
    return ask({.url = "/v1/approvals/" + parsed.text()}, Repeat::kSafe);
  }
  Result<Json> decide(std::string_view id, const approval::Word& word) override {
    TANDEM_TRY_ASSIGN(const approval::ApprovalId parsed, approval::ApprovalId::parse(id));
    return ask(
        {.method = "POST",
         .url = fmt::format("/v1/approvals/{}/decisions", parsed.text()),
         .headers = {{"Content-Type", "application/json"}},
         .body =
             Json{{"decision", to_string(word.verdict)}, {"reason", word.reason}, {"external_ref", word.external_ref}}
                 .dump()},
        Repeat::kUnlessSent);
  }
  Result<Json> submissions(const SubmissionQuery& query) override {
    std::string url = fmt::format("/v1/submissions?limit={}", query.limit);
    if (query.state) url += fmt::format("&state={}", submit::to_string(*query.state));
    if (query.job) url += "&job_id=" + query.job->value;
    if (!query.backend.empty()) url += "&backend=" + percent_encode(query.backend);
    if (!query.page_token.empty()) url += "&page_token=" + percent_encode(query.page_token);
    return ask({.url = std::move(url)}, Repeat::kSafe);
  }
  Result<Json> submission(std::string_view token) override {
    return ask({.url = "/v1/submissions/" + percent_encode(token)}, Repeat::kSafe);
  }
  Result<Json> release(std::string_view token, std::string_view reason, job::Money billed) override {
    return say(token, "release", {{"reason", reason}, {"billed_usd_micros", billed.usd_micros}});
  }
  Result<Json> adopt(std::string_view token, std::string_view handle, std::string_view reason) override {
    return say(token, "adopt", {{"handle", handle}, {"reason", reason}});
  }
  Result<Json> backends() override { return ask({.url = "/v1/backends"}, Repeat::kSafe); }
  Result<Json> usage(const UsageQuery& query) override {
    std::string url = fmt::format("/v1/usage?by={}", query.by ? budget::to_string(*query.by) : "charge");
    if (query.from) url += "&from=" + percent_encode(format_rfc3339(*query.from));
    if (query.to) url += "&to=" + percent_encode(format_rfc3339(*query.to));
    if (!query.by) url += fmt::format("&limit={}", query.limit);
    if (!query.page_token.empty()) url += "&page_token=" + percent_encode(query.page_token);
    return ask({.url = std::move(url)}, Repeat::kSafe);
  }
  Result<Json> budgets() override { return ask({.url = "/v1/budgets"}, Repeat::kSafe); }

  Result<Json> follow(const JobId& id, const Watch& watch, Deadline deadline) override {
    RemoteService asking = *this;
    if (deadline.at() != Deadline::never().at()) asking.until_ = deadline;
    engine::Progress progress{.job = id, .step = ""};
    const Instant begin = seams_.clock.monotonic();
    Watch listening = watch;
    if (watch.on_event) {
      listening.on_event = [&](const Json& event) {
        progress.step = event.value("type", "");
        watch.on_event(event);
      };
    }
    EventReader reader(asking, id, listening);
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left(seams_.clock));
      const auto step = std::min(left, watch.on_event ? kEventStep : kWaitStep);
      TANDEM_TRY_ASSIGN(const Json view, asking.get(id, fmt::format("?wait={}ms", step.count())));
      TANDEM_TRY(reader.read_on());
      progress.elapsed_ms = std::chrono::duration<double, std::milli>(seams_.clock.monotonic() - begin).count();
      if (watch.on_progress) watch.on_progress(progress);
      const auto state = job::find_job_state(view.value("state", ""));
      if (!state)
        return fail(errors::kBackendGarbage, "the server names the state '{}', which this version does not know",
                    view.value("state", ""));
      if (job::is_final(*state) || *state == job::JobState::kAwaitingReview ||
          *state == job::JobState::kAwaitingApproval)
        return view;
      if (deadline.expired(seams_.clock))
        return fail(errors::kResultNotReady, "job {} is still {}", id.value, job::to_string(*state));
    }
  }

 private:
  /// Of a submission.
  Result<Json> say(std::string_view token, std::string_view verb, const Json& body) {
    return ask({.method = "POST",
                .url = fmt::format("/v1/submissions/{}/{}", percent_encode(token), verb),
                .headers = {{"Content-Type", "application/json"}},
                .body = body.dump()},
               Repeat::kUnlessSent);
  }
  /// `body` null: none.
  Result<Json> post(const JobId& id, std::string_view verb, const Json& body) {
    return ask({.method = "POST",
                .url = fmt::format("/v1/jobs/{}/{}", id.value, verb),
                .headers = {{"Content-Type", "application/json"}},
                .body = body.is_null() ? "" : body.dump()},
               Repeat::kUnlessSent);
  }
  Result<Json> get(const JobId& id, std::string_view rest) {
    return ask({.url = fmt::format("/v1/jobs/{}{}", id.value, rest)}, Repeat::kSafe);
  }
  /// With a key of its own where it has none, so that it can be sent again when the answer was lost.
  Result<Json> submit_to(const std::string& path, std::string_view idempotency_key, const Bytes& body) {
    const std::string key =
        idempotency_key.empty() ? new_uuid7(seams_.clock, seams_.rng) : std::string(idempotency_key);
    HttpRequest request{
        .method = "POST",
        .url = path,
        .headers = {{"Content-Type", "application/json"}, {"Idempotency-Key", fmt::format("\"{}\"", key)}},
        .body = body};
    auto sent = send(std::move(request), Repeat::kSafe);
    if (!sent && may_be_admitted(sent.error().number))
      sent.error().message += "; send it again with --idempotency-key " + key;
    TANDEM_TRY_ASSIGN(const HttpResponse response, std::move(sent));
    TANDEM_TRY_ASSIGN(const Json answer, parse_json(response.body, "answer"));
    const bool replayed = header_value(response.headers, "Idempotency-Replayed") == "true";
    return Json{{"job_id", answer.value("job_id", "")}, {"replayed", replayed && !idempotency_key.empty()}};
  }

  Result<Json> ask(HttpRequest request, Repeat repeat) {
    TANDEM_TRY_ASSIGN(const HttpResponse response, send(std::move(request), repeat));
    return parse_json(response.body, "answer", {.bytes_max = UINT64_MAX});
  }
  /// Until there is an answer, or the server was away for too long. `request.url`: the path.
  Result<HttpResponse> send(HttpRequest request, Repeat repeat) {
    const std::string path = std::move(request.url);
    if (options_.token) request.headers.push_back({"Authorization", "Bearer " + options_.token->reveal()});
    std::string gone;  // the server that was found not to listen: at its address is another one, or nobody
    std::optional<Deadline> give_up;
    std::chrono::nanoseconds wait = kAgainMin;
    Refusal refusal{.error = make_error(errors::kPeerUnreachable, "there is no server to ask")};
    while (true) {
      const ServerPlace place = find_();
      if (!place.address.empty() && (gone.empty() || place.instance != gone)) {
        request.url = "http://" + place.address + path;
        auto answer = seams_.http.send(request, Deadline::after(seams_.clock, kRequestTime));
        if (answer && answer->status >= 200 && answer->status <= 299) return *std::move(answer);
        refusal = answer ? refusal_of(*answer, repeat) : refusal_of(answer.error(), repeat);
        if (!refusal.is_away) return tl::unexpected(refusal.error);
        if (refusal.error.number == errors::kPeerUnreachable) gone = place.instance;
      } else {
        refusal.retry_after = {};
      }
      const bool is_first = !give_up;
      if (is_first) give_up = until_ ? *until_ : Deadline::after(seams_.clock, options_.server_wait);
      const auto left = give_up->left(seams_.clock);
      if (left.count() == 0) return tl::unexpected(is_first ? refusal.error : given_up(refusal.error));
      if (is_first && options_.on_away) options_.on_away(refusal.error);
      wait = next_backoff(kAgainMin, kAgainMax, wait, seams_.rng);
      TANDEM_TRY(pause(seams_.executor, std::min(left, refusal.retry_after + wait), {}));
    }
  }
  /// Whether a submission that ended with this error may have made a job all the same, or may still.
  static bool may_be_admitted(ErrorNumber number) {
    return is_lost(number) || is_for_a_while(number, Repeat::kSafe) || number == errors::kResponseTooLarge ||
           number == errors::kBackendGarbage;
  }
  Error given_up(Error error) const {
    error.message +=
        fmt::format("; the server was asked again {}, and what it has acknowledged it still has",
                    until_ ? "until the deadline"
                           : fmt::format("for {} (client.server_wait)", format_duration(options_.server_wait)));
    return error;
  }

  FindServer find_;
  RemoteSeams seams_;
  RemoteOptions options_;
  std::optional<Deadline> until_;  ///< a server that is away is asked; empty: for options_.server_wait
};

}  // namespace

std::unique_ptr<Service> make_remote_service(FindServer find, RemoteSeams seams, RemoteOptions options) {
  return std::make_unique<RemoteService>(std::move(find), seams, std::move(options));
}

}  // namespace tandem::service
