#include "job_input.h"

#include <algorithm>
#include <cmath>

#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/base/yaml.h"
#include "tandem/model/format/circuit_file.h"
#include "tandem/model/format/format.h"
#include "tandem/model/job/result_document.h"

namespace tandem::app {
namespace {

constexpr std::uint64_t kShotsOfBareCircuit = 1000;  // as many as a refinement draws

/// True when the text is a job document and not a bare problem: it has "problem" or "program" at its top.
bool is_job_document(const LocatedJson& located) {
  return located.value.is_object() && (located.value.contains("problem") || located.value.contains("program"));
}

Error placed(Error error, const char* flag) {
  error.place = flag;
  return error;
}

/// The solutions of a result, best first.
Result<std::vector<std::string>> read_starts(const std::string& file, Fs& fs, std::uint64_t bytes_max) {
  TANDEM_TRY_ASSIGN(const Bytes text, fs.read_file(file, bytes_max));
  TANDEM_TRY_ASSIGN(const LocatedJson located, parse_json_or_yaml(text, file, {.bytes_max = bytes_max}));
  const bool result_like = located.value.is_object() && located.value.contains("candidates");
  if (!result_like || located.value["candidates"].empty()) {
    return fail_at("--start", errors::kMissingKey,
                   "{} has no candidates; --start takes a result, as `tandem run --json` prints it", quote(file));
  }
  TANDEM_TRY_ASSIGN(const job::ResultDocument result,
                    job::ResultDocument::parse(located.value).map_error([&](Error error) {
                      return located.at_its_place(std::move(error));
                    }));
  std::vector<std::string> out;
  for (const job::ScoredCandidate& candidate : result.candidates)
    if (out.size() < job::JobSpec::kStartsMax) out.push_back(job::solution_text(candidate.solution));
  return out;
}

/// Flags stand above what the document says: the members that they give, in the form of the document.
Result<Json> changes_of(const JobFlags& flags, const job::JobSpec& spec, Fs& fs, std::uint64_t bytes_max) {
  Json out = Json::object();
  if (flags.start) {
    TANDEM_TRY_ASSIGN(out["starts"], read_starts(*flags.start, fs, bytes_max));
  }
  if (flags.time) {
    out["limits"]["time"] = *flags.time;
    const auto time = parse_duration(*flags.time);
    if (time && spec.limits.total_time_ms != 0) {
      const std::int64_t time_ms = std::chrono::ceil<std::chrono::milliseconds>(*time).count();
      out["limits"]["total_time"] = std::clamp(time_ms, spec.limits.total_time_ms, job::Limits::kTimeMsMax);
    }
  }
  if (flags.cost_max_usd) {
    const auto micros = parse_usd(*flags.cost_max_usd);
    if (!micros) return tl::unexpected(placed(micros.error(), "--cost-max-usd"));
    out["limits"]["cost_max_usd_micros"] = *micros;
  }
  if (flags.target && !std::isfinite(*flags.target)) {
    return fail_at("--target", errors::kValueOutOfRange, "{} is not a number that an objective can reach",
                   *flags.target);
  }
  if (flags.refine) out["refinement"]["mode"] = *flags.refine;
  if (flags.seed) out["seed"] = *flags.seed;
  if (flags.threads) out["threads"] = *flags.threads;
  if (flags.target) out["target"] = *flags.target;
  if (flags.proof) out["proof"] = true;
  if (flags.solver) out["solver"] = *flags.solver;
  if (!flags.backends.empty()) out["policy"]["backends"] = flags.backends;
  return out;
}

Result<format::ReadOptions> read_options(const JobFlags& flags, std::uint64_t bytes_max) {
  format::ReadOptions options;
  options.limits.bytes_max = bytes_max;
  if (flags.problem) options.problem = *flags.problem;
  if (flags.sense) {
    auto sense = problem::parse_sense(*flags.sense);
    if (!sense) return tl::unexpected(placed(sense.error(), "--sense"));
    options.sense = *sense;
  }
  if (flags.format) {
    auto known = format::parse_file_format(*flags.format);
    if (!known) return tl::unexpected(placed(known.error(), "--from"));
    options.format = *known;
  }
  return options;
}

Result<job::JobSpec> read_problem_or_job(const JobFlags& flags, std::string_view text, const std::string& name,
                                         std::uint64_t bytes_max, const problem::ProblemRegistry& problems) {
  if (flags.shots || flags.tolerance) {
    return fail_at(flags.shots ? "--shots" : "--tolerance", errors::kUsage,
                   "the file is not a bare circuit; remove the flag (a job document says that itself)");
  }
  TANDEM_TRY_ASSIGN(const format::ReadOptions options, read_options(flags, bytes_max));
  TANDEM_TRY_ASSIGN(const format::FileFormat detected, format::detect(name, text, options));
  std::optional<LocatedJson> document;
  if (detected == format::FileFormat::kDocument) {
    TANDEM_TRY_ASSIGN(document, parse_json_or_yaml(text, name, {.bytes_max = bytes_max}));
    if (!is_job_document(*document)) document.reset();
  }
  if (!document) {
    job::JobSpec spec;
    TANDEM_TRY_ASSIGN(spec.work, format::read_problem(text, name, options, problems));
    spec.name = name;
    return spec;
  }
  if (flags.problem || flags.sense) {
    return fail_at(flags.problem ? "--problem" : "--sense", errors::kUsage,
                   "the file is a job document, which says that itself; remove the flag");
  }
  return job::JobSpec::parse_located(*document, problems);
}

/// A program of one PUB. What measures nothing is measured at its end, for a job without observables asks for counts.
Result<job::Program> program_of(circuit::Circuit circuit, const JobFlags& flags) {
  const auto measures = [](const circuit::Instruction& one) { return one.gate == circuit::Gate::kMeasure; };
  if (std::ranges::none_of(circuit.instructions(), measures)) {
    const std::uint32_t qubits = circuit.num_qubits();
    TANDEM_TRY_ASSIGN(
        circuit::Circuit measured,
        circuit::Circuit::create(qubits, qubits, {circuit.parameters().begin(), circuit.parameters().end()}));
    for (const circuit::Instruction& instruction : circuit.instructions()) TANDEM_TRY(measured.append(instruction));
    circuit = std::move(measured.measure_all());
  }
  job::Program program;
  program.pubs.push_back({.circuit = std::move(circuit),
                          .shots = flags.shots.value_or(kShotsOfBareCircuit),
                          .tolerance = flags.tolerance.value_or(0)});
  const auto checked = program.pubs.front().check();
  if (!checked && checked.error().place == "/shots") return tl::unexpected(placed(checked.error(), "--shots"));
  if (!checked && checked.error().place == "/tolerance") return tl::unexpected(placed(checked.error(), "--tolerance"));
  TANDEM_TRY(checked);
  return program;
}

Result<job::JobSpec> read_job(const JobFlags& flags, Fs& fs, std::uint64_t bytes_max,
                              const problem::ProblemRegistry& problems) {
  std::string name = flags.file == "-" ? "standard input" : flags.file;
  if (invalid_utf8_at(name) != std::string_view::npos) name = quote(name);  // it becomes part of the document
  TANDEM_TRY_ASSIGN(Bytes raw, fs.read_file(flags.file, bytes_max));
  const std::string digest = sha256(raw).hex();
  TANDEM_TRY_ASSIGN(const Bytes text, format::unpack(std::move(raw), name, {.bytes_max = bytes_max}));

  job::JobSpec spec;
  if (const auto format = format::detect_circuit(text, flags.format.value_or(""))) {
    if (flags.problem || flags.sense) return circuit_has_no_problem(flags.problem.has_value());
    TANDEM_TRY_ASSIGN(circuit::Circuit circuit, format::read_circuit(text, name, {.bytes_max = bytes_max}, format));
    TANDEM_TRY_ASSIGN(spec.work, program_of(std::move(circuit), flags));
    spec.name = name;
  } else {
    TANDEM_TRY_ASSIGN(spec, read_problem_or_job(flags, text, name, bytes_max, problems));
  }
  if (spec.inputs.empty()) spec.inputs.push_back({.name = name, .version = "", .sha256 = digest});
  TANDEM_TRY_ASSIGN(const Json changes, changes_of(flags, spec, fs, bytes_max));
  return spec.with(changes).map_error([&](Error error) { return at_flag(std::move(error), flags); });
}

}  // namespace

Error at_flag(Error error, const JobFlags& flags) {
  if (error.number == errors::kIdempotencyConflict || error.place == "Idempotency-Key")
    error.place = "--idempotency-key";
  struct Member {
    std::string_view pointer;
    bool given;
    const char* flag;
  };
  const Member members[] = {{"/limits/time", flags.time.has_value(), "--time"},
                            {"/limits/total_time", flags.time.has_value(), "--time"},
                            {"/limits/cost_max_usd_micros", flags.cost_max_usd.has_value(), "--cost-max-usd"},
                            {"/refinement/mode", flags.refine.has_value(), "--refine"},
                            {"/seed", flags.seed.has_value(), "--seed"},
                            {"/threads", flags.threads.has_value(), "--threads"},
                            {"/target", flags.target.has_value(), "--target"},
                            {"/proof", flags.proof, "--proof"},
                            {"/solver", flags.solver.has_value(), "--solver"},
                            {"/starts", flags.start.has_value(), "--start"},
                            {"/policy/backends", !flags.backends.empty(), "--backend"}};
  for (const auto& [pointer, given, flag] : members) {
    const bool there = error.place == pointer || error.place.starts_with(fmt::format("{}/", pointer));
    if (!given || !there) continue;
    error.place = flag;
    if (pointer == "/limits/cost_max_usd_micros") error.message += " micro-USD";
  }
  return error;
}

tl::unexpected<Error> circuit_has_no_problem(bool problem) {
  return fail_at(problem ? "--problem" : "--sense", errors::kUsage,
                 "the file is a circuit, of which no problem is asked; remove the flag");
}

Error name_input_limit(Error error) {
  if (error.number == errors::kInputTooLarge) error.message += "; it is the setting input.file_bytes_max";
  return error;
}

void add_job_flags(CLI::App* command, JobFlags& flags) {
  command
      ->add_option("FILE", flags.file,
                   "job document (YAML, JSON), bare instance (rudy, qbsolv, sparse, coo, qplib, dimacs, problem "
                   "document) or circuit (OpenQASM 2, qsim, circuit document); gzip too; - reads standard input")
      ->required()
      ->type_name("FILE");
  command->add_option("--problem", flags.problem, "problem type of a bare instance: max_cut, qubo, coloring ...");
  command->add_option("--sense", flags.sense, "min or max, where the file does not say");
  command->add_option("--from", flags.format,
                      "format of the file: json, rudy, sparse, qbsolv, coo, qplib, dimacs, qasm2, qsim");
  command->add_option("--time", flags.time, "time of the solve, and of the baseline beside it: 5s, 250ms, 2m");
  command->add_option("--shots", flags.shots, "shots of a bare circuit; default 1000");
  command->add_option("--tolerance", flags.tolerance,
                      "by how much rounding may move a probability of a bare circuit on a simulator; default 0: in "
                      "double precision, with no promise");
  command->add_option("--seed", flags.seed, "seed of everything random");
  command->add_option("--threads", flags.threads, "threads; 0: one per processor");
  command->add_option("--target", flags.target, "stop once the objective is reached");
  command->add_flag("--proof", flags.proof, "insist on a proof of optimality");
  command->add_option("--solver", flags.solver,
                      "solver for the whole problem: portfolio, tabu, annealing, branch_and_bound, ...");
  command->add_option("--start", flags.start,
                      "a result (JSON) whose candidates are gone on from; the answer is never worse");
  command->add_option("--backend", flags.backends, "allow only these backends; may stand several times");
  command->add_option("--refine", flags.refine, "quantum refinement of the core: auto, off, required");
  command->add_option("--cost-max-usd", flags.cost_max_usd, "what metered work may cost at most");
  command->add_option("--idempotency-key", flags.idempotency_key, "the same key and document give the same job");
}

Result<job::JobSpec> read_job(const JobFlags& flags, Fs& fs, const Settings& settings,
                              const problem::ProblemRegistry& problems) {
  const auto bytes_max = static_cast<std::uint64_t>(settings.integer("input.file_bytes_max"));
  return read_job(flags, fs, bytes_max, problems).map_error(name_input_limit);
}

}  // namespace tandem::app
