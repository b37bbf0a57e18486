// The memory of a large state is kept for the next one, which does not see what it held.
#include "tandem/compute/statevector/spare_memory.h"

#include <gtest/gtest.h>

#include <limits>

#include "tandem/base/executor.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/plan_cache.h"
#include "tandem/compute/statevector/statevector.h"

namespace tandem::statevector {
namespace {

using circuit::Angle;
using circuit::Circuit;
using circuit::Gate;

constexpr std::uint64_t kNumbers = SpareMemory::kBytesMin / sizeof(double);

TEST(SpareMemory, the_next_of_one_size_takes_it_and_another_size_frees_it) {
  const auto spare = std::make_shared<SpareMemory>();
  const double* const first = allocate<double>(kNumbers, spare).get();
  auto again = allocate<double>(kNumbers, spare);
  EXPECT_EQ(again.get(), first);
  EXPECT_EQ(spare->take(SpareMemory::kBytesMin), nullptr) << "it is out";
  again.reset();
  const auto larger = allocate<double>(2 * kNumbers, spare);
  EXPECT_NE(larger.get(), nullptr);
  EXPECT_EQ(spare->take(SpareMemory::kBytesMin), nullptr) << "it is freed";
}

TEST(SpareMemory, blocks_of_other_sizes_are_not_kept) {
  SpareMemory spare;
  for (const std::uint64_t bytes : {SpareMemory::kBytesMin / 2, 2 * SpareMemory::kBytesMax}) {
    spare.give(std::aligned_alloc(64, bytes), bytes);
    EXPECT_EQ(spare.take(bytes), nullptr) << bytes;
  }
}

/// 18 qubits in double take kBytesMin.
template <class Real>
void check_states(std::uint32_t num_qubits) {
  ThreadExecutor executor(2);
  const std::uint64_t bytes = BasicStateVector<Real>::bytes_needed(num_qubits);
  ASSERT_GE(bytes, SpareMemory::kBytesMin);
  const auto circuit = [&](int kind) {
    Circuit out = Circuit::create(num_qubits, 0).value();
    if (kind == 0) out.gate(Gate::kX, {3});
    if (kind == 1)
      out.gate(Gate::kU, {num_qubits - 1}, {Angle::constant(0.3), Angle::constant(0.4), Angle::constant(0.5)});
    if (kind < 2) return out;
    for (std::uint32_t q = 0; q < num_qubits; ++q) out.gate(Gate::kH, {q});
    for (std::uint32_t q = 0; q + 1 < num_qubits; ++q)
      out.gate(Gate::kRzz, {q, q + 1}, {Angle::constant(0.2 + 0.01 * q)});
    for (std::uint32_t q = 0; q < num_qubits; ++q)
      out.gate(kind == 2 ? Gate::kRx : Gate::kRy, {q}, {Angle::constant(0.7)});
    return out;
  };
  for (const int kind : {0, 1, 2, 3}) {
    const auto plans = std::make_shared<PlanCache<Real>>();
    {
      auto dirty = allocate<Real>(bytes / sizeof(Real), plans->spare_memory());
      std::fill_n(dirty.get(), bytes / sizeof(Real), std::numeric_limits<Real>::quiet_NaN());
    }
    auto state = BasicStateVector<Real>::create(num_qubits, UINT64_MAX, executor, plans).value();
    auto fresh = BasicStateVector<Real>::create(num_qubits, UINT64_MAX, executor).value();
    for (const bool prepared : {false, true}) {
      if (prepared) state.set_basis_state(5), fresh.set_basis_state(5);
      ASSERT_TRUE(state.apply(circuit(kind), {}).has_value());
      ASSERT_TRUE(fresh.apply(circuit(kind), {}).has_value());
      for (std::uint64_t z = 0; z < std::uint64_t{1} << num_qubits; z += 7)
        ASSERT_EQ(state.amplitude(z), fresh.amplitude(z)) << "circuit " << kind << ", state " << z;
    }
  }
}

TEST(SpareMemory, a_state_does_not_see_what_it_held) {
  check_states<double>(18);
  check_states<float>(19);
}

}  // namespace
}  // namespace tandem::statevector
