#include "tandem/compute/simd/isa.h"

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem::simd {
namespace {

constexpr std::array<std::string_view, kNumIsas> kNames = {"portable", "avx2", "avx512"};
constexpr std::array<Isa, kNumIsas> kAll = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512};

Isa detect() {
  // What cpuid says and the operating system saves: the builtin looks at both.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Isa::kAvx512 : avx2 ? Isa::kAvx2 : Isa::kPortable;
}

}  // namespace

std::string_view to_string(Isa isa) { return kNames[static_cast<std::size_t>(isa)]; }

Result<Isa> parse_isa(std::string_view name) {
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) {
    return fail(errors::kValueOutOfRange, "no instruction set is called {}; use portable, avx2 or avx512", quote(name));
  }
  const Isa isa = kAll[static_cast<std::size_t>(found - kNames.begin())];
  if (isa > best_isa()) {
    return fail(errors::kValueOutOfRange, "this machine does not run {}; the best that it runs is {}", name,
                to_string(best_isa()));
  }
  return isa;
}

Isa best_isa() {
  static const Isa best = detect();
  return best;
}

std::span<const Isa> runnable_isas() { return {kAll.data(), static_cast<std::size_t>(best_isa()) + 1}; }

}  // namespace tandem::simd
