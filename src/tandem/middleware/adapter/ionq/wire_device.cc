#include "tandem/middleware/adapter/ionq/wire_device.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tandem/base/text.h"

namespace tandem::ionq {
namespace {

constexpr double kAmountMax = 1e9;  // dollars; a bill beyond a billion is no bill
constexpr double kMicros = 1e6;
constexpr std::int64_t kCountMax = 1'000'000'000'000'000;  // shots, or microseconds: thirty years

Result<job::Money> read_usd(const ObjectReader& reader, std::string_view amount_key, std::string_view unit_key) {
  TANDEM_TRY_ASSIGN(const std::string unit, reader.string(unit_key));
  if (to_lower(unit) != "usd") {
    return fail_at(reader.at(unit_key), errors::kValueOutOfRange, "an amount in {}; this adapter counts US dollars",
                   quote(unit));
  }
  TANDEM_TRY_ASSIGN(const double amount, reader.number(amount_key));
  if (amount < 0 || amount > kAmountMax) {
    return fail_at(reader.at(amount_key), errors::kValueOutOfRange, "{} is no amount of dollars", amount);
  }
  // The small part keeps a binary fraction just above a whole millionth from becoming the next one.
  return job::Money{static_cast<std::int64_t>(std::ceil(amount * kMicros - 1e-4))};
}

/// The median in {"1q": {"median": 0.9995}}; empty where it is absent.
Result<std::optional<double>> read_median(const ObjectReader& fidelity, std::string_view key) {
  if (!fidelity.has(key)) return std::optional<double>();
  TANDEM_TRY_ASSIGN(const ObjectReader inner, fidelity.object(key));
  TANDEM_TRY_ASSIGN(const double median, inner.number("median"));
  if (median < 0 || median > 1) {
    return fail_at(inner.at("median"), errors::kValueOutOfRange, "{} is no fidelity", median);
  }
  return std::optional(median);
}

/// Empty where there is none.
Result<std::optional<ObjectReader>> newest_characterization(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const Json* list, reader.array("characterizations"));
  if (list->empty()) return std::optional<ObjectReader>();
  return ObjectReader::create(list->front(), reader.at("characterizations") + "/0").map([](ObjectReader newest) {
    return std::optional(std::move(newest));
  });
}

/// Of a job's time, rounded up.
Result<std::int64_t> whole_micros(const ObjectReader& reader, double micros) {
  if (!(micros >= 0 && micros <= static_cast<double>(kCountMax)))
    return fail_at(reader.at(""), errors::kValueOutOfRange, "{} us are no time of a job", micros);
  // The small part keeps a binary fraction just above a whole microsecond from becoming the next one.
  return static_cast<std::int64_t>(std::ceil(micros - 1e-4));
}

double depolarising(std::optional<double> fidelity, double levels) {
  return fidelity ? std::min(1.0, (1 - *fidelity) * levels / (levels - 1)) : 0;
}

}  // namespace

Result<remote::DeviceFacts> read_device(const ObjectReader& reader, const std::string& backend) {
  TANDEM_TRY_ASSIGN(const std::string named, reader.string("backend"));
  if (named != backend) {
    return fail_at(reader.at("backend"), errors::kValueOutOfRange, "the answer is about {}, asked was for {}",
                   quote(named), quote(backend));
  }
  remote::DeviceFacts out;
  TANDEM_TRY_ASSIGN(const std::int64_t qubits, reader.integer("qubits", 0, circuit::Circuit::kQubitsMax));
  out.qubits_max = static_cast<std::uint32_t>(qubits);
  TANDEM_TRY_ASSIGN(const std::string status, reader.string("status"));
  out.availability.operational = status == "available";
  out.availability.accepts_work = out.availability.operational;
  TANDEM_TRY_ASSIGN(const double wait, reader.number("average_queue_time"));
  out.availability.ready_in_ms = wait;
  TANDEM_TRY_ASSIGN(const bool degraded, reader.boolean_or("degraded", false));
  TANDEM_TRY_ASSIGN(const std::string updated, reader.string("last_updated"));
  out.availability.detail = fmt::format("{}{}, as of {}", status, degraded ? ", degraded" : "", updated);
  TANDEM_TRY_ASSIGN(out.calibration_id, reader.string_or("characterization_id", ""));
  return out;
}

Result<std::optional<device::Calibration>> read_calibration(const ObjectReader& reader, const std::string& device) {
  TANDEM_TRY_ASSIGN(const auto found, newest_characterization(reader));
  if (!found) return std::optional<device::Calibration>();
  const ObjectReader& newest = *found;
  device::Calibration out{.device = device};
  TANDEM_TRY_ASSIGN(const std::string date, newest.string("date"));
  TANDEM_TRY_ASSIGN(out.taken_at, parse_rfc3339(date));
  TANDEM_TRY_ASSIGN(const std::int64_t qubits, newest.integer("qubits", 1, device::Calibration::kQubitsMax));
  TANDEM_TRY_ASSIGN(const ObjectReader fidelity, newest.object("fidelity"));
  TANDEM_TRY_ASSIGN(const auto spam, read_median(fidelity, "spam"));
  TANDEM_TRY_ASSIGN(const auto one_qubit, read_median(fidelity, "1q"));
  TANDEM_TRY_ASSIGN(const auto two_qubits, read_median(fidelity, "2q"));
  out.error_1q = depolarising(one_qubit, 2);
  out.error_2q = depolarising(two_qubits, 4);
  TANDEM_TRY_ASSIGN(const ObjectReader timing, newest.object("timing"));  // in seconds
  device::QubitCalibration qubit{.readout_p01 = spam ? 1 - *spam : 0, .readout_p10 = spam ? 1 - *spam : 0};
  TANDEM_TRY_ASSIGN(const double t1, timing.number_or("t1", 0));
  TANDEM_TRY_ASSIGN(const double t2, timing.number_or("t2", 0));
  TANDEM_TRY_ASSIGN(const double duration_1q, timing.number_or("1q", 0));
  TANDEM_TRY_ASSIGN(const double duration_2q, timing.number_or("2q", 0));
  TANDEM_TRY_ASSIGN(const double readout, timing.number_or("readout", 0));
  for (const double seconds : {t1, t2, duration_1q, duration_2q, readout}) {
    if (seconds < 0) return fail_at(newest.at("timing"), errors::kValueOutOfRange, "{} s is no time", seconds);
  }
  qubit.t1_us = t1 * kMicros;
  qubit.t2_us = t2 * kMicros;
  out.duration_1q_us = duration_1q * kMicros;
  out.duration_2q_us = duration_2q * kMicros;
  out.duration_readout_us = readout * kMicros;
  out.qubits.assign(static_cast<std::size_t>(qubits), qubit);
  out.id = out.content_id();
  return std::optional(std::move(out));
}

Result<std::optional<device::Target>> read_target(const ObjectReader& reader, const std::string& device) {
  TANDEM_TRY_ASSIGN(const auto found, newest_characterization(reader));
  if (!found) return std::optional<device::Target>();
  const ObjectReader& newest = *found;
  device::Target out{.device = device};
  TANDEM_TRY_ASSIGN(const std::int64_t qubits, newest.integer("qubits", 1, device::Calibration::kQubitsMax));
  out.num_qubits = static_cast<std::uint32_t>(qubits);
  if (!newest.has("connectivity")) return std::optional(std::move(out));
  TANDEM_TRY_ASSIGN(const Json* pairs, newest.array("connectivity"));
  std::set<std::pair<std::uint32_t, std::uint32_t>> couplings;
  for (const Json& pair : *pairs) {
    const bool two =
        pair.is_array() && pair.size() == 2 && pair[0].is_number_unsigned() && pair[1].is_number_unsigned();
    const std::uint64_t u = two ? pair[0].get<std::uint64_t>() : 0;
    const std::uint64_t v = two ? pair[1].get<std::uint64_t>() : 0;
    if (!two || u == v || u >= out.num_qubits || v >= out.num_qubits) {
      return fail_at(newest.at("connectivity"), errors::kValueOutOfRange, "{} is no pair of two of the {} qubits",
                     quote(pair.dump()), out.num_qubits);
    }
    couplings.emplace(static_cast<std::uint32_t>(std::min(u, v)), static_cast<std::uint32_t>(std::max(u, v)));
  }
  const std::size_t all = std::size_t{out.num_qubits} * (out.num_qubits - 1) / 2;
  if (couplings.size() < all)
    out.couplings.assign(couplings.begin(), couplings.end());  // else every pair: none is named
  return std::optional(std::move(out));
}

Result<backend::Quote> read_estimate(const ObjectReader& reader, const std::string& backend) {
  backend::Quote out;
  TANDEM_TRY_ASSIGN(out.cost, read_usd(reader, "estimated_cost", "cost_unit"));
  TANDEM_TRY_ASSIGN(const double millis, reader.number("estimated_execution_time"));
  TANDEM_TRY_ASSIGN(out.use.qpu_us, whole_micros(reader, millis * 1000));
  TANDEM_TRY_ASSIGN(const std::string at, reader.string("estimated_at"));
  const std::string_view day = std::string_view(at).substr(0, 10);  // plans made on one day are the same plan
  TANDEM_TRY_ASSIGN(const ObjectReader rates, reader.object("rate_information"));
  TANDEM_TRY_ASSIGN(const std::string organization, rates.string("organization"));
  TANDEM_TRY_ASSIGN(const double minimum, rates.number("job_cost_minimum"));
  TANDEM_TRY_ASSIGN(const double one_qubit, rates.number("cost_1q_gate"));
  TANDEM_TRY_ASSIGN(const double two_qubits, rates.number("cost_2q_gate"));
  out.source = fmt::format(
      "estimate of IonQ for {}, GET /jobs/estimate, as of {}; rates of {}: at least {} a job, {} and {} a gate "
      "and shot",
      backend, day, quote(organization), minimum, one_qubit, two_qubits);
  return out;
}

Result<std::optional<job::MeteredUse>> read_used(const ObjectReader& reader) {
  std::optional<double> micros;
  if (reader.has("stats")) {
    TANDEM_TRY_ASSIGN(const ObjectReader stats, reader.object("stats"));
    if (stats.has("billed_quantum_compute_time_us")) {
      TANDEM_TRY_ASSIGN(micros, stats.number("billed_quantum_compute_time_us"));
    }
  }
  if (!micros && reader.has("execution_duration_ms")) {
    TANDEM_TRY_ASSIGN(const double millis, reader.number("execution_duration_ms"));
    micros = millis * 1000;
  }
  if (!micros || !reader.has("shots")) return std::optional<job::MeteredUse>();
  TANDEM_TRY_ASSIGN(const std::int64_t shots, reader.integer("shots", 0, kCountMax));
  TANDEM_TRY_ASSIGN(const std::int64_t qpu_us, whole_micros(reader, *micros));
  return job::MeteredUse{.shots = shots, .qpu_us = qpu_us};
}

Result<std::optional<job::Money>> read_bill(const ObjectReader& reader) {
  if (!reader.has("cost")) return std::optional<job::Money>();
  TANDEM_TRY_ASSIGN(const ObjectReader cost, reader.object("cost"));
  TANDEM_TRY_ASSIGN(const job::Money money, read_usd(cost, "value", "unit"));
  return std::optional(money);
}

}  // namespace tandem::ionq
