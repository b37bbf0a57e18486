// tandem/compute/simd/isa.h - Isa: for which instruction set a kernel was compiled.
//
// Room: compute. Kernels stand in x.isa.cc, which is compiled once for each set: the same statements, so the same answers, whatever the
// machine. Such a file defines one table of functions in the namespace TANDEM_ISA, and includes nothing but the header that declares the
// table (x_kernels.h), <cstddef>, <cstdint> and intrinsics.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem::simd {

/// Ascending: who runs one runs those before it.
enum class Isa : std::uint8_t {
  kPortable,  ///< x86-64-v2, of which every machine is
  kAvx2,  ///< with FMA, BMI2
  kAvx512,  ///< F, BW, DQ, VL
};
inline constexpr std::size_t kNumIsas = 3;

std::string_view to_string(Isa isa);  ///< "portable", "avx2", "avx512"
/// One that this machine runs. Errors: 1023 value_out_of_range.
Result<Isa> parse_isa(std::string_view name);

/// The best that this processor, and its operating system, runs.
Isa best_isa();
/// All that this machine runs, ascending: for tests.
std::span<const Isa> runnable_isas();

/// One table of kernels for each set, in the order of Isa.
template <class Kernels>
using KernelTables = std::array<const Kernels*, kNumIsas>;
template <class Kernels>
const Kernels& kernels_for(const KernelTables<Kernels>& tables, Isa isa) {
  return *tables[static_cast<std::size_t>(isa)];
}

}  // namespace tandem::simd
