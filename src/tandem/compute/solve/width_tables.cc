#include "tandem/compute/solve/width_tables.h"

#include <algorithm>
#include <bit>

#include "tandem/base/assert.h"

namespace tandem::solve {

namespace {

constexpr simd::KernelTables<WidthKernels> kKernels = {&portable::kWidthKernels, &avx2::kWidthKernels,
                                                       &avx512::kWidthKernels};

/// The bits of `word` that `mask` has, side by side.
std::uint32_t extract(std::uint32_t word, std::uint32_t mask) {
  std::uint32_t out = 0;
  for (std::uint32_t left = word & mask; left != 0; left &= left - 1) {
    out |= std::uint32_t{1} << std::popcount(mask & ((left & (0 - left)) - 1));
  }
  return out;
}

}  // namespace

void WidthTables::begin(const WidthPlan& plan, std::span<const std::int64_t> fields,
                        std::span<const std::int8_t> bits) {
  plan_ = &plan;
  next_ = 0;
  const std::uint64_t blocks = plan.table_bytes / kWidthBlock + 1;  // kernels read beyond the last table
  if (tables_.size() < blocks) tables_.resize(blocks);
  if (children_.size() < plan.children_max) children_.resize(plan.children_max);
  flipped_.resize(plan.size());
  rises_.resize(plan.size());
  highs_.resize(plan.size());
  for (std::size_t s = 0; s < plan.size(); ++s) {
    const WidthPlan::Step& step = plan.steps[s];
    highs_[s] = bits[step.variable];
    const std::int64_t rise = highs_[s] != 0 ? -fields[step.variable] : fields[step.variable];
    // Beyond its reach a variable stays or flips whatever the others do.
    rises_[s] = std::clamp(rise, -step.reach - 1, step.reach + 1);
  }
}

std::uint64_t WidthTables::step() {
  TANDEM_ASSERT(!done());
  const WidthKernels& kernels = simd::kernels_for(kKernels, model_->isa());
  const WidthPlan::Step& step = plan_->steps[next_];
  const std::uint64_t children = plan_->steps[next_ + 1].children - step.children;
  const std::uint64_t blocks = ((std::uint64_t{plan_->value_bytes} << step.bits) + kWidthBlock - 1) / kWidthBlock;
  switch (plan_->value_bytes) {
    case 1:
      eliminate(kernels.bytes);
      break;
    case 2:
      eliminate(kernels.shorts);
      break;
    case 4:
      eliminate(kernels.ints);
      break;
    default:
      eliminate(kernels.longs);
  }
  ++next_;
  return blocks * (children + 1);
}

void WidthTables::trace(Xoshiro256& rng, std::vector<std::uint32_t>& flips) {
  TANDEM_ASSERT(done());
  flips.clear();
  switch (plan_->value_bytes) {
    case 1:
      return trace_as<std::int8_t>(rng, flips);
    case 2:
      return trace_as<std::int16_t>(rng, flips);
    case 4:
      return trace_as<std::int32_t>(rng, flips);
    default:
      return trace_as<std::int64_t>(rng, flips);
  }
}

template <class Value>
void WidthTables::eliminate(WidthKernel<Value> kernel) {
  const WidthPlan::Step& step = plan_->steps[next_];
  const WidthPlan::Step& end = plan_->steps[next_ + 1];
  Value couplings[kWidthBits] = {};
  for (std::uint32_t e = step.edges; e < end.edges; ++e) {
    const WidthPlan::Edge& edge = plan_->edges[e];
    couplings[edge.position] = static_cast<Value>(coupling(next_, edge));
  }
  std::int64_t sum = rises_[next_];
  std::int64_t least = sum;
  std::size_t count = 0;
  for (std::uint32_t c = step.children; c < end.children; ++c) {
    const WidthPlan::Child& child = plan_->children[c];
    const Value* low = table<Value>(child.step);
    const Value* high = low + (std::size_t{1} << std::popcount(child.mask));
    least += high[0];
    if (child.mask == 0) {
      sum += high[0];
    } else {
      WidthChild& out = children_[count++];
      out.low = low;
      out.high = high;
      out.mask = child.mask;
    }
  }
  kernel({.children = children_.data(),
          .num_children = count,
          .couplings = couplings,
          .bits = step.bits,
          .field = static_cast<Value>(sum),
          .base = static_cast<Value>(std::min<std::int64_t>(least, 0)),
          .out = table<Value>(next_)});
}

template <class Value>
void WidthTables::trace_as(Xoshiro256& rng, std::vector<std::uint32_t>& flips) {
  for (std::uint32_t s = next_; s-- > 0;) {
    const WidthPlan::Step& step = plan_->steps[s];
    const WidthPlan::Step& end = plan_->steps[s + 1];
    std::int64_t rise = rises_[s];  // of flipping, all that goes later being settled
    for (std::uint32_t e = step.edges; e < end.edges; ++e) {
      const WidthPlan::Edge& edge = plan_->edges[e];
      if (flipped_[edge.step] != 0) rise += coupling(s, edge);
    }
    std::uint32_t around = 0;
    for (std::uint32_t p = 0; p < step.bits; ++p) {
      around |= static_cast<std::uint32_t>(flipped_[plan_->bags[step.bag + p]]) << p;
    }
    for (std::uint32_t c = step.children; c < end.children; ++c) {
      const WidthPlan::Child& child = plan_->children[c];
      const Value* low = table<Value>(child.step) + extract(around, child.mask);
      rise += low[std::size_t{1} << std::popcount(child.mask)];
      rise -= low[0];
    }
    const bool flip = rise < 0 || (rise == 0 && rng() >> 63 != 0);
    flipped_[s] = static_cast<std::int8_t>(flip ? 1 : 0);
    if (flip) flips.push_back(step.variable);
  }
}

}  // namespace tandem::solve
