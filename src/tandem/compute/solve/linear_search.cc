#include "tandem/compute/solve/linear_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tandem/compute/solve/lapack.h"
#include "tandem/compute/solve/pausable_call.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <coin/CbcEventHandler.hpp>
#include <coin/CbcHeuristic.hpp>
#include <coin/CbcModel.hpp>
#include <coin/CglClique.hpp>
#include <coin/CglKnapsackCover.hpp>
#include <coin/CglMixedIntegerRounding2.hpp>
#include <coin/CglProbing.hpp>
#include <coin/CglZeroHalf.hpp>
#include <coin/ClpEventHandler.hpp>
#include <coin/CoinError.hpp>
#include <coin/OsiClpSolverInterface.hpp>
#pragma GCC diagnostic pop

namespace tandem::solve {

namespace {

constexpr double kCostMax = 0x1.0p20;      // largest cost that CBC sees: its tolerance for reduced costs is absolute
constexpr double kOffGrid =
    0.70710678118654752;  // a step of energy in CBC's costs: such that it derives no step of its own
constexpr double kReducedCostError = 1e-7;  // of a column: the tolerance that CBC works with
constexpr double kSumError = 0x1.0p-40;    // of an objective, against the sum of all |costs|
constexpr double kErrorMax = 0.25;         // of an integer step: with a larger one nothing is proved
constexpr double kStepAside = 0.75;  // of an integer step: how much better an assignment has to be, to be looked for
constexpr double kCoefficientMax = 1e6;  // of a row in integers: with a larger one CBC's tolerance, 1e-7, hides a step
constexpr std::size_t kPairedMax =
    2000;  // rows and columns up to which cuts are read from pairs of them: beyond, that takes too long
constexpr std::size_t kExclusionsMax = 200;  // points that CBC took for feasible, before it is given up
constexpr std::uint64_t kNodeBytes = 1500;  // of a node in the tree, and half a byte a row and a column

/// What all parts of CBC ask between their steps whether to go on.
class Steps {
 public:
  virtual ~Steps() = default;
  /// After a step. False: to be left as soon as can be.
  virtual bool go_on() = 0;
  virtual void look(CbcModel& model, CbcEventHandler::CbcEvent event) = 0;
};

class OfSimplex final : public ClpEventHandler {
 public:
  explicit OfSimplex(Steps& steps) : steps_(&steps) {}
  ClpEventHandler* clone() const override { return new OfSimplex(*this); }
  int event(Event what) override {
    if (what != endOfIteration && what != endOfFactorization) return -1;
    return steps_->go_on() ? -1 : 0;
  }

 private:
  Steps* steps_;
};

class OfTree final : public CbcEventHandler {
 public:
  explicit OfTree(Steps& steps) : steps_(&steps) {}
  CbcEventHandler* clone() const override { return new OfTree(*this); }
  CbcAction event(CbcEvent what) override {
    steps_->look(*model_, what);
    return steps_->go_on() ? noAction : stop;
  }

 private:
  Steps* steps_;
};

template <class Generator>
class OfCuts final : public Generator {
 public:
  explicit OfCuts(Steps& steps) : steps_(&steps) {}
  CglCutGenerator* clone() const override { return new OfCuts(*this); }
  void generateCuts(const OsiSolverInterface& solver, OsiCuts& cuts, const CglTreeInfo info) override {
    if (steps_->go_on()) Generator::generateCuts(solver, cuts, info);
  }

 private:
  Steps* steps_;
};

/// A row over bits: low <= sum of coefficients <= high.
struct Row {
  std::vector<int> columns;
  std::vector<double> coefficients;
  double low = 0;
  double high = 0;
};

}  // namespace

class LinearSearch::Cbc final : public Steps {
 public:
  Cbc(const ConstrainedForm& form, LinearOptions options)
      : form_(form),
        options_(std::move(options)),
        found_(std::max<std::size_t>(1, options_.candidates_max)),
        call_([this] { run(); }) {
    for (const std::int64_t cost : form.objective.linear()) {
      sum_ += std::abs(static_cast<double>(cost));
      largest_ = std::max(largest_, std::abs(static_cast<double>(cost)));
      low_ += std::min<std::int64_t>(cost, 0);
    }
    scale_ = kOffGrid * std::min(1.0, kCostMax / largest_);
    const auto n = static_cast<double>(form.objective.size());
    error_ = kReducedCostError * (1 + n / scale_) + kSumError * sum_;
  }
  ~Cbc() override {
    leaving_ = true;
    if (call_.begun() && !call_.ended()) call_.resume();
  }

  void advance(std::uint64_t units_end, const Watch& watch) {
    if (watch.stopped()) return;
    units_end_ = units_end;
    watch_ = &watch;
    call_.resume();
  }
  std::uint64_t units() const { return units_; }
  StrandState state() const { return state_; }
  const Archive& found() const { return found_; }
  std::int64_t bound() const {
    const auto unseen = provable() ? 0 : static_cast<std::int64_t>(std::ceil(error_));
    return std::max(std::min(bound_, best_ - unseen), low_);
  }
  void hear_of(std::int64_t energy) { best_ = std::min(best_, energy); }

  bool go_on() override {
    if (left()) return false;
    ++units_;
    if (state_ != StrandState::kWorking || units_ >= units_end_ || watch_->stopped()) call_.pause();
    return !left();
  }

  void look(CbcModel& model, CbcEventHandler::CbcEvent event) override {
    if (left() || model.parentModel() != nullptr) return;
    if (event == CbcEventHandler::solution || event == CbcEventHandler::heuristicSolution) {
      if (model.bestSolution() != nullptr) take(model.bestSolution());
    } else if (event == CbcEventHandler::node) {
      if (few_digits_) raise_bound(model.getBestPossibleObjValue());
      if (best_ < model_best_) tell_best(model);
      full_ = full_ || ++nodes_ * (kNodeBytes + (form_.objective.size() + rows_.size()) / 2) > tree_bytes_max();
    }
  }

 private:
  bool left() const { return leaving_ || excluding_ || full_; }
  std::uint64_t tree_bytes_max() const {
    const std::uint64_t before = bytes(form_.cqm);
    return options_.memory_bytes_max > before ? options_.memory_bytes_max - before : 0;
  }
  bool provable() const { return error_ < kErrorMax && form_.objective.exact(); }

  /// The whole search: what CBC takes for feasible and is not is excluded, and it begins afresh.
  void run() {
    state_ = state_after_run();
    ++units_;
  }
  StrandState state_after_run() {
    try {
      for (const problem::Assignment& start : options_.starts) {
        if (form_.cqm.feasible(start)) note(start);
        if (!go_on()) return StrandState::kFinished;
      }
      list_rows();
      do {
        excluding_ = false;
        if (branch_and_cut()) return exhausted();
      } while (excluding_ && excluded_ < kExclusionsMax);
    } catch (const CoinError&) {
    } catch (const std::bad_alloc&) {
    }
    return state_ == StrandState::kTarget ? state_ : StrandState::kFinished;
  }

  /// No assignment that CBC can tell apart is better than the best.
  StrandState exhausted() {
    if (!few_digits_) return StrandState::kFinished;
    bound_ = INT64_MAX;
    return provable() || best_ == INT64_MAX ? StrandState::kProved : StrandState::kFinished;
  }

  /// True where CBC has seen the tree to its end.
  bool branch_and_cut() {
    CbcModel model(linear_program());
    model.setLogLevel(0);
    OfTree events(*this);
    model.passInEventHandler(&events);
    model.setDblParam(CbcModel::CbcAllowableGap, 0);
    model.setDblParam(CbcModel::CbcAllowableFractionGap, 0);
    model.setCutoffIncrement(step_aside());
    model.initialSolve();
    if (!go_on()) return false;
    if (model.solver()->isProvenPrimalInfeasible()) return true;
    if (!model.solver()->isProvenOptimal()) return false;
    raise_bound(model.solver()->getObjValue());
    if (!go_on()) return false;
    if (few_digits_) add_cuts(model);
    // No dives: with them and CglProbing, CBC 2.10.8 cuts optima off (an objective of 11 small integers under one row).
    CbcRounding rounding(model);
    model.addHeuristic(&rounding);
    model.setNumberStrong(5);
    model.setNumberBeforeTrust(5);
    model.setMaximumCutPassesAtRoot(form_.objective.size() < 5000 ? 100 : 20);
    model.setMaximumCutPasses(4);
    model_best_ = INT64_MAX;
    if (best_ < model_best_) tell_best(model);
    model.branchAndBound();
    if (left() || model.status() != 0 || model.secondaryStatus() > 1) return false;
    if (model.bestSolution() != nullptr) take(model.bestSolution());  // not every one comes with an event
    return !left();
  }

  /// Those read from rows. Cuts from the tableau (CglGomory, CglTwomir) lose optima where coefficients have six digits.
  void add_cuts(CbcModel& model) {
    constexpr int kAsItPays = -98;  // while the bound moves at the root, in the tree where it did
    OfCuts<CglProbing> probing(*this);
    probing.setUsingObjective(1);
    probing.setMaxPass(1);
    probing.setMaxPassRoot(1);
    probing.setMaxProbe(10);
    probing.setMaxProbeRoot(50);
    probing.setMaxLook(10);
    probing.setMaxLookRoot(50);
    probing.setMaxElements(200);
    probing.setMaxElementsRoot(300);
    probing.setRowCuts(3);
    model.addCutGenerator(&probing, kAsItPays);
    OfCuts<CglKnapsackCover> covers(*this);
    model.addCutGenerator(&covers, kAsItPays);
    OfCuts<CglMixedIntegerRounding2> rounding(*this);
    model.addCutGenerator(&rounding, kAsItPays);
    if (form_.objective.size() + rows_.size() > kPairedMax) return;
    OfCuts<CglClique> cliques(*this);
    cliques.setStarCliqueReport(false);
    cliques.setRowCliqueReport(false);
    model.addCutGenerator(&cliques, kAsItPays);
    OfCuts<CglZeroHalf> halves(*this);
    model.addCutGenerator(&halves, kAsItPays);
  }

  /// The rows of the constraints, in integers without a common divisor.
  void list_rows() {
    const auto ranges = form_.constraints.ranges();
    rows_.assign(ranges.size(), {});
    std::vector<std::int64_t> divisors(ranges.size());
    for (std::size_t i = 0; i < form_.objective.size(); ++i) {
      for (const ConstraintModel::Entry& entry : form_.constraints.of(i)) {
        if (entry.coefficient == 0) continue;
        rows_[entry.constraint].columns.push_back(static_cast<int>(i));
        rows_[entry.constraint].coefficients.push_back(static_cast<double>(entry.coefficient));
        divisors[entry.constraint] = std::gcd(divisors[entry.constraint], entry.coefficient);
      }
    }
    for (std::size_t c = 0; c < rows_.size(); ++c) {
      Row& row = rows_[c];
      const auto divisor = static_cast<double>(std::max<std::int64_t>(1, divisors[c]));
      double largest = 1;
      for (double& coefficient : row.coefficients) {
        coefficient /= divisor;
        largest = std::max(largest, std::abs(coefficient));
      }
      few_digits_ = few_digits_ && largest <= kCoefficientMax;
      row.low = ranges[c].low == -ConstraintModel::kOpen ? -COIN_DBL_MAX
                                                         : std::ceil(static_cast<double>(ranges[c].low) / divisor);
      row.high = ranges[c].high == ConstraintModel::kOpen ? COIN_DBL_MAX
                                                          : std::floor(static_cast<double>(ranges[c].high) / divisor);
    }
  }

  OsiClpSolverInterface linear_program() {
    const std::size_t n = form_.objective.size();
    std::vector<CoinBigIndex> begin{0};
    std::vector<int> columns;
    std::vector<double> coefficients;
    std::vector<double> low;
    std::vector<double> high;
    for (const Row& row : rows_) {
      columns.insert(columns.end(), row.columns.begin(), row.columns.end());
      coefficients.insert(coefficients.end(), row.coefficients.begin(), row.coefficients.end());
      begin.push_back(static_cast<CoinBigIndex>(columns.size()));
      low.push_back(row.low);
      high.push_back(row.high);
    }
    const CoinPackedMatrix matrix(false, static_cast<int>(n), static_cast<int>(rows_.size()), begin.back(),
                                  coefficients.data(), columns.data(), begin.data(), nullptr);
    std::vector<double> costs;
    for (const std::int64_t cost : form_.objective.linear()) costs.push_back(scale_ * static_cast<double>(cost));
    const std::vector<double> zeros(n, 0);
    const std::vector<double> ones(n, 1);
    OsiClpSolverInterface out;
    out.messageHandler()->setLogLevel(0);
    out.getModelPtr()->setLogLevel(0);
    OfSimplex events(*this);
    out.getModelPtr()->passInEventHandler(&events);
    out.loadProblem(matrix, zeros.data(), ones.data(), costs.data(), low.data(), high.data());
    out.setHintParam(OsiDoDualInInitial, true, OsiHintTry);
    for (std::size_t i = 0; i < n; ++i) out.setInteger(static_cast<int>(i));
    return out;
  }

  /// In CBC's costs.
  double step_aside() const { return scale_ * (provable() ? kStepAside : 0); }

  void tell_best(CbcModel& model) {
    model_best_ = best_;
    model.setCutoff(std::min(model.getCutoff(), scale_ * static_cast<double>(best_) - step_aside()));
  }

  void raise_bound(double value) {
    const double energy = std::ceil(value / scale_ - error_);
    if (left() || !(energy > static_cast<double>(bound_))) return;
    bound_ = energy < 0x1.0p62 ? static_cast<std::int64_t>(energy) : INT64_MAX;
  }

  void take(const double* values) {
    problem::Assignment bits(form_.objective.size());
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = values[i] > 0.5 ? 1 : 0;
    if (form_.cqm.feasible(bits))
      note(bits);
    else
      exclude(bits);
  }

  void note(const problem::Assignment& bits) {
    const std::int64_t energy = form_.objective.energy(bits);
    found_.offer(energy, bits);
    best_ = std::min(best_, energy);
    if (watch_->found(energy, units_ + 1)) state_ = StrandState::kTarget;
  }

  /// One of the bits by which a constraint is violated has to change.
  void exclude(const problem::Assignment& bits) {
    const auto violated = std::ranges::find_if(
        form_.cqm.constraints(), [&](const problem::LinearConstraint& one) { return one.violation(bits) > 0; });
    const bool above = violated->activity(bits) > violated->bound;
    Row row{.low = 1, .high = COIN_DBL_MAX};
    for (const problem::LinearTerm& term : violated->terms) {
      const bool high = bits[term.variable] == 1;
      if (high != ((term.coefficient > 0) == above)) continue;
      row.columns.push_back(static_cast<int>(term.variable));
      row.coefficients.push_back(high ? -1 : 1);
      if (high) row.low -= 1;
    }
    rows_.push_back(std::move(row));
    ++excluded_;
    excluding_ = true;
  }

  ConstrainedForm form_;
  LinearOptions options_;
  double sum_ = 0;  ///< of all |costs|
  double largest_ = 1;  ///< |cost|
  double scale_ = 1;  ///< from an energy to CBC's cost
  double error_ = 0;  ///< that CBC's bound may have, in energies
  std::vector<Row> rows_;
  /// Where not, CBC may lose what is feasible: it goes without cuts, and of its bounds only the first one counts.
  bool few_digits_ = true;
  Archive found_;
  std::int64_t best_ = INT64_MAX;  ///< known here
  std::int64_t model_best_ = INT64_MAX;  ///< that CBC was told of
  std::int64_t bound_ = INT64_MIN;
  std::int64_t low_ = 0;  ///< the sum of all negative costs
  std::uint64_t nodes_ = 0;
  std::size_t excluded_ = 0;
  bool excluding_ = false;  ///< CBC is to be left, and to begin afresh
  bool full_ = false;  ///< the tree has taken its memory
  bool leaving_ = false;  ///< CBC is to be left for good
  std::uint64_t units_ = 0;
  std::uint64_t units_end_ = 0;
  const Watch* watch_ = nullptr;
  StrandState state_ = StrandState::kWorking;
  PausableCall call_;
};

Result<void> LinearSearch::open_libraries() { return open_lapack(); }
LinearSearch::LinearSearch(const ConstrainedForm& form, LinearOptions options)
    : cbc_(std::make_unique<Cbc>(form, std::move(options))) {}
LinearSearch::~LinearSearch() = default;

std::uint64_t LinearSearch::bytes(const problem::Cqm& cqm) {
  std::uint64_t entries = 0;
  for (const problem::LinearConstraint& constraint : cqm.constraints()) entries += constraint.terms.size();
  return PausableCall::kStackBytes + 1500 * cqm.num_variables() + 1000 * cqm.constraints().size() + 200 * entries;
}

void LinearSearch::advance(std::uint64_t units_end, const Watch& watch) { cbc_->advance(units_end, watch); }
std::uint64_t LinearSearch::units() const { return cbc_->units(); }
StrandState LinearSearch::state() const { return cbc_->state(); }
const Archive& LinearSearch::found() const { return cbc_->found(); }
std::optional<std::int64_t> LinearSearch::bound() const {
  return units() > 0 ? std::optional(cbc_->bound()) : std::nullopt;
}
void LinearSearch::hear_of(std::int64_t energy) { cbc_->hear_of(energy); }

}  // namespace tandem::solve
