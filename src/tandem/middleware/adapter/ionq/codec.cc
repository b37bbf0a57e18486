#include <algorithm>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/middleware/adapter/ionq/ionq.h"
#include "tandem/middleware/adapter/ionq/wire_circuit.h"
#include "tandem/middleware/adapter/ionq/wire_device.h"
#include "tandem/middleware/adapter/ionq/wire_result.h"

namespace tandem::ionq {
namespace {

using backend::Handle;
using backend::WorkRef;
using backend::WorkState;
using remote::Classified;
using remote::DeviceFacts;
using remote::Verdict;

constexpr std::string_view kPrefix = "ionq.";
constexpr std::string_view kVersionPath = "/v0.4";  // what places of results begin with, and our base URL ends with
constexpr std::size_t kHandleBytesMax = 128;
constexpr std::int64_t kRetryAfterMax = 3600;
constexpr double kWaitMaxMs = 365.0 * 24 * 3600 * 1000;  // whatever is predicted
constexpr std::uint32_t kWordQubits = 64;  // an outcome is read as one number
constexpr std::size_t kLookupPage = 100;   // the vendor's text names no most; clients of its list ask for as many
/// How far the vendor's clock may be behind ours: a job that says it is older than the submission by more is not it.
constexpr std::chrono::minutes kClockSkewMax{60};

Error garbage(const Error& cause) {
  return make_error(errors::kBackendGarbage, "IonQ answered something that API v0.4 does not: {}", cause.to_string());
}

/// Reads an answer with `read`; whatever is wrong in it makes it garbage.
template <typename Read>
auto decode(const Bytes& body, Read read) -> std::invoke_result_t<Read, const ObjectReader&> {
  const auto document = parse_json(body, "answer");
  if (!document) return tl::unexpected(garbage(document.error()));
  const auto reader = ObjectReader::create(*document, "");
  if (!reader) return tl::unexpected(garbage(reader.error()));
  return read(*reader).map_error([](const Error& error) {
    const bool says_itself = error.number == errors::kUnknownHandle || error.number == errors::kResultNotReady;
    return says_itself ? error : garbage(error);
  });
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}
bool is_plain_word(std::string_view text) {
  return !text.empty() && text.size() <= kHandleBytesMax && std::all_of(text.begin(), text.end(), is_plain);
}

/// A handle becomes part of a path, so it must be a plain word.
Result<Handle> read_handle(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(std::string id, reader.string("id"));
  if (!is_plain_word(id)) {
    return fail_at(reader.at("id"), errors::kValueOutOfRange, "{} is no id of a job", quote(id));
  }
  return id;
}

/// Empty: it bears none.
std::string token_of(const ObjectReader& job) {
  const Json* metadata = job.find("metadata");
  if (metadata == nullptr || !metadata->is_object()) return "";
  const auto found = metadata->find(kTokenMember);
  return found != metadata->end() && found->is_string() ? found->get<std::string>() : "";
}

/// The answer is about the job that was asked for, and that job is ours.
Result<void> require_ours(const ObjectReader& reader, const WorkRef& work) {
  TANDEM_TRY_ASSIGN(const std::string id, reader.string("id"));
  if (id != work.handle) {
    return fail_at(reader.at("id"), errors::kValueOutOfRange, "the answer is about {}, asked was for {}", quote(id),
                   quote(work.handle));
  }
  if (token_of(reader) == work.token) return {};
  return fail(errors::kUnknownHandle, "IonQ gave the handle {} to a job of somebody else; ours it does not have",
              work.handle);
}

/// Why a job failed.
struct Failure {
  std::string code;
  std::string message;
};
/// {"code","message"}; the vendor's own client reads "error" where older answers had it. Empty: the job names none.
std::optional<Failure> read_failure(const ObjectReader& reader) {
  const auto failure = reader.object("failure");
  if (!failure) return std::nullopt;
  Failure out{.code = failure->string_or("code", "").value_or(""),
              .message = failure->string_or("message", "").value_or("")};
  if (out.message.empty()) out.message = failure->string_or("error", "").value_or("");
  return out;
}

/// The reason in an error document, of whichever shape.
std::optional<std::string> reason_in(const Bytes& body) {
  const auto document = parse_json(body, "error");
  if (!document || !document->is_object()) return std::nullopt;
  const auto text = [](const Json& from, const char* key) {
    const auto found = from.find(key);
    return found != from.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (std::string message = text(*document, "message"); !message.empty()) return message;
  if (const auto inner = document->find("error"); inner != document->end() && inner->is_object())
    return text(*inner, "message");
  if (std::string error = text(*document, "error"); !error.empty()) return error;
  return std::nullopt;
}

/// What the vendor counts of a program.
struct Order {
  WireCircuit circuit;
  std::uint64_t shots = 0;
};

class IonqCodec final : public remote::Codec {
 public:
  IonqCodec(remote::Manifest manifest, std::string backend)
      : manifest_(std::move(manifest)), backend_(std::move(backend)) {}

  const remote::Manifest& manifest() const override { return manifest_; }

  Result<void> validate(const backend::Work& work, const DeviceFacts* facts) const override {
    TANDEM_TRY_ASSIGN(const Order order, order_of(work));
    const std::uint32_t qubits_max = facts == nullptr ? manifest_.info.qubits_max : facts->qubits_max;
    const std::uint64_t shots_max = facts == nullptr ? manifest_.info.shots_max : facts->shots_max;
    if (order.circuit.qubits > std::min(qubits_max, kWordQubits)) {
      return fail(errors::kTooManyQubits, "the circuit needs {} qubits; {} has {}", order.circuit.qubits, name(),
                  std::min(qubits_max, kWordQubits));
    }
    if (order.shots > shots_max) {
      return fail(errors::kBackendCannot, "{} shots; {} allows {} an order", order.shots, name(), shots_max);
    }
    return {};
  }

  HttpRequest encode_device() const override { return {.url = "/backends/" + backend_}; }
  std::optional<HttpRequest> encode_calibration() const override {
    if (is_simulator()) return std::nullopt;
    return HttpRequest{.url = "/backends/" + backend_ + "/characterizations?limit=1"};
  }
  std::optional<HttpRequest> encode_target() const override { return encode_calibration(); }
  remote::Billable billable(const backend::Work& work) const override {
    const auto order = order_of(work);
    TANDEM_ASSERT(order.has_value());  // validate() came before
    return {.shots = order->shots,
            .one_qubit_gates = order->circuit.counts.one_qubit * order->shots,
            .two_qubit_gates = order->circuit.counts.two_qubits * order->shots};
  }
  std::optional<HttpRequest> encode_estimate(const backend::Work& work) const override {
    if (!manifest_.info.metered) return std::nullopt;
    const auto order = order_of(work);
    TANDEM_ASSERT(order.has_value());  // validate() came before
    return HttpRequest{
        .url = fmt::format("/jobs/estimate?backend={}&type=ionq.circuit.v1&qubits={}&shots={}&1q_gates={}&2q_gates={}"
                           "&error_mitigation=false",
                           backend_, order->circuit.qubits, order->shots, order->circuit.counts.one_qubit,
                           order->circuit.counts.two_qubits)};
  }
  std::optional<HttpRequest> encode_whose_key() const override { return HttpRequest{.url = "/whoami"}; }
  Result<HttpRequest> encode_submit(const backend::Work& work, std::string_view token) const override {
    TANDEM_TRY_ASSIGN(Order order, order_of(work));
    Json body = {{"type", "ionq.circuit.v1"},
                 {"name", fmt::format("tandem-{}", token)},
                 {"metadata", {{kTokenMember, token}}},
                 {"shots", order.shots},
                 {"backend", backend_},
                 {"input",
                  {{"qubits", order.circuit.qubits},
                   {"gateset", order.circuit.native ? "native" : "qis"},
                   {"circuit", std::move(order.circuit.gates)}}}};
    if (is_simulator()) {
      constexpr std::uint64_t kSeedMax = INT32_MAX;
      body["noise"] = {{"model", "ideal"}, {"seed", std::get<backend::ProgramWork>(work).seed & kSeedMax}};
    } else {
      // The vendor's default turns it on from 500 shots on: other circuits, at another price than the one that was asked for.
      body["settings"] = {{"error_mitigation", {{"debiasing", false}}}};
    }
    HttpRequest request{.method = "POST",
                        .url = "/jobs",
                        .headers = {{"Content-Type", "application/json"}},
                        .body = canonical_json(body)};
    if (request.body.size() > manifest_.request_bytes_max) {
      return fail(errors::kBackendCannot, "the program is {} bytes on the wire; {} is sent {} at most",
                  request.body.size(), name(), manifest_.request_bytes_max);
    }
    return request;
  }
  HttpRequest encode_poll(const Handle& handle) const override { return {.url = "/jobs/" + handle}; }
  std::optional<HttpRequest> encode_bill(const Handle& handle) const override {
    if (!manifest_.info.metered) return std::nullopt;
    return HttpRequest{.url = "/jobs/" + handle + "/cost"};
  }
  Result<HttpRequest> encode_fetch(const Handle& handle, const Bytes& status_body) const override {
    return decode(status_body,
                  [&](const ObjectReader& reader) -> Result<HttpRequest> {
                    TANDEM_TRY_ASSIGN(const Place place, place_of_result(reader));
                    return HttpRequest{.url = place.path};
                  })
        .and_then([&](HttpRequest request) -> Result<HttpRequest> {
          if (request.url.starts_with("/jobs/" + handle + "/results/")) return request;
          return tl::unexpected(garbage(make_error(errors::kValueOutOfRange, "the result of {} stands at {}", handle,
                                                   tandem::quote(request.url))));
        });
  }
  HttpRequest encode_cancel(const Handle& handle) const override {
    return {.method = "PUT", .url = "/jobs/" + handle + "/status/cancel"};
  }
  HttpRequest encode_lookup(const backend::LostWork& /*lost*/, std::string_view page) const override {
    HttpRequest out{.url = fmt::format("/jobs?limit={}", kLookupPage)};
    if (!page.empty()) out.url.append("&next=").append(page);  // a plain word: read_lookup() saw to it
    return out;
  }

  Classified classify(const HttpResponse& response) const override {
    const Verdict by_status = manifest_.verdict_of(response.status);
    const std::string_view media_type = header_value(response.headers, "Content-Type");
    const bool json = media_type.starts_with("application/json");
    if (by_status == Verdict::kOk) {
      if (json) return {.verdict = Verdict::kOk};
      return {.detail = fmt::format("content of type {} instead of JSON", tandem::quote(media_type))};
    }
    const auto reason = reason_in(response.body);
    const auto seconds = parse_int64(header_value(response.headers, "Retry-After"));
    std::optional<std::chrono::milliseconds> retry_after;
    if (seconds && *seconds >= 0) retry_after = std::chrono::seconds(std::min(*seconds, kRetryAfterMax));
    if (!json || !reason) {
      // Not the vendor's own words: something between us spoke. Only that nothing came through is left to believe.
      return {.verdict = response.status >= 500 ? Verdict::kTransient : Verdict::kGarbage,
              .detail = fmt::format("an answer of type {} that is not IonQ's own", tandem::quote(media_type)),
              .retry_after = retry_after};
    }
    return {.verdict = by_status, .detail = *reason, .retry_after = retry_after};
  }

  Result<DeviceFacts> decode_device(const Bytes& body) const override {
    return decode(body, [&](const ObjectReader& reader) -> Result<DeviceFacts> {
      TANDEM_TRY_ASSIGN(DeviceFacts facts, read_device(reader, backend_));
      facts.shots_max = manifest_.info.shots_max;
      facts.price_source = manifest_.price_source;
      return facts;
    });
  }
  Result<std::optional<device::Calibration>> decode_calibration(const Bytes& body) const override {
    return decode(body, [&](const ObjectReader& reader) { return read_calibration(reader, name()); });
  }
  Result<std::optional<device::Target>> decode_target(const Bytes& body) const override {
    return decode(body, [&](const ObjectReader& reader) -> Result<std::optional<device::Target>> {
      TANDEM_TRY_ASSIGN(auto target, read_target(reader, name()));
      if (!target) return target;
      target->gates = manifest_.native_gates;
      target->shots_max = manifest_.info.shots_max;
      return target;
    });
  }
  Result<remote::KeyOwner> decode_whose_key(const Bytes& body) const override {
    return decode(body, [](const ObjectReader& reader) -> Result<remote::KeyOwner> {
      remote::KeyOwner out;
      TANDEM_TRY_ASSIGN(out.key_id, reader.string("key_id"));
      TANDEM_TRY_ASSIGN(out.key_name, reader.string("key_name"));
      TANDEM_TRY_ASSIGN(out.project_id, reader.string_or("project_id", ""));
      return out;
    });
  }
  Result<backend::Quote> quote(const backend::Work& /*work*/, const DeviceFacts& /*facts*/,
                               const Bytes& estimate) const override {
    if (!manifest_.info.metered) {
      return backend::Quote{
          .cost = {}, .cost_basis = job::Basis::kComputed, .source = "the ideal simulator is not billed"};
    }
    return decode(estimate, [&](const ObjectReader& reader) { return read_estimate(reader, backend_); });
  }
  Result<Handle> decode_submit(const Bytes& body, std::string_view /*token*/) const override {
    return decode(body, read_handle);
  }
  Result<backend::PollStatus> decode_poll(const Bytes& body, const WorkRef& work) const override {
    return decode(body, [&](const ObjectReader& reader) -> Result<backend::PollStatus> {
      TANDEM_TRY(require_ours(reader, work));
      return read_status(reader);
    });
  }
  Result<std::optional<job::Money>> decode_bill(const Bytes& body) const override { return decode(body, read_bill); }
  Result<remote::LookupPage> decode_lookup(const Bytes& body, const backend::LostWork& /*lost*/) const override {
    return decode(body, read_lookup);
  }
  Result<backend::RawResult> decode_receipt(const Bytes& status_body, const WorkRef& work) const override {
    return decode(status_body, [&](const ObjectReader& reader) -> Result<backend::RawResult> {
      TANDEM_TRY(require_ours(reader, work));
      TANDEM_TRY_ASSIGN(const backend::PollStatus status, read_status(reader));
      if (status.state != WorkState::kSucceeded) {
        return fail(errors::kResultNotReady, "job {} is '{}'", work.handle, status.detail);
      }
      TANDEM_TRY_ASSIGN(const Place place, place_of_result(reader));
      return backend::RawResult{.media_type = std::string(place.media_type), .used = status.used};
    });
  }
  bool is_foreign_result(const Bytes& /*body*/, const WorkRef& /*work*/) const override {
    return false;  // a table of outcomes says nothing of its job; its place does, and the status before it
  }
  Result<backend::WorkResult> decode_result(const backend::RawResult& raw, const backend::Work& work) const override {
    TANDEM_TRY_ASSIGN(const Order order, order_of(work));
    const circuit::Pub& asked = std::get<backend::ProgramWork>(work).pubs.front();
    auto binding = read_result(raw.media_type, raw.bytes, asked, order.circuit.qubits).map_error(garbage);
    if (!binding) return tl::unexpected(std::move(binding).error());
    return backend::ProgramResult{.pubs = {result::PubResult{.bindings = {*std::move(binding)}}}};
  }

 private:
  struct Place {
    std::string path;  ///< below our base URL
    std::string_view media_type;
  };
  /// What is preferred: counts of a machine, and of the ideal simulator the probabilities that it computed.
  struct Kind {
    const char* member;
    std::string_view media_type;
    bool counted;
  };
  static constexpr Kind kKinds[] = {
      {"histogram", kHistogramType, true}, {"shots", kShotsType, true}, {"probabilities", kProbabilitiesType, false}};

  const std::string& name() const { return manifest_.info.id.value; }
  bool is_simulator() const { return manifest_.info.tier == job::Tier::kSimulator; }

  Result<Order> order_of(const backend::Work& work) const {
    const auto* program = std::get_if<backend::ProgramWork>(&work);
    if (program == nullptr) {
      return fail(errors::kBackendCannot, "{} runs circuits; a core is encoded as one first", name());
    }
    if (program->pubs.size() != 1 || program->pubs.front().num_bindings() != 1) {
      return fail(
          errors::kBackendCannot,
          "{} takes one circuit with one row of values an order, this program has {} circuits; send one job a circuit",
          name(), program->pubs.size() == 1 ? program->pubs.front().num_bindings() : program->pubs.size());
    }
    const circuit::Pub& pub = program->pubs.front();
    TANDEM_TRY(pub.check());
    if (!pub.observables.empty()) {
      return fail(errors::kBackendCannot,
                  "{} measures one circuit an order, and observables need one for each basis; measure in the circuit",
                  name());
    }
    TANDEM_TRY_ASSIGN(WireCircuit circuit, wire_circuit(pub.circuit, pub.binding(0), manifest_.native_gates));
    return Order{.circuit = std::move(circuit), .shots = pub.shots};
  }

  Result<backend::PollStatus> read_status(const ObjectReader& reader) const {
    TANDEM_TRY_ASSIGN(const std::string status, reader.string("status"));
    backend::PollStatus out{.state = WorkState::kRunning, .detail = status};
    if (!manifest_.info.metered) out.billed = job::Money{};
    const auto known = manifest_.states.find(status);
    if (known == manifest_.states.end()) {
      out.detail = "unknown status " + tandem::quote(status);
      return out;
    }
    out.state = known->second;
    if (const auto failure = read_failure(reader)) explain(*failure, out);
    const bool ended = out.state != WorkState::kQueued && out.state != WorkState::kRunning;
    if (ended && manifest_.info.counts_qpu_time) {
      TANDEM_TRY_ASSIGN(out.used, read_used(reader));
    }
    if (out.state == WorkState::kQueued && reader.has("predicted_wait_time_ms")) {
      TANDEM_TRY_ASSIGN(const double wait, reader.number("predicted_wait_time_ms"));
      out.detail = fmt::format("{}; a wait of {:.0f} ms is predicted", status, wait);
      out.starts_in = std::chrono::milliseconds(std::llround(std::clamp(wait, 0.0, kWaitMaxMs)));
    }
    return out;
  }

  /// What the vendor's reason means for whoever might try again.
  void explain(const Failure& failure, backend::PollStatus& out) const {
    const auto known = manifest_.failures.find(failure.code);
    if (known != manifest_.failures.end()) {
      out.said = remote::class_of(known->second, remote::Asked::kSubmission);
      out.detail = fmt::format("{} ({}): {}", failure.code, backend::to_string(*out.said), failure.message);
    } else if (failure.code.empty()) {
      out.detail = "failed: " + failure.message;
    } else {
      out.detail = fmt::format("{} (a code that the adapter does not know): {}", failure.code, failure.message);
    }
  }

  /// A relative place that begins with the version of the API, which our base URL has already. Never another host.
  Result<Place> place_of_result(const ObjectReader& reader) const {
    TANDEM_TRY_ASSIGN(const ObjectReader results, reader.object("results"));
    for (const bool counted : {!is_simulator(), is_simulator()}) {
      for (const Kind& kind : kKinds) {
        if (kind.counted != counted || !results.has(kind.member)) continue;
        TANDEM_TRY_ASSIGN(const ObjectReader entry, results.object(kind.member));
        TANDEM_TRY_ASSIGN(const std::string url, entry.string("url"));
        const auto of_path = [](char c) { return c == '/' || is_plain(c); };  // no dot: nothing leads up
        if (!url.starts_with(kVersionPath) || !std::all_of(url.begin() + kVersionPath.size(), url.end(), of_path)) {
          return fail_at(entry.at("url"), errors::kValueOutOfRange, "{} is no place below {}", tandem::quote(url),
                         kVersionPath);
        }
        return Place{.path = url.substr(kVersionPath.size()), .media_type = kind.media_type};
      }
    }
    return fail_at(reader.at("results"), errors::kMissingKey, "the job has completed and names no result");
  }

  static Result<remote::LookupPage> read_lookup(const ObjectReader& reader) {
    TANDEM_TRY_ASSIGN(const Json* jobs, reader.array("jobs"));
    remote::LookupPage out;
    for (std::size_t i = 0; i < jobs->size(); ++i) {
      TANDEM_TRY_ASSIGN(const ObjectReader entry,
                        ObjectReader::create((*jobs)[i], fmt::format("{}/{}", reader.at("jobs"), i)));
      std::string token = token_of(entry);  // a job of somebody else may have any name
      TANDEM_TRY_ASSIGN(Handle handle, token.empty() ? entry.string("id") : read_handle(entry));
      TANDEM_TRY_ASSIGN(const std::string text, entry.string("submitted_at"));
      TANDEM_TRY_ASSIGN(const Timestamp submitted_at, parse_rfc3339(text));
      // No clock is further behind ours.
      const Timestamp back_to{submitted_at.micros + std::chrono::microseconds(kClockSkewMax).count()};
      out.back_to = std::max(out.back_to.value_or(back_to), back_to);
      out.work.push_back({.handle = std::move(handle), .token = std::move(token)});
    }
    TANDEM_TRY_ASSIGN(std::string next, reader.string_or("next", ""));
    if (next.empty()) return out;
    if (!is_plain_word(next)) {
      return fail_at(reader.at("next"), errors::kValueOutOfRange, "{} is no name of a page", tandem::quote(next));
    }
    out.next = std::move(next);
    return out;
  }

  remote::Manifest manifest_;
  std::string backend_;
};

std::vector<remote::Manifest> read_manifests() {
  auto out = remote::Manifest::parse(adapter_yaml(), "ionq/adapter.yaml");
  TANDEM_ASSERT(out.has_value());  // compiled in and read by a test
  return *std::move(out);
}

}  // namespace

Result<std::unique_ptr<const remote::Codec>> make_codec(const CodecOptions& options) {
  std::vector<remote::Manifest> manifests = read_manifests();
  for (remote::Manifest& manifest : manifests) {
    if (manifest.info.id.value.substr(kPrefix.size()) != options.backend) continue;
    manifest.info.emulated = options.emulated;
    if (options.emulated) manifest.info.name += " (emulated)";
    return std::make_unique<const IonqCodec>(std::move(manifest), options.backend);
  }
  const std::vector<std::string> names = backend_names();
  return fail(errors::kValueOutOfRange, "{} is no backend of IonQ that this adapter knows: {}{}",
              quote(options.backend), fmt::join(names, ", "),
              did_you_mean(options.backend, std::vector<std::string_view>(names.begin(), names.end())));
}

std::vector<std::string> backend_names() {
  std::vector<std::string> out;
  for (const remote::Manifest& manifest : read_manifests())
    out.push_back(manifest.info.id.value.substr(kPrefix.size()));
  return out;
}

}  // namespace tandem::ionq
