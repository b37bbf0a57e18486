#include "tandem/compute/statevector/fixed_weight_evolution.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <new>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"
#include "tandem/compute/statevector/ising_model.h"

namespace tandem::statevector {
namespace {

using Complex = std::complex<double>;

constexpr std::uint64_t kPlacesInATask = 1 << 12;  // fixed, because the order of sums is part of every result

/// exp(-i beta strength G), G exchanging a state that has `ones` and not `zeros` with the one that has all those bits flipped.
struct Exchange {
  std::uint64_t ones = 0;
  std::uint64_t zeros = 0;
  double strength = 1;
};

/// Amplitudes by place.
struct Amplitudes {
  std::vector<double> re;
  std::vector<double> im;

  explicit Amplitudes(std::size_t size = 0) : re(size), im(size) {}
  std::size_t size() const { return re.size(); }
  void turn(std::size_t i, std::size_t j, const SinCos& by) {
    const double re_i = re[i];
    const double im_i = im[i];
    re[i] = by.cos * re_i + by.sin * im[j];
    im[i] = by.cos * im_i - by.sin * re[j];
    re[j] = by.cos * re[j] + by.sin * im_i;
    im[j] = by.cos * im[j] - by.sin * re_i;
  }
  void turn(std::size_t i, const Complex& by) {
    const double re_i = re[i];
    re[i] = re_i * by.real() - im[i] * by.imag();
    im[i] = re_i * by.imag() + im[i] * by.real();
  }
};

/// Im conj(bra_i) ket_j.
double im_overlap(const Amplitudes& bra, std::size_t i, const Amplitudes& ket, std::size_t j) {
  return bra.re[i] * ket.im[j] - bra.im[i] * ket.re[j];
}

std::vector<KeptOnes> kept_of(std::span<const WeightGroup> groups) {
  std::vector<KeptOnes> out;
  for (const WeightGroup& group : groups) {
    KeptOnes& one = out.emplace_back(KeptOnes{.ones = group.ones});
    for (const std::uint32_t qubit : group.qubits) one.mask |= std::uint64_t{1} << qubit;
  }
  return out;
}

Result<void> check_groups(std::size_t n, std::span<const WeightGroup> groups) {
  std::uint64_t seen = 0;
  for (const WeightGroup& group : groups) {
    std::uint64_t own = 0;
    for (const std::uint32_t qubit : group.qubits) {
      if (qubit >= n)
        return fail(errors::kIndexOutOfRange, "a group names qubit {} of {}; use qubits below {}", qubit, n, n);
      const std::uint64_t bit = std::uint64_t{1} << qubit;
      if (((seen | own) & bit) != 0)
        return fail(errors::kSizeMismatch, "qubit {} is in groups twice; use disjoint ones", qubit);
      own |= bit;
    }
    seen |= own;
    if (group.ones > group.qubits.size()) {
      return fail(errors::kSizeMismatch, "a group of {} qubits cannot have {} ones; use fewer", group.qubits.size(),
                  group.ones);
    }
    if (!std::isfinite(group.strength))
      return fail(errors::kNotFinite, "a mixer's strength is {}; use a finite one", group.strength);
    for (const QubitPair& pair : group.pairs) {
      const bool within = pair.u < n && pair.v < n && pair.u != pair.v && (own >> pair.u & own >> pair.v & 1) != 0;
      if (!within) {
        return fail(errors::kIndexOutOfRange, "a mixer exchanges qubits {} and {}, which are no two of its group",
                    pair.u, pair.v);
      }
    }
  }
  return {};
}

/// Energies of states, row by row of those that have the same upper half.
class EnergyRows {
 public:
  EnergyRows(const problem::Bqm& model, const WeightSpace& space) : low_bits_(space.low_bits()) {
    const problem::Bqm binary = model.with_vartype(problem::Vartype::kBinary);
    const auto n = static_cast<std::uint32_t>(binary.num_variables());
    offset_ = binary.offset();
    linear_.assign(binary.linear().begin(), binary.linear().end());
    pairs_.resize(std::size_t{n} * n);
    for (const problem::QuadraticTerm& term : binary.terms())
      pairs_[term.u * n + term.v] = pairs_[term.v * n + term.u] = term.bias;
    low_.resize(std::size_t{1} << low_bits_);
    for (std::uint64_t low = 1; low < low_.size(); ++low) low_[low] = inner(low);
  }
  std::vector<double> of(std::span<const std::uint64_t> states) const {
    std::vector<double> out;
    out.reserve(states.size());
    std::vector<double> fields(low_bits_);
    std::uint64_t row = UINT64_MAX;
    double above = 0;
    for (const std::uint64_t state : states) {
      const std::uint64_t high = state >> low_bits_ << low_bits_;
      if (high != row) {
        row = high;
        above = offset_ + inner(high);
        for (std::uint32_t j = 0; j < low_bits_; ++j) fields[j] = field(j, high);
      }
      const std::uint64_t low = state ^ high;
      double energy = above + low_[low];
      for (std::uint64_t left = low; left != 0; left &= left - 1)
        energy += fields[static_cast<std::size_t>(std::countr_zero(left))];
      out.push_back(energy);
    }
    return out;
  }

 private:
  double field(std::uint32_t j, std::uint64_t others) const {
    double sum = 0;
    for (std::uint64_t left = others; left != 0; left &= left - 1)
      sum += pairs_[j * linear_.size() + static_cast<std::size_t>(std::countr_zero(left))];
    return sum;
  }
  /// Of these bits alone.
  double inner(std::uint64_t bits) const {
    double sum = 0;
    for (std::uint64_t left = bits; left != 0; left &= left - 1) {
      const auto j = static_cast<std::uint32_t>(std::countr_zero(left));
      sum += linear_[j] + field(j, left & (left - 1));
    }
    return sum;
  }

  std::uint32_t low_bits_;
  double offset_ = 0;
  std::vector<double> linear_;
  std::vector<double> pairs_;
  std::vector<double> low_;
};

}  // namespace

std::vector<QubitPair> ring_pairs(std::span<const std::uint32_t> qubits) {
  std::vector<QubitPair> out;
  for (const std::size_t first : {std::size_t{0}, std::size_t{1}})
    for (std::size_t a = first; a + 1 < qubits.size(); a += 2) out.push_back({qubits[a], qubits[a + 1]});
  if (qubits.size() > 2) out.push_back({qubits.front(), qubits.back()});
  return out;
}

std::vector<QubitPair> complete_pairs(std::span<const std::uint32_t> qubits) {
  std::vector<QubitPair> out;
  for (std::size_t d = 1; d < qubits.size(); ++d)
    for (std::size_t a = 0; a + d < qubits.size(); ++a) out.push_back({qubits[a], qubits[a + d]});
  return out;
}

struct FixedWeightEvolution::Model {
  WeightSpace space;
  std::vector<Exchange> mixer;
  std::vector<double> energies;
  std::vector<double> objective;  ///< of each state; empty: the energies
  Amplitudes start;  ///< without any: all alike
  Amplitudes ket;
  bool valued = false;
  double radius = 0;  ///< the largest |energy|
  std::size_t num_variables;

  Model(std::size_t n, std::span<const KeptOnes> kept) : space(static_cast<std::uint32_t>(n), kept), num_variables(n) {}

  std::size_t size() const { return energies.size(); }
  std::uint64_t num_tasks() const { return (size() + kPlacesInATask - 1) / kPlacesInATask; }
  std::span<const double> objectives() const { return objective.empty() ? energies : objective; }
  /// body(task, first place, one behind the last).
  template <class Body>
  void for_tasks(Executor& executor, const Body& body) const {
    for_blocks(executor, num_tasks(), [&](std::size_t task) {
      const std::uint64_t first = task * kPlacesInATask;
      body(task, first, std::min<std::uint64_t>(first + kPlacesInATask, size()));
    });
  }
  template <class Term>
  double sum(Executor& executor, const Term& term) const {
    std::vector<double> sums(num_tasks());
    for_tasks(executor, [&](std::size_t task, std::uint64_t first, std::uint64_t last) {
      double own = 0;
      for (std::uint64_t i = first; i < last; ++i) own += term(i);
      sums[task] = own;
    });
    double out = 0;
    for (const double one : sums) out += one;
    return out;
  }
  /// body(task, place, partner) once for each two states that are exchanged.
  template <class Body>
  void for_partners(Executor& executor, const Exchange& exchange, const Body& body) const {
    const std::span<const std::uint64_t> states = space.states();
    const std::uint64_t both = exchange.ones | exchange.zeros;
    for_tasks(executor, [&](std::size_t task, std::uint64_t first, std::uint64_t last) {
      // Found first, without a branch: a quarter of the places, in no order that a processor could guess.
      std::array<std::uint64_t, kPlacesInATask> found;
      std::size_t count = 0;
      for (std::uint64_t i = first; i < last; ++i) {
        found[count] = i;
        count += (states[i] & both) == exchange.ones ? 1 : 0;
      }
      for (std::size_t k = 0; k < count; ++k) body(task, found[k], space.place(states[found[k]] ^ both));
    });
  }
};

std::uint64_t FixedWeightEvolution::bytes_needed(std::size_t num_variables, std::span<const WeightGroup> groups) {
  if (num_variables > kQubitsMax) return UINT64_MAX;
  const auto n = static_cast<std::uint32_t>(num_variables);
  constexpr std::uint64_t kNumbers = 7;  // a state, two amplitudes, an energy, an objective
  constexpr std::uint64_t kTables = 32;  // bytes a half of the bits: places, ranks, energies
  return kNumbers * 8 * WeightSpace::count(n, kept_of(groups)) + (kTables << (n - n / 2));
}

Result<FixedWeightEvolution> FixedWeightEvolution::create(const problem::Bqm& cost, std::vector<WeightGroup> groups,
                                                          std::uint64_t memory_bytes_max, Executor& executor) {
  const std::size_t n = cost.num_variables();
  if (n == 0) return fail(errors::kValueOutOfRange, "a model without variables has no state; give it at least one");
  if (n > kQubitsMax)
    return fail(errors::kTooManyQubits, "a model of {} variables is above the limit of {}", n, kQubitsMax);
  TANDEM_TRY(check_groups(n, groups));
  const std::uint64_t bytes = bytes_needed(n, groups);
  if (bytes > memory_bytes_max) {
    return fail(errors::kOutOfMemory,
                "{} variables need {} bytes for states that keep the numbers of ones and {} are available; use fewer "
                "variables, or raise compute.memory_bytes_max if the machine has more",
                n, bytes, memory_bytes_max);
  }
  try {
    auto model = std::make_unique<Model>(n, kept_of(groups));
    std::uint64_t in_groups = 0;
    for (const WeightGroup& group : groups)
      for (const std::uint32_t qubit : group.qubits) in_groups |= std::uint64_t{1} << qubit;
    for (std::uint32_t qubit = 0; qubit < n; ++qubit)
      if ((in_groups >> qubit & 1) == 0) model->mixer.push_back({.zeros = std::uint64_t{1} << qubit});
    for (const WeightGroup& group : groups) {
      for (const QubitPair& pair : group.pairs) {
        model->mixer.push_back(
            {.ones = std::uint64_t{1} << pair.u, .zeros = std::uint64_t{1} << pair.v, .strength = group.strength});
      }
    }
    model->energies = EnergyRows(cost, model->space).of(model->space.states());
    for (const double energy : model->energies) model->radius = std::max(model->radius, std::abs(energy));
    model->ket = Amplitudes(model->size());
    return FixedWeightEvolution(std::move(model), executor);
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes for {} variables; use fewer", bytes, n);
  }
}

FixedWeightEvolution::FixedWeightEvolution(std::unique_ptr<Model> model, Executor& executor)
    : model_(std::move(model)), executor_(&executor) {}
FixedWeightEvolution::FixedWeightEvolution(FixedWeightEvolution&&) noexcept = default;
FixedWeightEvolution& FixedWeightEvolution::operator=(FixedWeightEvolution&&) noexcept = default;
FixedWeightEvolution::~FixedWeightEvolution() = default;

std::span<const std::uint64_t> FixedWeightEvolution::states() const { return model_->space.states(); }

Result<void> FixedWeightEvolution::use_start(std::span<const Complex> amplitudes) {
  if (amplitudes.size() != model_->size()) {
    return fail(errors::kSizeMismatch, "{} amplitudes for {} states; give one of each", amplitudes.size(),
                model_->size());
  }
  double norm = 0;
  Amplitudes start(amplitudes.size());
  for (std::size_t i = 0; i < amplitudes.size(); ++i) {
    start.re[i] = amplitudes[i].real();
    start.im[i] = amplitudes[i].imag();
    norm += start.re[i] * start.re[i] + start.im[i] * start.im[i];
  }
  if (!std::isfinite(norm)) return fail(errors::kNotFinite, "the squares of a start sum to {}; use finite ones", norm);
  if (std::abs(norm - 1) > kNormErrorMax)
    return fail(errors::kValueOutOfRange, "the squares of a start sum to {}; divide by its root", norm);
  model_->start = std::move(start);
  model_->valued = false;
  return {};
}

Result<void> FixedWeightEvolution::use_objective(const problem::Bqm& objective) {
  if (objective.num_variables() != model_->num_variables) {
    return fail(errors::kSizeMismatch, "an objective of {} variables for a model of {}; use as many",
                objective.num_variables(), model_->num_variables);
  }
  model_->objective = EnergyRows(objective, model_->space).of(states());
  model_->valued = false;
  return {};
}

Result<double> FixedWeightEvolution::forward(const LayerAngles& angles, const std::stop_token& stop) {
  Model& model = *model_;
  model.valued = false;
  TANDEM_TRY(check_layers(angles, model.radius, std::numeric_limits<double>::infinity()));
  if (model.start.size() != 0) {
    model.ket = model.start;
  } else {
    std::ranges::fill(model.ket.re, 1 / std::sqrt(static_cast<double>(model.size())));
    std::ranges::fill(model.ket.im, 0.0);
  }
  for (std::size_t l = 0; l < angles.gammas.size(); ++l) {
    model.for_tasks(*executor_, [&](std::size_t, std::uint64_t first, std::uint64_t last) {
      for (std::uint64_t i = first; i < last; ++i) {
        const SinCos phase = sin_cos(angles.gammas[l] * model.energies[i]);
        model.ket.turn(i, Complex(phase.cos, -phase.sin));
      }
    });
    for (const Exchange& exchange : model.mixer) {
      if (stop.stop_requested()) return simulation_stopped();
      const SinCos by = sin_cos(angles.betas[l] * exchange.strength);
      model.for_partners(*executor_, exchange,
                         [&](std::size_t, std::uint64_t i, std::uint64_t j) { model.ket.turn(i, j, by); });
    }
  }
  const std::span<const double> objectives = model.objectives();
  const double value = model.sum(*executor_, [&](std::uint64_t i) {
    return (model.ket.re[i] * model.ket.re[i] + model.ket.im[i] * model.ket.im[i]) * objectives[i];
  });
  model.valued = true;
  return value;
}

Result<double> FixedWeightEvolution::value(const LayerAngles& angles, std::stop_token stop) {
  return forward(angles, stop);
}

Result<IsingGradient> FixedWeightEvolution::gradient(const LayerAngles& angles, std::stop_token stop) {
  TANDEM_TRY_ASSIGN(const double value, forward(angles, stop));
  Model& model = *model_;
  model.valued = false;
  const std::size_t layers = angles.gammas.size();
  IsingGradient out{.value = value, .gammas = std::vector<double>(layers), .betas = std::vector<double>(layers)};
  Amplitudes bra;
  try {
    bra = model.ket;
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory, "the machine refused a second state of {} amplitudes; use fewer qubits",
                model.size());
  }
  const std::span<const double> objectives = model.objectives();
  for (std::size_t i = 0; i < bra.size(); ++i) {
    bra.re[i] *= objectives[i];
    bra.im[i] *= objectives[i];
  }
  for (std::size_t l = layers; l-- > 0;) {
    for (std::size_t k = model.mixer.size(); k-- > 0;) {
      if (stop.stop_requested()) return simulation_stopped();
      const Exchange& exchange = model.mixer[k];
      const SinCos by = sin_cos(-angles.betas[l] * exchange.strength);
      std::vector<double> sums(model.num_tasks());
      model.for_partners(*executor_, exchange, [&](std::size_t task, std::uint64_t i, std::uint64_t j) {
        sums[task] += im_overlap(bra, i, model.ket, j) + im_overlap(bra, j, model.ket, i);
        model.ket.turn(i, j, by);
        bra.turn(i, j, by);
      });
      for (const double sum : sums) out.betas[l] += 2 * exchange.strength * sum;
    }
    out.gammas[l] = 2 * model.sum(*executor_, [&](std::uint64_t i) {
      return model.energies[i] * im_overlap(bra, i, model.ket, i);
    });
    model.for_tasks(*executor_, [&](std::size_t, std::uint64_t first, std::uint64_t last) {
      for (std::uint64_t i = first; i < last; ++i) {
        const SinCos phase = sin_cos(angles.gammas[l] * model.energies[i]);
        model.ket.turn(i, Complex(phase.cos, phase.sin));
        bra.turn(i, Complex(phase.cos, phase.sin));
      }
    });
  }
  return out;
}

Complex FixedWeightEvolution::amplitude(std::uint64_t state) const {
  TANDEM_ASSERT(model_->valued);
  if (!model_->space.contains(state)) return 0;
  const std::uint64_t at = model_->space.place(state);
  return {model_->ket.re[at], model_->ket.im[at]};
}

}  // namespace tandem::statevector
