#include "job_input.h"

#include <cmath>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/model/format/format.h"

namespace tandem::app {
namespace {

/// True when the text is a job document and not a bare problem: it has "problem" or "program" at its top.
bool is_job_document(const LocatedJson& located) {
  return located.value.is_object() && (located.value.contains("problem") || located.value.contains("program"));
}

Error at_flag(Error error, const char* flag) {
  error.place = flag;
  return error;
}

/// Flags stand above what the document says.
Result<void> apply_flags(const JobFlags& flags, job::JobSpec& spec) {
  if (!flags.time.empty()) {
    const auto duration = parse_duration(flags.time);
    if (!duration) return tl::unexpected(at_flag(duration.error(), "--time"));
    spec.limits.time_ms = std::chrono::duration_cast<std::chrono::milliseconds>(*duration).count();
    if (spec.limits.time_ms < 1 || spec.limits.time_ms > job::Limits::kTimeMsMax) {
      return fail_at("--time", errors::kValueOutOfRange, "the time is {} ms, the limits are 1 and {}",
                     spec.limits.time_ms, job::Limits::kTimeMsMax);
    }
    if (spec.limits.total_time_ms != 0)
      spec.limits.total_time_ms = std::max(spec.limits.total_time_ms, spec.limits.time_ms);
  }
  if (!flags.cost_max_usd.empty()) {
    const auto micros = parse_usd(flags.cost_max_usd);
    if (!micros) return tl::unexpected(at_flag(micros.error(), "--cost-max-usd"));
    spec.limits.cost_max.usd_micros = *micros;
  }
  if (!flags.refine.empty()) {
    constexpr std::string_view kModes[] = {"auto", "off", "required"};
    const auto found = std::find(std::begin(kModes), std::end(kModes), flags.refine);
    if (found == std::end(kModes))
      return fail_at("--refine", errors::kValueOutOfRange, "{} is not auto, off or required", quote(flags.refine));
    spec.refinement.mode = static_cast<job::RefineMode>(found - std::begin(kModes));
  }
  if (flags.seed) spec.seed = *flags.seed;
  if (flags.threads != 0) spec.threads = flags.threads;
  if (flags.target) {
    if (!std::isfinite(*flags.target))
      return fail_at("--target", errors::kValueOutOfRange, "{} is not a number that an objective can reach",
                     *flags.target);
    spec.target = flags.target;
  }
  if (flags.proof) spec.proof = true;
  if (!flags.solver.empty()) spec.solver = flags.solver;
  if (!flags.backends.empty()) spec.policy.backends = flags.backends;
  return {};
}

Result<format::ReadOptions> read_options(const JobFlags& flags, std::uint64_t bytes_max) {
  format::ReadOptions options;
  options.limits.bytes_max = bytes_max;
  if (!flags.problem.empty()) options.problem = flags.problem;
  if (!flags.sense.empty()) {
    auto sense = problem::parse_sense(flags.sense);
    if (!sense) return tl::unexpected(at_flag(sense.error(), "--sense"));
    options.sense = *sense;
  }
  if (!flags.format.empty()) {
    auto known = format::parse_file_format(flags.format);
    if (!known) return tl::unexpected(at_flag(known.error(), "--from"));
    options.format = *known;
  }
  return options;
}

}  // namespace

void add_job_flags(CLI::App* command, JobFlags& flags) {
  command
      ->add_option("FILE", flags.file,
                   "job document (YAML, JSON) or bare instance (rudy, qbsolv, sparse, problem document; gzip too); - "
                   "reads standard input")
      ->required()
      ->type_name("FILE");
  command->add_option("--problem", flags.problem, "problem type of a bare instance: max_cut or qubo");
  command->add_option("--sense", flags.sense, "min or max, where the file does not say");
  command->add_option("--from", flags.format, "format of the file: json, rudy, sparse, qbsolv");
  command->add_option("--time", flags.time, "time of the solve, and of the baseline beside it: 5s, 250ms, 2m");
  command->add_option("--seed", flags.seed, "seed of everything random");
  command->add_option("--threads", flags.threads, "threads; 0: one per processor");
  command->add_option("--target", flags.target, "stop once the objective is reached");
  command->add_flag("--proof", flags.proof, "insist on a proof of optimality");
  command->add_option("--solver", flags.solver,
                      "solver for the whole problem: portfolio, tabu, annealing, branch_and_bound, ...");
  command->add_option("--backend", flags.backends, "allow only these backends; may stand several times");
  command->add_option("--refine", flags.refine, "quantum refinement of the core: auto, off, required");
  command->add_option("--cost-max-usd", flags.cost_max_usd, "what metered work may cost at most");
  command->add_option("--idempotency-key", flags.idempotency_key, "the same key and document give the same job");
}

Result<job::JobSpec> read_job(const JobFlags& flags, Fs& fs, const Settings& settings,
                              const problem::ProblemRegistry& problems) {
  const auto bytes_max = static_cast<std::uint64_t>(settings.integer("input.file_bytes_max"));
  const std::string name = flags.file == "-" ? "standard input" : flags.file;
  TANDEM_TRY_ASSIGN(Bytes raw, fs.read_file(flags.file, bytes_max));
  const std::string digest = sha256(raw).hex();
  TANDEM_TRY_ASSIGN(const format::ReadOptions options, read_options(flags, bytes_max));
  TANDEM_TRY_ASSIGN(const Bytes text, format::unpack(std::move(raw), name, options.limits));
  TANDEM_TRY_ASSIGN(const format::FileFormat detected, format::detect(name, text, options));

  job::JobSpec spec;
  std::optional<LocatedJson> document;
  if (detected == format::FileFormat::kDocument) {
    TANDEM_TRY_ASSIGN(document, parse_json_or_yaml(text, name, {.bytes_max = bytes_max}));
    if (!is_job_document(*document)) document.reset();
  }
  if (!document) {
    TANDEM_TRY_ASSIGN(spec.work, format::read_problem(text, name, options, problems));
    spec.name = name;
  } else {
    if (!flags.problem.empty() || !flags.sense.empty()) {
      return fail_at(flags.problem.empty() ? "--sense" : "--problem", errors::kUsage,
                     "the file is a job document, which says that itself; remove the flag");
    }
    TANDEM_TRY_ASSIGN(spec, job::JobSpec::parse_located(*document, problems));
  }
  if (spec.inputs.empty()) spec.inputs.push_back({.name = name, .version = "", .sha256 = digest});
  TANDEM_TRY(apply_flags(flags, spec));
  return spec;
}

}  // namespace tandem::app
