// Faults planted on purpose between the parts of a planned run, each of which the comparisons of the tests must see.
// A comparison that overlooks one would prove nothing.
#include <gtest/gtest.h>

#include <functional>

#include "tandem/base/executor.h"
#include "tandem/compute/statevector/plan.h"
#include "tandem/compute/statevector/run_plan.h"
#include "tandem/compute/statevector/testing/exponentials.h"
#include "tandem/compute/statevector/testing/kernel_checks.h"
#include "tandem/compute/statevector/testing/plain_run.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

/// Changes what one part hands to the next.
struct HandOver {
  const char* name;
  std::function<void(Steps& steps)> steps = nullptr;
  std::function<void(Frame& frame, double& scale)> end = nullptr;
};

const HandOver kRight{.name = "nothing"};
const HandOver kHandOvers[] = {
    {.name = "flips of bits are forgotten", .end = [](Frame& frame, double&) { frame.flipped = 0; }},
    {.name = "qubits are read from the bit beside",
     .end = [](Frame& frame, double&) { std::ranges::rotate(frame.bit_of, frame.bit_of.begin() + 1); }},
    {.name = "the deferred scale is forgotten", .end = [](Frame&, double& scale) { scale = 1; }},
    {.name = "the deferred phase is forgotten",
     .end = [](Frame& frame, double&) { frame.scale = std::abs(frame.scale); }},
    {.name = "a phase of two bits is one of the lower bit",
     .steps =
         [](Steps& steps) {
           for (Step& step : steps.steps)
             if (step.kind == Step::Kind::kPhase && !std::has_single_bit(step.touched))
               step.touched &= 0 - step.touched;
         }},
    {.name = "phases are conjugated",
     .steps =
         [](Steps& steps) {
           for (Step& step : steps.steps)
             if (step.kind == Step::Kind::kPhase) step.factor = std::conj(step.factor);
         }},
    {.name = "turns go the other way round",
     .steps =
         [](Steps& steps) {
           for (Step& step : steps.steps) step.sine = -step.sine;
         }},
    {.name = "turns about x lack the phase behind them",
     .steps =
         [](Steps& steps) {
           for (std::size_t i = 1; i < steps.steps.size(); ++i) {
             Step& step = steps.steps[i];
             if (steps.steps[i - 1].kind == Step::Kind::kTurn && step.kind == Step::Kind::kPhase &&
                 step.touched == steps.steps[i - 1].touched && step.factor.real() == 0)
               step.factor = 1;
           }
         }},
    {.name = "a parity lacks a bit",
     .steps =
         [](Steps& steps) {
           for (Step& step : steps.steps)
             if (step.kind == Step::Kind::kParity) step.touched &= step.touched - 1;
         }},
    {.name = "a parity counts the wrong way round",
     .steps =
         [](Steps& steps) {
           for (Step& step : steps.steps)
             if (step.kind == Step::Kind::kParity) step.factor = std::conj(step.factor);
         }},
    {.name = "the last step is left out",
     .steps =
         [](Steps& steps) {
           if (!steps.steps.empty()) steps.steps.pop_back();
         }},
};

/// The distance of a planned run from the plain loop, as plan.test.cc takes it.
template <class Real>
double distance_after(const circuit::Circuit& circuit, const HandOver& fault, Executor& executor) {
  const std::uint32_t num_bits = std::max(circuit.num_qubits(), kLaneBits<Real>);
  Xoshiro256 rng(circuit.num_qubits());
  testing::Tile<Real> tile((std::uint64_t{1} << num_bits) / kLanes<Real>);
  std::vector<std::complex<double>> wanted(std::size_t{1} << circuit.num_qubits());
  for (std::uint64_t z = 0; z < wanted.size(); ++z) {
    const Real re = static_cast<Real>(rng.uniform() - 0.5), im = static_cast<Real>(rng.uniform() - 0.5);
    wanted[z] = {re, im};
    tile.numbers[testing::number_of<Real>(z)] = re;
    tile.numbers[testing::number_of<Real>(z) + kLanes<Real>] = im;
  }
  testing::play_plainly(circuit.instructions(), {}, wanted);
  Frame frame(circuit.num_qubits());
  Steps steps;
  lower(circuit.instructions(), {}, frame, steps);
  if (fault.steps) fault.steps(steps);
  Plan<Real> plan =
      make_plan<Real>(steps, num_bits, {.shape = {kLaneBits<Real> + 3, kLaneBits<Real>, kLaneBits<Real>}});
  bind(plan, steps, 1, tile_kernels<Real>(simd::best_isa()));
  EXPECT_TRUE(run_plan(plan, tile.data(), num_bits, simd::best_isa(), executor, {}).has_value());
  double scale = plan.scale;
  if (fault.end) fault.end(frame, scale);
  const testing::Places places = tile.places();
  double most = 0;
  for (std::uint64_t z = 0; z < wanted.size(); ++z)
    most = std::max(most, std::abs(frame.scale * scale * places[frame.place(z)] - wanted[z]));
  return most;
}

/// Of 200 random circuits, half of them with exponentials of Pauli strings, how many come out wrong.
template <class Real>
std::size_t num_wrong(const HandOver& fault) {
  ThreadExecutor executor(1);
  std::size_t out = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto n = static_cast<std::uint32_t>(2 + seed % 8);
    circuit::Circuit circuit = testing::random_circuit(seed, n, 30);
    Xoshiro256 rng(seed);
    for (int i = 0; i < 2 && seed % 16 >= 8; ++i)
      testing::append_exponential(circuit, testing::random_string(rng, n), testing::random_angle(rng), rng);
    if (distance_after<Real>(circuit, fault, executor) > (sizeof(Real) == 4 ? 2e-5 : 1e-13)) ++out;
  }
  return out;
}

TEST(PlantedFaults, between_lowering_plan_and_frame_are_seen) {
  EXPECT_EQ(num_wrong<float>(kRight), 0u);
  EXPECT_EQ(num_wrong<double>(kRight), 0u);
  for (const HandOver& fault : kHandOvers) {
    // Each in more than one of ten circuits: thousands of them do not overlook it.
    EXPECT_GT(num_wrong<float>(fault), 20u) << fault.name;
    EXPECT_GT(num_wrong<double>(fault), 20u) << fault.name;
  }
}

}  // namespace
}  // namespace tandem::statevector
