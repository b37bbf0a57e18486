// The type `noop`: nothing to compute, in so many steps.
#include "tandem/model/problem/noop.h"

#include "tandem/base/assert.h"

namespace tandem::problem {
namespace {

constexpr std::uint32_t kStepsMax = 1000;
constexpr std::string_view kTemplate = R"(problem:
  type: noop
  # Steps without work, each stored before the next begins. 0 when left out.
  steps: 3
)";

class Noop final : public Problem {
 public:
  explicit Noop(std::uint32_t steps) : steps_(steps) {}

  std::uint32_t steps() const { return steps_; }
  std::string_view type() const override { return "noop"; }
  Sense sense() const override { return Sense::kMin; }
  Vartype vartype() const override { return Vartype::kBinary; }
  std::size_t num_variables() const override { return 0; }
  Json document() const override { return {{"type", type()}, {"steps", steps_}}; }
  Statement state() const override { return Bqm::create(Vartype::kBinary, {}, {}, 0).value(); }
  Score score(AssignmentView solution) const override {
    TANDEM_ASSERT(solution.empty());
    return {};
  }
  Json answer(AssignmentView) const override { return {{"steps", steps_}}; }
  std::vector<std::string> explain(AssignmentView) const override { return {"There was nothing to compute."}; }

 private:
  std::uint32_t steps_;
};

Result<ProblemPtr> parse_noop(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"type", "steps"}));
  TANDEM_TRY_ASSIGN(const std::int64_t steps, reader.integer_or("steps", 0, 0, kStepsMax));
  return std::make_shared<Noop>(static_cast<std::uint32_t>(steps));
}

}  // namespace

std::optional<std::uint32_t> noop_steps(const Problem& problem) {
  if (problem.type() != "noop") return std::nullopt;
  return static_cast<const Noop&>(problem).steps();
}

ProblemType noop_type() {
  return {.name = "noop",
          .summary = "nothing to compute: for measuring and rehearsing what is around a job",
          .template_yaml = kTemplate,
          .parse = parse_noop};
}

}  // namespace tandem::problem
