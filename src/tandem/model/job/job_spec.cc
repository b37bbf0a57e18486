#include "tandem/model/job/job_spec.h"

#include <algorithm>
#include <array>

#include "tandem/base/bytes.h"
#include "tandem/base/json_writer.h"
#include "tandem/base/text.h"

namespace tandem::job {
namespace {

constexpr std::array<std::string_view, 6> kCriteria = {"objective",       "improvement", "latency_ms",
                                                       "cost_usd_micros", "feasible",    "proved"};
constexpr std::array<std::string_view, 4> kDataClasses = {"public", "internal", "confidential", "restricted"};
constexpr std::array<std::string_view, 3> kStages = {kPilot, "canary", kProduction};
constexpr std::array<std::string_view, 3> kRefineModes = {"auto", "off", "required"};
constexpr std::array<std::string_view, 2> kRefineAngles = {"trained", "schedule"};
constexpr std::array<std::string_view, 2> kRefineStarts = {"uniform", "warm"};

constexpr std::size_t kTextMax = 4096;      ///< a sentence or two, never a document
constexpr std::size_t kShortNameMax = 64;  ///< of projects and keys
constexpr std::size_t kListMax = 64;        ///< criteria, inputs, backends: more is a mistake
constexpr std::size_t kPubsMax = 10'000;
constexpr std::int64_t kCostMaxUsdMicros = 1'000'000'000'000;  ///< a million USD: above it is a typing error
constexpr std::uint32_t kCoreMax = 64;      ///< bits of a basis state; the backend lowers it
constexpr std::uint32_t kLayersMax = 1000;
constexpr std::uint32_t kRoundsMax = 1000;
constexpr std::uint32_t kThreadsMax = 1024;

Result<std::string> bounded_text(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(std::string text, reader.string_or(key, ""));
  if (text.size() > kTextMax) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' has {} bytes, the limit is {}; shorten it", key,
                   text.size(), kTextMax);
  }
  return text;
}

Result<std::vector<std::string>> bounded_list(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(std::vector<std::string> list, reader.strings_or_empty(key));
  if (list.size() > kListMax) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' has {} entries, the limit is {}", key, list.size(),
                   kListMax);
  }
  return list;
}

/// A word out of `words`, or an error that names the nearest.
Result<std::size_t> word_index(const ObjectReader& reader, std::string_view key, std::string_view fallback,
                               std::span<const std::string_view> words) {
  TANDEM_TRY_ASSIGN(const std::string word, reader.string_or(key, fallback));
  for (std::size_t i = 0; i < words.size(); ++i)
    if (words[i] == word) return i;
  return fail_at(reader.at(key), errors::kValueOutOfRange, "{} is not one of {}{}", quote(word), fmt::join(words, ", "),
                 did_you_mean(word, words));
}

/// "5s" or a whole number of milliseconds.
Result<std::int64_t> read_time_ms(const ObjectReader& reader, std::string_view key, std::int64_t fallback,
                                  std::int64_t min, std::int64_t max = Limits::kTimeMsMax) {
  const Json* value = reader.find(key);
  if (value == nullptr) return fallback;
  std::int64_t milliseconds = 0;
  if (value->is_string()) {
    auto duration = parse_duration(value->get_ref<const std::string&>());
    if (!duration) {
      duration.error().place = reader.at(key);
      return tl::unexpected(duration.error());
    }
    // Up: 0 is no limit, where the shortest one is meant.
    milliseconds = std::chrono::ceil<std::chrono::milliseconds>(*duration).count();
  } else {
    TANDEM_TRY_ASSIGN(milliseconds, reader.integer(key, INT64_MIN, INT64_MAX));
  }
  if (milliseconds < min || milliseconds > max) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' is {} ms, the limits are {} and {} ms", key,
                   milliseconds, min, max);
  }
  return milliseconds;
}

Result<std::vector<Criterion>> parse_success(const ObjectReader& business) {
  std::vector<Criterion> out;
  if (!business.has("success")) return out;
  TANDEM_TRY_ASSIGN(const Json* list, business.array("success"));
  if (list->size() > kListMax) {
    return fail_at(business.at("success"), errors::kValueOutOfRange, "'success' has {} criteria, the limit is {}",
                   list->size(), kListMax);
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader item,
                      ObjectReader::create((*list)[i], fmt::format("{}/{}", business.at("success"), i)));
    TANDEM_TRY(item.allow_only({"criterion", "value"}));
    TANDEM_TRY(item.string("criterion"));
    TANDEM_TRY_ASSIGN(const std::size_t kind, word_index(item, "criterion", "", kCriteria));
    Criterion criterion{.kind = static_cast<Criterion::Kind>(kind)};
    const bool has_value = criterion.kind != Criterion::Kind::kFeasible && criterion.kind != Criterion::Kind::kProved;
    if (has_value) {
      TANDEM_TRY_ASSIGN(criterion.value, item.number("value"));
    } else if (item.has("value")) {
      return fail_at(item.at("value"), errors::kUnknownKey, "criterion '{}' takes no value; remove it",
                     kCriteria[kind]);
    }
    out.push_back(criterion);
  }
  return out;
}

Result<Business> parse_business(const ObjectReader& job) {
  Business out;
  if (!job.has("business")) return out;
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("business"));
  TANDEM_TRY(reader.allow_only({"objective", "reason", "owner", "consumer", "data_class", "stage", "success"}));
  TANDEM_TRY_ASSIGN(out.objective, bounded_text(reader, "objective"));
  TANDEM_TRY_ASSIGN(out.reason, bounded_text(reader, "reason"));
  TANDEM_TRY_ASSIGN(out.owner, bounded_text(reader, "owner"));
  TANDEM_TRY_ASSIGN(out.consumer, bounded_text(reader, "consumer"));
  TANDEM_TRY_ASSIGN(const std::size_t data_class, word_index(reader, "data_class", "internal", kDataClasses));
  out.data_class = std::string(kDataClasses[data_class]);
  TANDEM_TRY_ASSIGN(const std::size_t stage, word_index(reader, "stage", kPilot, kStages));
  out.stage = std::string(kStages[stage]);
  TANDEM_TRY_ASSIGN(out.success, parse_success(reader));
  return out;
}

Result<std::vector<InputRef>> parse_inputs(const ObjectReader& job) {
  std::vector<InputRef> out;
  if (!job.has("inputs")) return out;
  TANDEM_TRY_ASSIGN(const Json* list, job.array("inputs"));
  if (list->size() > kListMax) {
    return fail_at(job.at("inputs"), errors::kValueOutOfRange, "'inputs' has {} entries, the limit is {}", list->size(),
                   kListMax);
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader item,
                      ObjectReader::create((*list)[i], fmt::format("{}/{}", job.at("inputs"), i)));
    TANDEM_TRY(item.allow_only({"name", "version", "sha256"}));
    InputRef input;
    TANDEM_TRY_ASSIGN(input.name, item.string("name"));
    TANDEM_TRY_ASSIGN(input.version, item.string_or("version", ""));
    TANDEM_TRY_ASSIGN(input.sha256, item.string("sha256"));
    if (input.sha256.size() != 64 || !from_hex(input.sha256)) {
      return fail_at(item.at("sha256"), errors::kBadEncoding,
                     "{} is not a SHA-256: it must be 64 lower-case hex digits", quote(input.sha256));
    }
    out.push_back(std::move(input));
  }
  return out;
}

/// The tries of one backend; what is not said stays as it is in `out`.
Result<void> parse_tries(const ObjectReader& reader, RetryPolicy& out) {
  TANDEM_TRY_ASSIGN(const std::int64_t attempts,
                    reader.integer_or("max_attempts", out.max_attempts, 1, RetryPolicy::kAttemptsMax));
  out.max_attempts = static_cast<std::uint32_t>(attempts);
  TANDEM_TRY_ASSIGN(out.delay_min_ms, read_time_ms(reader, "delay_min", out.delay_min_ms, 1));
  const std::int64_t longest = std::max(out.delay_max_ms, out.delay_min_ms);
  TANDEM_TRY_ASSIGN(out.delay_max_ms, read_time_ms(reader, "delay_max", longest, 1));
  if (out.delay_max_ms < out.delay_min_ms) {
    return fail_at(reader.at("delay_max"), errors::kValueOutOfRange,
                   "'delay_max' is {} ms, less than the {} ms of 'delay_min'", out.delay_max_ms, out.delay_min_ms);
  }
  return {};
}

Result<void> parse_retry(const ObjectReader& limits, Limits& out) {
  if (!limits.has("retry")) return {};
  TANDEM_TRY_ASSIGN(const ObjectReader reader, limits.object("retry"));
  TANDEM_TRY(reader.allow_only({"max_attempts", "delay_min", "delay_max", "budget", "steps"}));
  TANDEM_TRY(parse_tries(reader, out.retry));
  if (reader.has("budget")) {
    TANDEM_TRY_ASSIGN(const ObjectReader budget, reader.object("budget"));
    TANDEM_TRY(budget.allow_only({"retries", "time"}));
    TANDEM_TRY_ASSIGN(const std::int64_t retries,
                      budget.integer_or("retries", out.retry.budget_retries, 0, RetryPolicy::kRetriesMax));
    out.retry.budget_retries = static_cast<std::uint32_t>(retries);
    TANDEM_TRY_ASSIGN(out.retry.budget_time_ms, read_time_ms(budget, "time", 0, 0));
  }
  if (!reader.has("steps")) return {};
  TANDEM_TRY_ASSIGN(const ObjectReader steps, reader.object("steps"));
  TANDEM_TRY(steps.allow_only({"baseline", "refine", "run", "solve"}));
  for (const char* name : {"baseline", "refine", "run", "solve"}) {
    if (!steps.has(name)) continue;
    TANDEM_TRY_ASSIGN(const ObjectReader step, steps.object(name));
    TANDEM_TRY(step.allow_only({"max_attempts", "delay_min", "delay_max"}));
    RetryPolicy own = out.retry;
    TANDEM_TRY(parse_tries(step, own));
    out.step_retry.emplace(name, own);
  }
  return {};
}

Result<Limits> parse_limits(const ObjectReader& job) {
  Limits out;
  if (!job.has("limits")) return out;
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("limits"));
  TANDEM_TRY(reader.allow_only({"time", "total_time", "queue_wait", "run_time", "heartbeat", "backend_wait",
                                "calibration_age", "cost_max_usd_micros", "retry"}));
  TANDEM_TRY_ASSIGN(out.time_ms, read_time_ms(reader, "time", out.time_ms, 1));
  TANDEM_TRY_ASSIGN(out.total_time_ms, read_time_ms(reader, "total_time", 0, 0));
  TANDEM_TRY_ASSIGN(out.queue_wait_ms, read_time_ms(reader, "queue_wait", 0, 0));
  TANDEM_TRY_ASSIGN(out.run_time_ms, read_time_ms(reader, "run_time", 0, 0));
  TANDEM_TRY_ASSIGN(out.heartbeat_ms, read_time_ms(reader, "heartbeat", 0, 0));
  TANDEM_TRY_ASSIGN(out.backend_wait_ms, read_time_ms(reader, "backend_wait", 0, 0));
  TANDEM_TRY_ASSIGN(out.calibration_age_ms, read_time_ms(reader, "calibration_age", 0, 0, Fallback::kAgeMaxMs));
  TANDEM_TRY_ASSIGN(out.cost_max.usd_micros, reader.integer_or("cost_max_usd_micros", 0, 0, kCostMaxUsdMicros));
  TANDEM_TRY(parse_retry(reader, out));
  return out;
}

/// A name that keys and documents can carry: bounded, without control characters.
Result<std::string> short_name(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(std::string name, reader.string_or(key, ""));
  if (name.size() > kShortNameMax) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' has {} bytes, the limit is {}", key, name.size(),
                   kShortNameMax);
  }
  if (std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f || c == '/'; })) {
    return fail_at(reader.at(key), errors::kValueOutOfRange, "'{}' has a slash or a control character; leave it out",
                   key);
  }
  return name;
}

Result<Schedule> parse_schedule(const ObjectReader& job) {
  Schedule out;
  if (!job.has("schedule")) return out;
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("schedule"));
  TANDEM_TRY(reader.allow_only({"project", "priority", "serial_key"}));
  TANDEM_TRY_ASSIGN(out.project, short_name(reader, "project"));
  TANDEM_TRY_ASSIGN(const std::int64_t priority,
                    reader.integer_or("priority", 0, -Schedule::kPriorityMax, Schedule::kPriorityMax));
  out.priority = static_cast<int>(priority);
  TANDEM_TRY_ASSIGN(out.serial_key, short_name(reader, "serial_key"));
  return out;
}

Result<Policy> parse_policy(const ObjectReader& job) {
  Policy out;
  if (!job.has("policy")) return out;
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("policy"));
  TANDEM_TRY(reader.allow_only({"backends", "avoid", "allow_emulated", "allow_qpu"}));
  TANDEM_TRY_ASSIGN(out.backends, bounded_list(reader, "backends"));
  TANDEM_TRY_ASSIGN(out.avoid, bounded_list(reader, "avoid"));
  TANDEM_TRY_ASSIGN(out.allow_emulated, reader.boolean_or("allow_emulated", true));
  TANDEM_TRY_ASSIGN(out.allow_qpu, reader.boolean_or("allow_qpu", true));
  return out;
}

Result<std::uint32_t> small_integer(const ObjectReader& reader, std::string_view key, std::uint32_t fallback,
                                    std::uint32_t min, std::uint32_t max) {
  TANDEM_TRY_ASSIGN(const std::int64_t value, reader.integer_or(key, fallback, min, max));
  return static_cast<std::uint32_t>(value);
}

Result<Review> parse_review(const ObjectReader& job) {
  Review out;
  if (!job.has("review")) return out;
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("review"));
  TANDEM_TRY(reader.allow_only({"confidence_min"}));
  TANDEM_TRY_ASSIGN(out.confidence_min, reader.number_or("confidence_min", 0));
  if (out.confidence_min < 0 || out.confidence_min > 1) {
    return fail_at(reader.at("confidence_min"), errors::kValueOutOfRange, "{} is no confidence; it is from 0 to 1",
                   out.confidence_min);
  }
  return out;
}

Result<std::vector<Fallback>> parse_fallbacks(const ObjectReader& job) {
  TANDEM_TRY_ASSIGN(std::vector<Fallback> out, parse_list_or_empty<Fallback>(job, "fallbacks"));
  if (out.size() > kListMax) {
    return fail_at(job.at("fallbacks"), errors::kValueOutOfRange, "'fallbacks' has {} entries, the limit is {}",
                   out.size(), kListMax);
  }
  return out;
}

Result<Refinement> parse_refinement(const ObjectReader& job) {
  Refinement out;
  if (!job.has("refinement")) return out;
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("refinement"));
  TANDEM_TRY(reader.allow_only({"mode", "core_max", "layers", "shots", "rounds", "angles", "start"}));
  TANDEM_TRY_ASSIGN(const std::size_t mode, word_index(reader, "mode", "auto", kRefineModes));
  out.mode = static_cast<RefineMode>(mode);
  TANDEM_TRY_ASSIGN(out.core_max, small_integer(reader, "core_max", out.core_max, 1, kCoreMax));
  TANDEM_TRY_ASSIGN(out.layers, small_integer(reader, "layers", out.layers, 1, kLayersMax));
  TANDEM_TRY_ASSIGN(out.rounds, small_integer(reader, "rounds", out.rounds, 1, kRoundsMax));
  TANDEM_TRY_ASSIGN(const std::int64_t shots,
                    reader.integer_or("shots", static_cast<std::int64_t>(out.shots), 1, circuit::Pub::kShotsMax));
  out.shots = static_cast<std::uint64_t>(shots);
  TANDEM_TRY_ASSIGN(const std::size_t angles, word_index(reader, "angles", to_string(out.angles), kRefineAngles));
  out.angles = static_cast<RefineAngles>(angles);
  TANDEM_TRY_ASSIGN(const std::size_t start, word_index(reader, "start", to_string(out.start), kRefineStarts));
  out.start = static_cast<RefineStart>(start);
  return out;
}

Result<Program> parse_program(const ObjectReader& job) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, job.object("program"));
  TANDEM_TRY(reader.allow_only({"pubs"}));
  TANDEM_TRY_ASSIGN(const Json* list, reader.array("pubs"));
  if (list->empty() || list->size() > kPubsMax) {
    return fail_at(reader.at("pubs"), errors::kValueOutOfRange, "a program has {} PUBs, the limits are 1 and {}",
                   list->size(), kPubsMax);
  }
  Program out;
  std::size_t bindings = 0;
  std::uint64_t entries = 0;
  for (std::size_t i = 0; i < list->size(); ++i) {
    TANDEM_TRY_ASSIGN(circuit::Pub pub, circuit::Pub::parse((*list)[i], fmt::format("{}/{}", reader.at("pubs"), i)));
    bindings += pub.num_bindings();
    entries += pub.entries_max();
    out.pubs.push_back(std::move(pub));
  }
  if (bindings > circuit::Pub::kBindingsMax || entries > circuit::Pub::kEntriesMax) {
    return fail_at(
        reader.at("pubs"), errors::kValueOutOfRange,
        "the PUBs together have {} bindings and a result of up to {} entries, the limits are {} and {}; split the "
        "job",
        bindings, entries, circuit::Pub::kBindingsMax, circuit::Pub::kEntriesMax);
  }
  return out;
}

/// Seeds are 64 bits; JSON integers above 2^63 arrive as unsigned.
Result<std::uint64_t> read_seed(const ObjectReader& reader) {
  const Json* value = reader.find("seed");
  if (value == nullptr) return std::uint64_t{1};
  if (value->is_number_unsigned()) return value->get<std::uint64_t>();
  TANDEM_TRY_ASSIGN(const std::int64_t seed, reader.integer("seed", 0, INT64_MAX));
  return static_cast<std::uint64_t>(seed);
}

Result<void> check_starts(std::span<const std::string> starts, std::size_t num_variables) {
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::string place = fmt::format("/starts/{}", i);
    if (starts[i].size() != num_variables) {
      return fail_at(place, errors::kSizeMismatch, "a start has {} characters, the problem has {} variables",
                     starts[i].size(), num_variables);
    }
    const std::size_t odd = starts[i].find_first_not_of("01");
    if (odd != std::string::npos) {
      return fail_at(place, errors::kValueOutOfRange, "character {} of a start is {}, not 0 or 1", odd,
                     quote(std::string_view(starts[i]).substr(odd, 1)));
    }
  }
  return {};
}

/// Parts that fit alone but not together.
Result<void> check_together(const JobSpec& spec) {
  if (spec.is_program()) {
    if (spec.target) return fail_at("/target", errors::kBadJob, "'target' is for problems; a program has no objective");
    if (spec.proof) return fail_at("/proof", errors::kBadJob, "'proof' is for problems; a program has no optimum");
    if (!spec.solver.empty())
      return fail_at("/solver", errors::kBadJob, "'solver' is for problems; choose policy.backends for a program");
    if (!spec.starts.empty()) return fail_at("/starts", errors::kBadJob, "'starts' is for problems");
  } else {
    TANDEM_TRY(check_starts(spec.starts, spec.problem()->num_variables()));
  }
  if (spec.limits.total_time_ms != 0 && spec.limits.total_time_ms < spec.limits.time_ms) {
    return fail_at("/limits/total_time", errors::kBadJob,
                   "total_time is {} ms but time is {} ms; the whole cannot be shorter than a part",
                   spec.limits.total_time_ms, spec.limits.time_ms);
  }
  return {};
}

std::string in_ms(std::int64_t time_ms) { return fmt::format("{}ms", time_ms); }

// What follows writes members in the order of the canonical form.

void write_business(JsonWriter& out, const Business& business) {
  out.member("consumer", business.consumer)
      .member("data_class", business.data_class)
      .member("objective", business.objective)
      .member("owner", business.owner)
      .member("reason", business.reason);
  if (business.stage != kPilot) out.member("stage", business.stage);
  out.objects("success", business.success, [](JsonWriter& item, const Criterion& criterion) {
    item.member("criterion", to_string(criterion.kind));
    if (criterion.kind != Criterion::Kind::kFeasible && criterion.kind != Criterion::Kind::kProved)
      item.member("value", criterion.value);
  });
}

void write_tries(JsonWriter& out, const RetryPolicy& retry) {
  out.member("delay_max", in_ms(retry.delay_max_ms))
      .member("delay_min", in_ms(retry.delay_min_ms))
      .member("max_attempts", retry.max_attempts);
}

void write_retry(JsonWriter& out, const Limits& limits) {
  out.object("budget", [&](JsonWriter& budget) {
    budget.member("retries", limits.retry.budget_retries).member("time", in_ms(limits.retry.budget_time_ms));
  });
  write_tries(out, limits.retry);
  if (limits.step_retry.empty()) return;
  out.object("steps", [&](JsonWriter& steps) {
    for (const auto& [name, retry] : limits.step_retry)
      steps.object(name, [&](JsonWriter& step) { write_tries(step, retry); });
  });
}

void write_limits(JsonWriter& out, const Limits& limits) {
  if (limits.backend_wait_ms != 0) out.member("backend_wait", in_ms(limits.backend_wait_ms));
  if (limits.calibration_age_ms != 0) out.member("calibration_age", in_ms(limits.calibration_age_ms));
  out.member("cost_max_usd_micros", limits.cost_max.usd_micros);
  if (limits.heartbeat_ms != 0) out.member("heartbeat", in_ms(limits.heartbeat_ms));
  out.member("queue_wait", in_ms(limits.queue_wait_ms))
      .object("retry", [&](JsonWriter& retry) { write_retry(retry, limits); })
      .member("run_time", in_ms(limits.run_time_ms))
      .member("time", in_ms(limits.time_ms))
      .member("total_time", in_ms(limits.total_time_ms));
}

void write_policy(JsonWriter& out, const Policy& policy) {
  out.member("allow_emulated", policy.allow_emulated)
      .member("allow_qpu", policy.allow_qpu)
      .member("avoid", policy.avoid)
      .member("backends", policy.backends);
}

void write_refinement(JsonWriter& out, const Refinement& refinement) {
  out.member("angles", to_string(refinement.angles))
      .member("core_max", refinement.core_max)
      .member("layers", refinement.layers)
      .member("mode", kRefineModes[static_cast<std::size_t>(refinement.mode)])
      .member("rounds", refinement.rounds)
      .member("shots", refinement.shots)
      .member("start", to_string(refinement.start));
}

void write_schedule(JsonWriter& out, const Schedule& schedule) {
  out.member("priority", schedule.priority)
      .member("project", schedule.project)
      .member("serial_key", schedule.serial_key);
}

/// `with_work`: else everything but the work.
JsonText write(const JobSpec& spec, bool with_work) {
  JsonWriter out;
  out.object("business", [&](JsonWriter& business) { write_business(business, spec.business); })
      .member("fallbacks", list_document(spec.fallbacks))
      .objects("inputs", spec.inputs,
               [](JsonWriter& item, const InputRef& input) {
                 item.member("name", input.name).member("sha256", input.sha256).member("version", input.version);
               })
      .object("limits", [&](JsonWriter& limits) { write_limits(limits, spec.limits); })
      .member("name", spec.name)
      .object("policy", [&](JsonWriter& policy) { write_policy(policy, spec.policy); });
  if (with_work && spec.is_program()) {
    out.object("program", [&](JsonWriter& program) { program.member("pubs", list_document(spec.program().pubs)); });
  } else if (with_work) {
    out.member("problem", spec.problem()->document());
  }
  if (spec.proof) out.member("proof", true);
  out.object("refinement", [&](JsonWriter& refinement) { write_refinement(refinement, spec.refinement); });
  if (spec.retry_of) out.member("retry_of", spec.retry_of->value);
  out.object("review", [&](JsonWriter& review) { review.member("confidence_min", spec.review.confidence_min); })
      .object("schedule", [&](JsonWriter& schedule) { write_schedule(schedule, spec.schedule); })
      .member("seed", spec.seed);
  if (!spec.solver.empty()) out.member("solver", spec.solver);
  if (!spec.starts.empty()) out.member("starts", spec.starts);
  out.member_if("target", spec.target).member("threads", spec.threads);
  return JsonText::of(out.finish());
}

/// Everything but the work, and how it goes together with the work.
Result<void> parse_options(const ObjectReader& reader, JobSpec& out) {
  TANDEM_TRY_ASSIGN(out.name, bounded_text(reader, "name"));
  TANDEM_TRY_ASSIGN(out.business, parse_business(reader));
  TANDEM_TRY_ASSIGN(out.inputs, parse_inputs(reader));
  TANDEM_TRY_ASSIGN(out.limits, parse_limits(reader));
  TANDEM_TRY_ASSIGN(out.schedule, parse_schedule(reader));
  TANDEM_TRY_ASSIGN(out.policy, parse_policy(reader));
  TANDEM_TRY_ASSIGN(out.refinement, parse_refinement(reader));
  if (reader.has("target")) {
    TANDEM_TRY_ASSIGN(out.target, reader.number("target"));
  }
  TANDEM_TRY_ASSIGN(out.proof, reader.boolean_or("proof", false));
  TANDEM_TRY_ASSIGN(out.solver, bounded_text(reader, "solver"));
  TANDEM_TRY_ASSIGN(out.starts, reader.strings_or_empty("starts"));
  if (out.starts.size() > JobSpec::kStartsMax) {
    return fail_at("/starts", errors::kValueOutOfRange, "'starts' has {} entries, the limit is {}", out.starts.size(),
                   JobSpec::kStartsMax);
  }
  TANDEM_TRY_ASSIGN(out.fallbacks, parse_fallbacks(reader));
  TANDEM_TRY_ASSIGN(out.review, parse_review(reader));
  TANDEM_TRY_ASSIGN(out.seed, read_seed(reader));
  TANDEM_TRY_ASSIGN(out.threads, small_integer(reader, "threads", 0, 0, kThreadsMax));
  if (reader.has("retry_of")) {
    TANDEM_TRY_ASSIGN(const std::string id, reader.string("retry_of"));
    auto job_id = parse_job_id(id);
    if (!job_id) {
      job_id.error().place = "/retry_of";
      return tl::unexpected(job_id.error());
    }
    out.retry_of = *job_id;
  }
  return check_together(out);
}

}  // namespace

std::span<const std::string_view> data_classes() { return kDataClasses; }
std::span<const std::string_view> stages() { return kStages; }

const RetryPolicy& Limits::retry_of(std::string_view label) const {
  const auto own = step_retry.find(label.substr(0, label.find('/')));
  return own == step_retry.end() ? retry : own->second;
}

std::string_view to_string(RefineAngles angles) { return kRefineAngles[static_cast<std::size_t>(angles)]; }
std::string_view to_string(RefineStart start) { return kRefineStarts[static_cast<std::size_t>(start)]; }
std::string_view to_string(Criterion::Kind kind) { return kCriteria[static_cast<std::size_t>(kind)]; }

JsonText JobSpec::text() const { return write(*this, true); }
JsonText JobSpec::options_text() const { return write(*this, false); }
Json JobSpec::document() const { return text().value(); }

Sha256 JobSpec::hash() const { return sha256(text().text()); }

Result<JobSpec> JobSpec::parse(const Json& document, const problem::ProblemRegistry& registry) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY(reader.allow_only({"name", "problem", "program", "business", "inputs", "limits", "schedule", "policy",
                                "refinement", "target", "proof", "solver", "starts", "fallbacks", "review", "seed",
                                "threads", "retry_of"}));
  if (reader.has("problem") == reader.has("program")) {
    return fail_at("", errors::kBadJob, "a job asks for exactly one of 'problem' and 'program'; this one has {}",
                   reader.has("problem") ? "both" : "neither");
  }
  JobSpec out;
  if (reader.has("problem")) {
    TANDEM_TRY_ASSIGN(out.work, registry.parse(*reader.find("problem"), "/problem"));
  } else {
    TANDEM_TRY_ASSIGN(out.work, parse_program(reader));
  }
  TANDEM_TRY(parse_options(reader, out));
  return out;
}

Result<JobSpec> JobSpec::with(const Json& changes) const {
  Json document = options_text().value();
  document.merge_patch(changes);
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  JobSpec out;
  out.work = work;
  TANDEM_TRY(parse_options(reader, out));
  return out;
}

Result<JobSpec> JobSpec::parse_text(std::string_view text, std::string_view name,
                                    const problem::ProblemRegistry& registry) {
  TANDEM_TRY_ASSIGN(const LocatedJson located, parse_json_or_yaml(text, name));
  return parse_located(located, registry);
}

Result<JobSpec> JobSpec::parse_located(const LocatedJson& located, const problem::ProblemRegistry& registry) {
  return parse(located.value, registry).map_error([&](Error error) { return located.at_its_place(std::move(error)); });
}

}  // namespace tandem::job
