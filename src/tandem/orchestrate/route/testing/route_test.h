// tandem/orchestrate/route/testing/route_test.h - the backends that the router's tests choose among, and what they ask of it.
//
// Room: orchestrate, tests only.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/middleware/backend/local_task.h"
#include "tandem/orchestrate/route/route.h"

namespace tandem::route {

/// Facts only: the router never runs anything.
class Described final : public backend::LocalBackend {
 public:
  Described(backend::BackendInfo info, const Clock& clock) : LocalBackend(std::move(info), clock) {}
  Result<void> validate(const backend::Work& work) const override {
    const bool program = std::holds_alternative<backend::ProgramWork>(work);
    if (program == info().takes_program) return {};
    return fail(errors::kBackendCannot, "{} does not take that", info().id.value);
  }
  Result<backend::WorkResult> decode(const backend::RawResult&, const backend::Work&) const override {
    return fail(errors::kInternal, "the router decodes nothing");
  }

 private:
  Result<Bytes> compute(const backend::Work&, const backend::CallContext&, std::stop_token) override {
    ADD_FAILURE() << "the router runs nothing";
    return Bytes();
  }
};

/// Two solvers, a GPU that is not here, a simulator, an emulated metered device.
class RouteTest : public testing::Test {
 protected:
  RouteTest() {
    add({.id = BackendId("cpu.annealing"), .tier = job::Tier::kCpu, .takes_solve = true});
    add({.id = BackendId("cpu.tabu"), .tier = job::Tier::kCpu, .takes_solve = true});
    add({.id = BackendId("gpu.cuda"), .tier = job::Tier::kGpu, .takes_program = true, .qubits_max = 30});
    facts("gpu.cuda").availability =
        backend::Availability{.operational = false, .accepts_work = false, .detail = "no driver is here"};
    add({.id = BackendId("simulator.statevector"),
         .tier = job::Tier::kSimulator,
         .takes_program = true,
         .qubits_max = 20,
         .shots_max = 1'000'000});
    add({.id = BackendId("lab.device"),
         .tier = job::Tier::kQpu,
         .access = job::Access::kCloud,
         .emulated = true,
         .metered = true,
         .takes_program = true,
         .qubits_max = 16,
         .shots_max = 10'000});
    facts("lab.device").quote = backend::Quote{.cost = job::Money{40'000}, .source = "price list"};
  }

  void add(backend::BackendInfo info) {
    info.name = info.id.value;
    info.version = "1";
    info.conformance = "L0";
    backends_.push_back(std::make_unique<Described>(std::move(info), clock_));
    input_.backends.push_back({.backend = backends_.back().get(), .availability = backend::Availability{}});
  }
  BackendFacts& facts(std::string_view id) {
    for (BackendFacts& one : input_.backends)
      if (one.backend->info().id.value == id) return one;
    ADD_FAILURE() << "no backend " << id;
    return input_.backends.front();
  }

  static job::JobSpec spec_of(Json document) {
    auto parsed = job::JobSpec::parse(document, problem::ProblemRegistry::with_builtin_types());
    EXPECT_THAT(parsed, Succeeds());
    return *std::move(parsed);
  }
  /// A ring of five, and enough money for the device.
  static job::JobSpec ring() {
    return spec_of(
        {{"problem",
          {{"type", "max_cut"}, {"num_nodes", 5}, {"edges", {{0, 1, 1}, {1, 2, 1}, {2, 3, 1}, {3, 4, 1}, {4, 0, 1}}}}},
         {"limits", {{"cost_max_usd_micros", 100'000}}}});
  }
  static job::JobSpec program(std::uint32_t qubits = 2) {
    circuit::Pub pub{.circuit = circuit::Circuit::create(qubits, qubits).value(), .shots = 100};
    pub.circuit.measure_all();
    return spec_of(
        {{"program", {{"pubs", Json::array({pub.document()})}}}, {"limits", {{"cost_max_usd_micros", 100'000}}}});
  }
  Result<job::Plan> plan(const job::JobSpec& spec) {
    input_.spec = &spec;
    input_.probe = probe(spec);
    return make_plan(input_);
  }
  static const job::Candidate& candidate(const job::Plan& plan, std::string_view id) {
    for (const job::Candidate& one : plan.candidates)
      if (one.backend == id) return one;
    ADD_FAILURE() << "no candidate " << id;
    return plan.candidates.front();
  }
  static const job::PlanStep* step(const job::Plan& plan, job::StepKind kind) {
    for (const job::PlanStep& one : plan.steps)
      if (one.kind == kind) return &one;
    return nullptr;
  }

  FakeClock clock_;
  std::vector<std::unique_ptr<backend::Backend>> backends_;
  RouteInput input_{.threads = 2};
};

}  // namespace tandem::route
