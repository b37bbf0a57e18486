#include "tandem/api/service/event_reader.h"
#include "tandem/api/service/service.h"

namespace tandem::service {
namespace {

constexpr auto kRequestTime = std::chrono::seconds(60);  ///< for one request; submitting a large job takes longest
constexpr auto kWaitStep = std::chrono::milliseconds(10'000);  ///< of one long poll for the end of a job
constexpr auto kEventStep = std::chrono::milliseconds(500);  ///< the same where somebody wants its events meanwhile

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

class RemoteService final : public Service {
 public:
  RemoteService(std::string base_url, Http& http, const Clock& clock)
      : base_url_(std::move(base_url)), http_(http), clock_(clock) {}

  Result<Json> submit(const job::JobSpec& spec, std::string_view idempotency_key, std::string_view /*actor*/) override {
    HttpRequest request{
        .method = "POST", .url = base_url_ + "/v1/jobs", .headers = {{"Content-Type", "application/json"}}};
    if (!idempotency_key.empty())
      request.headers.push_back({"Idempotency-Key", fmt::format("\"{}\"", idempotency_key)});
    request.body = spec.text().text();
    return ask(request);
  }
  void submit(std::shared_ptr<const job::JobSpec> spec, std::string_view idempotency_key, std::string_view actor,
              std::function<void(Result<Json>)> done) override {
    done(submit(*spec, idempotency_key, actor));
  }
  Result<Json> plan(const job::JobSpec& spec) override {
    return ask({.method = "POST",
                .url = base_url_ + "/v1/plans",
                .headers = {{"Content-Type", "application/json"}},
                .body = spec.text().text()});
  }
  Result<Json> job(const JobId& id) override { return get(id, ""); }
  Result<Json> jobs(const JobQuery& query) override {
    std::string url = fmt::format("{}/v1/jobs?limit={}", base_url_, query.limit);
    if (query.state) url += fmt::format("&state={}", job::to_string(*query.state));
    if (query.error_number) url += fmt::format("&error={}", *query.error_number);
    if (!query.page_token.empty()) url += "&page_token=" + query.page_token;
    return ask({.url = std::move(url)});
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
  Result<void> cancel(const JobId& id, std::string_view /*actor*/, std::string_view reason) override {
    return post(id, "cancel", {{"reason", reason}}).map([](const Json&) {});
  }
  Result<void> suspend(const JobId& id, std::string_view /*actor*/, std::string_view reason) override {
    return post(id, "suspend", {{"reason", reason}}).map([](const Json&) {});
  }
  Result<void> resume(const JobId& id, std::string_view /*actor*/) override {
    return post(id, "resume", Json()).map([](const Json&) {});
  }
  Result<void> remove(const JobId& id, std::string_view /*actor*/, std::string_view reason) override {
    const std::string query = reason.empty() ? "" : "?reason=" + percent_encode(reason);
    return send({.method = "DELETE", .url = fmt::format("{}/v1/jobs/{}{}", base_url_, id.value, query)})
        .map([](const HttpResponse&) {});
  }
  Result<Json> retry(const JobId& id, std::string_view idempotency_key, std::string_view /*actor*/) override {
    HttpRequest request{.method = "POST",
                        .url = fmt::format("{}/v1/jobs/{}/retry", base_url_, id.value),
                        .headers = {{"Content-Type", "application/json"}}};
    if (!idempotency_key.empty())
      request.headers.push_back({"Idempotency-Key", fmt::format("\"{}\"", idempotency_key)});
    return send(request).and_then([](const HttpResponse& response) -> Result<Json> {
      TANDEM_TRY_ASSIGN(const Json answer, parse_json(response.body, "answer"));
      return Json{{"job_id", answer.value("job_id", "")},
                  {"replayed", header_value(response.headers, "Idempotency-Replayed") == "true"}};
    });
  }
  Result<void> review(const JobId& id, engine::Verdict verdict, std::string_view /*actor*/,
                      std::string_view reason) override {
    const char* decision = verdict == engine::Verdict::kAccept ? "accept" : "reject";
    auto answer = ask({.method = "POST",
                       .url = fmt::format("{}/v1/jobs/{}/review", base_url_, id.value),
                       .headers = {{"Content-Type", "application/json"}},
                       .body = Json{{"decision", decision}, {"reason", reason}}.dump()});
    return answer.map([](const Json&) {});
  }
  Result<Json> backends() override { return ask({.url = base_url_ + "/v1/backends"}); }

  Result<Json> follow(const JobId& id, const Watch& watch, Deadline deadline) override {
    engine::Progress progress{.job = id, .step = ""};
    const Instant begin = clock_.monotonic();
    Watch listening = watch;
    if (watch.on_event) {
      listening.on_event = [&](const Json& event) {
        progress.step = event.value("type", "");
        watch.on_event(event);
      };
    }
    EventReader reader(*this, id, listening);
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left(clock_));
      const auto step = std::min(left, watch.on_event ? kEventStep : kWaitStep);
      TANDEM_TRY_ASSIGN(const Json view, get(id, fmt::format("?wait={}ms", step.count())));
      TANDEM_TRY(reader.read_on());
      progress.elapsed_ms = std::chrono::duration<double, std::milli>(clock_.monotonic() - begin).count();
      if (watch.on_progress) watch.on_progress(progress);
      const auto state = job::find_job_state(view.value("state", ""));
      if (!state)
        return fail(errors::kBackendGarbage, "the server names the state '{}', which this version does not know",
                    view.value("state", ""));
      if (job::is_final(*state) || *state == job::JobState::kAwaitingReview) return view;
      if (deadline.expired(clock_))
        return fail(errors::kResultNotReady, "job {} is still {}", id.value, job::to_string(*state));
    }
  }

 private:
  /// `body` null: none.
  Result<Json> post(const JobId& id, std::string_view verb, const Json& body) {
    return ask({.method = "POST",
                .url = fmt::format("{}/v1/jobs/{}/{}", base_url_, id.value, verb),
                .headers = {{"Content-Type", "application/json"}},
                .body = body.is_null() ? "" : body.dump()});
  }
  Result<Json> get(const JobId& id, std::string_view rest) {
    return ask({.url = fmt::format("{}/v1/jobs/{}{}", base_url_, id.value, rest)});
  }

  Result<HttpResponse> send(const HttpRequest& request) {
    auto response = http_.send(request, Deadline::after(clock_, kRequestTime));
    if (!response) return tl::unexpected(response.error().error);
    if (response->status < 200 || response->status > 299) return tl::unexpected(error_of_problem(*response));
    return *std::move(response);
  }
  Result<Json> ask(const HttpRequest& request) {
    TANDEM_TRY_ASSIGN(const HttpResponse response, send(request));
    return parse_json(response.body, "answer", {.bytes_max = UINT64_MAX});
  }

  std::string base_url_;
  Http& http_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Service> make_remote_service(std::string base_url, Http& http, const Clock& clock) {
  return std::make_unique<RemoteService>(std::move(base_url), http, clock);
}

}  // namespace tandem::service
