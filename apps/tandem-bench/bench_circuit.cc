#include "bench_circuit.h"

#include <fmt/format.h>

#include <cstdio>

#include "tandem/base/clock.h"
#include "tandem/base/executor.h"
#include "tandem/base/fs.h"
#include "tandem/base/json.h"
#include "tandem/base/rng.h"
#include "tandem/base/text.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/model/format/circuit_file.h"
#include "tandem/model/format/format.h"

namespace tandem::bench {
namespace {

constexpr std::uint64_t kCircuitBytesMax = std::uint64_t{1} << 30;
constexpr std::uint64_t kStateBytesMax = std::uint64_t{1} << 44;  // what the machine has not, it refuses itself
constexpr std::uint64_t kSeed = 1;

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

template <class Real>
Result<int> run_in(const circuit::Circuit& circuit, const WantedCircuit& wanted) {
  const SystemClock clock;
  ThreadExecutor executor(wanted.threads);
  TANDEM_TRY_ASSIGN(auto state,
                    statevector::BasicStateVector<Real>::create(circuit.num_qubits(), kStateBytesMax, executor));
  simd::Isa isa = simd::best_isa();
  if (!wanted.isa.empty()) {
    TANDEM_TRY_ASSIGN(isa, simd::parse_isa(wanted.isa));
  }
  state.use_isa(isa);
  const auto seconds_since = [&](Instant begin) {
    return std::chrono::duration<double>(clock.monotonic() - begin).count();
  };
  for (std::uint32_t run = 0; run < wanted.runs; ++run) {
    state.set_basis_state(0);
    const Instant begin = clock.monotonic();
    TANDEM_TRY(state.apply(circuit, {}));
    Json out = {
        {"circuit", wanted.file},         {"qubits", circuit.num_qubits()}, {"gates", circuit.instructions().size()},
        {"precision", wanted.precision},  {"isa", simd::to_string(isa)},    {"threads", wanted.threads},
        {"seconds", seconds_since(begin)}};
    if (wanted.shots != 0) {
      const Instant drawing = clock.monotonic();
      out["outcomes"] = state.sample(wanted.shots, kSeed).size();
      out["sample_seconds"] = seconds_since(drawing);
    }
    if (run + 1 == wanted.runs) {
      Json amplitudes = Json::array();
      for (const std::uint64_t z : states_to_compare(circuit.num_qubits(), wanted.amplitudes)) {
        const std::complex<double> amplitude = state.amplitude(z);
        amplitudes.push_back({amplitude.real(), amplitude.imag()});
      }
      out["amplitudes"] = std::move(amplitudes);
    }
    fmt::print("{}\n", out.dump());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace

Result<int> run_circuit(const WantedCircuit& wanted) {
  RealFs fs;
  TANDEM_TRY_ASSIGN(Bytes raw, fs.read_file(wanted.file, kCircuitBytesMax));
  TANDEM_TRY_ASSIGN(const Bytes text, format::unpack(std::move(raw), wanted.file, {.bytes_max = kCircuitBytesMax}));
  TANDEM_TRY_ASSIGN(const circuit::Circuit read, format::read_circuit(text, wanted.file));
  TANDEM_TRY_ASSIGN(const circuit::Circuit circuit, without_measurements(read));
  if (wanted.precision == "f32") return run_in<float>(circuit, wanted);
  if (wanted.precision == "f64") return run_in<double>(circuit, wanted);
  return fail_at("--precision", errors::kValueOutOfRange, "{} is not f32 or f64", quote(wanted.precision));
}

}  // namespace tandem::bench
