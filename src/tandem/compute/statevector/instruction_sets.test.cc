// A state by each instruction set, a row for each: the same bytes of amplitudes, expectations, draws and measurements as by the portable
// one. A set that this machine lacks is a row that says so.
#include <gtest/gtest.h>

#include <bit>

#include "tandem/base/executor.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/statevector.h"
#include "tandem/compute/statevector/testing/every_isa.h"
#include "tandem/compute/statevector/testing/random_circuit.h"

namespace tandem::statevector {
namespace {

constexpr std::uint32_t kQubits = 17;  // several tiles, in either precision

std::uint64_t bits_of(double value) { return std::bit_cast<std::uint64_t>(value); }

observable::PauliSum some_observable(Xoshiro256& rng) {
  const std::uint64_t mask = (std::uint64_t{1} << kQubits) - 1;
  std::vector<observable::PauliTerm> terms;
  for (int i = 0; i < 12; ++i)  // strings of diagonals, of few bits, and of any
    terms.push_back({.x = i < 4 ? 0 : rng() & (i < 8 ? rng() & rng() & mask : mask),
                     .z = rng() & mask,
                     .coefficient = 2 * rng.uniform() - 1});
  return observable::PauliSum::create(kQubits, std::move(terms)).value();
}

/// All that is read of a state, bit by bit.
template <class Real>
std::vector<std::uint64_t> readings(simd::Isa isa, std::size_t threads) {
  ThreadExecutor executor(threads);
  Xoshiro256 rng(33);
  const observable::PauliSum observable = some_observable(rng);
  auto state = BasicStateVector<Real>::create(kQubits, 1u << 30, executor).value();
  state.use_isa(isa);
  EXPECT_TRUE(state.apply(testing::random_circuit(31, kQubits, 120), {}).has_value());
  std::vector<std::uint64_t> out{bits_of(state.expectation(observable).value())};
  for (int i = 0; i < 12; ++i) {  // each term alone
    const observable::PauliTerm term = observable.terms()[static_cast<std::size_t>(i) % observable.terms().size()];
    out.push_back(bits_of(state.expectation(observable::PauliSum::create(kQubits, {term}).value()).value()));
  }
  const auto add_amplitudes = [&] {
    for (std::uint64_t z = 0; z >> kQubits == 0; z += 7) {
      out.push_back(bits_of(state.amplitude(z).real()));
      out.push_back(bits_of(state.amplitude(z).imag()));
    }
  };
  add_amplitudes();
  for (const BasisCount& entry : state.sample(10'000, 7)) out.insert(out.end(), {entry.state, entry.count});
  out.push_back(state.measure(15, 0.5) ? 1 : 0);
  state.reset(3, 0.25);
  add_amplitudes();
  return out;
}

class InstructionSet : public ::testing::TestWithParam<simd::Isa> {};

TEST_P(InstructionSet, gives_the_bytes_of_the_portable_one_in_double) {
  TANDEM_SKIP_WHERE_NOT_RUNNABLE(GetParam());
  const auto portable = readings<double>(simd::Isa::kPortable, 1);
  EXPECT_EQ(readings<double>(GetParam(), 1), portable);
  EXPECT_EQ(readings<double>(GetParam(), 2), portable) << "two threads";
}

TEST_P(InstructionSet, gives_the_bytes_of_the_portable_one_in_float) {
  TANDEM_SKIP_WHERE_NOT_RUNNABLE(GetParam());
  const auto portable = readings<float>(simd::Isa::kPortable, 1);
  EXPECT_EQ(readings<float>(GetParam(), 1), portable);
  EXPECT_EQ(readings<float>(GetParam(), 2), portable) << "two threads";
}

INSTANTIATE_TEST_SUITE_P(Statevector, InstructionSet, ::testing::ValuesIn(testing::kEveryIsa),
                         [](const auto& row) { return std::string(simd::to_string(row.param)); });

}  // namespace
}  // namespace tandem::statevector
