#include "bench_circuit.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include <sys/resource.h>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/fs.h"
#include "tandem/base/json.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/adjoint.h"
#include "tandem/compute/statevector/ising_evolution.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/model/format/circuit_file.h"
#include "tandem/model/format/format.h"

namespace tandem::bench {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kStateBytesMax = std::uint64_t{1} << 44;  // what the machine has not, it refuses itself
constexpr std::uint64_t kSeed = 1;

using Rows = std::vector<std::vector<double>>;

/// The states of which every program of a comparison tells its amplitude: a list that both sides work out. Bit i is qubit i.
std::vector<std::uint64_t> states_to_compare(std::uint32_t num_qubits, std::uint32_t count) {
  std::vector<std::uint64_t> out;
  const std::uint64_t mask = (std::uint64_t{1} << num_qubits) - 1;
  for (std::uint32_t i = 0; i < count; ++i) out.push_back((i * std::uint64_t{0x9E3779B97F4A7C15}) & mask);
  return out;
}

/// What comes before the measurements at the end; those in the midst are left for the state vector to refuse.
Result<circuit::Circuit> without_measurements(const circuit::Circuit& circuit) {
  if (!circuit.measurements_are_terminal()) return circuit;
  TANDEM_TRY_ASSIGN(circuit::Circuit out,
                    circuit::Circuit::create(circuit.num_qubits(), circuit.num_clbits(),
                                             {circuit.parameters().begin(), circuit.parameters().end()}));
  for (const circuit::Instruction& instruction : circuit.instructions()) {
    if (instruction.gate != circuit::Gate::kMeasure) TANDEM_TRY(out.append(instruction));
  }
  return out;
}

Result<Bytes> read_text(const std::string& file) {
  RealFs fs;
  TANDEM_TRY_ASSIGN(Bytes raw, fs.read_file(file, kFileBytesMax));
  return format::unpack(std::move(raw), file, {.bytes_max = kFileBytesMax});
}

Result<circuit::Circuit> read_circuit(const std::string& file) {
  TANDEM_TRY_ASSIGN(const Bytes text, read_text(file));
  TANDEM_TRY_ASSIGN(const circuit::Circuit read, format::read_circuit(text, file));
  return without_measurements(read);
}

Result<observable::PauliSum> read_observable(const std::string& file) {
  TANDEM_TRY_ASSIGN(const Bytes text, read_text(file));
  TANDEM_TRY_ASSIGN(const Json document, parse_json(text, file));
  return observable::PauliSum::parse(document, "");
}

Result<Rows> read_rows(const std::string& file) {
  TANDEM_TRY_ASSIGN(const Bytes text, read_text(file));
  TANDEM_TRY_ASSIGN(const Json document, parse_json(text, file));
  Rows out;
  for (const Json& row : document) {
    out.emplace_back();
    for (const Json& value : row) {
      TANDEM_TRY_ASSIGN(const double number, json_number(value, file));
      out.back().push_back(number);
    }
  }
  return out;
}

/// What a run of any kind needs and tells.
struct Bench {
  const WantedEvaluations& wanted;
  simd::Isa isa;
  SystemClock clock{};
  ThreadExecutor executor;

  double seconds_since(Instant begin) const { return std::chrono::duration<double>(clock.monotonic() - begin).count(); }
  void print(Json line) const {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    line.update({{"file", wanted.file},
                 {"precision", wanted.precision},
                 {"isa", simd::to_string(isa)},
                 {"threads", wanted.threads},
                 {"peak_bytes", std::uint64_t{1024} * static_cast<std::uint64_t>(usage.ru_maxrss)}});
    fmt::print("{}\n", line.dump());
    std::fflush(stdout);
  }
};

/// A value, and its derivatives where they are asked for, at one set of parameters.
using Evaluate = std::function<Result<statevector::Gradient>(std::span<const double>)>;

Result<int> run_rows(const Bench& bench, const Rows& rows, const Json& about, const Evaluate& evaluate) {
  for (std::uint32_t run = 0; run < bench.wanted.runs; ++run) {
    std::vector<double> values;
    std::vector<double> derivatives;
    const Instant begin = bench.clock.monotonic();
    for (const std::vector<double>& row : rows) {
      TANDEM_TRY_ASSIGN(statevector::Gradient seen, evaluate(row));
      values.push_back(seen.values[0]);
      derivatives = std::move(seen.derivatives);
    }
    const double seconds = bench.seconds_since(begin) / static_cast<double>(std::max<std::size_t>(1, rows.size()));
    Json line = about;
    line.update({{"seconds", seconds}, {"evaluations", rows.size()}, {"values", values}, {"derivatives", derivatives}});
    bench.print(std::move(line));
  }
  return 0;
}

template <class Real>
Result<int> run_evaluations(Bench& bench, const circuit::Circuit& circuit, const WantedCircuit& wanted) {
  TANDEM_TRY_ASSIGN(const observable::PauliSum observable, read_observable(wanted.observable));
  if (observable.num_qubits() != circuit.num_qubits()) {
    return fail(errors::kSizeMismatch, "the observable is on {} qubits, the circuit on {}", observable.num_qubits(),
                circuit.num_qubits());
  }
  Rows rows{{}};
  if (!wanted.values.empty()) {
    TANDEM_TRY_ASSIGN(rows, read_rows(wanted.values));
  }
  const Json about = {{"qubits", circuit.num_qubits()},
                      {"gates", circuit.instructions().size()},
                      {"parameters", circuit.parameters().size()}};
  if (wanted.gradient) {
    TANDEM_TRY_ASSIGN(auto adjoint,
                      statevector::BasicAdjoint<Real>::create(circuit.num_qubits(), kStateBytesMax, bench.executor));
    adjoint.use_isa(bench.isa);
    return run_rows(bench, rows, about,
                    [&](std::span<const double> row) { return adjoint.gradient(circuit, row, observable); });
  }
  TANDEM_TRY_ASSIGN(auto state,
                    statevector::BasicStateVector<Real>::create(circuit.num_qubits(), kStateBytesMax, bench.executor));
  state.use_isa(bench.isa);
  return run_rows(bench, rows, about, [&](std::span<const double> row) -> Result<statevector::Gradient> {
    state.set_basis_state(0);
    TANDEM_TRY(state.apply(circuit, row));
    TANDEM_TRY_ASSIGN(const double value, state.expectation(observable));
    return statevector::Gradient{.values = {value}, .derivatives = {}};
  });
}

/// What draws are judged by: how often each qubit, and the exclusive or of it and the next one, was 1; and the mean, and mean square, of 2^n
/// times the probability of what was drawn.
template <class Real>
Json about_draws(const statevector::BasicStateVector<Real>& state, std::span<const statevector::BasisCount> drawn) {
  const std::uint32_t n = state.num_qubits();
  std::vector<std::uint64_t> ones(n);
  std::vector<std::uint64_t> unequal(n);
  double weight = 0;
  double square = 0;
  std::uint64_t shots = 0;
  for (const auto& [z, count] : drawn) {
    shots += count;
    const double probability = std::ldexp(std::norm(state.amplitude(z)), static_cast<int>(n));
    weight += static_cast<double>(count) * probability;
    square += static_cast<double>(count) * probability * probability;
    for (std::uint32_t q = 0; q < n; ++q) {
      ones[q] += (z >> q & 1) * count;
      unequal[q] += ((z >> q ^ z >> ((q + 1) % n)) & 1) * count;
    }
  }
  return {{"shots", shots},
          {"outcomes", drawn.size()},
          {"ones", ones},
          {"unequal", unequal},
          {"mean", weight / static_cast<double>(shots)},
          {"mean_square", square / static_cast<double>(shots)}};
}

template <class Real>
Result<int> run_states(Bench& bench, const circuit::Circuit& circuit, const WantedCircuit& wanted) {
  const auto plans = std::make_shared<statevector::PlanCache<Real>>();  // as a backend has them
  for (std::uint32_t run = 0; run < wanted.runs; ++run) {
    plans->forget();
    const Instant begin = bench.clock.monotonic();
    TANDEM_TRY_ASSIGN(auto state, statevector::BasicStateVector<Real>::create(circuit.num_qubits(), kStateBytesMax,
                                                                              bench.executor, plans));
    state.use_isa(bench.isa);
    using statevector::Then;
    TANDEM_TRY(state.apply(circuit, {}, {}, wanted.shots != 0 ? Then::kSample : Then::kAnything));
    Json line = {{"qubits", circuit.num_qubits()},
                 {"gates", circuit.instructions().size()},
                 {"seconds", bench.seconds_since(begin)}};
    if (wanted.shots != 0) {
      const Instant drawing = bench.clock.monotonic();
      const std::vector<statevector::BasisCount> drawn = state.sample(wanted.shots, kSeed);
      line["sample_seconds"] = bench.seconds_since(drawing);
      if (run + 1 == wanted.runs) line["draws"] = about_draws(state, drawn);
    }
    if (run + 1 == wanted.runs) {
      Json amplitudes = Json::array();
      for (const std::uint64_t z : states_to_compare(circuit.num_qubits(), wanted.amplitudes)) {
        const std::complex<double> amplitude = state.amplitude(z);
        amplitudes.push_back({amplitude.real(), amplitude.imag()});
      }
      line["amplitudes"] = std::move(amplitudes);
    }
    bench.print(std::move(line));
  }
  return 0;
}

template <class Real>
Result<int> run_layers(Bench& bench, const problem::Bqm& cost) {
  TANDEM_TRY_ASSIGN(const Rows rows, read_rows(bench.wanted.values));
  TANDEM_TRY_ASSIGN(auto evolution, statevector::IsingEvolution<Real>::create(cost, kStateBytesMax, bench.executor));
  evolution.use_isa(bench.isa);
  const Json about = {{"qubits", cost.num_variables()}, {"layers", rows.empty() ? 0 : rows[0].size() / 2}};
  return run_rows(bench, rows, about, [&](std::span<const double> row) -> Result<statevector::Gradient> {
    const statevector::LayerAngles angles{row.first(row.size() / 2), row.subspan(row.size() / 2)};
    if (!bench.wanted.gradient) {
      TANDEM_TRY_ASSIGN(const double value, evolution.value(angles));
      return statevector::Gradient{.values = {value}, .derivatives = {}};
    }
    TANDEM_TRY_ASSIGN(statevector::IsingGradient seen, evolution.gradient(angles));
    seen.gammas.insert(seen.gammas.end(), seen.betas.begin(), seen.betas.end());
    return statevector::Gradient{.values = {seen.value}, .derivatives = std::move(seen.gammas)};
  });
}

/// Calls `run` with a bench, and a number of the precision that is wanted.
template <class Run>
Result<int> with_precision(const WantedEvaluations& wanted, const Run& run) {
  simd::Isa isa = simd::best_isa();
  if (!wanted.isa.empty()) {
    TANDEM_TRY_ASSIGN(isa, simd::parse_isa(wanted.isa));
  }
  Bench bench{.wanted = wanted, .isa = isa, .executor = ThreadExecutor(wanted.threads)};
  if (wanted.precision == "f32") return run(bench, float{});
  if (wanted.precision == "f64") return run(bench, double{});
  return fail_at("--precision", errors::kValueOutOfRange, "{} is not f32 or f64", quote(wanted.precision));
}

}  // namespace

Result<int> run_circuit(const WantedCircuit& wanted) {
  if (wanted.gradient && wanted.observable.empty())
    return fail_at("--gradient", errors::kUsage, "a gradient is that of an --observable");
  if (wanted.shots != 0 && !wanted.observable.empty())
    return fail_at("--shots", errors::kUsage, "draws are of a state, without an --observable");
  TANDEM_TRY_ASSIGN(const circuit::Circuit circuit, read_circuit(wanted.file));
  return with_precision(wanted, [&]<class Real>(Bench& bench, Real) {
    return wanted.observable.empty() ? run_states<Real>(bench, circuit, wanted)
                                     : run_evaluations<Real>(bench, circuit, wanted);
  });
}

Result<int> run_ising(const WantedEvaluations& wanted) {
  TANDEM_TRY_ASSIGN(const Bytes text, read_text(wanted.file));
  TANDEM_TRY_ASSIGN(const problem::ProblemPtr problem,
                    format::read_problem(text, wanted.file, {}, problem::ProblemRegistry::with_builtin_types()));
  const problem::Statement statement = problem->state();
  const auto* const cost = std::get_if<problem::Bqm>(&statement);
  if (cost == nullptr) {
    return fail_at(wanted.file, errors::kFormatCannotExpress, "a problem of type {} is no quadratic model",
                   quote(std::string(problem->type())));
  }
  return with_precision(wanted, [&]<class Real>(Bench& bench, Real) { return run_layers<Real>(bench, *cost); });
}

}  // namespace tandem::bench
