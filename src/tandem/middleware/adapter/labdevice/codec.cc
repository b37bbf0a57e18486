#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/pauli_basis.h"
#include "tandem/middleware/adapter/labdevice/labdevice.h"
#include "tandem/middleware/adapter/labdevice/wire_result.h"

namespace tandem::labdevice {
namespace {

using backend::Handle;
using backend::WorkRef;
using backend::WorkState;
using remote::Classified;
using remote::DeviceFacts;
using remote::Verdict;

constexpr std::size_t kHandleBytesMax = 128;
constexpr std::int64_t kRetryAfterMax = 3600;
constexpr std::int64_t kAmountMax = 1'000'000'000'000'000;  // micro-USD; a bill beyond a billion dollars is no bill

Error garbage(const Error& cause) {
  return make_error(errors::kBackendGarbage, "the device answered something that API v1 does not: {}",
                    cause.to_string());
}

/// Every good answer is a JSON object that says `"emulated": true`: this adapter is for nothing else.
Result<Json> open(const Bytes& body) {
  TANDEM_TRY_ASSIGN(Json document, parse_json(body, "answer"));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY_ASSIGN(const bool emulated, reader.boolean_or("emulated", false));
  if (!emulated) return fail_at("/emulated", errors::kValueOutOfRange, "this is no answer of an emulated device");
  return document;
}

/// Reads an answer with `read`; whatever is wrong in it makes it garbage.
template <typename Read>
auto decode(const Bytes& body, Read read) -> std::invoke_result_t<Read, const ObjectReader&> {
  const auto document = open(body);
  if (!document) return tl::unexpected(garbage(document.error()));
  const auto reader = ObjectReader::create(*document, "");
  TANDEM_ASSERT(reader.has_value());
  return read(*reader).map_error(
      [](const Error& error) { return error.number == errors::kUnknownHandle ? error : garbage(error); });
}

/// A handle becomes part of a path, so it must be a plain word.
Result<Handle> read_handle(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(std::string id, reader.string("id"));
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  };
  if (id.empty() || id.size() > kHandleBytesMax || !std::all_of(id.begin(), id.end(), plain)) {
    return fail_at(reader.at("id"), errors::kValueOutOfRange, "{} is no id of a job", quote(id));
  }
  return id;
}

Result<void> require_text(const ObjectReader& reader, std::string_view key, std::string_view expected) {
  TANDEM_TRY_ASSIGN(const std::string found, reader.string(key));
  if (found == expected) return {};
  return fail_at(reader.at(key), errors::kValueOutOfRange, "the answer is about {}, asked was for {}", quote(found),
                 expected);
}

/// The answer is about the job that was asked for, and that job is ours.
Result<void> require_ours(const ObjectReader& reader, const WorkRef& work) {
  TANDEM_TRY(require_text(reader, "id", work.handle));
  TANDEM_TRY_ASSIGN(const std::string token, reader.string("token"));
  if (token == work.token) return {};
  return fail(errors::kUnknownHandle, "the device gave the handle {} to a job of somebody else; ours it does not have",
              work.handle);
}

Result<job::Money> read_money(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::int64_t micros, reader.integer(key, 0, kAmountMax));
  return job::Money{micros};
}

/// Shots that the device counts for one PUB: every binding, and with observables every measured basis.
Result<std::uint64_t> billable_shots(const circuit::Pub& pub) {
  std::uint64_t shots = pub.shots;
  if (!pub.observables.empty()) {
    shots = 0;
    for (const observable::PauliSum& observable : pub.observables) {
      const statevector::PauliBases bases = statevector::group_qubit_wise(observable);
      TANDEM_TRY_ASSIGN(const std::uint64_t each, statevector::shots_per_basis(bases, pub));
      shots += each * bases.bases.size();
    }
  }
  return shots * pub.num_bindings();
}

class LabDeviceCodec final : public remote::Codec {
 public:
  LabDeviceCodec() {
    auto parsed = remote::Manifest::parse(adapter_yaml(), "labdevice/adapter.yaml");
    TANDEM_ASSERT(parsed.has_value());  // compiled in and read by a test
    manifest_ = std::move(parsed->front());
  }

  const remote::Manifest& manifest() const override { return manifest_; }

  Result<void> validate(const backend::Work& work, const DeviceFacts* facts) const override {
    const auto* program = std::get_if<backend::ProgramWork>(&work);
    const std::string& name = manifest_.info.id.value;
    if (program == nullptr) {
      return fail(errors::kBackendCannot, "{} runs circuits; a core is encoded as one first", name);
    }
    if (program->pubs.empty() || program->pubs.size() > manifest_.pubs_max) {
      return fail(errors::kBackendCannot, "{} takes 1 to {} PUBs at once, not {}; split the program", name,
                  manifest_.pubs_max, program->pubs.size());
    }
    const std::uint32_t qubits_max =
        facts == nullptr ? manifest_.info.qubits_max : std::min(facts->qubits_max, circuit::Circuit::kQubitsMax);
    const std::uint64_t shots_max = facts == nullptr ? manifest_.info.shots_max : facts->shots_max;
    std::uint64_t shots = 0;
    for (const circuit::Pub& pub : program->pubs) {
      TANDEM_TRY(pub.check());
      TANDEM_TRY(validate_circuit(pub, qubits_max));
      TANDEM_TRY_ASSIGN(const std::uint64_t more, billable_shots(pub));
      if (more == 0) {
        return fail(errors::kBackendCannot, "{} measures; give the PUB shots or a precision", name);
      }
      shots += more;
    }
    if (shots > shots_max) {
      return fail(errors::kBackendCannot, "the program needs {} shots over all PUBs, bindings and bases; {} allows {}",
                  shots, name, shots_max);
    }
    return {};
  }

  remote::Billable billable(const backend::Work& /*work*/) const override {
    return {};  // encode_estimate() asks nothing: the device names its rates to everybody
  }
  std::optional<HttpRequest> encode_estimate(const backend::Work& /*work*/) const override { return std::nullopt; }
  std::optional<HttpRequest> encode_whose_key() const override { return std::nullopt; }
  Result<remote::KeyOwner> decode_whose_key(const Bytes& /*body*/) const override {
    return remote::KeyOwner();  // encode_whose_key() asks nothing
  }
  Result<backend::Quote> quote(const backend::Work& work, const DeviceFacts& facts,
                               const Bytes& /*estimate*/) const override {
    std::uint64_t shots = 0;
    for (const circuit::Pub& pub : std::get<backend::ProgramWork>(work).pubs) {
      TANDEM_TRY_ASSIGN(const std::uint64_t more, billable_shots(pub));
      shots += more;
    }
    const double estimate = static_cast<double>(facts.price_per_shot.usd_micros) * static_cast<double>(shots);
    if (estimate > static_cast<double>(kAmountMax)) {
      return fail(errors::kBackendCannot, "{} shots cost more than {}; ask for fewer", shots, format_usd(kAmountMax));
    }
    const job::Money cost =
        facts.price_per_job + job::Money{facts.price_per_shot.usd_micros * static_cast<std::int64_t>(shots)};
    return backend::Quote{.cost = cost,
                          .use = {.shots = static_cast<std::int64_t>(shots)},
                          .cost_basis = job::Basis::kComputed,
                          .source = facts.price_source};
  }

  HttpRequest encode_device() const override { return {.url = "/v1/device"}; }
  std::optional<HttpRequest> encode_calibration() const override { return HttpRequest{.url = "/v1/calibration"}; }
  std::optional<HttpRequest> encode_target() const override { return encode_device(); }
  HttpRequest encode_poll(const Handle& handle) const override { return {.url = "/v1/jobs/" + handle}; }
  std::optional<HttpRequest> encode_bill(const Handle& /*handle*/) const override { return std::nullopt; }
  Result<HttpRequest> encode_fetch(const Handle& handle, const Bytes& /*status_body*/) const override {
    return HttpRequest{.url = "/v1/jobs/" + handle + "/result"};
  }
  HttpRequest encode_cancel(const Handle& handle) const override {
    return {.method = "POST", .url = "/v1/jobs/" + handle + "/cancel"};
  }
  HttpRequest encode_lookup(const backend::LostWork& lost, std::string_view /*page*/) const override {
    return {.url = std::string("/v1/jobs?token=").append(lost.token)};  // base32: nothing to escape
  }
  Result<HttpRequest> encode_submit(const backend::Work& work, std::string_view token) const override {
    const auto* program = std::get_if<backend::ProgramWork>(&work);
    TANDEM_ASSERT(program != nullptr);  // validate() came before
    Json pubs = Json::array();
    for (const circuit::Pub& pub : program->pubs) {
      pubs.push_back(pub.document());
      pubs.back().erase("tolerance");  // of simulators: the device rounds nothing
    }
    HttpRequest request{.method = "POST",
                        .url = "/v1/jobs",
                        .headers = {{"Content-Type", "application/json"}},
                        .body = canonical_json({{"token", token}, {"pubs", std::move(pubs)}})};
    if (request.body.size() > manifest_.request_bytes_max) {
      return fail(errors::kBackendCannot, "the program is {} bytes on the wire; {} takes {}; split it",
                  request.body.size(), manifest_.info.id.value, manifest_.request_bytes_max);
    }
    return request;
  }

  Classified classify(const HttpResponse& response) const override {
    const Verdict by_status = manifest_.verdict_of(response.status);
    const std::string_view media_type = header_value(response.headers, "Content-Type");
    if (by_status == Verdict::kOk) {
      if (media_type.starts_with("application/json")) return {.verdict = Verdict::kOk};
      return {.detail = fmt::format("content of type {} instead of JSON", tandem::quote(media_type))};
    }
    const auto document = open(response.body);
    if (!document || !media_type.starts_with("application/problem+json")) {
      // Not the device's own words: something between us spoke. Only that nothing came through is left to believe.
      return {.verdict = response.status >= 500 ? Verdict::kTransient : Verdict::kGarbage,
              .detail = fmt::format("an answer of type {} that is not the device's own", tandem::quote(media_type))};
    }
    Classified out{.verdict = by_status};
    if (document->contains("detail") && (*document)["detail"].is_string()) out.detail = (*document)["detail"];
    const auto seconds = parse_int64(header_value(response.headers, "Retry-After"));
    if (seconds && *seconds >= 0) out.retry_after = std::chrono::seconds(std::min(*seconds, kRetryAfterMax));
    return out;
  }

  Result<DeviceFacts> decode_device(const Bytes& body) const override { return decode(body, read_device); }
  Result<std::optional<device::Calibration>> decode_calibration(const Bytes& body) const override {
    return decode(body, [](const ObjectReader& reader) -> Result<std::optional<device::Calibration>> {
      TANDEM_TRY(reader.object("calibration"));
      return device::Calibration::parse(*reader.find("calibration"), reader.at("calibration"))
          .map([](device::Calibration read) { return std::optional(std::move(read)); });
    });
  }
  Result<std::optional<device::Target>> decode_target(const Bytes& body) const override {
    return decode(body, [](const ObjectReader& reader) -> Result<std::optional<device::Target>> {
      TANDEM_TRY(reader.object("target"));
      return device::Target::parse(*reader.find("target"), reader.at("target")).map([](device::Target read) {
        return std::optional(std::move(read));
      });
    });
  }
  Result<Handle> decode_submit(const Bytes& body, std::string_view token) const override {
    return decode(body, [&](const ObjectReader& reader) -> Result<Handle> {
      TANDEM_TRY(require_text(reader, "token", token));
      return read_handle(reader);
    });
  }
  Result<backend::PollStatus> decode_poll(const Bytes& body, const WorkRef& work) const override {
    return decode(body, [&](const ObjectReader& reader) { return read_status(reader, work); });
  }
  Result<std::optional<job::Money>> decode_bill(const Bytes& /*body*/) const override {
    return std::optional<job::Money>();  // encode_bill() asks for none
  }
  Result<remote::LookupPage> decode_lookup(const Bytes& body, const backend::LostWork& lost) const override {
    return decode(body, [&](const ObjectReader& reader) { return read_lookup(reader, lost.token); });
  }
  Result<backend::RawResult> decode_receipt(const Bytes& status_body, const WorkRef& work) const override {
    return decode(status_body, [&](const ObjectReader& reader) -> Result<backend::RawResult> {
      TANDEM_TRY(require_ours(reader, work));
      backend::RawResult out;
      TANDEM_TRY_ASSIGN(out.billed, read_money(reader, "billed_usd_micros"));
      TANDEM_TRY_ASSIGN(out.calibration_id, reader.string("calibration_id"));
      return out;
    });
  }
  bool is_foreign_result(const Bytes& body, const WorkRef& work) const override {
    const auto owned =
        decode(body, [&](const ObjectReader& reader) -> Result<void> { return require_ours(reader, work); });
    return !owned && owned.error().number == errors::kUnknownHandle;
  }
  Result<backend::WorkResult> decode_result(const backend::RawResult& raw, const backend::Work& work) const override {
    const auto* program = std::get_if<backend::ProgramWork>(&work);
    TANDEM_ASSERT(program != nullptr);
    return decode(raw.bytes, [&](const ObjectReader& reader) -> Result<backend::WorkResult> {
      TANDEM_TRY_ASSIGN(auto pubs, read_pubs(reader, program->pubs));
      return backend::WorkResult(backend::ProgramResult{.pubs = std::move(pubs)});
    });
  }

 private:
  static Result<void> validate_circuit(const circuit::Pub& pub, std::uint32_t qubits_max) {
    const circuit::Circuit& circuit = pub.circuit;
    if (circuit.num_qubits() > qubits_max) {
      return fail(errors::kTooManyQubits, "the circuit has {} qubits; the emulated device has {}", circuit.num_qubits(),
                  qubits_max);
    }
    bool measures = false;
    for (const circuit::Instruction& instruction : circuit.instructions()) {
      measures = measures || instruction.gate == circuit::Gate::kMeasure;
      if (circuit::gate_record(instruction.gate).num_qubits > 2) {
        return fail(errors::kBackendCannot, "the emulated device has no gate '{}'; transpile it to gates on two qubits",
                    circuit::gate_record(instruction.gate).name);
      }
    }
    if (!circuit.measurements_are_terminal()) {
      return fail(errors::kBackendCannot, "the emulated device measures at the end only and does not reset");
    }
    if (measures != pub.observables.empty()) {
      return fail(errors::kBackendCannot, "{}",
                  measures ? "a circuit with observables must not measure by itself"
                           : "the circuit measures nothing; add measurements or observables");
    }
    return {};
  }

  static Result<DeviceFacts> read_device(const ObjectReader& reader) {
    DeviceFacts out;
    TANDEM_TRY_ASSIGN(out.calibration_id, reader.string("calibration_id"));
    TANDEM_TRY_ASSIGN(const ObjectReader limits, reader.object("limits"));
    TANDEM_TRY_ASSIGN(const std::int64_t qubits, limits.integer("qubits_max", 1, circuit::Circuit::kQubitsMax));
    TANDEM_TRY_ASSIGN(const std::int64_t shots, limits.integer("shots_max", 1, INT64_MAX));
    out.qubits_max = static_cast<std::uint32_t>(qubits);
    out.shots_max = static_cast<std::uint64_t>(shots);
    TANDEM_TRY_ASSIGN(const ObjectReader price, reader.object("price"));
    TANDEM_TRY_ASSIGN(out.price_per_job, read_money(price, "usd_micros_per_job"));
    TANDEM_TRY_ASSIGN(out.price_per_shot, read_money(price, "usd_micros_per_shot"));
    TANDEM_TRY_ASSIGN(const std::string as_of, price.string("as_of"));
    // The day alone: plans made on one day are the same plan.
    out.price_source = fmt::format("emulated price of the device, GET /v1/device, as of {}", as_of.substr(0, 10));
    TANDEM_TRY_ASSIGN(const ObjectReader availability, reader.object("availability"));
    TANDEM_TRY_ASSIGN(out.availability.operational, availability.boolean_or("operational", false));
    TANDEM_TRY_ASSIGN(out.availability.accepts_work, availability.boolean_or("accepts_work", false));
    TANDEM_TRY_ASSIGN(const std::int64_t depth, availability.integer("queue_depth", 0, INT64_MAX));
    TANDEM_TRY_ASSIGN(out.availability.ready_in_ms, availability.number("ready_in_ms"));
    out.availability.queue_depth = static_cast<std::uint64_t>(depth);
    out.availability.detail = fmt::format("emulated; {} in the queue", depth);
    return out;
  }

  Result<backend::PollStatus> read_status(const ObjectReader& reader, const WorkRef& work) const {
    TANDEM_TRY(require_ours(reader, work));
    TANDEM_TRY_ASSIGN(const std::string status, reader.string("status"));
    TANDEM_TRY_ASSIGN(const job::Money billed, read_money(reader, "billed_usd_micros"));
    TANDEM_TRY_ASSIGN(const std::string error, reader.string_or("error", ""));
    backend::PollStatus out{.state = WorkState::kRunning, .detail = error.empty() ? status : error, .billed = billed};
    const auto known = manifest_.states.find(status);
    if (known == manifest_.states.end()) {
      out.detail = "unknown status " + tandem::quote(status);
    } else {
      out.state = known->second;
    }
    return out;
  }

  static Result<remote::LookupPage> read_lookup(const ObjectReader& reader, std::string_view token) {
    TANDEM_TRY_ASSIGN(const Json* jobs, reader.array("jobs"));
    remote::LookupPage out;  // the oldest comes first
    for (std::size_t i = 0; i < jobs->size(); ++i) {
      TANDEM_TRY_ASSIGN(const ObjectReader entry,
                        ObjectReader::create((*jobs)[i], fmt::format("{}/{}", reader.at("jobs"), i)));
      TANDEM_TRY(require_text(entry, "token", token));
      TANDEM_TRY_ASSIGN(Handle handle, read_handle(entry));
      out.work.push_back({.handle = std::move(handle), .token = std::string(token)});
    }
    return out;
  }

  remote::Manifest manifest_;
};

}  // namespace

std::unique_ptr<const remote::Codec> make_codec() { return std::make_unique<const LabDeviceCodec>(); }

}  // namespace tandem::labdevice
