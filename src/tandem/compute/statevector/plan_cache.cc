#include "tandem/compute/statevector/plan_cache.h"

#include <algorithm>
#include <bit>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/pauli_passes.h"
#include "tandem/compute/statevector/run_plan.h"

namespace tandem::statevector {
namespace {

/// Outside of this a plan takes the scale of the state into the amplitudes. Inside it, and with what turns owe in one plan, numbers stay
/// in the range of `float`.
constexpr double kScaleLeast = 0x1p-20;
constexpr double kScaleMost = 0x1p20;

bool is_extreme(double scale) { return scale < kScaleLeast || scale > kScaleMost; }

enum class Way : std::uint8_t { kThere, kBack };

/// What a plan depends on.
std::vector<std::uint32_t> key_of(std::span<const circuit::Instruction> instructions, const Frame& frame,
                                  std::uint32_t num_bits, bool takes_scale, Way way) {
  std::vector<std::uint32_t> key;
  key.reserve(4 + frame.bit_of.size() + instructions.size());
  key.push_back(num_bits);
  key.push_back((takes_scale ? 1 : 0) | (way == Way::kBack ? 2 : 0));
  key.push_back(static_cast<std::uint32_t>(frame.flipped));
  key.push_back(static_cast<std::uint32_t>(frame.flipped >> 32));
  key.insert(key.end(), frame.bit_of.begin(), frame.bit_of.end());
  for (const circuit::Instruction& instruction : instructions) {
    constexpr std::uint32_t kQubitBits = 6;  // kQubitsMax is below 64
    std::uint32_t word = static_cast<std::uint32_t>(instruction.gate);
    for (const std::uint32_t qubit : instruction.qubits) word = word << kQubitBits | qubit;
    for (const circuit::Angle& angle : instruction.angles)
      word = word << 1 | (way == Way::kBack && !angle.is_constant() ? 1 : 0);
    key.push_back(word);
  }
  return key;
}

/// Equal keys are compared; this only sorts out most others.
std::uint64_t hash_of(std::span<const std::uint32_t> key) {
  std::uint64_t hash = key.size();
  for (const std::uint32_t word : key) hash = (std::rotl(hash, 5) ^ word) * 0x9e3779b97f4a7c15;
  return hash;
}

bool same_bytes(std::span<const observable::PauliTerm> a, std::span<const observable::PauliTerm> b) {
  return std::ranges::equal(a, b, [](const observable::PauliTerm& s, const observable::PauliTerm& t) {
    return s.x == t.x && s.z == t.z &&
           std::bit_cast<std::uint64_t>(s.coefficient) == std::bit_cast<std::uint64_t>(t.coefficient);
  });
}

bool same_bits(std::span<const double> a, std::span<const double> b) {
  return std::ranges::equal(
      a, b, [](double x, double y) { return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y); });
}

}  // namespace

template <class Real>
std::unique_ptr<typename PlanCache<Real>::Compiled> PlanCache<Real>::take(
    std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values, const Frame& frame,
    std::uint32_t num_bits, simd::Isa isa) {
  const double size = size_of(frame.scale);
  const bool takes_scale = is_extreme(size);
  std::vector<double> angles;
  angles.reserve(instructions.size());
  for (const circuit::Instruction& instruction : instructions) {
    const std::size_t count = circuit::gate_record(instruction.gate).num_parameters;
    for (std::size_t i = 0; i < count; ++i) angles.push_back(instruction.angles[i].value(parameter_values));
  }
  std::unique_ptr<Compiled> out = kept_or_new(key_of(instructions, frame, num_bits, takes_scale, Way::kThere));
  const bool fresh = out->is_new();
  if (!fresh && same_bits(out->angles, angles) && (!takes_scale || out->taken_scale == size)) return out;
  out->after = frame;
  out->after.scale = 1;
  if (fresh) {
    lower(instructions, parameter_values, out->after, out->steps);
    out->plan = make_plan<Real>(out->steps, num_bits, {.takes_scale = takes_scale});
  } else {
    lower_again(instructions, parameter_values, out->after, out->steps);
  }
  bind(out->plan, out->steps, size, tile_kernels<Real>(isa));
  out->angles = std::move(angles);
  out->taken_scale = size;
  count(*out, fresh);
  return out;
}

template <class Real>
std::unique_ptr<typename PlanCache<Real>::Compiled> PlanCache<Real>::take_back(
    std::span<const circuit::Instruction> instructions, std::span<const double> parameter_values, const Frame& frame,
    std::uint32_t num_bits, simd::Isa isa) {
  const double size = size_of(frame.scale);
  const bool takes_scale = is_extreme(size);
  std::unique_ptr<Compiled> out = kept_or_new(key_of(instructions, frame, num_bits, takes_scale, Way::kBack));
  const bool fresh = out->is_new();
  if (fresh) {
    out->back.lower(instructions, parameter_values, frame);
    out->plan = make_plan<Real>(out->back.steps(), num_bits, {.shape = kPairShape<Real>, .takes_scale = takes_scale});
    std::size_t taken = 0;
    for (const Stage<Real>& stage : out->plan.stages) taken += stage.readings.size();
    TANDEM_ASSERT(taken == out->back.steps().readings.size());
  } else {
    out->back.lower_again(instructions, parameter_values, frame);
  }
  bind(out->plan, out->back.steps(), size, tile_kernels<Real>(isa));
  out->taken_scale = size;
  count(*out, fresh);
  return out;
}

/// What was made of it, and how much room it takes.
template <class Real>
void PlanCache<Real>::count(Compiled& compiled, bool fresh) {
  if (fresh) {
    const Steps& steps = compiled.steps;
    compiled.bytes = sizeof(Compiled) + compiled.key.size() * sizeof(std::uint32_t) +
                     compiled.angles.size() * sizeof(double) + steps.steps.size() * sizeof(Step) +
                     steps.gates.size() * sizeof(PreparedGate) + compiled.back.bytes() + compiled.plan.bytes();
  }
  const std::lock_guard lock(mutex_);
  made_.plans += fresh ? 1 : 0;
  ++made_.bindings;
}

template <class Real>
std::unique_ptr<typename PlanCache<Real>::Compiled> PlanCache<Real>::kept_or_new(std::vector<std::uint32_t> key) {
  const std::uint64_t hash = hash_of(key);
  const std::lock_guard lock(mutex_);
  for (auto it = free_.rbegin(); it != free_.rend(); ++it) {
    if ((*it)->hash != hash || (*it)->key != key) continue;
    std::unique_ptr<Compiled> out = std::move(*it);
    free_.erase(std::next(it).base());
    bytes_ -= out->bytes;
    return out;
  }
  auto out = std::make_unique<Compiled>();
  out->key = std::move(key);
  out->hash = hash;
  return out;
}

template <class Real>
void PlanCache<Real>::give(std::unique_ptr<Compiled> compiled) {
  const std::lock_guard lock(mutex_);
  bytes_ += compiled->bytes;
  free_.push_back(std::move(compiled));
  while (free_.size() > kPlansMax || bytes_ > kBytesMax) {
    bytes_ -= free_.front()->bytes;
    free_.erase(free_.begin());
  }
}

template <class Real>
std::shared_ptr<const PauliPasses<Real>> PlanCache<Real>::passes(std::span<const observable::PauliTerm> terms,
                                                                 const Frame& frame, std::uint32_t num_bits) {
  const auto found = [&] {
    return std::ranges::find_if(sums_, [&](const Sum& sum) {
      return sum.num_bits == num_bits && sum.flipped == frame.flipped && sum.bit_of == frame.bit_of &&
             same_bytes(sum.terms, terms);
    });
  };
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = found(); known != sums_.end()) {
      std::rotate(known, known + 1, sums_.end());
      return sums_.back().passes;
    }
  }
  auto made = std::make_shared<const PauliPasses<Real>>(terms, frame, num_bits);
  const std::lock_guard lock(mutex_);
  ++made_.passes;
  if (found() != sums_.end()) return made;  // of another thread, meanwhile
  const std::size_t bytes = made->bytes() + sizeof(Sum) + terms.size_bytes();
  sums_.push_back({.terms = {terms.begin(), terms.end()},
                   .bit_of = frame.bit_of,
                   .flipped = frame.flipped,
                   .num_bits = num_bits,
                   .bytes = bytes,
                   .passes = made});
  sums_bytes_ += bytes;
  while (sums_.size() > kPassesMax || sums_bytes_ > kPassesBytesMax) {
    sums_bytes_ -= sums_.front().bytes;
    sums_.erase(sums_.begin());
  }
  return made;
}

template <class Real>
void PlanCache<Real>::forget() {
  const std::lock_guard lock(mutex_);
  free_.clear();
  bytes_ = 0;
  sums_.clear();
  sums_bytes_ = 0;
}

template <class Real>
typename PlanCache<Real>::Made PlanCache<Real>::made() const {
  const std::lock_guard lock(mutex_);
  return made_;
}

template <class Real>
void PlanCache<Real>::Compiled::advance(Frame& frame) const {
  const std::complex<double> before = plan.takes_scale ? unit_of(frame.scale) : frame.scale;
  frame = after;
  frame.scale = times(before, after.scale) * plan.scale;
}

template class PlanCache<float>;
template class PlanCache<double>;

}  // namespace tandem::statevector
