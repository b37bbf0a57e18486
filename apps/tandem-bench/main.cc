// apps/tandem-bench/main.cc - solve: one solver on one instance for each seed and how its best went; circuit and ising: see
// bench_circuit.h. A JSON line a run.
//
// For ./dev bench and ./dev peers, of solvers and of statevector. Every objective is that of problem::Problem::score(), recomputed from the
// instance; times are from the call of the solver, so reading the file is not in them.
#include <CLI/CLI.hpp>
#include <charconv>
#include <exception>
#include <mutex>
#include <sstream>

#include <sys/resource.h>

#include "bench_circuit.h"
#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/fs.h"
#include "tandem/base/printing.h"
#include "tandem/base/text.h"
#include "tandem/compute/solve/solver.h"
#include "tandem/model/format/format.h"

namespace {

using namespace tandem;

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 32;

struct Wanted {
  std::string file;
  std::string format;
  std::string problem;
  std::string sense;
  std::string solver = "portfolio";
  std::string isa;
  double seconds = 10;
  std::uint64_t first_seed = 1;
  std::uint64_t last_seed = 1;
  std::uint32_t threads = 2;
  std::uint64_t sweeps = 0;
  std::uint64_t num_samples = 0;
  std::optional<double> target;  ///< of the problem, in its sense
  bool history = false;
};

int report(const Error& error) {
  fmt::print(stderr, "tandem-bench: {}\n", error.to_string());
  const ErrorRecord& record = error_record(error.number);
  if (!record.action.empty()) fmt::print(stderr, "  {}\n", record.action);
  return record.exit_code;
}

/// "7" or "1..10".
bool read_seeds(const std::string& text, Wanted& wanted) {
  const auto number = [](std::string_view digits, std::uint64_t& out) {
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return failed == std::errc() && end == digits.data() + digits.size();
  };
  const std::string_view all = text;
  const std::size_t dots = all.find("..");
  return number(all.substr(0, dots), wanted.first_seed) &&
         number(dots == std::string_view::npos ? all : all.substr(dots + 2), wanted.last_seed) &&
         wanted.first_seed <= wanted.last_seed;
}

Result<problem::ProblemPtr> read(const Wanted& wanted) {
  format::ReadOptions options;
  options.limits.bytes_max = kFileBytesMax;
  if (!wanted.problem.empty()) options.problem = wanted.problem;
  if (!wanted.sense.empty()) {
    TANDEM_TRY_ASSIGN(options.sense, problem::parse_sense(wanted.sense));
  }
  if (!wanted.format.empty()) {
    TANDEM_TRY_ASSIGN(options.format, format::parse_file_format(wanted.format));
  }
  RealFs fs;
  TANDEM_TRY_ASSIGN(Bytes raw, fs.read_file(wanted.file, kFileBytesMax));
  TANDEM_TRY_ASSIGN(const Bytes text, format::unpack(std::move(raw), wanted.file, options.limits));
  return format::read_problem(text, wanted.file, options, problem::ProblemRegistry::with_builtin_types());
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// One run. An energy is the objective of a minimised problem, and its negative of a maximised one.
Result<Json> run(const problem::Problem& problem, const solve::Model& model, const solve::Solver& solver,
                 const Wanted& wanted, std::uint64_t seed) {
  const double sign = problem.sense() == problem::Sense::kMin ? 1 : -1;
  const SystemClock clock;
  std::stop_source stop;  // outlives the timer that stops it
  ThreadExecutor timers(1);
  ThreadExecutor workers(wanted.threads);
  Json history = Json::array();
  double time_to_best_s = 0;
  double best = std::numeric_limits<double>::infinity();
  const double cpu_begin_s = processor_seconds();
  const Instant begin = clock.monotonic();
  const auto elapsed_s = [&] { return std::chrono::duration<double>(clock.monotonic() - begin).count(); };
  const auto timer = timers.post_after(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(wanted.seconds)),
      [&] { stop.request_stop(); });
  solve::SolveOptions options{
      .seed = seed, .strands = wanted.threads, .num_samples = wanted.num_samples, .sweeps = wanted.sweeps};
  if (wanted.target) options.target = sign * *wanted.target;
  solve::SolveContext context{.executor = workers,
                              .stop = stop.get_token(),
                              .sink =
                                  [&](const solve::Incumbent& incumbent) {
                                    if (incumbent.energy >= best) return;
                                    best = incumbent.energy;
                                    time_to_best_s = elapsed_s();
                                    if (wanted.history) history.push_back({time_to_best_s, sign * best});
                                  },
                              .threads = wanted.threads};
  if (!wanted.isa.empty()) {
    TANDEM_TRY_ASSIGN(context.isa, simd::parse_isa(wanted.isa));
  }
  TANDEM_TRY_ASSIGN(const solve::SolveOutcome outcome, solver.solve(model, options, context));
  const double seconds = elapsed_s();
  const problem::Score score = problem.score(outcome.samples.best().values);
  if (score.feasible &&
      sign * score.objective < best) {  // a solver that has no more than its answer tells of no incumbents
    time_to_best_s = seconds;
    if (wanted.history) history.push_back({seconds, score.objective});
  }
  Json out = {{"instance", wanted.file},
              {"problem", problem.type()},
              {"sense", problem::to_string(problem.sense())},
              {"variables", problem.num_variables()},
              {"solver", solver.info().name},
              {"solver_version", solver.info().version},
              {"isa", simd::to_string(context.isa)},
              {"threads", wanted.threads},
              {"seed", seed},
              {"objective", score.objective},
              {"feasible", score.feasible},
              {"proved", outcome.proved},
              {"bound", outcome.bound ? Json(sign * *outcome.bound) : Json()},
              {"time_to_best_s", time_to_best_s},
              {"seconds", seconds},
              {"cpu_s", processor_seconds() - cpu_begin_s},
              {"reason", solve::to_string(outcome.reason)},
              {"work_done", outcome.work_done},
              {"unit", outcome.unit_name},
              {"race", outcome.race.document()}};
  if (wanted.history) out["history"] = std::move(history);
  return out;
}

Result<int> run_all(const Wanted& wanted) {
  TANDEM_TRY_ASSIGN(const problem::ProblemPtr problem, read(wanted));
  const solve::Solver* solver = solve::find_solver(wanted.solver);
  if (solver == nullptr) return fail_at("--solver", errors::kUsage, "there is no solver {}", quote(wanted.solver));
  const solve::Model model = std::visit(
      [](auto&& statement) -> solve::Model { return std::forward<decltype(statement)>(statement); }, problem->state());
  for (std::uint64_t seed = wanted.first_seed;; ++seed) {
    TANDEM_TRY_ASSIGN(const Json line, run(*problem, model, *solver, wanted, seed));
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
    if (seed == wanted.last_seed) return 0;
  }
}

}  // namespace

int main(int argc, char** argv) {
  hold_standard_streams();
  CLI::App app{
      "Runs a solver on an instance, or a circuit or Ising layers on the state vector, and prints how it went, a JSON "
      "line a run."};
  Wanted wanted;
  CLI::App* solve = app.add_subcommand("solve", "run one solver on one instance");
  app.require_subcommand(1);
  solve->add_option("FILE", wanted.file, "instance: rudy, sparse, qbsolv, coo, qplib, dimacs or a problem document")
      ->required();
  solve->add_option("--from", wanted.format, "format of the file, where its text does not say");
  solve->add_option("--problem", wanted.problem, "max_cut or qubo, where the file does not say");
  solve->add_option("--sense", wanted.sense, "min or max, where the file does not say");
  solve->add_option("--solver", wanted.solver, "as tandem run --solver")->capture_default_str();
  solve->add_option("--isa", wanted.isa, "portable, avx2 or avx512; default: the best of the machine");
  solve->add_option("--seconds", wanted.seconds, "stop the solver then")
      ->check(CLI::Range(0.001, 86400.0))
      ->capture_default_str();
  solve->add_option("--threads", wanted.threads, "threads, and strands of search")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  solve->add_option("--target", wanted.target, "stop at this objective, or a better one");
  solve->add_option("--sweeps", wanted.sweeps, "annealing: sweeps a read");
  solve->add_option("--samples", wanted.num_samples, "annealing: reads");
  solve->add_flag("--history", wanted.history, "print each improvement as [seconds, objective]");
  solve->add_option("--seed,--seeds", "a seed, or the seeds A..B; default 1")
      ->type_name("A[..B]")
      ->check([&](const std::string& text) {
        return read_seeds(text, wanted) ? std::string()
                                        : fmt::format("expected a seed or a range as 1..10, not {}", quote(text));
      });
  bench::WantedCircuit wanted_circuit;
  bench::WantedEvaluations wanted_ising;
  CLI::App* circuit = app.add_subcommand("circuit", "run one circuit on the state vector, or evaluate it");
  CLI::App* ising = app.add_subcommand("ising", "evaluate layers of phases and X mixers of one quadratic problem");
  const auto add_evaluations = [](CLI::App* command, bench::WantedEvaluations& to) {
    command->add_option("--values", to.values, "file: sets of parameters, [[...], ...]; of ising gammas, then betas");
    command->add_flag("--gradient", to.gradient, "with the value, all derivatives");
    command->add_option("--precision", to.precision, "f32 or f64")->capture_default_str();
    command->add_option("--isa", to.isa, "portable, avx2 or avx512; default: the best of the machine");
    command->add_option("--threads", to.threads)->check(CLI::Range(1, 256))->capture_default_str();
    command->add_option("--runs", to.runs)->check(CLI::Range(1, 1'000'000))->capture_default_str();
  };
  circuit->add_option("FILE", wanted_circuit.file, "circuit: its document, OpenQASM 2 or the text of qsim")->required();
  circuit->add_option("--observable", wanted_circuit.observable, "file: a Pauli sum to be evaluated");
  circuit->add_option("--shots", wanted_circuit.shots, "drawn after each run");
  circuit->add_option("--amplitudes", wanted_circuit.amplitudes, "so many of the last state are printed");
  add_evaluations(circuit, wanted_circuit);
  ising->add_option("FILE", wanted_ising.file, "problem without constraints, at most quadratic")->required();
  add_evaluations(ising, wanted_ising);
  ising->get_option("--values")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help
    const Result<int> shown = run_printing([&]() -> Result<int> {
      std::ostringstream text;
      const int code = app.exit(success, text, text);
      fmt::print("{}", text.str());
      return code;
    });
    return shown ? *shown : report(shown.error());
  } catch (const CLI::ParseError& error) {
    return report(make_error(errors::kUsage, "{}", trim(error.what())));
  }
  const Result<int> done = run_printing([&] {
    if (circuit->parsed()) return bench::run_circuit(wanted_circuit);
    return ising->parsed() ? bench::run_ising(wanted_ising) : run_all(wanted);
  });
  return done ? *done : report(done.error());
}
