#include "tandem/compute/statevector/both_turns.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/bound_turn.h"

namespace tandem::statevector {
namespace {

const simd::KernelTables<AllBothKernels> kTables{&portable::kBothKernels, &avx2::kBothKernels, &avx512::kBothKernels};

constexpr std::size_t kTurnsMax = 64;

/// Which chunks may have a bit: those on lanes, those within a run, and the others.
template <class Real>
int reach_of(std::uint32_t bit) {
  return bit < kLaneBits<Real> ? 0 : bit < kRunBits<Real> ? 1 : 2;
}

}  // namespace

template <class Real>
const BothKernels<Real>& both_kernels(simd::Isa isa) {
  const AllBothKernels& all = simd::kernels_for(kTables, isa);
  if constexpr (sizeof(Real) == sizeof(float))
    return all.narrow;
  else
    return all.wide;
}
template const BothKernels<float>& both_kernels<float>(simd::Isa);
template const BothKernels<double>& both_kernels<double>(simd::Isa);

template <class Real>
void BothTurns<Real>::add(std::uint32_t bit, std::uint32_t step, std::uint32_t slot) {
  turns_.push_back({.bit = bit});
  members_.push_back({.step = step, .slot = slot, .factor = 1});
  TANDEM_ASSERT(turns_.size() <= kTurnsMax);
}

template <class Real>
void BothTurns<Real>::arrange() {
  std::vector<std::size_t> order(turns_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, [&](std::size_t i) { return turns_[i].bit; });
  std::vector<Turn<Real>> turns;
  std::vector<Member> members;
  for (const std::size_t i : order) {
    const Turn<Real>& turn = turns_[i];
    const int reach = reach_of<Real>(turn.bit);
    const bool joins = !chunks_.empty() && chunks_.back().count < (reach == 0 ? kLaneBits<Real> : kBothAtOnce) &&
                       reach_of<Real>(turns.back().bit) == reach;
    if (!joins) {
      chunks_.push_back({.first = turns.size(), .count = 0, .on_lanes = reach == 0});
      near_ += reach < 2 ? 1 : 0;
    }
    ++chunks_.back().count;
    turns.push_back(turn);
    members.push_back(members_[i]);
  }
  turns_ = std::move(turns);
  members_ = std::move(members);
}

template <class Real>
void BothTurns<Real>::bind(std::span<const Step> steps, double& scale) {
  for (const Chunk& chunk : chunks_) {
    const double before = scale;
    for (std::size_t i = chunk.first; i < chunk.first + chunk.count; ++i) {
      const double reading = chunk.on_lanes ? scale : before;  // as the kernels say
      members_[i].factor = reading * reading;
      bind_turn(turns_[i], steps[members_[i].step], scale);
    }
  }
}

template <class Real>
void BothTurns<Real>::apply(Real* ket, Real* bra, std::uint64_t num_blocks, const BothKernels<Real>& kernels,
                            double* slots) const {
  std::array<double, kTurnsMax> found{};
  const auto pass = [&](std::uint64_t at, std::uint64_t blocks, std::span<const Chunk> chunks) {
    for (const Chunk& chunk : chunks)
      (chunk.on_lanes ? kernels.turn_lanes : kernels.turn)(ket + at, bra + at, blocks, turns_.data() + chunk.first,
                                                           chunk.count, found.data() + chunk.first);
  };
  const std::span<const Chunk> all = chunks_;
  const std::uint64_t run = std::min(num_blocks, std::uint64_t{1} << (kRunBits<Real> - kLaneBits<Real>));
  if (near_ != 0)
    for (std::uint64_t first = 0; first < num_blocks; first += run)
      pass(first * 2 * kLanes<Real>, run, all.first(near_));
  pass(0, num_blocks, all.subspan(near_));
  for (std::size_t i = 0; i < members_.size(); ++i) slots[members_[i].slot] += members_[i].factor * found[i];
}

template <class Real>
std::size_t BothTurns<Real>::bytes() const {
  return sizeof(BothTurns) + turns_.size() * (sizeof(Turn<Real>) + sizeof(Member)) + chunks_.size() * sizeof(Chunk);
}

template class BothTurns<float>;
template class BothTurns<double>;

}  // namespace tandem::statevector
