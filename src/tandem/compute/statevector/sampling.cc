#include "tandem/compute/statevector/sampling.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
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

/// Draws of one stretch of places, ascending, to be placed by the weights in it.
template <class Real>
class Stretch {
 public:
  Stretch(const Real* amplitudes, std::uint64_t first, std::uint64_t count, std::vector<BasisCount>& out)
      : amplitudes_(amplitudes), first_(first), count_(count), out_(out) {}

  /// `before`: the weight of all places below.
  void place(std::span<const double> draws, double before) {
    constexpr std::size_t kWide = kLanes<Real>;
    double sum = before;
    std::size_t next = 0;
    std::uint64_t last_line = count_;
    for (std::uint64_t at = 0; at < count_ && next < draws.size(); at += kWide) {
      const std::array<double, kWide> weights = weights_of(first_ + at);
      double line = 0;
      for (const double weight : weights) line += weight;
      if (line == 0) continue;
      last_line = at;
      const double after = sum + line;
      const std::size_t first = next;
      while (next < draws.size() && draws[next] < after) ++next;
      if (next > first) place_in_line(at, weights, draws.subspan(first, next - first), sum);
      sum = after;
    }
    // The weights were added in another order before; what rounding leaves over falls to the last place that can be.
    if (next == draws.size()) return;
    TANDEM_ASSERT(last_line < count_);
    place_in_line(last_line, weights_of(first_ + last_line), draws.subspan(next), sum);
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

  void place_in_line(std::uint64_t at, std::span<const double> weights, std::span<const double> draws, double sum) {
    std::size_t next = 0;
    std::size_t last = 0;
    for (std::size_t lane = 0; lane < weights.size() && next < draws.size(); ++lane) {
      if (weights[lane] == 0) continue;
      last = lane;
      sum += weights[lane];
      const std::size_t before = next;
      while (next < draws.size() && draws[next] < sum) ++next;
      tell(first_ + at + lane, next - before);
    }
    tell(first_ + at + last, draws.size() - next);
  }

  void tell(std::uint64_t place, std::size_t count) {
    if (count == 0) return;
    if (!out_.empty() && out_.back().state == place)
      out_.back().count += count;
    else
      out_.push_back({place, count});
  }

  const Real* amplitudes_;
  std::uint64_t first_;
  std::uint64_t count_;
  std::vector<BasisCount>& out_;
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

/// Appends `parts`, which ascend; only the place that one ends with may be the next one's first.
void append(std::vector<BasisCount>& counts, std::vector<std::vector<BasisCount>>& parts, Executor& executor) {
  std::vector<std::size_t> at;
  std::size_t total = counts.size();
  for (std::vector<BasisCount>& part : parts) {
    if (!counts.empty() &&
        counts.back().state == part.front().state) {  // of the round before: shares are apart within one
      counts.back().count += part.front().count;
      part.erase(part.begin());
    }
    at.push_back(total);
    total += part.size();
  }
  counts.resize(total);
  for_blocks(executor, parts.size(),
             [&](std::size_t i) { std::ranges::copy(parts[i], counts.begin() + static_cast<std::ptrdiff_t>(at[i])); });
}

/// Sorted uniform numbers in [0, 1) as many as shots, a round of them at a time.
class Draws {
 public:
  Draws(std::uint64_t shots, std::uint64_t seed, Executor& executor)
      : shots_(shots),
        seed_(seed),
        executor_(executor),
        before_((shots + kGapsInAStream - 1) / kGapsInAStream),
        held_(std::min(shots, kStreamsInARound * kGapsInAStream)) {
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
    return std::span(held_).first(std::min<std::uint64_t>(held_.size(), shots_ - first * kGapsInAStream));
  }

 private:
  std::uint64_t end_of(std::uint64_t round) const {
    return std::min<std::uint64_t>(before_.size(), (round + 1) * kStreamsInARound);
  }
  std::span<double> gaps_of(std::uint64_t stream) {
    return std::span(held_).subspan(stream % kStreamsInARound * kGapsInAStream,
                                    std::min(kGapsInAStream, shots_ - stream * kGapsInAStream));
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
  std::vector<double> held_;
  double total_ = 0;
};

}  // namespace

template <class Real>
std::vector<BasisCount> sample_places(const Real* amplitudes, std::uint32_t num_bits, std::uint64_t shots,
                                      std::uint64_t seed, simd::Isa isa, Executor& executor) {
  const std::uint64_t size = std::uint64_t{1} << std::min(num_bits, kShareBits);
  const std::uint64_t num_shares = (std::uint64_t{1} << num_bits) / size;
  const PauliKernels<Real>& kernels = pauli_kernels<Real>(isa);
  std::vector<double> before = block_values(executor, num_shares, [&](std::size_t i) {
    const Real* const share = amplitudes + 2 * i * size;
    return kernels.product(share, share, size / kLanes<Real>);
  });
  double weight = 0;
  for (double& entry : before) {
    const double own = entry;
    entry = weight;
    weight += own;
  }
  Draws draws(shots, seed, executor);
  std::vector<BasisCount> counts;
  for (std::uint64_t round = 0; round < draws.num_rounds(); ++round) {
    const std::vector<Task> tasks = tasks_of(draws.round(round, weight), before);
    std::vector<std::vector<BasisCount>> placed(tasks.size());
    for_blocks(executor, tasks.size(), [&](std::size_t i) {
      const Task& task = tasks[i];
      placed[i].reserve(std::min<std::uint64_t>(task.draws.size(), size));
      Stretch<Real>(amplitudes, task.share * size, size, placed[i]).place(task.draws, before[task.share]);
    });
    append(counts, placed, executor);
  }
  return counts;
}

template std::vector<BasisCount> sample_places<float>(const float*, std::uint32_t, std::uint64_t, std::uint64_t,
                                                      simd::Isa, Executor&);
template std::vector<BasisCount> sample_places<double>(const double*, std::uint32_t, std::uint64_t, std::uint64_t,
                                                       simd::Isa, Executor&);

}  // namespace tandem::statevector
