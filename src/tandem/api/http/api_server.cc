#include "tandem/api/http/api_server.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "tandem/api/http/event_feed.h"
#include "tandem/api/http/job_wait.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/net/server/event_stream.h"
#include "tandem/net/server/head.h"

namespace tandem::http {
namespace {

constexpr std::chrono::seconds kWaitMax{60};  ///< longest ?wait=; a client asks again
constexpr std::size_t kPageDefault = 100;
constexpr std::size_t kPageMax = 1000;

using server::Responder;
using server::ServerRequest;

/// Bytes that are no UTF-8, as a path may have them, are replaced: an answer is owed in any case.
Bytes body_of(const Json& document) { return document.dump(-1, ' ', false, Json::error_handler_t::replace); }

HttpResponse json_response(int status, const Json& body, Headers headers = {}) {
  headers.push_back({"Content-Type", "application/json"});
  return {.status = status, .headers = std::move(headers), .body = body_of(body)};
}

HttpResponse error_response(const Error& error, std::string_view instance) {
  const ErrorRecord& record = error_record(error.number);
  HttpResponse out{.status = record.http_status, .body = body_of(service::problem_document(error, instance))};
  out.headers.push_back({"Content-Type", "application/problem+json"});
  if (error.number == errors::kNotAuthenticated) out.headers.push_back({"WWW-Authenticate", "Bearer"});
  if (record.retryable) out.headers.push_back({"Retry-After", std::to_string(std::max(1u, error.retry_after_s))});
  return out;
}

Result<std::size_t> number_parameter(const ServerRequest& request, std::string_view name, std::size_t fallback,
                                     std::size_t min, std::size_t max) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return fallback;
  const auto value = parse_int64(found->second);
  if (!value || *value < 0 || static_cast<std::uint64_t>(*value) < min || static_cast<std::uint64_t>(*value) > max) {
    return fail_at(fmt::format("?{}", name), errors::kValueOutOfRange, "{} is not a number from {} to {}",
                   quote(found->second), min, max);
  }
  return static_cast<std::size_t>(*value);
}

Result<void> allow_parameters(const ServerRequest& request, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : request.query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return fail_at(fmt::format("?{}", name), errors::kUnknownKey, "{} is no parameter of this resource{}", quote(name),
                   did_you_mean(name, std::vector<std::string_view>(known)));
  }
  return {};
}

/// Empty without the header. Errors: 6001 bad_request - two of them; 4101 not_authenticated - another scheme than Bearer.
Result<std::string> bearer_token(const ServerRequest& request) {
  constexpr std::string_view kScheme = "bearer ";
  TANDEM_TRY_ASSIGN(const auto header, server::only_value(request.headers, "Authorization"));
  if (!header) return std::string();
  if (to_lower(header->substr(0, kScheme.size())) != kScheme)
    return fail(errors::kNotAuthenticated, "Authorization has another scheme than Bearer");
  return std::string(trim(std::string_view(*header).substr(kScheme.size())));
}

constexpr std::size_t kIdempotencyKeyMax = 255;  // bytes, without quotes

/// A structured-field string in quotes, or the same bare; empty without the header.
/// Errors: 6001 bad_request - two of them, or not 1 to 255 bytes without a quote.
Result<std::string> idempotency_key(const ServerRequest& request) {
  TANDEM_TRY_ASSIGN(const auto header, server::only_value(request.headers, "Idempotency-Key"));
  if (!header) return std::string();
  std::string_view value = trim(*header);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  if (value.empty() || value.size() > kIdempotencyKeyMax || value.find('"') != std::string_view::npos) {
    return fail(
        errors::kBadRequest,
        "Idempotency-Key has {} bytes; send 1 to {} bytes without a quote in them, in quotes or bare, or no such "
        "header",
        value.size(), kIdempotencyKeyMax);
  }
  return std::string(value);
}

class ApiServerImpl final : public ApiServer {
 public:
  ApiServerImpl(ApiServices services, server::ServerSeams seams)
      : services_(std::move(services)),
        seams_(seams),
        engine_(std::make_shared<ServedEngine>(services_.engine)),
        feeds_(std::make_shared<EventFeeds>(engine_, seams.executor)),
        waits_(std::make_shared<JobWaits>(engine_, seams.executor)) {}
  ~ApiServerImpl() override {
    server_.reset();
    engine_->end();
  }

  Result<void> listen(server::ServerOptions options) {
    auto started = server::Server::start(
        std::move(options),
        [this](ServerRequest request, std::shared_ptr<Responder> responder) { handle(request, responder); },
        [](const Error& error) { return error_response(error, ""); }, seams_);
    TANDEM_TRY_ASSIGN(server_, std::move(started));
    return {};
  }
  const std::string& address() const override { return server_->address(); }
  bool drain(Deadline deadline) override {
    draining_ = true;
    waits_->wind_up();
    feeds_->wind_up(deadline, seams_.clock);
    return server_->drain(deadline);
  }

 private:
  struct Call {
    const ServerRequest& request;
    std::shared_ptr<Responder> responder;
    std::vector<std::string_view> path;  ///< segments
    identity::PrincipalPtr who = {};  ///< null where anybody may ask
    std::shared_ptr<service::Service> service = {};  ///< his
  };

  void handle(const ServerRequest& request, const std::shared_ptr<Responder>& responder) {
    Call call{request, responder, {}};
    for (const std::string_view segment : split(request.path, '/'))
      if (!segment.empty()) call.path.push_back(segment);
    // An empty answer means that the route answers by itself, later.
    auto answer = route(call);
    if (!answer) return responder->send(error_response(answer.error(), request.path));
    if (*answer) responder->send(**std::move(answer));
  }

  using Answer = Result<std::optional<HttpResponse>>;

  Answer route(Call& call) {
    const auto& path = call.path;
    if (path.size() == 1 && path[0] == "healthz")
      return only_get(call, [&] { return Answer(json_response(200, {{"status", "ok"}})); });
    if (path.size() == 1 && path[0] == "readyz") return only_get(call, [&] { return ready(); });
    if (path.size() == 1 && path[0] == "openapi.json") return only_get(call, [&] { return openapi(); });
    // Everything else is somebody's, also what there is not.
    TANDEM_TRY_ASSIGN(const std::string token, bearer_token(call.request));
    TANDEM_TRY_ASSIGN(call.who, services_.identities.find(token, seams_.clock.now()));
    call.service = services_.service_of(call.who);
    if (path.size() == 1 && path[0] == "metrics") return only_get(call, [&] { return metrics(call); });
    if (path.size() == 2 && path[0] == "v1" && path[1] == "backends")
      return only_get(call, [&] { return as_json(call.service->backends()); });
    if (path.size() == 2 && path[0] == "v1" && path[1] == "usage") return only_get(call, [&] { return usage(call); });
    if (path.size() == 2 && path[0] == "v1" && path[1] == "budgets")
      return only_get(call, [&] { return as_json(call.service->budgets()); });
    if (path.size() == 2 && path[0] == "v1" && path[1] == "plans") {
      if (call.request.method != "POST") return wrong_method(call, "POST");
      TANDEM_TRY_ASSIGN(const job::JobSpec spec, read_spec(call.request));
      return as_json(call.service->plan(spec));
    }
    if (path.size() >= 2 && path[0] == "v1" && path[1] == "approvals") return approvals(call);
    if (path.size() >= 2 && path[0] == "v1" && path[1] == "submissions") return submissions(call);
    if (path.size() == 2 && path[0] == "v1" && path[1] == "jobs") return jobs(call);
    if (path.size() >= 3 && path[0] == "v1" && path[1] == "jobs") return job(call);
    return fail(errors::kRouteNotFound, "there is no resource {}; /openapi.json lists them", quote(call.request.path));
  }

  template <typename Body>
  Answer only_get(const Call& call, const Body& body) {
    if (call.request.method != "GET" && call.request.method != "HEAD") return wrong_method(call, "GET");
    return body();
  }
  Answer wrong_method(const Call& call, std::string_view allowed) {
    HttpResponse out = error_response(make_error(errors::kMethodNotAllowed, "{} has no method {}; it has {}",
                                                 call.request.path, call.request.method, allowed),
                                      call.request.path);
    out.headers.push_back({"Allow", std::string(allowed)});
    return out;
  }
  static Answer as_json(Result<Json> body, int status = 200) {
    if (!body) return tl::unexpected(std::move(body).error());
    return json_response(status, *body);
  }

  Answer ready() {
    if (draining_) return fail(errors::kDraining, "the server is shutting down");
    TANDEM_TRY(services_.engine.ready());
    TANDEM_TRY(services_.store.last_sequence());
    return json_response(200, {{"status", "ready"}, {"store", services_.store.kind()}});
  }
  Answer openapi() {
    TANDEM_TRY_ASSIGN(const LocatedJson document, parse_yaml(openapi_yaml(), "openapi.yaml"));
    return json_response(200, document.value);
  }
  Answer metrics(const Call& call) {
    TANDEM_TRY(call.who->require(identity::Permission::kObserve));
    return HttpResponse{
        .status = 200, .headers = {{"Content-Type", "text/plain; version=0.0.4"}}, .body = services_.meters.text()};
  }

  Result<job::JobSpec> read_spec(const ServerRequest& request) {
    TANDEM_TRY_ASSIGN(const auto stated, server::only_value(request.headers, "Content-Type"));
    TANDEM_TRY_ASSIGN(const auto coding, server::only_value(request.headers, "Content-Encoding"));
    if (coding && to_lower(trim(*coding)) != "identity") {
      return fail(errors::kMediaType, "the body is encoded as {}; send it as it is, without Content-Encoding",
                  quote(*coding));
    }
    const std::string type = to_lower(trim(split(stated.value_or(""), ';').front()));
    // The server has bounded the body already, by a setting that may be above the usual limit of a document.
    const JsonLimits limits{.bytes_max = UINT64_MAX};
    if (type == "application/yaml") {
      TANDEM_TRY_ASSIGN(const LocatedJson document, parse_json_or_yaml(request.body, "body", limits));
      return job::JobSpec::parse_located(document, services_.problems);
    }
    if (type != "application/json") {
      return fail(errors::kMediaType, "the body is {}; this resource takes application/json or application/yaml",
                  type.empty() ? "of no stated type" : quote(type));
    }
    TANDEM_TRY_ASSIGN(const Json document, parse_json(request.body, "body", limits));
    return job::JobSpec::parse(document, services_.problems);
  }

  Answer usage(const Call& call) {
    TANDEM_TRY(allow_parameters(call.request, {"by", "from", "to", "limit", "page_token"}));
    service::UsageQuery query;
    const auto parameter = [&](const char* name) -> std::optional<std::string> {
      const auto found = call.request.query.find(name);
      return found == call.request.query.end() ? std::nullopt : std::optional(found->second);
    };
    if (const auto by = parameter("by")) {
      query.by = budget::find_usage_by(*by);
      if (!query.by && *by != "charge")
        return fail_at(
            "?by", errors::kValueOutOfRange,
            "{} is nothing to add up by; it is tier, backend, project, user, owner, or charge for one by one",
            quote(*by));
    }
    for (const auto& [name, time] : {std::pair("from", &query.from), std::pair("to", &query.to)}) {
      const auto text = parameter(name);
      if (!text) continue;
      auto parsed = parse_rfc3339(*text);
      if (!parsed) {
        parsed.error().place = fmt::format("?{}", name);
        return tl::unexpected(std::move(parsed).error());
      }
      *time = *parsed;
    }
    TANDEM_TRY_ASSIGN(query.limit, number_parameter(call.request, "limit", query.limit, 1, kPageMax));
    query.page_token = parameter("page_token").value_or("");
    return as_json(call.service->usage(query));
  }

  Answer jobs(const Call& call) {
    if (call.request.method == "POST") {
      TANDEM_TRY(allow_parameters(call.request, {}));
      TANDEM_TRY_ASSIGN(const std::string key, idempotency_key(call.request));
      TANDEM_TRY_ASSIGN(job::JobSpec spec, read_spec(call.request));
      call.service->submit(
          std::make_shared<const job::JobSpec>(std::move(spec)), key,
          [responder = call.responder, path = call.request.path](const Result<Json>& admitted) {
            responder->send(admitted ? admitted_response(*admitted) : error_response(admitted.error(), path));
          });
      return std::nullopt;
    }
    if (call.request.method != "GET" && call.request.method != "HEAD") return wrong_method(call, "GET, POST");
    TANDEM_TRY(allow_parameters(call.request, {"state", "error", "limit", "page_token"}));
    service::JobQuery query;
    if (const auto state = call.request.query.find("state"); state != call.request.query.end()) {
      query.state = job::find_job_state(state->second);
      if (!query.state)
        return fail_at("?state", errors::kValueOutOfRange, "{} is not a job state", quote(state->second));
    }
    if (call.request.query.contains("error")) {
      TANDEM_TRY_ASSIGN(const auto number, number_parameter(call.request, "error", 1, 1, UINT16_MAX));
      query.error_number = static_cast<std::uint16_t>(number);
    }
    TANDEM_TRY_ASSIGN(query.limit, number_parameter(call.request, "limit", kPageDefault, 1, kPageMax));
    if (const auto token = call.request.query.find("page_token"); token != call.request.query.end())
      query.page_token = token->second;
    return as_json(call.service->jobs(query));
  }

  static HttpResponse admitted_response(const Json& admitted) {
    const std::string id = admitted["job_id"];
    Headers headers = {{"Location", "/v1/jobs/" + id}};
    if (admitted["replayed"] == true) headers.push_back({"Idempotency-Replayed", "true"});
    return json_response(202,
                         {{"job_id", id},
                          {"links",
                           {{"self", "/v1/jobs/" + id},
                            {"result", fmt::format("/v1/jobs/{}/result", id)},
                            {"events", fmt::format("/v1/jobs/{}/events", id)}}}},
                         std::move(headers));
  }

  Answer job(const Call& call) {
    TANDEM_TRY_ASSIGN(const JobId id, parse_job_id(call.path[2]));
    const std::string_view part = call.path.size() == 4 ? call.path[3] : "";
    if (call.path.size() > 4) return fail(errors::kRouteNotFound, "there is no resource {}", quote(call.request.path));
    if (part == "cancel" || part == "suspend" || part == "resume" || part == "retry") return act(call, id, part);
    if (part == "review") return review(call, id);
    constexpr std::array<std::string_view, 8> kParts = {"",     "events", "result",      "lineage",
                                                        "plan", "spec",   "submissions", "replay_package"};
    if (std::find(kParts.begin(), kParts.end(), part) == kParts.end())
      return fail(errors::kRouteNotFound, "a job has no part {}; /openapi.json lists them", quote(part));
    if (part.empty() && call.request.method == "DELETE") return remove(call, id);
    if (call.request.method != "GET" && call.request.method != "HEAD")
      return wrong_method(call, part.empty() ? "GET, DELETE" : "GET");
    if (part.empty()) return view(call, id);
    if (part == "events") return events(call, id);
    TANDEM_TRY(allow_parameters(call.request, {}));
    if (part == "result") return as_json(call.service->result(id));
    if (part == "lineage") return as_json(call.service->lineage(id));
    if (part == "plan") return as_json(call.service->plan_of(id));
    if (part == "spec") return as_json(call.service->spec(id));
    if (part == "submissions") return as_json(call.service->submissions(id));
    return as_json(call.service->replay_package(id));
  }

  Answer act(const Call& call, const JobId& id, std::string_view verb) {
    if (call.request.method != "POST") return wrong_method(call, "POST");
    std::string reason;
    if (!call.request.body.empty()) {
      TANDEM_TRY_ASSIGN(const Json body, parse_json(call.request.body, "body"));
      TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(body, ""));
      if (verb == "cancel" || verb == "suspend")
        TANDEM_TRY(reader.allow_only({"reason"}));
      else
        TANDEM_TRY(reader.allow_only({}));
      TANDEM_TRY_ASSIGN(reason, reader.string_or("reason", ""));
    }
    if (verb == "retry") {
      TANDEM_TRY_ASSIGN(const std::string key, idempotency_key(call.request));
      TANDEM_TRY_ASSIGN(const Json admitted, call.service->retry(id, key));
      return admitted_response(admitted);
    }
    if (verb == "cancel") TANDEM_TRY(call.service->cancel(id, reason));
    if (verb == "suspend") TANDEM_TRY(call.service->suspend(id, reason));
    if (verb == "resume") TANDEM_TRY(call.service->resume(id));
    return as_json(call.service->job(id), 202);
  }

  Answer remove(const Call& call, const JobId& id) {
    TANDEM_TRY(allow_parameters(call.request, {"reason"}));
    const auto reason = call.request.query.find("reason");
    TANDEM_TRY(call.service->remove(id, reason == call.request.query.end() ? "" : reason->second));
    return HttpResponse{.status = 204, .headers = {}, .body = ""};
  }

  Answer review(const Call& call, const JobId& id) {
    if (call.request.method != "POST") return wrong_method(call, "POST");
    TANDEM_TRY_ASSIGN(const Json body, parse_json(call.request.body, "body"));
    TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(body, ""));
    TANDEM_TRY(reader.allow_only({"decision", "reason"}));
    TANDEM_TRY_ASSIGN(const std::string decision, reader.string("decision"));
    if (decision != "accept" && decision != "reject")
      return fail_at("/decision", errors::kValueOutOfRange, "{} is not one of accept, reject", quote(decision));
    TANDEM_TRY_ASSIGN(const std::string reason, reader.string_or("reason", ""));
    const engine::Verdict verdict = decision == "accept" ? engine::Verdict::kAccept : engine::Verdict::kReject;
    TANDEM_TRY(call.service->review(id, verdict, reason));
    return as_json(call.service->job(id));
  }

  Answer approvals(const Call& call) {
    const auto& path = call.path;
    const bool decides = path.size() == 4 && path[3] == "decisions";
    if (path.size() > 3 && !decides)
      return fail(errors::kRouteNotFound, "there is no resource {}", quote(call.request.path));
    if (decides) return decide(call);
    return only_get(call, [&]() -> Answer {
      if (path.size() == 3) {
        TANDEM_TRY(allow_parameters(call.request, {}));
        return as_json(call.service->approval(path[2]));
      }
      TANDEM_TRY(allow_parameters(call.request, {"job_id", "limit", "page_token"}));
      service::ApprovalQuery query;
      if (const auto job = call.request.query.find("job_id"); job != call.request.query.end()) {
        TANDEM_TRY_ASSIGN(query.job, parse_job_id(job->second));
      }
      TANDEM_TRY_ASSIGN(query.limit, number_parameter(call.request, "limit", kPageDefault, 1, kPageMax));
      if (const auto token = call.request.query.find("page_token"); token != call.request.query.end())
        query.page_token = token->second;
      return as_json(call.service->approvals(query));
    });
  }

  Answer decide(const Call& call) {
    if (call.request.method != "POST") return wrong_method(call, "POST");
    TANDEM_TRY(allow_parameters(call.request, {}));
    TANDEM_TRY_ASSIGN(const Json body, parse_json(call.request.body, "body"));
    TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(body, ""));
    TANDEM_TRY(reader.allow_only({"decision", "reason", "external_ref"}));
    TANDEM_TRY_ASSIGN(const std::string decision, reader.string("decision"));
    if (decision != "approve" && decision != "reject")
      return fail_at("/decision", errors::kValueOutOfRange, "{} is not one of approve, reject", quote(decision));
    TANDEM_TRY_ASSIGN(const std::string reason, reader.string("reason"));
    TANDEM_TRY_ASSIGN(const std::string external_ref, reader.string_or("external_ref", ""));
    const approval::Verdict verdict = decision == "approve" ? approval::Verdict::kApprove : approval::Verdict::kReject;
    return as_json(
        call.service->decide(call.path[2], {.verdict = verdict, .reason = reason, .external_ref = external_ref}));
  }

  Answer submissions(const Call& call) {
    const auto& path = call.path;
    if (path.size() == 4 && (path[3] == "release" || path[3] == "adopt")) return resolve(call, path[3]);
    if (path.size() > 3) return fail(errors::kRouteNotFound, "there is no resource {}", quote(call.request.path));
    return only_get(call, [&]() -> Answer {
      if (path.size() == 3) {
        TANDEM_TRY(allow_parameters(call.request, {}));
        return as_json(call.service->submission(path[2]));
      }
      TANDEM_TRY(allow_parameters(call.request, {"state", "job_id", "backend", "limit", "page_token"}));
      service::SubmissionQuery query;
      for (const auto& [name, text] : call.request.query) {
        if (name == "state") {
          query.state = submit::find_submission_state(text);
          if (!query.state)
            return fail_at("?state", errors::kValueOutOfRange, "{} is not a state of a submission", quote(text));
        }
        if (name == "job_id") {
          TANDEM_TRY_ASSIGN(query.job, parse_job_id(text));
        }
        if (name == "backend") query.backend = text;
        if (name == "page_token") query.page_token = text;
      }
      TANDEM_TRY_ASSIGN(query.limit, number_parameter(call.request, "limit", kPageDefault, 1, kPageMax));
      return as_json(call.service->submissions(query));
    });
  }

  /// A person's word on a submission.
  Answer resolve(const Call& call, std::string_view verb) {
    if (call.request.method != "POST") return wrong_method(call, "POST");
    TANDEM_TRY(allow_parameters(call.request, {}));
    TANDEM_TRY_ASSIGN(const Json body, parse_json(call.request.body, "body"));
    TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(body, ""));
    TANDEM_TRY_ASSIGN(const std::string reason, reader.string("reason"));
    if (verb == "adopt") {
      TANDEM_TRY(reader.allow_only({"handle", "reason"}));
      TANDEM_TRY_ASSIGN(const std::string handle, reader.string("handle"));
      return as_json(call.service->adopt(call.path[2], handle, reason));
    }
    TANDEM_TRY(reader.allow_only({"billed_usd_micros", "reason"}));
    TANDEM_TRY_ASSIGN(const std::int64_t billed, reader.integer_or("billed_usd_micros", 0, 0, INT64_MAX));
    return as_json(call.service->release(call.path[2], reason, job::Money{billed}));
  }

  Answer view(const Call& call, const JobId& id) {
    TANDEM_TRY(allow_parameters(call.request, {"wait"}));
    Result<Json> at_once = call.service->job(id);
    const auto wait = call.request.query.find("wait");
    if (!at_once || wait == call.request.query.end()) return as_json(std::move(at_once));
    auto duration = parse_duration(wait->second);
    if (!duration) {
      duration.error().place = "?wait";
      return tl::unexpected(duration.error());
    }
    if (*duration > kWaitMax) {
      return fail_at("?wait", errors::kValueOutOfRange, "{} is longer than {}; ask again when that is over",
                     quote(wait->second), format_duration(kWaitMax));
    }
    const auto limit = std::chrono::ceil<std::chrono::milliseconds>(*duration);
    waits_->add(id, limit, [this, id, service = call.service, responder = call.responder, path = call.request.path] {
      const auto ended = services_.engine.wait(id, Deadline(Instant{0}));
      if (!ended && ended.error().number != errors::kResultNotReady)
        return responder->send(error_response(ended.error(), path));
      const auto now = service->job(id);
      responder->send(now ? json_response(200, *now) : error_response(now.error(), path));
    });
    return std::optional<HttpResponse>();
  }

  Answer events(const Call& call, const JobId& id) {
    TANDEM_TRY(allow_parameters(call.request, {"after", "limit"}));
    TANDEM_TRY_ASSIGN(std::size_t after, number_parameter(call.request, "after", 0, 0, INT64_MAX));
    TANDEM_TRY_ASSIGN(const std::size_t limit, number_parameter(call.request, "limit", kPageDefault, 1, kPageMax));
    if (header_value(call.request.headers, "Accept").find("text/event-stream") == std::string_view::npos) {
      return as_json(call.service->events(id, after, limit));
    }
    if (const std::string_view last = header_value(call.request.headers, "Last-Event-ID"); !last.empty()) {
      const auto sequence = parse_int64(last);
      if (!sequence || *sequence < 0)
        return fail(errors::kBadRequest, "Last-Event-ID is {}, not the id of an event", quote(last));
      after = static_cast<std::size_t>(*sequence);
    }
    TANDEM_TRY(call.service->job(id));
    feeds_->follow(id, after, call.responder->start_stream(200, server::event_stream_headers()));
    return std::optional<HttpResponse>();
  }

  ApiServices services_;
  server::ServerSeams seams_;
  std::shared_ptr<ServedEngine> engine_;
  std::shared_ptr<EventFeeds> feeds_;
  std::shared_ptr<JobWaits> waits_;
  std::atomic<bool> draining_{false};
  std::unique_ptr<server::Server> server_;
};

}  // namespace

Result<std::unique_ptr<ApiServer>> ApiServer::start(server::ServerOptions options, ApiServices services,
                                                    server::ServerSeams seams) {
  auto out = std::make_unique<ApiServerImpl>(std::move(services), seams);
  TANDEM_TRY(out->listen(std::move(options)));
  return out;
}

}  // namespace tandem::http
