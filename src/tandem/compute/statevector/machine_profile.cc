#include "tandem/compute/statevector/machine_profile.h"

#include <algorithm>
#include <limits>

#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/peak_kernels.h"
#include "tandem/compute/statevector/run_plan.h"

namespace tandem::statevector {
namespace {

using std::chrono::nanoseconds;

const simd::KernelTables<PeakKernels> kPeaks{&portable::kPeakKernels, &avx2::kPeakKernels, &avx512::kPeakKernels};

// The best window counts, for neighbours only make it slower. Short, so that on a busy machine some are over before another program's turn.
constexpr nanoseconds kWindow = std::chrono::milliseconds(2);
constexpr int kWindows = 30;

/// Nanoseconds of one call of `work`.
template <class Work>
double nanoseconds_of(const Clock& clock, const Work& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int window = 0; window < kWindows; ++window) {
    const Instant begin = clock.monotonic();
    std::uint64_t calls = 0;
    nanoseconds passed{0};
    do {
      work();
      ++calls;
      passed = clock.monotonic() - begin;
    } while (passed < kWindow);
    best = std::min(best, static_cast<double>(passed.count()) / static_cast<double>(calls));
  }
  return best;
}

template <class Real>
WorkCosts measure_work(simd::Isa isa, const Clock& clock) {
  constexpr std::uint32_t kBits = kTileShape<Real>.most;
  constexpr std::uint64_t kBlocks = std::uint64_t{1} << (kBits - kLaneBits<Real>);
  constexpr double kAmplitudes = std::uint64_t{1} << kBits;
  const TileKernels<Real>& kernels = tile_kernels<Real>(isa);
  simd::AlignedVector<Real> tile(std::size_t{2} << kBits, Real(1e-3));
  const auto an_amplitude = [&](double times, const auto& work) {
    return nanoseconds_of(clock, work) / (kAmplitudes * times);
  };
  WorkCosts out;
  // No number gets so small that processors take longer for it.
  const Real ratio = static_cast<Real>(1e-9);
  const auto turn = [&](std::uint32_t bit) {
    return Turn<Real>{.bit = bit, .about_x = false, .large = false, .ratio = ratio};
  };
  const std::array<Turn<Real>, 3> above{turn(kLaneBits<Real> + 1), turn(kLaneBits<Real> + 4), turn(kBits - 1)};
  out.turn = an_amplitude(3, [&] { kernels.turn(tile.data(), kBlocks, above.data(), above.size()); });
  const std::array<Turn<Real>, 3> lanes{turn(0), turn(1), turn(2)};
  out.lane_turn =
      an_amplitude(3, [&] { kernels.turn_lanes(tile.data(), kBlocks, lanes.data(), lanes.size(), {}, nullptr); });

  constexpr std::uint64_t kLeafBlocks = PhaseGroup<Real>::kScratch / (2 * kLanes<Real>);
  simd::AlignedVector<Real> table(PhaseGroup<Real>::kScratch);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = i / kLanes<Real> % 2 == 0 ? Real(0.6) : Real(0.8);
  out.phases = an_amplitude(1, [&] {
    for (std::uint64_t block = 0; block < kBlocks; block += kLeafBlocks)
      kernels.turn_lanes(tile.data() + 2 * kLanes<Real> * block, kLeafBlocks, nullptr, 0,
                         {.table = table.data(), .re = Real(0.8), .im = Real(-0.6)}, nullptr);
  });
  simd::AlignedVector<Real> coefficients(8 * kLanes<Real>, Real(0.5));
  const Real* const first = coefficients.data();
  const std::uint64_t upper = kBlocks / 2;
  const PairWork<Real> pairs{.operands = upper,
                             .a = 0,
                             .b = upper,
                             .lanes = 0,
                             .kind = PairKind::kGeneral,
                             .a_keep = first,
                             .a_mix = first + 2 * kLanes<Real>,
                             .b_keep = first + 4 * kLanes<Real>,
                             .b_mix = first + 6 * kLanes<Real>};
  out.pairs = an_amplitude(1, [&] { kernels.pair(tile.data(), kBlocks, pairs); });
  simd::AlignedVector<Real> identity(kDenseNumbers<Real>);
  for (std::size_t i = 0; i < 4; ++i)
    std::fill_n(identity.begin() + static_cast<std::ptrdiff_t>(5 * i * 2 * kLanes<Real>), kLanes<Real>, Real(1));
  const DensePair pair{.low = kLaneBits<Real> + 1, .high = kBits - 1};
  out.dense = an_amplitude(1, [&] { kernels.dense(tile.data(), kBlocks, &pair, 1, identity.data(), nullptr); });

  const PeakKernels& peak = simd::kernels_for(kPeaks, isa);
  constexpr bool kNarrow = sizeof(Real) == sizeof(float);
  constexpr std::uint64_t kRounds = 1000;
  double sum = 0;
  const double round = nanoseconds_of(clock, [&] { sum += (kNarrow ? peak.narrow : peak.wide)(kRounds); }) / kRounds;
  out.fused_peak = sum != 0 ? static_cast<double>(kNarrow ? peak.narrow_in_round : peak.wide_in_round) / round : 0;
  return out;
}

Json document_of(const WorkCosts& costs) {
  return {{"turn_ns", costs.turn},   {"lane_turn_ns", costs.lane_turn}, {"phases_ns", costs.phases},
          {"pairs_ns", costs.pairs}, {"dense_ns", costs.dense},         {"fused_per_ns", costs.fused_peak}};
}

Result<WorkCosts> costs_of(const ObjectReader& reader) {
  WorkCosts out;
  TANDEM_TRY_ASSIGN(out.turn, reader.number("turn_ns"));
  TANDEM_TRY_ASSIGN(out.lane_turn, reader.number("lane_turn_ns"));
  TANDEM_TRY_ASSIGN(out.phases, reader.number("phases_ns"));
  TANDEM_TRY_ASSIGN(out.pairs, reader.number("pairs_ns"));
  TANDEM_TRY_ASSIGN(out.dense, reader.number("dense_ns"));
  TANDEM_TRY_ASSIGN(out.fused_peak, reader.number("fused_per_ns"));
  return out;
}

}  // namespace

Json MachineProfile::document() const {
  return {{"isa", isa},
          {"threads", threads},
          {"memory_bytes_per_ns", memory_bytes},
          {"f32", document_of(narrow)},
          {"f64", document_of(wide)}};
}

Result<MachineProfile> MachineProfile::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  MachineProfile out;
  TANDEM_TRY_ASSIGN(out.isa, reader.string("isa"));
  TANDEM_TRY_ASSIGN(const std::int64_t threads, reader.integer("threads", 1, 1 << 20));
  out.threads = static_cast<std::size_t>(threads);
  TANDEM_TRY_ASSIGN(out.memory_bytes, reader.number("memory_bytes_per_ns"));
  TANDEM_TRY_ASSIGN(const ObjectReader narrow, reader.object("f32"));
  TANDEM_TRY_ASSIGN(out.narrow, costs_of(narrow));
  TANDEM_TRY_ASSIGN(const ObjectReader wide, reader.object("f64"));
  TANDEM_TRY_ASSIGN(out.wide, costs_of(wide));
  return out;
}

Result<MachineProfile> measure_machine(simd::Isa isa, Executor& executor, const Clock& clock) {
  constexpr std::uint64_t kNumbers = std::uint64_t{1} << 25;
  constexpr std::uint64_t kInBlock = 1 << 15;
  MachineProfile out{.isa = std::string(simd::to_string(isa)), .threads = std::max<std::size_t>(1, executor.threads())};
  const Memory<double> memory = allocate<double>(kNumbers);
  if (!memory) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes to measure its memory with; end other programs",
                kNumbers * sizeof(double));
  }
  const auto blocks = [&](const auto& body) {
    executor.parallel(kNumbers / kInBlock, 0, [&](std::size_t i) { body(memory.get() + i * kInBlock); });
  };
  blocks([](double* block) { std::fill_n(block, kInBlock, 1.0); });
  const double sweep = nanoseconds_of(clock, [&] {
    blocks([](double* block) {
      for (std::uint64_t i = 0; i < kInBlock; ++i) block[i] = -block[i];
    });
  });
  out.memory_bytes = 2.0 * sizeof(double) * kNumbers / sweep;
  out.narrow = measure_work<float>(isa, clock);
  out.wide = measure_work<double>(isa, clock);
  return out;
}

}  // namespace tandem::statevector
