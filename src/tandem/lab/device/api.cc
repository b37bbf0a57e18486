#include "tandem/lab/device/api.h"

#include <algorithm>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"

namespace tandem::lab {
namespace {

constexpr std::size_t kPubsMax = 100;  // also in docs/guide/lab_device.md
constexpr std::size_t kTokenBytesMax = 64;
constexpr JsonLimits kBodyLimits{.bytes_max = 16u << 20, .depth_max = 16, .values_max = 5'000'000};

HttpResponse answer(int status, Json document, std::string_view media_type = "application/json") {
  document["emulated"] = true;
  return {.status = status,
          .headers = {{"Content-Type", std::string(media_type)}, {"Tandem-Emulated", "true"}},
          .body = document.dump()};
}

/// A refusal of what was sent, with its place.
HttpResponse refusal(const Error& error) {
  const bool not_json = error.number == errors::kJsonSyntax || error.number == errors::kJsonDuplicateKey ||
                        error.number == errors::kJsonTooDeep || error.number == errors::kNumberOutOfRange;
  if (error.number == errors::kServerOverloaded) {
    HttpResponse out = problem(429, "queue_full", error.message);
    out.headers.emplace_back("Retry-After", "1");
    return out;
  }
  if (error.number == errors::kInputTooLarge) return problem(413, "too_large", error.to_string());
  if (error.family() == ErrorFamily::kInvalidArgument || error.family() == ErrorFamily::kResourceExhausted) {
    return problem(not_json ? 400 : 422, not_json ? "not_json" : "invalid_request", error.to_string());
  }
  return problem(503, "out_of_order", error.message);
}

Json job_document(const DeviceJob& job, std::string_view calibration_id) {
  Json out = {{"id", job.id},
              {"token", job.token},
              {"status", to_string(job.status)},
              {"shots", job.shots},
              {"billed_usd_micros", job.billed.usd_micros},
              {"calibration_id", calibration_id},
              {"accepted_at", format_rfc3339(job.accepted_at)},
              {"ended_at", job.ended_at ? Json(format_rfc3339(*job.ended_at)) : Json()}};
  if (job.status == JobStatus::kQueued) out["queue_position"] = job.queue_position;
  if (!job.error.empty()) out["error"] = job.error;
  return out;
}

bool is_token(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= kTokenBytesMax && std::all_of(text.begin(), text.end(), allowed);
}

Result<std::string> check_token(std::string text, std::string place) {
  if (is_token(text)) return text;
  return fail_at(std::move(place), errors::kValueOutOfRange, "{} is no token: 1 to {} of [A-Za-z0-9_-]", quote(text),
                 kTokenBytesMax);
}

struct Submission {
  std::string token;
  std::vector<circuit::Pub> pubs;
};

/// {"token","pubs":[...]} or, for one circuit, {"token","circuit","shots"}.
Result<Submission> parse_submission(const Bytes& body) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(body, "body", kBodyLimits));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  Submission out;
  TANDEM_TRY_ASSIGN(std::string token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.token, check_token(std::move(token), "/token"));
  if (!reader.has("pubs")) {
    TANDEM_TRY(reader.allow_only({"token", "circuit", "shots"}));
    TANDEM_TRY(reader.object("circuit"));
    circuit::Pub pub;
    TANDEM_TRY_ASSIGN(pub.circuit, circuit::Circuit::parse(*reader.find("circuit"), "/circuit"));
    TANDEM_TRY_ASSIGN(const std::int64_t shots,
                      reader.integer("shots", 1, static_cast<std::int64_t>(circuit::Pub::kShotsMax)));
    pub.shots = static_cast<std::uint64_t>(shots);
    out.pubs.push_back(std::move(pub));
    return out;
  }
  TANDEM_TRY(reader.allow_only({"token", "pubs"}));
  TANDEM_TRY_ASSIGN(const Json* pubs, reader.array("pubs"));
  if (pubs->empty() || pubs->size() > kPubsMax) {
    return fail_at("/pubs", errors::kValueOutOfRange, "{} PUBs; a job has 1 to {}", pubs->size(), kPubsMax);
  }
  for (std::size_t i = 0; i < pubs->size(); ++i) {
    TANDEM_TRY_ASSIGN(circuit::Pub pub, circuit::Pub::parse((*pubs)[i], fmt::format("/pubs/{}", i)));
    out.pubs.push_back(std::move(pub));
  }
  return out;
}

/// Resources and the method each takes; {id} stands for one segment.
struct Resource {
  std::string_view method;
  std::string_view path;
  Operation operation;
};
constexpr Resource kResources[] = {
    {"GET", "/v1/device", Operation::kDevice},
    {"GET", "/v1/calibration", Operation::kCalibration},
    {"POST", "/v1/jobs", Operation::kSubmit},
    {"GET", "/v1/jobs", Operation::kLookup},
    {"GET", "/v1/jobs/{id}", Operation::kStatus},
    {"GET", "/v1/jobs/{id}/result", Operation::kResult},
    {"POST", "/v1/jobs/{id}/cancel", Operation::kCancel},
};
constexpr auto kOperations = [] {
  std::array<Operation, std::size(kResources)> out{};
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = kResources[i].operation;
  return out;
}();

/// The id in `path` when it has the form `pattern`; empty where the pattern has none.
std::optional<std::string> match(std::string_view path, std::string_view pattern) {
  const auto given = split(path, '/');
  const auto wanted = split(pattern, '/');
  if (given.size() != wanted.size()) return std::nullopt;
  std::string id;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (wanted[i] == "{id}") {
      id = given[i];
    } else if (given[i] != wanted[i]) {
      return std::nullopt;
    }
  }
  return id;
}

}  // namespace

HttpResponse problem(int status, std::string_view code, std::string_view detail) {
  return answer(status, {{"status", status}, {"code", code}, {"detail", detail}}, "application/problem+json");
}

std::span<const Operation> Api::operations() { return kOperations; }

std::variant<Route, HttpResponse> Api::route(const server::ServerRequest& request) const {
  if (!options_.api_key.empty()) {
    // Hashes, so that the time of the comparison says nothing about the key.
    const auto given = sha256(header_value(request.headers, "Authorization"));
    if (given != sha256("Bearer " + options_.api_key)) {
      return problem(401, "unauthenticated", "send the key of this device as 'Authorization: Bearer KEY'");
    }
  }
  std::string allowed;
  for (const Resource& resource : kResources) {
    auto id = match(request.path, resource.path);
    if (!id) continue;
    if (resource.method == request.method) {
      if (resource.operation != Operation::kLookup && !request.query.empty()) {
        return problem(
            400, "invalid_request",
            fmt::format("{} takes no query, but {} was sent", resource.path, quote(request.query.begin()->first)));
      }
      return Route{.operation = resource.operation, .id = std::move(*id)};
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(resource.method);
  }
  if (allowed.empty()) return problem(404, "no_such_resource", "the device has no " + quote(request.path));
  HttpResponse out = problem(405, "method_not_allowed", fmt::format("{} takes {}", quote(request.path), allowed));
  out.headers.emplace_back("Allow", allowed);
  return out;
}

HttpResponse Api::handle(const Route& route, const server::ServerRequest& request) {
  switch (route.operation) {
    case Operation::kSubmit:
      return submit(request);
    case Operation::kStatus:
      return status(route.id);
    case Operation::kResult:
      return result(route.id);
    case Operation::kCancel:
      return cancel(route.id);
    case Operation::kLookup:
      return lookup(request);
    case Operation::kDevice:
      return describe();
    case Operation::kCalibration:
    case Operation::kEstimate:  // no resource of this API
    case Operation::kBill:
      break;
  }
  return answer(200, {{"calibration", device_.calibration().document()}});
}

HttpResponse Api::describe() const {
  const std::size_t depth = device_.queue_depth();
  const double ready_in_ms = static_cast<double>(depth) * static_cast<double>(options_.queue_time.count());
  return answer(200, {{"api_version", "1"},
                      {"name", "emulated device of the Tandem lab"},
                      {"target", device_.target().document()},
                      {"limits",
                       {{"qubits_max", options_.qubits},
                        {"shots_max", options_.shots_max},
                        {"pubs_max", kPubsMax},
                        {"body_bytes_max", kBodyLimits.bytes_max},
                        {"queue_max", options_.queue_max}}},
                      {"price",
                       {{"usd_micros_per_job", options_.price_per_job.usd_micros},
                        {"usd_micros_per_shot", options_.price_per_shot.usd_micros},
                        {"as_of", format_rfc3339(device_.calibration().taken_at)}}},
                      {"calibration_id", device_.calibration().id},
                      {"availability",
                       {{"operational", true},
                        {"accepts_work", depth < options_.queue_max},
                        {"queue_depth", depth},
                        {"ready_in_ms", ready_in_ms}}}});
}

HttpResponse Api::submit(const server::ServerRequest& request) {
  if (header_value(request.headers, "Content-Type") != "application/json") {
    return problem(415, "media_type", "send application/json");
  }
  auto submission = parse_submission(request.body);
  if (!submission) return refusal(submission.error());
  const auto job = device_.accept(std::move(submission->token), std::move(submission->pubs));
  if (!job) return refusal(job.error());
  HttpResponse out = answer(201, job_document(*job, device_.calibration().id));
  out.headers.emplace_back("Location", "/v1/jobs/" + job->id);
  return out;
}

HttpResponse Api::status(const std::string& id) const {
  const auto job = device_.find(id);
  if (!job) return problem(404, "no_such_job", "the device knows no job " + quote(id));
  return answer(200, job_document(*job, device_.calibration().id));
}

HttpResponse Api::result(const std::string& id) const {
  const auto job = device_.find(id);
  if (!job) return problem(404, "no_such_job", "the device knows no job " + quote(id));
  if (!job->pubs) {
    return problem(409, "no_result",
                   fmt::format("job {} is {}; only succeeded jobs have a result", id, to_string(job->status)));
  }
  return answer(
      200,
      {{"id", job->id}, {"token", job->token}, {"calibration_id", device_.calibration().id}, {"pubs", *job->pubs}});
}

HttpResponse Api::cancel(const std::string& id) {
  switch (device_.cancel(id)) {
    case CancelOutcome::kUnknown:
      return problem(404, "no_such_job", "the device knows no job " + quote(id));
    case CancelOutcome::kEnded:
      return problem(409, "already_ended", fmt::format("job {} has ended", id));
    case CancelOutcome::kCancelled:
    case CancelOutcome::kAsked:
      break;
  }
  return answer(202, job_document(*device_.find(id), device_.calibration().id));
}

HttpResponse Api::lookup(const server::ServerRequest& request) const {
  const auto token = request.query.find("token");
  if (token == request.query.end() || request.query.size() != 1 || !is_token(token->second)) {
    return problem(400, "invalid_request", "ask for exactly one token: /v1/jobs?token=TOKEN");
  }
  Json jobs = Json::array();
  for (const DeviceJob& job : device_.find_token(token->second)) {
    jobs.push_back(job_document(job, device_.calibration().id));
  }
  return answer(200, {{"jobs", std::move(jobs)}});
}

}  // namespace tandem::lab
