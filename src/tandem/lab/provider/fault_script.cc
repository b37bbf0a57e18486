#include "tandem/lab/provider/fault_script.h"

#include <algorithm>
#include <array>

#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace tandem::lab {
namespace {

using enum Operation;
using enum FaultAction;

constexpr std::array<std::string_view, kNumOperations> kOperationNames = {
    "submit", "status", "result", "cancel", "lookup", "device", "calibration", "estimate", "bill"};

/// One row an action: its name, the only operation it makes sense for (empty: all), and which fields it reads.
struct ActionRecord {
  FaultAction action;
  std::string_view name;
  std::optional<Operation> only;
  bool takes_delay;
  bool takes_status;
};
constexpr std::array<ActionRecord, kNumFaultActions> kActions = {{
    {kRefuse, "refuse", kSubmit, false, false},
    {kThrottle, "throttle", std::nullopt, true, false},
    {kThrottleSilently, "throttle_silently", std::nullopt, false, false},
    {kDelay, "delay", std::nullopt, true, false},
    {kError, "error", std::nullopt, false, true},
    {kErrorAfter, "error_after", std::nullopt, false, true},
    {kDropRequest, "drop_request", std::nullopt, false, false},
    {kDropReply, "drop_reply", std::nullopt, false, false},
    {kAcceptLate, "accept_late", kSubmit, true, false},
    {kErrorHtml, "error_html", std::nullopt, false, true},
    {kGarbageHtml, "garbage_html", std::nullopt, false, false},
    {kGarbageTruncated, "garbage_truncated", std::nullopt, false, false},
    {kSlowBody, "slow_body", std::nullopt, true, false},
    {kResultMissing, "result_missing", kResult, false, false},
    {kPartialResult, "partial_result", kResult, false, false},
    {kCancelRace, "cancel_race", kCancel, false, false},
    {kUnknownStatus, "unknown_status", kStatus, false, false},
    {kTwice, "twice", std::nullopt, false, false},
    {kCheapEstimate, "cheap_estimate", kEstimate, false, false},
}};

constexpr std::int64_t kDelayMsMax = 600'000;
constexpr std::int64_t kClockOffsetMsMax = 86'400'000;

template <typename Range, typename Name>
tl::unexpected<Error> unknown(const ObjectReader& reader, std::string_view key, const std::string& text,
                              const Range& range, Name name) {
  std::vector<std::string_view> names;
  for (const auto& entry : range) names.push_back(name(entry));
  return fail_at(reader.at(key), errors::kValueOutOfRange, "{} is not one of {}{}", quote(text), fmt::join(names, ", "),
                 did_you_mean(text, names));
}

Result<Operation> read_operation(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string("on"));
  const auto found = std::find(kOperationNames.begin(), kOperationNames.end(), text);
  if (found != kOperationNames.end()) return static_cast<Operation>(found - kOperationNames.begin());
  return unknown(reader, "on", text, kOperationNames, [](std::string_view name) { return name; });
}

Result<const ActionRecord*> read_action(const ObjectReader& reader) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string("action"));
  for (const ActionRecord& record : kActions)
    if (record.name == text) return &record;
  return unknown(reader, "action", text, kActions, [](const ActionRecord& record) { return record.name; });
}

Result<void> read_match(const ObjectReader& reader, Fault& out) {
  if (reader.has("nth") && (reader.has("from") || reader.has("count"))) {
    return fail_at(reader.at("nth"), errors::kValueOutOfRange, "'nth' is one request; leave 'from' and 'count' out");
  }
  if (reader.has("nth")) {
    TANDEM_TRY_ASSIGN(const std::int64_t nth, reader.integer("nth", 1, INT64_MAX));
    out.from = static_cast<std::uint64_t>(nth);
    out.count = 1;
  } else {
    TANDEM_TRY_ASSIGN(const std::int64_t from, reader.integer_or("from", 1, 1, INT64_MAX));
    TANDEM_TRY_ASSIGN(const std::int64_t count, reader.integer_or("count", 0, 0, INT64_MAX));
    out.from = static_cast<std::uint64_t>(from);
    out.count = static_cast<std::uint64_t>(count);
  }
  TANDEM_TRY_ASSIGN(out.probability, reader.number_or("probability", 1));
  if (out.probability < 0 || out.probability > 1) {
    return fail_at(reader.at("probability"), errors::kValueOutOfRange, "{} is no probability from 0 to 1",
                   out.probability);
  }
  return {};
}

Result<Fault> read_fault(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  TANDEM_TRY(reader.allow_only({"on", "action", "nth", "from", "count", "probability", "delay_ms", "status"}));
  Fault out;
  TANDEM_TRY_ASSIGN(out.operation, read_operation(reader));
  TANDEM_TRY_ASSIGN(const ActionRecord* record, read_action(reader));
  out.action = record->action;
  if (record->only && *record->only != out.operation) {
    return fail_at(reader.at("action"), errors::kValueOutOfRange, "'{}' happens to '{}' only, not to '{}'",
                   record->name, to_string(*record->only), to_string(out.operation));
  }
  TANDEM_TRY(read_match(reader, out));
  if (reader.has("delay_ms") && !record->takes_delay) {
    return fail_at(reader.at("delay_ms"), errors::kValueOutOfRange, "'{}' takes no delay", record->name);
  }
  if (reader.has("status") && !record->takes_status) {
    return fail_at(reader.at("status"), errors::kValueOutOfRange, "'{}' takes no status", record->name);
  }
  TANDEM_TRY_ASSIGN(const std::int64_t delay, reader.integer_or("delay_ms", 0, 0, kDelayMsMax));
  TANDEM_TRY_ASSIGN(const std::int64_t status, reader.integer_or("status", 503, 500, 599));
  out.delay = std::chrono::milliseconds(delay);
  out.status = static_cast<int>(status);
  return out;
}

Result<FaultScript> read_script(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY(reader.allow_only({"faults", "clock_offset_ms"}));
  TANDEM_TRY_ASSIGN(const Json* faults, reader.array("faults"));
  if (faults->size() > FaultScript::kFaultsMax) {
    return fail_at("/faults", errors::kInputTooLarge, "{} faults; the limit is {}", faults->size(),
                   FaultScript::kFaultsMax);
  }
  FaultScript out;
  TANDEM_TRY_ASSIGN(const std::int64_t offset,
                    reader.integer_or("clock_offset_ms", 0, -kClockOffsetMsMax, kClockOffsetMsMax));
  out.clock_offset = std::chrono::milliseconds(offset);
  for (std::size_t i = 0; i < faults->size(); ++i) {
    TANDEM_TRY_ASSIGN(const Fault fault, read_fault((*faults)[i], fmt::format("/faults/{}", i)));
    out.faults.push_back(fault);
  }
  return out;
}

}  // namespace

std::string_view to_string(Operation operation) { return kOperationNames[static_cast<std::size_t>(operation)]; }
std::string_view to_string(FaultAction action) { return kActions[static_cast<std::size_t>(action)].name; }

Result<FaultScript> FaultScript::parse(std::string_view text, std::string_view name) {
  TANDEM_TRY_ASSIGN(const LocatedJson document, parse_json_or_yaml(text, name, {.bytes_max = 1u << 20}));
  return read_script(document.value).map_error([&](Error error) {
    if (!error.place.empty()) error.place = document.place_of(error.place);
    return error;
  });
}

const Fault* FaultScript::find(Operation operation, std::uint64_t number, std::uint64_t seed) const {
  for (std::size_t i = 0; i < faults.size(); ++i) {
    const Fault& fault = faults[i];
    if (fault.operation != operation || number < fault.from) continue;
    if (fault.count != 0 && number - fault.from >= fault.count) continue;
    const std::uint64_t stream =
        derive_seed(derive_seed(seed, i), number);  // the draw depends on nothing that happened
    if (Xoshiro256(stream).uniform() < fault.probability) return &fault;
  }
  return nullptr;
}

Result<void> FaultScript::check_operations(std::span<const Operation> operations) const {
  for (std::size_t i = 0; i < faults.size(); ++i) {
    if (std::find(operations.begin(), operations.end(), faults[i].operation) != operations.end()) continue;
    return fail_at(fmt::format("/faults/{}/on", i), errors::kValueOutOfRange, "this emulator has no operation '{}'",
                   to_string(faults[i].operation));
  }
  return {};
}

}  // namespace tandem::lab
