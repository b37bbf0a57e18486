// replay(): the walk driven again from records, in a registry of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/hash.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/evidence/lineage/lineage.h"
#include "tandem/hybrid/walk/walk.h"
#include "tandem/middleware/backend/local_backend.h"
#include "tandem/middleware/backend/work_codec.h"

namespace tandem::lineage {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kFar = "far.device";

/// A remote codec: it can only decode. Asking it for work again would be billed again.
class DecodeOnly final : public backend::Backend {
 public:
  explicit DecodeOnly(std::string version) {
    info_ = {.id = BackendId(kFar),
             .name = kFar,
             .version = std::move(version),
             .tier = job::Tier::kQpu,
             .access = job::Access::kCloud,
             .takes_program = true,
             .safety = backend::SubmitSafety::kB};
  }
  const backend::BackendInfo& info() const override { return info_; }
  Result<void> validate(const backend::Work&) const override { return {}; }
  Result<backend::Quote> quote(const backend::Work&, const backend::CallContext&) override { return touched(); }
  tl::expected<backend::Handle, backend::SubmitFailure> submit(const backend::Work&, std::string_view,
                                                               const backend::CallContext&) override {
    return tl::unexpected(backend::SubmitFailure{.error = touched().error()});
  }
  Result<backend::PollStatus> poll(const backend::WorkRef&, const backend::CallContext&) override { return touched(); }
  Result<backend::RawResult> fetch(const backend::WorkRef&, const backend::CallContext&) override { return touched(); }
  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work&) const override {
    TANDEM_TRY_ASSIGN(backend::ProgramResult out, backend::decode_pubs(raw.bytes));
    return backend::WorkResult(std::move(out));
  }
  Result<void> cancel(const backend::WorkRef&, const backend::CallContext&) override { return touched(); }
  Result<backend::Reconciled> reconcile(const backend::LostWork&, const backend::CallContext&) override {
    return touched();
  }
  Result<backend::Availability> availability(const backend::CallContext&) override { return touched(); }
  Result<std::optional<device::Calibration>> calibration(const backend::CallContext&) override { return touched(); }
  Result<std::optional<device::Target>> target(const backend::CallContext&) override { return touched(); }
  void forget(const backend::Handle&) override {}

 private:
  static tl::unexpected<Error> refusal() {
    ADD_FAILURE() << "a replay touched a remote backend";
    return fail(errors::kBackendRefused, "a replay must not come here");
  }
  struct Touched {
    template <typename T>
    operator Result<T>() const {  // NOLINT: stands for any answer
      return refusal();
    }
    Error error() const { return refusal().value(); }
  };
  static Touched touched() { return {}; }
  backend::BackendInfo info_;
};

class ReplayTest : public testing::Test {
 protected:
  static constexpr auto kSolver = "cpu.tabu";

  ReplayTest() { fill(here_, "1"); }

  void fill(backend::BackendRegistry& registry, const std::string& far_version) {
    registry.add(backend::make_solver_backend(*solve::find_solver("tabu"), executor_, clock_));
    registry.add(backend::make_statevector_backend(executor_, clock_, std::uint64_t{1} << 20));
    registry.add(std::make_unique<DecodeOnly>(far_version));
  }

  job::JobSpec spec_of(const Json& document) {
    auto parsed = job::JobSpec::parse(document, problems_);
    EXPECT_THAT(parsed, Succeeds());
    return *std::move(parsed);
  }
  /// The cut of a graph on 30 nodes, by a solver that is stopped by work units.
  job::JobSpec graph_job() {
    Json edges = Json::array();
    for (int u = 0; u < 30; ++u)
      for (int v = u + 1; v < 30; ++v)
        if ((u * 7 + v * 3) % 4 != 0) edges.push_back({u, v, 1 + (u + 2 * v) % 5});
    return spec_of({{"problem", {{"type", "max_cut"}, {"num_nodes", 30}, {"edges", std::move(edges)}}}, {"seed", 5}});
  }
  static job::Plan graph_plan() {
    job::Plan plan{.primary = kSolver, .baseline = kSolver};
    for (const auto& [kind, stream] : {std::pair{job::StepKind::kSolve, 0}, std::pair{job::StepKind::kBaseline, 1}}) {
      plan.steps.push_back(
          {.kind = kind,
           .backend = kSolver,
           .parameters = {
               {"time_ms", 1000}, {"stream", stream}, {"strands", 1}, {"candidates_max", 4}, {"encode", false}}});
    }
    return plan;
  }
  job::JobSpec program_job() {
    circuit::Pub pub{.circuit = circuit::Circuit::create(2, 2).value(), .shots = 50};
    pub.circuit.gate(circuit::Gate::kH, {0});
    pub.circuit.measure_all();
    return spec_of({{"program", {{"pubs", Json::array({pub.document()})}}}, {"seed", 11}});
  }
  static job::Plan program_plan(const std::string& backend) {
    job::Plan plan{.primary = backend};
    plan.steps.push_back({.kind = job::StepKind::kRun, .backend = backend});
    return plan;
  }

  /// What an engine would have recorded: `units` of solver work an order; what runs far away is done by the simulator.
  struct Recorded {
    ReplayPackage package;
    std::string canonical_sha256;
  };
  Recorded record(const job::JobSpec& spec, const job::Plan& plan, std::uint64_t units = 500) {
    Recorded out{.package = {.spec = spec.document(), .plan = plan.document()}};
    const auto loop = walk::make_walk(spec, plan).value();
    Json state = loop->initial_state();
    std::vector<hybrid::Reply> replies;
    for (std::uint32_t round = 0;; ++round) {
      hybrid::Advance advance = loop->next(state, replies).value();
      if (advance.done) {
        job::ResultDocument result = std::move(advance.done->result);
        result.acceptance = walk::evaluate_acceptance(spec, result);
        out.canonical_sha256 = sha256(result.computed().text()).hex();
        return out;
      }
      state = std::move(advance.state);
      replies.clear();
      for (hybrid::Order& order : advance.orders) {
        if (auto* solve = std::get_if<backend::SolveWork>(&order.work)) {
          solve->time_ms = 0;
          solve->options.work.units = {units};
        }
        const bool far = order.backend == kFar;
        backend::Backend& worker = *here_.find(far ? "simulator.statevector" : order.backend);
        backend::Backend& named = *here_.find(order.backend);
        const backend::WorkRef ref{.handle = worker.submit(order.work, "", {}).value(), .token = ""};
        EXPECT_THAT(worker.poll(ref, {}), Succeeds());
        const backend::RawResult raw = worker.fetch(ref, {}).value();
        WorkRecord work{.label = order.label,
                        .round = round,
                        .backend = order.backend,
                        .backend_version = named.info().version,
                        .local = !far,
                        .raw_sha256 = sha256(raw.bytes).hex(),
                        .raw_media_type = raw.media_type};
        backend::WorkResult result = named.decode(raw, order.work).value();
        if (const auto* solved = std::get_if<backend::SolveResult>(&result)) work.work_done = solved->outcome.work_done;
        if (far) out.package.raw.emplace(work.raw_sha256, raw.bytes);
        out.package.work.push_back(std::move(work));
        replies.push_back({.label = order.label, .backend = order.backend, .local = !far, .result = std::move(result)});
      }
    }
  }
  Result<ReplayOutcome> again(const ReplayPackage& package, std::size_t threads = 1) {
    return replay(package, here_, problems_, threads);
  }

  FakeClock clock_;
  ThreadExecutor executor_{2};
  problem::ProblemRegistry problems_ = problem::ProblemRegistry::with_builtin_types();
  backend::BackendRegistry here_;
};

TEST_F(ReplayTest, local_work_is_computed_again_to_the_same_bytes_whatever_the_threads) {
  const Recorded recorded = record(graph_job(), graph_plan());
  ASSERT_EQ(recorded.package.work.size(), 2u);
  for (const std::size_t threads : {1u, 2u}) {
    const auto outcome = again(recorded.package, threads);
    ASSERT_THAT(outcome, Succeeds());
    EXPECT_EQ(outcome->canonical_sha256, recorded.canonical_sha256);
    EXPECT_THAT(outcome->differences, IsEmpty());
  }
}

TEST_F(ReplayTest, a_package_that_travelled_as_text_gives_the_same) {
  const Recorded recorded = record(graph_job(), graph_plan());
  const auto package = ReplayPackage::parse(parse_json(recorded.package.document().dump(), "package").value());
  ASSERT_THAT(package, Succeeds());
  EXPECT_EQ(again(*package)->canonical_sha256, recorded.canonical_sha256);
}

TEST_F(ReplayTest, other_work_units_give_other_raw_bytes_and_that_is_seen) {
  Recorded recorded = record(graph_job(), graph_plan());
  recorded.package.work[1].work_done = {recorded.package.work[1].work_done.at(0) + 100};
  const auto outcome = again(recorded.package);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_THAT(outcome->differences,
              ElementsAre(HasSubstr("raw result of 'baseline': recorded " + recorded.package.work[1].raw_sha256)));
}

TEST_F(ReplayTest, remote_work_is_decoded_from_the_stored_bytes_and_never_asked_for_again) {
  const Recorded recorded = record(program_job(), program_plan(kFar));
  const auto outcome = again(recorded.package);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome->canonical_sha256, recorded.canonical_sha256);
  EXPECT_THAT(outcome->differences, IsEmpty());
}

TEST_F(ReplayTest, stored_bytes_that_were_altered_are_named) {
  Recorded recorded = record(program_job(), program_plan(kFar));
  const std::string hash = recorded.package.work[0].raw_sha256;
  // The same result in other bytes: it decodes all the same.
  Bytes& raw = recorded.package.raw.at(hash);
  Json document = parse_json(raw, "raw").value();
  const Bytes before = raw;
  raw = document.dump(1);
  ASSERT_NE(raw, before);
  const auto outcome = again(recorded.package);
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_THAT(outcome->differences, ElementsAre(HasSubstr("recorded " + hash)));
}

TEST_F(ReplayTest, what_cannot_be_compared_says_why) {
  const Recorded recorded = record(program_job(), program_plan(kFar));
  ReplayPackage without_bytes = recorded.package;
  without_bytes.raw.clear();
  const auto missing = again(without_bytes);
  EXPECT_THAT(missing, FailsWith(errors::kReplayNotComparable));
  EXPECT_THAT(missing.error().message, HasSubstr("is not in the package"));

  backend::BackendRegistry other;
  fill(other, "2");
  const auto version = replay(recorded.package, other, problems_, 1);
  EXPECT_THAT(version, FailsWith(errors::kReplayNotComparable));
  EXPECT_THAT(version.error().message, HasSubstr("far.device version '1'; here it is version '2'"));

  const auto absent = replay(recorded.package, backend::BackendRegistry(), problems_, 1);
  EXPECT_THAT(absent, FailsWith(errors::kReplayNotComparable));
  EXPECT_THAT(absent.error().message, HasSubstr("here it is absent"));
}

TEST_F(ReplayTest, an_order_that_was_never_recorded_is_a_difference) {
  Recorded recorded = record(graph_job(), graph_plan());
  recorded.package.work.pop_back();
  const auto outcome = again(recorded.package);
  EXPECT_THAT(outcome, FailsWith(errors::kReplayDifferent));
  EXPECT_THAT(outcome.error().message, HasSubstr("'baseline' in round 0"));
}

TEST_F(ReplayTest, an_order_that_failed_fails_again_without_being_tried) {
  Recorded recorded = record(program_job(), program_plan(kFar));
  recorded.package.work[0] = {.label = "run",
                              .backend = "gone.device",
                              .local = false,
                              .error = "the work failed",
                              .error_number = static_cast<std::uint16_t>(errors::kBackendJobFailed)};
  const auto outcome = again(recorded.package);
  EXPECT_THAT(outcome, FailsWith(errors::kBackendJobFailed));
  EXPECT_EQ(outcome.error().message, "the work failed");
}

}  // namespace
}  // namespace tandem::lineage
