#include "tandem/compute/statevector/branches.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "tandem/base/rng.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/desks.h"
#include "tandem/compute/statevector/outcome_rows.h"
#include "tandem/compute/statevector/plan_cache.h"

namespace tandem::statevector {
namespace {

using circuit::Gate;
using circuit::Instruction;

constexpr std::size_t kFrontier = 64;  // branches of small states that threads are given to take
constexpr std::size_t kHeldOutcomes = 1 << 16;  // before equal ones are added up

/// Twice what was left by the last adding up, so that each outcome is sorted few times.
constexpr std::size_t held_before_sum(std::size_t different) { return std::max(kHeldOutcomes, 2 * different); }

/// Streams of a branch's seed.
enum Stream : std::uint64_t { kZero = 0, kOne = 1, kDivision = 2, kDraws = 3 };

tl::unexpected<Error> stopped() { return fail(errors::kCancelled, "the simulation was stopped on request"); }

/// How many of `shots` fall below `chance`.
std::uint64_t divide(std::uint64_t shots, double chance, std::uint64_t seed) {
  Xoshiro256 rng(seed);
  std::uint64_t out = 0;
  for (std::uint64_t shot = 0; shot < shots; ++shot) out += rng.uniform() < chance ? 1 : 0;
  return out;
}

/// Where nothing is decided any more: unitary gates, and measurements of qubits that are not used again.
std::size_t begin_of_tail(std::span<const Instruction> rest, std::uint32_t num_qubits) {
  std::vector<bool> used(num_qubits);
  std::size_t begin = rest.size();
  for (; begin > 0; --begin) {
    const Instruction& instruction = rest[begin - 1];
    const bool measures = instruction.gate == Gate::kMeasure && !instruction.condition.exists();
    if (!measures && !circuit::is_unitary(instruction)) break;
    if (measures && used[instruction.qubits[0]]) break;
    const std::uint8_t operands = circuit::gate_record(instruction.gate).num_qubits;
    for (std::uint8_t i = 0; i < operands; ++i) used[instruction.qubits[i]] = true;
  }
  return begin;
}

/// Outcomes with their counts; equal ones may stand there more than once.
struct Tally {
  std::vector<std::uint64_t> outcomes;
  std::vector<std::uint64_t> counts;
  std::size_t held_max = held_before_sum(0);

  void add(std::span<const std::uint64_t> row, std::uint64_t count) {
    outcomes.insert(outcomes.end(), row.begin(), row.end());
    counts.push_back(count);
  }
  result::Counts sum(std::uint32_t num_bits) const {
    return result::Counts::from_histogram(num_bits, outcomes, counts);
  }
  /// Equal outcomes become one where there are many.
  void shrink(std::uint32_t num_bits) {
    if (counts.size() <= held_max) return;
    const result::Counts summed = sum(num_bits);
    outcomes.clear();
    counts.clear();
    for (std::size_t i = 0; i < summed.size(); ++i) add(summed.outcome(i), summed.count(i));
    held_max = held_before_sum(counts.size());
  }
};

/// Shots with the same outcomes so far.
struct Branch {
  std::vector<bool> path;  ///< outcomes where shots were divided
  std::size_t followed = 0;  ///< of them, when it is played again
  std::optional<StateVector> state;  ///< none: it is played from the start
  std::size_t at = 0;  ///< instruction that is next
  std::uint64_t shots = 0;
  std::uint64_t seed = 0;
  std::vector<std::uint64_t> row;
};

class Player {
 public:
  Player(const BranchWork& work, const StateVector& start, const RunOptions& options, const std::stop_token& stop,
         Executor& executor)
      : work_(work),
        start_(start),
        options_(options),
        stop_(stop),
        executor_(executor),
        tail_at_(begin_of_tail(work.rest, start.num_qubits())),
        tail_rows_(work.rest.subspan(tail_at_), work.num_clbits),
        small_(start.num_qubits() <= kShareBits),
        states_max_(std::max<std::uint64_t>(2, work.states_max) - 1),
        threads_(small_ ? std::clamp<std::uint64_t>(threads_of(executor), 1, states_max_) : 1) {
    std::ranges::copy_if(work.rest.subspan(tail_at_), std::back_inserter(tail_gates_), circuit::is_unitary);
  }

  Result<result::Counts> play() {
    std::vector<Branch> waiting(1);
    Tally tally;
    // Large states keep all threads busy themselves.
    if (small_) {
      while (!waiting.empty() && waiting.size() < kFrontier) {
        Branch first = std::move(waiting.front());
        waiting.erase(waiting.begin());
        TANDEM_TRY(advance(std::move(first), Until::kDivided, waiting, tally));
      }
      TANDEM_TRY(play_apart(waiting, tally));
    } else {
      TANDEM_TRY(play_all(std::move(waiting), tally));
    }
    return tally.sum(work_.num_clbits);
  }

 private:
  enum class Until : std::uint8_t { kDivided, kEnd };

  /// Depth first, so that few states wait.
  Result<void> play_all(std::vector<Branch> waiting, Tally& tally) {
    while (!waiting.empty()) {
      Branch last = std::move(waiting.back());
      waiting.pop_back();
      TANDEM_TRY(advance(std::move(last), Until::kEnd, waiting, tally));
    }
    return {};
  }

  Result<void> play_apart(std::vector<Branch>& branches, Tally& tally) {
    std::vector<std::optional<Error>> errors(branches.size());
    const auto task = [&](std::size_t i) {
      std::vector<Branch> own;
      own.push_back(std::move(branches[i]));
      Tally found;
      if (auto played = play_all(std::move(own), found); !played) errors[i] = std::move(played).error();
      const std::lock_guard guard(tally_mutex_);  // sums do not depend on the order
      tally.outcomes.insert(tally.outcomes.end(), found.outcomes.begin(), found.outcomes.end());
      tally.counts.insert(tally.counts.end(), found.counts.begin(), found.counts.end());
      tally.shrink(work_.num_clbits);
    };
    if (branches.size() == 1)
      task(0);
    else if (!branches.empty())
      executor_.parallel(branches.size(), threads_, task);
    for (std::optional<Error>& error : errors)
      if (error) return tl::unexpected<Error>(*std::move(error));
    return {};
  }

  /// Plays a branch; the parts that leave it are left in `waiting`, and with kDivided itself, as soon as one did that has its state.
  Result<void> advance(Branch branch, Until until, std::vector<Branch>& waiting, Tally& tally) {
    if (branch.state)
      wait_ends();
    else
      TANDEM_TRY(begin(branch));
    while (branch.at < tail_at_) {
      if (stop_.stop_requested()) return stopped();
      const Instruction& instruction = work_.rest[branch.at];
      if (circuit::is_unitary(instruction) || is_gate(instruction)) {
        TANDEM_TRY(apply_gates(branch));
        continue;
      }
      ++branch.at;
      if (instruction.condition.exists() && !instruction.condition.holds(branch.row)) continue;
      std::optional<Branch> other;
      TANDEM_TRY(decide(instruction, branch, other));
      if (!other) continue;
      const bool both = until == Until::kDivided && other->state.has_value();
      waiting.push_back(*std::move(other));
      if (!both) continue;
      wait_begins();
      waiting.push_back(std::move(branch));
      return {};
    }
    return finish(std::move(branch), tally);
  }

  static bool is_gate(const Instruction& instruction) {
    return instruction.gate != Gate::kMeasure && instruction.gate != Gate::kReset;
  }

  /// As many as are unitary or decided by the bits that are there.
  Result<void> apply_gates(Branch& branch) {
    std::vector<Instruction> gates;
    for (; branch.at < tail_at_ && is_gate(work_.rest[branch.at]); ++branch.at) {
      const Instruction& instruction = work_.rest[branch.at];
      if (instruction.condition.exists() && !instruction.condition.holds(branch.row)) continue;
      gates.push_back(instruction);
      gates.back().condition = {};
    }
    return branch.state->apply(gates, work_.values, stop_);
  }

  /// A measurement or a reset. `other`: the shots that had the other outcome, if any had.
  Result<void> decide(const Instruction& instruction, Branch& branch, std::optional<Branch>& other) {
    const std::uint32_t qubit = instruction.qubits[0];
    const QubitWeights weights = branch.state->weights(qubit);
    const double sum = weights.of_0 + weights.of_1;
    std::uint64_t ones = weights.of_1 > 0 ? branch.shots : 0;
    if (weights.of_0 > 0 && weights.of_1 > 0)
      ones = divide(branch.shots, weights.of_1 / sum, derive_seed(branch.seed, kDivision));
    bool outcome = ones > 0;
    if (ones > 0 && ones < branch.shots) {
      if (branch.followed < branch.path.size()) {
        outcome = branch.path[branch.followed++];
      } else {
        other = branch_off(branch);
        if (other->state) TANDEM_TRY(take(instruction, true, weights, ones, *other));
        branch.path.push_back(false);
        ++branch.followed;
        outcome = false;
      }
    }
    return take(instruction, outcome, weights, outcome ? ones : branch.shots - ones, branch);
  }

  /// The part with outcome 1, before it is collapsed; where its state finds no room it is only a path.
  Branch branch_off(const Branch& branch) {
    Branch out{.path = branch.path};
    out.path.push_back(true);
    out.state = copy_of(*branch.state);
    if (!out.state) return out;
    out.followed = out.path.size();
    out.at = branch.at;
    out.seed = branch.seed;
    out.row = branch.row;
    return out;
  }

  Result<void> take(const Instruction& instruction, bool outcome, const QubitWeights& weights, std::uint64_t shots,
                    Branch& branch) {
    const std::uint32_t qubit = instruction.qubits[0];
    branch.state->collapse(qubit, outcome, weights);
    branch.shots = shots;
    branch.seed = derive_seed(branch.seed, outcome ? kOne : kZero);
    if (instruction.gate == Gate::kMeasure) {
      set_bit(branch.row, instruction.clbit, outcome);
      return {};
    }
    if (!outcome) return {};
    const Instruction flip{.gate = Gate::kX, .qubits = {qubit}};
    return branch.state->apply(std::span(&flip, 1), {}, stop_);
  }

  Result<void> finish(Branch branch, Tally& tally) {
    if (tail_rows_.empty()) {
      tally.add(branch.row, branch.shots);
    } else {
      TANDEM_TRY(branch.state->apply(tail_gates_, work_.values, stop_, Then::kSample));
      for (const BasisCount& drawn : branch.state->sample(branch.shots, derive_seed(branch.seed, kDraws))) {
        for (const auto& [qubit, bit] : tail_rows_.writes()) set_bit(branch.row, bit, (drawn.state >> qubit & 1) != 0);
        tally.add(branch.row, drawn.count);
      }
    }
    tally.shrink(work_.num_clbits);
    give_back(*std::move(branch.state));
    return {};
  }

  // ---- states

  Result<void> begin(Branch& branch) {
    branch.state = reused();
    if (!branch.state) {
      TANDEM_TRY_ASSIGN(branch.state, StateVector::create(start_.num_qubits(), UINT64_MAX, executor_, options_.plans));
    }
    branch.state->assign(start_);
    branch.at = 0;
    branch.followed = 0;
    branch.shots = work_.shots;
    branch.seed = work_.seed;
    branch.row.assign((work_.num_clbits + 63) / 64, 0);
    return {};
  }
  std::optional<StateVector> reused() {
    const std::lock_guard guard(mutex_);
    if (unused_.empty()) return std::nullopt;
    std::optional<StateVector> out = std::move(unused_.back());
    unused_.pop_back();
    return out;
  }
  /// None while too many wait: each thread has to find one to work on, and a branch that was divided may wait itself.
  std::optional<StateVector> copy_of(const StateVector& state) {
    {
      const std::lock_guard guard(mutex_);
      if (num_waiting_ + threads_ + (small_ ? 1 : 0) >= states_max_) return std::nullopt;
      ++num_waiting_;
    }
    std::optional<StateVector> out = reused();
    if (!out) {
      auto made = StateVector::create(state.num_qubits(), UINT64_MAX, executor_, options_.plans);
      if (!made) {
        wait_ends();
        return std::nullopt;
      }
      out = *std::move(made);
    }
    out->assign(state);
    return out;
  }
  void wait_begins() {
    const std::lock_guard guard(mutex_);
    ++num_waiting_;
  }
  void wait_ends() {
    const std::lock_guard guard(mutex_);
    --num_waiting_;
  }
  void give_back(StateVector state) {
    const std::lock_guard guard(mutex_);
    unused_.push_back(std::move(state));
  }

  const BranchWork& work_;
  const StateVector& start_;
  const RunOptions& options_;
  const std::stop_token& stop_;
  Executor& executor_;
  std::size_t tail_at_;
  OutcomeRows tail_rows_;
  std::vector<Instruction> tail_gates_;
  bool small_;
  std::uint64_t states_max_;  ///< without the start
  std::uint64_t threads_;  ///< that play branches
  std::mutex tally_mutex_;  ///< of the tally that threads add to
  std::mutex mutex_;  ///< of what follows
  std::vector<StateVector> unused_;
  std::uint64_t num_waiting_ = 0;  ///< branches that have their state
};

}  // namespace

std::uint64_t held_outcomes(const circuit::Pub& pub, std::size_t threads) {
  const std::uint64_t different = pub.entries_max() / pub.num_bindings();
  // A branch that ends brings those of its draws before any are added up. Each thread has its own, and brings them to those of all.
  const std::uint64_t tallies = pub.circuit.num_qubits() <= kShareBits ? threads + 2 : 1;
  return std::min(pub.shots, tallies * (held_before_sum(different) + different));
}

Result<result::Counts> counts_of_branches(const BranchWork& work, const StateVector& start, const RunOptions& options,
                                          const std::stop_token& stop, Executor& executor) {
  return Player(work, start, options, stop, executor).play();
}

}  // namespace tandem::statevector
