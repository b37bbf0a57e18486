#include "tandem/compute/statevector/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <new>
#include <numbers>
#include <numeric>
#include <span>

#include "tandem/base/assert.h"
#include "tandem/base/rng.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/signed_sums.h"

namespace tandem::statevector {
namespace {

/// Gaps of one random stream: part of what is drawn for a seed.
constexpr std::uint64_t kGapsInAStream = 1u << 14;
/// Streams whose draws are held at once: 8 MiB.
constexpr std::uint64_t kStreamsInARound = 64;

/// -ln u for u in (0, 1], within 1e-15. By the four operations alone, as the library's logarithms differ between machines (ADR 0005).
double minus_log(double u) {
  // u = m 2^e with m in [sqrt(1/2), sqrt(2)), and ln m = 2 artanh(s), s = (m - 1) / (m + 1), s^2 < 0.0295.
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(u);
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcdull;
  const std::uint64_t shifted = bits - kRootHalf;
  const auto exponent = static_cast<double>(static_cast<std::int64_t>(shifted) >> 52);
  const double m = std::bit_cast<double>((shifted & 0x000fffffffffffffull) + kRootHalf);
  const double s = (m - 1) / (m + 1);
  const double s2 = s * s;
  double series = 1.0 / 21;
  for (const double odd : {19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0}) series = series * s2 + 1 / odd;
  return -(exponent * std::numbers::ln2 + 2 * (s + s * (s2 * series)));
}

/// The gaps of stream `index`, summed up; the last one is their sum.
void running_gaps(std::uint64_t seed, std::uint64_t index, std::span<double> out) {
  Xoshiro256 rng(derive_seed(seed, index));
  for (double& gap : out) gap = minus_log(1 - rng.uniform());
  double sum = 0;
  for (double& gap : out) gap = sum += gap;
}

/// A place within a share, and how often it was drawn: half the memory of a BasisCount.
class PlaceCount {
 public:
  PlaceCount(std::uint64_t place, std::uint64_t count) : bits_(count << kShareBits | place) {}
  std::uint64_t place() const { return bits_ & ((std::uint64_t{1} << kShareBits) - 1); }
  std::uint64_t count() const { return bits_ >> kShareBits; }  ///< those of one round at most
  void add(std::uint64_t count) { bits_ += count << kShareBits; }

 private:
  std::uint64_t bits_;
};

/// Draws of one stretch of places, ascending, to be placed by the weights in it.
template <class Real>
class Stretch {
 public:
  Stretch(const Real* amplitudes, std::uint64_t first, std::uint64_t row, const PauliKernels<Real>& kernels,
          std::vector<PlaceCount>& out)
      : amplitudes_(amplitudes), first_(first), row_(row), kernels_(kernels), out_(out) {}

  /// `rows`: the weights of its rows; `before`: that of all places below. Rows without draws are not read.
  void place(std::span<const double> draws, std::span<const double> rows, double before) {
    double sum = before;
    std::size_t next = 0;
    for (std::size_t i = 0; i < rows.size() && next < draws.size(); ++i) {
      const double after = sum + rows[i];
      const std::size_t first = next;
      while (next < draws.size() && draws[next] < after) ++next;
      if (next > first) place_in_row(first_ + i * row_, draws.subspan(first, next - first), sum);
      sum = after;
    }
    TANDEM_ASSERT(next == draws.size());  // as the stretches behind begin with the same sum
  }

 private:
  std::array<double, kLanes<Real>> weights_of(std::uint64_t place) const {
    const Real* const block = amplitudes_ + 2 * place;
    std::array<double, kLanes<Real>> out;
    for (std::size_t lane = 0; lane < kLanes<Real>; ++lane) {
      const double re = block[lane];
      const double im = block[lane + kLanes<Real>];
      out[lane] = re * re + im * im;
    }
    return out;
  }

  void place_in_row(std::uint64_t row, std::span<const double> draws, double sum) {
    constexpr std::size_t kWide = kLanes<Real>;
    std::array<double, (std::size_t{1} << kWeightRowBits<Real>) / kWide> lines;
    kernels_.weights(amplitudes_ + 2 * row, row_ / kWide, lines.data());
    std::size_t next = 0;
    std::uint64_t last_line = row + row_;
    for (std::uint64_t i = 0; i < row_ / kWide && next < draws.size(); ++i) {
      if (lines[i] == 0) continue;
      last_line = row + i * kWide;
      const double after = sum + lines[i];
      const std::size_t first = next;
      while (next < draws.size() && draws[next] < after) ++next;
      if (next > first) place_in_line(last_line, weights_of(last_line), draws.subspan(first, next - first), sum);
      sum = after;
    }
    // The weights were added in another order before; what rounding leaves over falls to the last place that can be.
    if (next == draws.size()) return;
    TANDEM_ASSERT(last_line < row + row_);
    const std::array<double, kWide> weights = weights_of(last_line);
    std::size_t last = kWide - 1;
    while (weights[last] == 0) --last;
    tell(last_line + last, draws.size() - next);
  }

  void place_in_line(std::uint64_t at, std::span<const double> weights, std::span<const double> draws, double sum) {
    std::size_t next = 0;
    std::size_t last = 0;
    for (std::size_t lane = 0; lane < weights.size() && next < draws.size(); ++lane) {
      if (weights[lane] == 0) continue;
      last = lane;
      sum += weights[lane];
      const std::size_t before = next;
      while (next < draws.size() && draws[next] < sum) ++next;
      tell(at + lane, next - before);
    }
    tell(at + last, draws.size() - next);
  }

  void tell(std::uint64_t place, std::size_t count) {
    if (count == 0) return;
    if (!out_.empty() && out_.back().place() == place - first_)
      out_.back().add(count);
    else
      out_.emplace_back(place - first_, count);
  }

  const Real* amplitudes_;
  std::uint64_t first_;
  std::uint64_t row_;
  const PauliKernels<Real>& kernels_;
  std::vector<PlaceCount>& out_;
};

/// The draws of one stretch.
struct Task {
  std::uint64_t share;
  std::span<const double> draws;
};
/// `before`: the weight below each share; draws ascend and are below the weight of all. Shares without weight get none.
std::vector<Task> tasks_of(std::span<const double> draws, std::span<const double> before) {
  std::vector<Task> out;
  while (!draws.empty()) {
    const auto above = std::ranges::upper_bound(before, draws.front());
    const auto end = above == before.end() ? draws.end() : std::ranges::lower_bound(draws, *above);
    const auto count = static_cast<std::size_t>(end - draws.begin());
    out.push_back({static_cast<std::uint64_t>(above - before.begin()) - 1, draws.first(count)});
    draws = draws.subspan(count);
  }
  return out;
}

/// What fell into one share.
struct Placed {
  std::uint64_t first;  ///< place
  std::vector<PlaceCount> counts;
};
/// Appends `parts`, which ascend; only the place that one ends with may be the next one's first.
void append(std::vector<BasisCount>& counts, std::vector<Placed>& parts, Executor& executor) {
  std::vector<std::size_t> at;
  std::size_t total = counts.size();
  for (Placed& part : parts) {
    // Of the round before: shares are apart within one.
    if (!counts.empty() && counts.back().state == part.first + part.counts.front().place()) {
      counts.back().count += part.counts.front().count();
      part.counts.erase(part.counts.begin());
    }
    at.push_back(total);
    total += part.counts.size();
  }
  counts.resize(total);
  for_blocks(executor, parts.size(), [&](std::size_t i) {
    BasisCount* to = counts.data() + at[i];
    for (const PlaceCount& one : parts[i].counts) *to++ = {parts[i].first + one.place(), one.count()};
  });
}

/// Sorted uniform numbers in [0, 1) as many as shots, a round of them at a time.
class Draws {
 public:
  Draws(std::uint64_t shots, std::uint64_t seed, Executor& executor)
      : shots_(shots),
        seed_(seed),
        executor_(executor),
        before_((shots + kGapsInAStream - 1) / kGapsInAStream),
        held_(std::min(shots, kStreamsInARound * kGapsInAStream)),
        memory_(allocate<double>(held_)) {
    if (!memory_) throw std::bad_alloc();
    for (std::uint64_t round = 0; round < num_rounds(); ++round) {
      run_streams(round);
      for (std::uint64_t i = round * kStreamsInARound; i < end_of(round); ++i) {
        before_[i] = total_;
        total_ += gaps_of(i).back();
      }
    }
    // One gap more lies behind the last draw.
    std::array<double, 1> last{};
    running_gaps(seed, before_.size(), last);
    total_ += last[0];
  }

  std::uint64_t num_rounds() const { return (before_.size() + kStreamsInARound - 1) / kStreamsInARound; }

  /// Times `weight`, and below it. Valid until the next call; rounds in their order.
  std::span<const double> round(std::uint64_t round, double weight) {
    if (num_rounds() > 1) run_streams(round);
    const double scale = weight / total_;
    const double most = std::nextafter(weight, 0.0);
    const std::uint64_t first = round * kStreamsInARound;
    for_blocks(executor_, end_of(round) - first, [&](std::size_t i) {
      for (double& draw : gaps_of(first + i)) draw = std::min((before_[first + i] + draw) * scale, most);
    });
    return {memory_.get(), std::min(held_, shots_ - first * kGapsInAStream)};
  }

 private:
  std::uint64_t end_of(std::uint64_t round) const {
    return std::min<std::uint64_t>(before_.size(), (round + 1) * kStreamsInARound);
  }
  std::span<double> gaps_of(std::uint64_t stream) {
    return {memory_.get() + stream % kStreamsInARound * kGapsInAStream,
            std::min(kGapsInAStream, shots_ - stream * kGapsInAStream)};
  }
  void run_streams(std::uint64_t round) {
    const std::uint64_t first = round * kStreamsInARound;
    for_blocks(executor_, end_of(round) - first,
               [&](std::size_t i) { running_gaps(seed_, first + i, gaps_of(first + i)); });
  }

  std::uint64_t shots_;
  std::uint64_t seed_;
  Executor& executor_;
  std::vector<double> before_;  ///< the gaps of all streams before each
  std::uint64_t held_;  ///< draws at once
  Memory<double> memory_;  ///< of those: each stream's thread is the first to touch it
  double total_ = 0;
};

}  // namespace

template <class Real>
std::vector<BasisCount> sample_places(const Real* amplitudes, std::uint32_t num_bits, std::uint64_t shots,
                                      std::uint64_t seed, std::span<const double> row_weights, simd::Isa isa,
                                      Executor& executor) {
  const std::uint64_t size = std::uint64_t{1} << std::min(num_bits, kShareBits);
  const std::uint64_t row = std::uint64_t{1} << std::min(num_bits, kWeightRowBits<Real>);
  const std::uint64_t num_shares = (std::uint64_t{1} << num_bits) / size;
  const std::size_t rows_in_share = size / row;
  const PauliKernels<Real>& kernels = pauli_kernels<Real>(isa);
  std::vector<double> weighed;
  if (row_weights.empty()) {
    weighed.resize(num_shares * rows_in_share);
    for_blocks(executor, num_shares, [&](std::size_t share) {
      for (std::size_t i = share * rows_in_share; i < (share + 1) * rows_in_share; ++i) {
        const Real* const at = amplitudes + 2 * row * i;
        weighed[i] = kernels.product(at, at, row / kLanes<Real>);
      }
    });
    row_weights = weighed;
  }
  TANDEM_ASSERT(row_weights.size() == num_shares * rows_in_share);
  std::vector<double> before(num_shares);
  double weight = 0;
  for (std::size_t i = 0; i < row_weights.size(); ++i) {
    if (i % rows_in_share == 0) before[i / rows_in_share] = weight;
    weight += row_weights[i];
  }
  Draws draws(shots, seed, executor);
  std::vector<BasisCount> counts;
  for (std::uint64_t round = 0; round < draws.num_rounds(); ++round) {
    const std::vector<Task> tasks = tasks_of(draws.round(round, weight), before);
    std::vector<Placed> placed(tasks.size());
    for_blocks(executor, tasks.size(), [&](std::size_t i) {
      const Task& task = tasks[i];
      placed[i].first = task.share * size;
      placed[i].counts.reserve(std::min<std::uint64_t>(task.draws.size(), size));
      Stretch<Real>(amplitudes, task.share * size, row, kernels, placed[i].counts)
          .place(task.draws, row_weights.subspan(task.share * rows_in_share, rows_in_share), before[task.share]);
    });
    append(counts, placed, executor);
  }
  return counts;
}

void to_states(const Frame& frame, std::vector<BasisCount>& counts, Executor& executor) {
  // Bit by bit, a place's state is the exclusive or of what its bits make: a table for each eight of them.
  constexpr std::uint32_t kDigitBits = 8;
  constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
  constexpr std::uint64_t kShare = 1 << 16;
  const auto num_qubits = static_cast<std::uint32_t>(frame.bit_of.size());
  const std::uint32_t num_digits = (num_qubits + kDigitBits - 1) / kDigitBits;
  std::vector<std::array<std::uint64_t, kDigits>> tables(num_digits);
  const std::uint64_t nothing = frame.state(0);
  for (std::uint32_t digit = 0; digit < num_digits; ++digit)
    for (std::size_t value = 0; value < kDigits; ++value)
      tables[digit][value] = frame.state(value << (digit * kDigitBits)) ^ nothing;
  for_blocks(executor, (counts.size() + kShare - 1) / kShare, [&](std::size_t share) {
    for (std::size_t i = share * kShare; i < std::min<std::size_t>(counts.size(), (share + 1) * kShare); ++i) {
      std::uint64_t state = nothing;
      for (std::uint32_t digit = 0; digit < num_digits; ++digit)
        state ^= tables[digit][counts[i].state >> (digit * kDigitBits) & (kDigits - 1)];
      counts[i].state = state;
    }
  });
  constexpr std::size_t kFew = 4096;
  if (counts.size() <= kFew) {
    std::ranges::sort(counts, {}, &BasisCount::state);
    return;
  }
  std::vector<BasisCount> other(counts.size());
  constexpr std::uint32_t kSortBits = 11;
  constexpr std::size_t kBuckets = std::size_t{1} << kSortBits;
  for (std::uint32_t shift = 0; shift < num_qubits; shift += kSortBits) {
    std::vector<std::size_t> next(kBuckets);
    for (const BasisCount& count : counts) ++next[count.state >> shift & (kBuckets - 1)];
    std::exclusive_scan(next.begin(), next.end(), next.begin(), std::size_t{0});
    for (const BasisCount& count : counts) other[next[count.state >> shift & (kBuckets - 1)]++] = count;
    counts.swap(other);
  }
}

template std::vector<BasisCount> sample_places<float>(const float*, std::uint32_t, std::uint64_t, std::uint64_t,
                                                      std::span<const double>, simd::Isa, Executor&);
template std::vector<BasisCount> sample_places<double>(const double*, std::uint32_t, std::uint64_t, std::uint64_t,
                                                       std::span<const double>, simd::Isa, Executor&);

}  // namespace tandem::statevector
