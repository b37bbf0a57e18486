#include "tandem/lab/ionq/ionq_api.h"

#include <algorithm>
#include <array>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/lab/ionq/tolerance.h"

namespace tandem::lab {
namespace {

using server::ServerRequest;
using enum IonqResource;

constexpr JsonLimits kBodyLimits{.bytes_max = 16u << 20, .depth_max = 16, .values_max = 5'000'000};
constexpr std::size_t kPageSize = 25;
constexpr std::size_t kPageMax = 1000;
constexpr std::string_view kDefaultMachine = "qpu.forte-1";
constexpr double kMicros = 1e6;
constexpr double kMicrosecondsPerGate = 1000;  // of the execution time that estimates and statistics name

/// Resources, the method each takes, and the query it knows; {} stands for one segment.
struct Resource {
  std::string_view method;
  std::string_view path;
  IonqResource resource;
  Operation operation;
  bool open;  ///< without a key
  std::string_view query;
};
constexpr Resource kResources[] = {
    {"GET", "/v0.4/whoami", kWhoami, Operation::kDevice, false, ""},
    {"GET", "/v0.4/backends", kBackends, Operation::kDevice, true, ""},
    {"GET", "/v0.4/backends/{}", kBackend, Operation::kDevice, true, ""},
    {"GET", "/v0.4/backends/{}/characterizations", kCharacterizations, Operation::kCalibration, true,
     "start end limit page"},
    {"GET", "/v0.4/backends/{}/characterizations/{}", kCharacterization, Operation::kCalibration, false, ""},
    {"POST", "/v0.4/jobs", kCreateJob, Operation::kSubmit, false, ""},
    {"GET", "/v0.4/jobs", kListJobs, Operation::kLookup, false,
     "ids parent_job_id status target session_id submitter_id limit next"},
    {"GET", "/v0.4/jobs/estimate", kEstimate, Operation::kEstimate, false,
     "backend type qubits shots 1q_gates 2q_gates error_mitigation"},
    {"GET", "/v0.4/jobs/{}", kJob, Operation::kStatus, false, ""},
    {"DELETE", "/v0.4/jobs/{}", kDeleteJob, Operation::kCancel, false, ""},
    {"GET", "/v0.4/jobs/{}/cost", kCost, Operation::kBill, false, ""},
    {"PUT", "/v0.4/jobs/{}/status/cancel", kCancel, Operation::kCancel, false, ""},
    {"GET", "/v0.4/jobs/{}/results/probabilities", kProbabilities, Operation::kResult, false, "sharpen"},
    {"GET", "/v0.4/jobs/{}/results/histogram", kHistogram, Operation::kResult, false, ""},
    {"GET", "/v0.4/jobs/{}/results/shots", kShots, Operation::kResult, false, ""},
};
constexpr std::array kOperations = {Operation::kSubmit,      Operation::kStatus,   Operation::kResult,
                                    Operation::kCancel,      Operation::kLookup,   Operation::kDevice,
                                    Operation::kCalibration, Operation::kEstimate, Operation::kBill};

std::string_view phrase(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 415:
      return "Unsupported Media Type";
    case 429:
      return "Too Many Requests";
    case 503:
      return "Service Unavailable";
    default:
      return status >= 500 ? "Internal Server Error" : "Error";
  }
}

HttpResponse answer(int status, const Json& document) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json; charset=utf-8"}, {"Tandem-Emulated", "true"}},
          .body = document.dump()};
}

HttpResponse refused(const Refusal& refusal) {
  return answer(400, {{"statusCode", 400},
                      {"error", phrase(400)},
                      {"message", refusal.message},
                      {"validation", {{"source", "body"}, {"keys", refusal.keys}}}});
}

std::string_view agent_of(const ServerRequest& request) { return header_value(request.headers, "User-Agent"); }

/// The segments that stand for {} when `path` has the form `pattern`.
std::optional<std::vector<std::string>> match(std::string_view path, std::string_view pattern) {
  const auto given = split(path, '/');
  const auto wanted = split(pattern, '/');
  if (given.size() != wanted.size()) return std::nullopt;
  std::vector<std::string> out;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (wanted[i] == "{}") {
      out.emplace_back(given[i]);
    } else if (given[i] != wanted[i]) {
      return std::nullopt;
    }
  }
  return out;
}

/// A parameter as a number; the fallback when it is absent. Errors: those of parse_int64().
Result<std::int64_t> number_of(const ServerRequest& request, const char* name, std::int64_t fallback) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? fallback : parse_int64(found->second);
}

std::vector<std::string> words_of(const ServerRequest& request, const char* name) {
  std::vector<std::string> out;
  if (const auto found = request.query.find(name); found != request.query.end()) {
    for (const std::string_view word : split(found->second, ',')) out.emplace_back(word);
  }
  return out;
}

Json dollars(job::Money money) { return {{"value", static_cast<double>(money.usd_micros) / kMicros}, {"unit", "usd"}}; }
/// The text's integers have 32 bits.
std::int64_t int32(double value) { return static_cast<std::int64_t>(std::min(value, double{INT32_MAX})); }
Json time_or_null(const std::optional<Timestamp>& time) { return time ? Json(format_rfc3339(*time)) : Json(); }

}  // namespace

HttpResponse ionq_error(int status, std::string_view message) {
  return answer(status, {{"statusCode", status}, {"error", phrase(status)}, {"message", message}});
}

std::span<const Operation> IonqApi::operations() { return kOperations; }

std::variant<IonqRoute, HttpResponse> IonqApi::route(const ServerRequest& request) const {
  std::string allowed;
  for (const Resource& resource : kResources) {
    auto segments = match(request.path, resource.path);
    if (!segments) continue;
    if (resource.method != request.method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(resource.method);
      continue;
    }
    if (!resource.open) {
      const std::string_view given = header_value(request.headers, "Authorization");
      // Hashes, so that the time of the comparison says nothing about the key.
      const bool good = options_.api_key.empty() ? given.starts_with("apiKey ") && given.size() > 7
                                                 : sha256(given) == sha256("apiKey " + options_.api_key);
      if (!good) return ionq_error(401, "Unauthorized: send the key as 'Authorization: apiKey KEY'");
    }
    for (const auto& [name, value] : request.query) {
      const auto known = split(resource.query, ' ');
      const bool tolerated = resource.resource == kEstimate && name == "session" &&
                             tolerates(agent_of(request), Tolerance::kSessionOfEstimate);
      if (!tolerated && std::find(known.begin(), known.end(), name) == known.end())
        return ionq_error(400, fmt::format("\"{}\" is no parameter of {}", name, resource.path));
    }
    segments->resize(2);
    return IonqRoute{.resource = resource.resource,
                     .operation = resource.operation,
                     .id = std::move((*segments)[0]),
                     .second = std::move((*segments)[1])};
  }
  if (allowed.empty()) return ionq_error(404, "there is no " + quote(request.path));
  HttpResponse out = ionq_error(405, fmt::format("{} takes {}", quote(request.path), allowed));
  out.headers.emplace_back("Allow", allowed);
  return out;
}

HttpResponse IonqApi::handle(const IonqRoute& route, const ServerRequest& request) {
  switch (route.resource) {
    case kWhoami:
      return answer(200, {{"key_id", "00000000-0000-7000-8000-000000000001"}, {"key_name", "emulated key"}});
    case kBackends: {
      Json out = Json::array();
      for (const IonqBackend& backend : cloud_.backends()) out.push_back(backend_document(backend));
      return answer(200, out);
    }
    case kBackend: {
      const IonqBackend* backend = cloud_.find_backend(backend_name(route.id, agent_of(request)));
      return backend == nullptr ? ionq_error(404, "no backend " + quote(route.id))
                                : answer(200, backend_document(*backend));
    }
    case kCharacterizations:
    case kCharacterization:
      return characterizations(route, request);
    case kCreateJob:
      return create(request);
    case kListJobs:
      return list(request);
    case kEstimate:
      return estimate(request);
    case kDeleteJob:
      return remove(route.id);
    case kCancel:
      return cancel(route.id);
    case kJob:
    case kCost:
    case kProbabilities:
    case kHistogram:
    case kShots:
      break;
  }
  const auto job = cloud_.find(route.id);
  if (!job) return ionq_error(404, "no job " + quote(route.id));
  if (route.resource == kJob) return answer(200, job_document(*job));
  return route.resource == kCost ? cost(*job) : result(route.resource, *job);
}

std::string IonqApi::backend_name(std::string name, std::string_view user_agent) const {
  const bool any = name == "qpu" || name == "qpu.qpu";
  return any && tolerates(user_agent, Tolerance::kAnyQpu) ? std::string(kDefaultMachine) : name;
}

Json IonqApi::backend_document(const IonqBackend& backend) const {
  const double wait = static_cast<double>(cloud_.queue_depth()) * static_cast<double>(options_.queue_time.count());
  Json out = {{"backend", backend.name},
              {"status", "available"},
              {"qubits", options_.qubits},
              {"average_queue_time", wait},
              {"last_updated", format_rfc3339(cloud_.calibration().taken_at)},
              {"degraded", false},
              {"location", "emulated, no hardware"}};
  if (!backend.simulator) out["characterization_id"] = backend.characterization_id;
  return out;
}

/// The depolarising probabilities of the noise as fidelities: F = 1 - p (d - 1) / d on d levels.
Json IonqApi::characterization_document(const IonqBackend& backend) const {
  const device::Calibration& noise = cloud_.calibration();
  const device::QubitCalibration& qubit = noise.qubits.front();
  Json connectivity = Json::array();
  for (std::uint32_t u = 0; u < options_.qubits; ++u)
    for (std::uint32_t v = u + 1; v < options_.qubits; ++v) connectivity.push_back({u, v});
  return {{"id", backend.characterization_id},
          {"backend", backend.name},
          {"date", format_rfc3339(noise.taken_at)},
          {"qubits", options_.qubits},
          {"connectivity", std::move(connectivity)},
          {"fidelity",
           {{"spam", {{"median", 1 - (qubit.readout_p01 + qubit.readout_p10) / 2}}},
            {"1q", {{"median", 1 - noise.error_1q / 2}}},
            {"2q", {{"median", 1 - noise.error_2q * 3 / 4}}}}},
          {"timing",
           {{"t1", qubit.t1_us / kMicros},
            {"t2", qubit.t2_us / kMicros},
            {"1q", noise.duration_1q_us / kMicros},
            {"2q", noise.duration_2q_us / kMicros},
            {"readout", noise.duration_readout_us / kMicros},
            {"reset", 30 / kMicros}}}};
}

HttpResponse IonqApi::characterizations(const IonqRoute& route, const ServerRequest& request) const {
  const IonqBackend* backend = cloud_.find_backend(backend_name(route.id, agent_of(request)));
  if (backend == nullptr) return ionq_error(404, "no backend " + quote(route.id));
  if (route.resource == kCharacterization) {
    const bool known = !backend->simulator && route.second == backend->characterization_id;
    return known ? answer(200, characterization_document(*backend))
                 : ionq_error(404, "no characterization " + quote(route.second));
  }
  const auto limit = number_of(request, "limit", 10);
  const auto page = number_of(request, "page", 1);
  if (!limit || *limit < 1 || *limit > 10) return ionq_error(400, "\"limit\" must be from 1 to 10");
  if (!page || *page < 1) return ionq_error(400, "\"page\" must be at least 1");
  Json out = Json::array();  // there is one of each machine, so the first page holds it
  if (!backend->simulator && *page == 1) out.push_back(characterization_document(*backend));
  return answer(200, {{"characterizations", std::move(out)}, {"pages", 1}});
}

HttpResponse IonqApi::create(const ServerRequest& request) {
  if (!header_value(request.headers, "Content-Type").starts_with("application/json"))
    return ionq_error(415, "send application/json");
  const auto document = parse_json(request.body, "body", kBodyLimits);
  if (!document)
    return ionq_error(document.error().number == errors::kInputTooLarge ? 413 : 400, document.error().to_string());
  auto submission = parse_ionq_submission(*document, agent_of(request), options_.qubits);
  if (!submission) return refused(submission.error());
  submission->backend = backend_name(std::move(submission->backend), agent_of(request));
  if (cloud_.find_backend(submission->backend) == nullptr)
    return refused(
        {.message = fmt::format("\"backend\" must be one that GET /backends names, not {}", quote(submission->backend)),
         .keys = {"backend"}});
  const auto job = cloud_.accept(*std::move(submission), *document, agent_of(request));
  if (!job && job.error().number == errors::kServerOverloaded) return ionq_error(429, job.error().message);
  if (!job) return ionq_error(503, job.error().message);
  return answer(201, {{"id", job->id}, {"status", to_string(job->status)}, {"session_id", nullptr}});
}

Json IonqApi::job_document(const IonqJob& job) const {
  const IonqSubmission& asked = job.submission;
  const bool simulator = !asked.noise_model.empty();
  const double execution_us = kMicrosecondsPerGate * static_cast<double>(asked.gates_1q + asked.gates_2q);
  Json results;
  if (job.status == IonqStatus::kCompleted) {
    const auto place = [&](const char* kind) {
      return Json{{"url", fmt::format("/v0.4/jobs/{}/results/{}", job.id, kind)}};
    };
    results = {{"probabilities", place("probabilities")}};
    if (job.histogram) results.update({{"histogram", place("histogram")}, {"shots", place("shots")}});
  }
  Json out = {{"id", job.id},
              {"status", to_string(job.status)},
              {"type", "ionq.circuit.v1"},
              {"backend", asked.backend},
              {"dry_run", false},
              {"cost_model", "quantum_compute_time"},
              {"submitter_id", "emulated"},
              {"project_id", nullptr},
              {"parent_job_id", nullptr},
              {"child_job_ids", nullptr},
              {"session_id", nullptr},
              {"metadata", asked.metadata},
              {"name", asked.name},
              {"submitted_at", format_rfc3339(job.submitted_at)},
              {"started_at", time_or_null(job.started_at)},
              {"completed_at", time_or_null(job.ended_at)},
              {"predicted_wait_time_ms", nullptr},
              {"predicted_execution_duration_ms", int32(execution_us / 1000)},
              {"execution_duration_ms", nullptr},
              {"shots", asked.shots},
              {"failure", nullptr},
              {"settings", asked.settings},
              {"stats",
               {{"qubits", asked.circuit.num_qubits()},
                {"circuits", 1},
                {"gate_counts", {{"1q", asked.gates_1q}, {"2q", asked.gates_2q}}},
                {"predicted_quantum_compute_time_us", int32(execution_us)}}},
              {"results", std::move(results)},
              {"output", Json::object()}};
  if (simulator) out["noise"] = asked.noise;
  const bool waits = job.status == IonqStatus::kSubmitted || job.status == IonqStatus::kReady;
  if (waits)
    out["predicted_wait_time_ms"] =
        int32(static_cast<double>(job.queue_position + 1) * static_cast<double>(options_.queue_time.count()));
  if (job.status == IonqStatus::kCompleted) {
    out["execution_duration_ms"] = int32(execution_us / 1000);
    out["stats"]["billed_quantum_compute_time_us"] = int32(simulator ? 0 : execution_us);
  }
  if (job.status == IonqStatus::kFailed)  // beyond a limit of this process, as it would be again
    out["failure"] = {{"code", "SimulationTimeout"}, {"message", job.failure}};
  return out;
}

HttpResponse IonqApi::list(const ServerRequest& asked) const {
  const bool by_body = !asked.body.empty();
  if (by_body && !tolerates(agent_of(asked), Tolerance::kBodyOfList)) return ionq_error(400, "GET takes no body");
  ServerRequest request = asked;
  if (by_body) {
    const auto body = parse_json(asked.body, "body", kBodyLimits);
    if (!body || !body->is_object()) return ionq_error(400, "the body is no JSON object");
    for (const auto& [name, value] : body->items())
      request.query[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  const auto limit = number_of(request, "limit", kPageSize);
  if (!limit || *limit < 1 || *limit > static_cast<std::int64_t>(kPageMax))
    return ionq_error(400, fmt::format("\"limit\" must be from 1 to {}", kPageMax));
  IonqFilter filter{.ids = words_of(request, "ids"), .status = "", .targets = words_of(request, "target")};
  if (const auto status = request.query.find("status"); status != request.query.end()) filter.status = status->second;
  bool more = false;
  std::vector<IonqJob> jobs;
  const bool of_others =
      request.query.contains("parent_job_id") || request.query.contains("session_id");  // neither is emulated
  const auto next = request.query.find("next");
  if (!of_others)
    jobs = cloud_.list(filter, next == request.query.end() ? "" : next->second, static_cast<std::size_t>(*limit), more);
  Json out = {{"jobs", Json::array()}, {"next", more ? Json(jobs.back().id) : Json()}};
  if (!more && tolerates(agent_of(asked), Tolerance::kNoNextOnLastPage)) out.erase("next");
  for (const IonqJob& job : jobs) {
    Json document = job_document(job);
    document.erase("child_job_ids");  // the schema of a list has it not
    out["jobs"].push_back(std::move(document));
  }
  return answer(200, out);
}

HttpResponse IonqApi::estimate(const ServerRequest& request) const {
  const auto named = request.query.find("backend");
  if (named == request.query.end()) return ionq_error(400, "\"backend\" is required");
  const IonqBackend* backend = cloud_.find_backend(backend_name(named->second, agent_of(request)));
  if (backend == nullptr) return ionq_error(400, "\"backend\" must be one that GET /backends names");
  const auto qubits = number_of(request, "qubits", 25);
  const auto shots = number_of(request, "shots", 1000);
  const auto gates_1q = number_of(request, "1q_gates", 0);
  const auto gates_2q = number_of(request, "2q_gates", 0);
  for (const auto& [name, value] :
       {std::pair{"qubits", qubits}, {"shots", shots}, {"1q_gates", gates_1q}, {"2q_gates", gates_2q}}) {
    if (!value || *value < 0 || *value > INT32_MAX)
      return ionq_error(400, fmt::format("\"{}\" must be an integer", name));
  }
  const auto mitigation = request.query.find("error_mitigation");
  if (mitigation != request.query.end() && mitigation->second != "true" && mitigation->second != "false")
    return ionq_error(400, "\"error_mitigation\" must be true or false");
  const job::Money cost = cloud_.price(backend->simulator, static_cast<std::uint64_t>(*shots),
                                       static_cast<std::uint64_t>(*gates_1q), static_cast<std::uint64_t>(*gates_2q));
  const auto rate = [&](job::Money money) {
    return static_cast<double>(backend->simulator ? 0 : money.usd_micros) / kMicros;
  };
  return answer(200,
                {{"input_values",
                  {{"backend", backend->name},
                   {"type", "ionq.circuit.v1"},
                   {"qubits", *qubits},
                   {"shots", *shots},
                   {"1q_gates", *gates_1q},
                   {"2q_gates", *gates_2q},
                   {"error_mitigation", mitigation != request.query.end() && mitigation->second == "true"}}},
                 {"estimated_at", format_rfc3339(clock_.now())},
                 {"cost_unit", "usd"},
                 {"rate_information",
                  {{"job_cost_minimum", rate(options_.prices.job_minimum)},
                   {"cost_1q_gate", rate(options_.prices.per_1q_gate_shot)},
                   {"cost_2q_gate", rate(options_.prices.per_2q_gate_shot)},
                   {"organization", fmt::format("emulated prices of {}", IonqPrices::kDate)}}},
                 {"estimated_cost", static_cast<double>(cost.usd_micros) / kMicros},
                 {"estimated_execution_time", kMicrosecondsPerGate * static_cast<double>(*gates_1q + *gates_2q) / 1000},
                 {"current_predicted_queue_time",
                  static_cast<double>(cloud_.queue_depth()) * static_cast<double>(options_.queue_time.count())}});
}

HttpResponse IonqApi::cancel(const std::string& id) {
  if (cloud_.cancel(id) == IonqCancel::kUnknown) return ionq_error(404, "no job " + quote(id));
  return answer(200, {{"id", id}, {"status", "canceled"}});  // also of a job that had ended, which stays as it is
}

HttpResponse IonqApi::remove(const std::string& id) {
  const auto removed = cloud_.remove(id);
  if (!removed) return ionq_error(503, removed.error().message);
  if (!*removed) return ionq_error(404, "no job " + quote(id));
  return answer(200, {{"id", id}, {"status", "deleted"}});
}

HttpResponse IonqApi::cost(const IonqJob& job) const {
  Json out = {{"dry_run", false}, {"estimated_cost", dollars(job.price)}};
  if (job.has_ended()) out["cost"] = dollars(job.billed);
  return answer(200, out);
}

HttpResponse IonqApi::result(IonqResource resource, const IonqJob& job) const {
  const auto& table = resource == kProbabilities ? job.probabilities : job.histogram;
  if (!table) return ionq_error(404, fmt::format("job {} is {} and has no such result", job.id, to_string(job.status)));
  if (resource != kShots) return answer(200, *table);
  Json shots = Json::array();
  for (const auto& [outcome, count] : table->items()) {
    const std::int64_t state = parse_int64(outcome).value_or(0);
    for (std::uint64_t i = 0; i < count.get<std::uint64_t>(); ++i) shots.push_back(state);
  }
  return answer(200, shots);
}

}  // namespace tandem::lab
