// Fitted angles against the circuits that they are for, by the matrices of the gate table.
#include "tandem/middleware/ansatz/training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/rng.h"
#include "tandem/base/serial_executor.h"
#include "tandem/middleware/ansatz/testing/circuit_state.h"

namespace tandem::ansatz {
namespace {

using problem::Bqm;
using problem::QuadraticTerm;
using problem::Vartype;

Bqm random_model(Xoshiro256& rng, std::uint32_t n, Vartype vartype) {
  std::vector<double> linear(n);
  for (double& h : linear) h = 4 * rng.uniform() - 2;
  std::vector<QuadraticTerm> terms;
  for (std::uint32_t u = 0; u < n; ++u)
    for (std::uint32_t v = u + 1; v < n; ++v) terms.push_back({u, v, 4 * rng.uniform() - 2});
  return Bqm::create(vartype, std::move(linear), std::move(terms), 1.5).value();
}

/// Of the whole model under the circuit that a backend would run.
double mean_of_circuit(const Bqm& bqm, const QaoaAngles& angles, const QaoaOptions& options) {
  const std::vector<Complex> psi = state_of_circuit(qaoa_circuit(bqm, angles, options).value());
  const std::int8_t low = bqm.vartype() == Vartype::kSpin ? -1 : 0;
  double out = 0;
  for (std::uint64_t z = 0; z < psi.size(); ++z) {
    problem::Assignment values;
    for (std::size_t i = 0; i < bqm.num_variables(); ++i) values.push_back((z >> i & 1) != 0 ? std::int8_t{1} : low);
    out += std::norm(psi[z]) * bqm.energy(values);
  }
  return out;
}

std::vector<QaoaOptions> all_options() {
  const problem::Cardinality kept{.variables = {0, 2, 3, 5, 6}, .ones = 2};
  return {{},
          {.ones = warm_start(problem::Assignment{1, 0, 0, 1, 0, 1, 1})},
          {.cardinalities = {kept}},
          {.cardinalities = {kept}, .depth = Depth::kShallow},
          {.cardinalities = {{.variables = {1, 4}, .ones = 1}, kept}}};
}

TEST(Training, values_are_those_of_the_circuits_and_never_worse_at_the_end) {
  Xoshiro256 rng(1);
  SerialExecutor executor;
  int gained = 0;
  int tried = 0;
  for (int round = 0; round < 6; ++round) {
    const Bqm bqm = random_model(rng, 7, round % 2 == 0 ? Vartype::kSpin : Vartype::kBinary);
    for (const QaoaOptions& options : all_options()) {
      const QaoaAngles start = linear_ramp(1 + static_cast<std::uint32_t>(round) % 3);
      const Training made = train_angles(bqm, start, options, {}, executor).value();
      ASSERT_TRUE(made.start_value && made.end_value);
      EXPECT_NEAR(*made.start_value, mean_of_circuit(bqm, start, options), 1e-10);
      EXPECT_NEAR(*made.end_value, mean_of_circuit(bqm, made.end, options), 1e-10);
      EXPECT_LE(*made.end_value, *made.start_value);
      EXPECT_EQ(made.start.gammas, start.gammas);
      EXPECT_LE(made.evaluations, TrainOptions().evaluations_max);
      EXPECT_EQ(made, train_angles(bqm, start, options, {}, executor).value());
      EXPECT_EQ(made, Training::parse(made.document(), "").value());
      gained += *made.end_value < *made.start_value - 0.01 * qaoa_scale(bqm, options.cardinalities) ? 1 : 0;
      ++tried;
    }
  }
  EXPECT_EQ(gained, tried) << "no ramp of three layers is the best there is";
}

/// One layer of one spin in a field h > 0: <h s> is h sin(2 beta) sin(2 gamma) up to its sign, so -h can be reached.
TEST(Training, finds_what_can_be_found_by_hand) {
  SerialExecutor executor;
  const Bqm bqm = Bqm::create(Vartype::kSpin, {3.0}, {}, 0).value();
  const Training made = train_angles(bqm, linear_ramp(1), {}, {}, executor).value();
  EXPECT_NEAR(*made.end_value, -3, 1e-3);
  EXPECT_EQ(made.end.schedule, "trained(linear_ramp(p=1))");
}

TEST(Training, beyond_its_budget_the_schedule_stays) {
  SerialExecutor executor;
  Xoshiro256 rng(2);
  const Bqm bqm = random_model(rng, 8, Vartype::kSpin);
  const QaoaAngles start = linear_ramp(2);
  for (const TrainOptions& limits : {TrainOptions{.evaluations_max = kEvaluationsMin - 1},
                                     TrainOptions{.work_max = 256 * 2 * kEvaluationsMin - 1}}) {
    const Training made = train_angles(bqm, start, {}, limits, executor).value();
    EXPECT_EQ(made.stop, "budget");
    EXPECT_EQ(made.evaluations, 0u);
    EXPECT_FALSE(made.start_value);
    EXPECT_EQ(made.end.gammas, start.gammas);
    EXPECT_EQ(made.end.schedule, start.schedule);
    EXPECT_EQ(made, Training::parse(made.document(), "").value());
  }
  EXPECT_NE(train_angles(bqm, start, {}, {.work_max = 256 * 2 * kEvaluationsMin}, executor).value().evaluations, 0u);
  const Bqm large = Bqm::create(Vartype::kSpin, std::vector<double>(100, 1), {}, 0).value();
  EXPECT_EQ(train_angles(large, start, {}, {}, executor).value().stop, "budget");
}

TEST(Training, a_stop_is_heard_and_angles_come_in_pairs) {
  SerialExecutor executor;
  Xoshiro256 rng(3);
  const Bqm bqm = random_model(rng, 6, Vartype::kSpin);
  std::stop_source stop;
  stop.request_stop();
  for (const QaoaOptions& options :
       {QaoaOptions{}, QaoaOptions{.cardinalities = {{.variables = {0, 1, 2}, .ones = 1}}}})
    EXPECT_EQ(train_angles(bqm, linear_ramp(2), options, {}, executor, stop.get_token()).error().number,
              errors::kCancelled);
  EXPECT_EQ(train_angles(bqm, {.gammas = {1}, .betas = {}, .schedule = ""}, {}, {}, executor).error().number,
            errors::kSizeMismatch);
}

}  // namespace
}  // namespace tandem::ansatz
