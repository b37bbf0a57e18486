#include "tandem/compute/statevector/ising_evolution.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <optional>

#include "tandem/base/assert.h"
#include "tandem/base/trig.h"
#include "tandem/compute/statevector/desks.h"
#include "tandem/compute/statevector/ising_model.h"

namespace tandem::statevector {
namespace {

constexpr std::uint32_t kNoLayer = IsingWork::kNoLayer;

/// Turns of the bits that a kind of tiles mixes, of one layer.
template <class Real>
struct Mix {
  std::vector<Turn<Real>> lanes;
  std::vector<Turn<Real>> near;  ///< above them, in a leaf
  std::vector<Turn<Real>> above;
  std::vector<std::uint32_t> near_bits;  ///< also where nothing turns
  std::vector<std::uint32_t> above_bits;
  std::size_t num_lanes = 0;
  std::vector<Turn<Real>> mirror;
  double mirror_scale = 1;
  double leaf_scale = 1;  ///< of the state afterwards: turns leave a factor out
  double above_scale = 1;
};

/// exp(-i angle X) on every one of them.
template <class Real>
Mix<Real> make_mix(const TileKind& kind, double angle) {
  const SinCos parts = sin_cos(angle);
  const bool large = std::abs(parts.sin) > std::abs(parts.cos);
  const double left_out = large ? parts.sin : parts.cos;
  Turn<Real> turn{.bit = 0,
                  .about_x = true,
                  .large = large,
                  .ratio = static_cast<Real>(large ? parts.cos / parts.sin : parts.sin / parts.cos)};
  Mix<Real> out;
  if (parts.sin != 0) out.mirror.push_back(turn);
  out.mirror_scale = left_out;
  for (std::uint32_t bit = kind.first; bit < kind.last; ++bit) {
    turn.bit = bit;
    const bool in_leaf = bit < kind.order.leaf_bits;
    if (bit < kLaneBits<Real>)
      ++out.num_lanes;
    else
      (in_leaf ? out.near_bits : out.above_bits).push_back(bit);
    (in_leaf ? out.leaf_scale : out.above_scale) *= left_out;
    if (parts.sin != 0) (bit < kLaneBits<Real> ? out.lanes : in_leaf ? out.near : out.above).push_back(turn);
  }
  return out;
}

/// One work of a pass with its numbers. Going back, layers are undone, before and after have changed places, and sums are taken.
template <class Real>
struct Prepared {
  IsingWork work;
  Mix<Real> before;
  Mix<Real> after;
  PhaseForm form;
  simd::AlignedVector<Real> pairs;
  bool back = false;
  bool reads = false;  ///< the energy at the end; going on to gradients, the bra begins here
  double before_weight = 0;  ///< of sums: the square of the scale where they are taken
  double phase_weight = 0;
  double after_weight = 0;
  double reading_weight = 0;
};

/// Places of sums.
struct Slots {
  std::size_t num_layers;
  std::size_t energy() const { return 0; }
  std::size_t gamma(std::size_t layer) const { return 1 + layer; }
  std::size_t beta(std::size_t layer) const { return 1 + num_layers + layer; }
  std::size_t count() const { return 1 + 2 * num_layers; }
};

template <class Real>
struct Desk {
  Memory<Real> ket;
  Memory<Real> bra;
};

}  // namespace

/// One call.
template <class Real>
class IsingEvolution<Real>::Runner {
 public:
  Runner(Model& model, const LayerAngles& angles, simd::Isa isa, Executor& executor, const std::stop_token& stop,
         std::uint32_t tile_bits)
      : model_(model),
        angles_(angles),
        kernels_(kernels_of<Real>(isa)),
        executor_(executor),
        stop_(stop),
        num_bits_(std::max(model.num_stored, kLaneBits<Real>)),
        // Mirrored tiles share the cache too.
        kinds_(tile_kinds(model.num_stored,
                          shape_of<Real>(tile_bits - (model.symmetric && num_bits_ > tile_bits ? 1 : 0)))),
        slots_{angles.gammas.size()},
        sums_(slots_.count()) {
    for (const TileKind& kind : kinds_) energy_pairs_.push_back(model.pairs_of(kind.order));
    const auto n = static_cast<int>(model.num_qubits);
    scale_ = std::ldexp(n % 2 == 0 ? 1 : std::sqrt(0.5), -(n / 2));
  }

  /// False when stopped.
  bool forward() {
    const std::vector<IsingPass> passes = ising_passes(kinds_.size(), num_layers(), model_.symmetric);
    for (std::size_t i = 0; i < passes.size(); ++i) {
      std::vector<Prepared<Real>> work = prepared(passes[i], false);
      if (i + 1 == passes.size()) add_reading(work);
      if (!run(passes[i].kind, work, {.fills = i == 0})) return false;
    }
    return true;
  }
  bool forward_and_back() {
    const std::vector<IsingPass> passes = ising_passes(kinds_.size(), num_layers(), model_.symmetric);
    for (std::size_t i = 0; i < passes.size(); ++i) {
      std::vector<Prepared<Real>> work = prepared(passes[i], false);
      const bool last = i + 1 == passes.size();
      if (last) {
        add_reading(work);
        for (auto& back : prepared(passes[i], true)) work.push_back(std::move(back));
      }
      if (!run(passes[i].kind, work, {.fills = i == 0, .begins_bra = last})) return false;
    }
    for (std::size_t i = passes.size() - 1; i-- > 0;)
      if (!run(passes[i].kind, prepared(passes[i], true), {.has_bra = true})) return false;
    return true;
  }

  double scale() const { return scale_; }
  double energy() const { return sums_[slots_.energy()] + model_.offset; }
  double gamma(std::size_t layer) const { return 2 * sums_[slots_.gamma(layer)]; }
  double beta(std::size_t layer) const { return 2 * sums_[slots_.beta(layer)]; }

 private:
  struct Way {
    bool fills = false;  ///< the uniform state is made on the way
    bool begins_bra = false;  ///< what the bra was is not read
    bool has_bra = false;
  };

  /// Of sums over what is stored.
  double weight() const { return (model_.symmetric ? 2 : 1) * scale_ * scale_; }
  std::uint32_t num_layers() const { return static_cast<std::uint32_t>(slots_.num_layers); }

  /// Of e^(-i angle C), with `scale`.
  PhaseForm phases(double angle, double scale) const {
    const EnergyForm& energy = model_.energy;
    const auto turned = [&](double value) {
      const SinCos parts = sin_cos(-angle * value);
      return std::complex<double>(parts.cos, parts.sin);
    };
    PhaseForm out{.num_bits = energy.num_bits,
                  .whole = turned(energy.whole + model_.offset) * scale,
                  .linear = {},
                  .pairs = std::vector<std::complex<double>>(energy.pairs.size(), 1.0)};
    for (const double value : energy.linear) out.linear.push_back(turned(value));
    for (std::uint32_t u = 0; u < energy.num_bits; ++u)
      for (std::uint32_t v = 0; v < u; ++v)
        if (energy.pair(u, v) != 0)
          out.pairs[u * energy.num_bits + v] = out.pairs[v * energy.num_bits + u] = turned(energy.pair(u, v));
    return out;
  }

  /// In the order of the work, which is the order in which the scale changes.
  std::vector<Prepared<Real>> prepared(const IsingPass& pass, bool back) {
    const TileKind& kind = kinds_[pass.kind];
    const double sign = back ? -1 : 1;
    std::vector<IsingWork> works = pass.work;
    if (back) {
      std::ranges::reverse(works);
      for (IsingWork& work : works)
        if (work.kind == IsingWork::Kind::kLeaves) std::swap(work.before, work.after);
    }
    std::vector<Prepared<Real>> out;
    for (const IsingWork& work : works) {
      Prepared<Real>& now = out.emplace_back();
      now.work = work;
      now.back = back;
      if (work.before != kNoLayer) {
        now.before = make_mix<Real>(kind, sign * angles_.betas[work.before]);
        now.before_weight = weight();
        scale_ *= now.before.leaf_scale;
      }
      if (work.phase != kNoLayer) {
        now.phase_weight = weight();
        now.form = phases(sign * angles_.gammas[work.phase], scale_);
        scale_ = 1;
        const std::vector<std::complex<double>> pairs = leaf_pairs(now.form, kind.order);
        now.pairs.resize(2 * pairs.size());
        for (std::size_t at = 0; at < pairs.size(); ++at) {
          now.pairs[re_at<Real>(at)] = static_cast<Real>(pairs[at].real());
          now.pairs[re_at<Real>(at) + kLanes<Real>] = static_cast<Real>(pairs[at].imag());
        }
      }
      if (work.after != kNoLayer) {
        now.after = make_mix<Real>(kind, sign * angles_.betas[work.after]);
        now.after_weight = weight();
        scale_ *= work.kind == IsingWork::Kind::kAbove    ? now.after.above_scale
                  : work.kind == IsingWork::Kind::kMirror ? now.after.mirror_scale
                                                          : now.after.leaf_scale;
      }
    }
    return out;
  }

  /// The energy is read where a leaf is last in the cache.
  void add_reading(std::vector<Prepared<Real>>& work) const {
    if (work.empty() || work.back().work.kind != IsingWork::Kind::kLeaves) work.emplace_back();
    work.back().reads = true;
    work.back().reading_weight = weight();
  }

  bool run(std::size_t number, const std::vector<Prepared<Real>>& work, const Way& way) {
    const TileKind& kind = kinds_[number];
    const std::uint32_t chunk_bits = kind.order.tile_bits();
    const std::uint32_t tile_bits = kind.in_a_row ? chunk_bits : chunk_bits - kLaneBits<Real> + kind.row_bits;
    const std::uint64_t num_tiles = std::uint64_t{1} << (num_bits_ - tile_bits);
    std::uint64_t inside = (std::uint64_t{1} << kind.row_bits) - 1;
    for (const std::uint32_t bit : kind.order.bits) inside |= std::uint64_t{1} << bit;
    const std::uint64_t outside = ((std::uint64_t{1} << num_bits_) - 1) & ~inside;
    const bool with_bra = way.begins_bra || way.has_bra;
    const std::uint64_t num_tasks = kind.in_a_row && model_.symmetric && num_tiles > 1 ? num_tiles / 2 : num_tiles;
    std::vector<double> sums(num_tasks * slots_.count());
    std::atomic<bool> stopped = false;
    Desks<Desk<Real>> desks(kind.in_a_row ? 0 : threads_of(executor_), [&] {
      auto out = std::make_unique<Desk<Real>>();
      out->ket = allocate<Real>(std::uint64_t{2} << tile_bits);
      if (with_bra) out->bra = allocate<Real>(std::uint64_t{2} << tile_bits);
      if (!out->ket || (with_bra && !out->bra)) throw std::bad_alloc();
      return out;
    });
    for_blocks(executor_, num_tasks, [&](std::size_t task) {
      if (stop_.stop_requested()) stopped.store(true, std::memory_order_relaxed);
      if (stopped.load(std::memory_order_relaxed)) return;
      const std::uint64_t base = deposit(task, outside);
      const Place place{
          .kind = kind, .energy_pairs = energy_pairs_[number].data(), .sums = &sums[task * slots_.count()]};
      if (kind.in_a_row) {
        std::array<Chunk, 2> chunks;  // of mirrored tiles
        for (std::size_t i = 0; i < 2; ++i) {
          const std::uint64_t own = i == 0 ? base : base ^ outside;
          chunks[i] = {
              .ket = model_.ket.get() + 2 * own, .bra = with_bra ? model_.bra.get() + 2 * own : nullptr, .base = own};
          if (way.fills && (i == 0 || num_tasks < num_tiles)) fill(chunks[i].ket, std::uint64_t{1} << tile_bits);
        }
        run_chunks(place, work, std::span(chunks).first(num_tiles / num_tasks));
        return;
      }
      auto desk = desks.take();
      move_rows<true>(kind, model_.ket.get() + 2 * base, desk->ket.get());
      if (way.has_bra) move_rows<true>(kind, model_.bra.get() + 2 * base, desk->bra.get());
      for (std::uint64_t c = 0; c < std::uint64_t{1} << (tile_bits - chunk_bits); ++c) {
        const std::uint64_t from = c * (std::uint64_t{2} << chunk_bits);
        const Chunk chunk{.ket = desk->ket.get() + from,
                          .bra = with_bra ? desk->bra.get() + from : nullptr,
                          .base = base | c << kLaneBits<Real>};
        run_chunks(place, work, {&chunk, 1});
      }
      move_rows<false>(kind, model_.ket.get() + 2 * base, desk->ket.get());
      if (with_bra) move_rows<false>(kind, model_.bra.get() + 2 * base, desk->bra.get());
      desks.give(std::move(desk));
    });
    for (std::size_t i = 0; i < sums.size(); ++i) sums_[i % slots_.count()] += sums[i];
    return !stopped;
  }

  void fill(Real* ket, std::uint64_t places) const {
    const std::size_t lanes = std::min(kLanes<Real>, std::size_t{1} << model_.num_stored);
    for (std::uint64_t place = 0; place < places; place += kLanes<Real>, ket += 2 * kLanes<Real>) {
      std::fill_n(ket, 2 * kLanes<Real>, Real(0));
      std::fill_n(ket, lanes, Real(1));
    }
  }

  /// Between rows in memory and chunks, which hold one block of each row.
  template <bool kGather>
  static void move_rows(const TileKind& kind, Real* amplitudes, Real* tile) {
    constexpr std::size_t kBlock = 2 * kLanes<Real>;
    const std::uint32_t chunk_bits = kind.order.tile_bits();
    const std::uint64_t num_rows = std::uint64_t{1} << (chunk_bits - kLaneBits<Real>);
    const std::uint64_t row_blocks = std::uint64_t{1} << (kind.row_bits - kLaneBits<Real>);
    const std::uint32_t row_at = kind.order.bits[kLaneBits<Real>];
    for (std::uint64_t row = 0; row < num_rows; ++row) {
      Real* place = amplitudes + (row << row_at) * 2;
      Real* block = tile + row * kBlock;
      for (std::uint64_t c = 0; c < row_blocks; ++c, place += kBlock, block += num_rows * kBlock)
        kGather ? std::memcpy(block, place, kBlock * sizeof(Real)) : std::memcpy(place, block, kBlock * sizeof(Real));
    }
  }

  struct Place {
    const TileKind& kind;
    const Real* energy_pairs;
    double* sums;
  };
  struct Chunk {
    Real* ket = nullptr;
    Real* bra = nullptr;  ///< null: there is none
    std::uint64_t base = 0;
  };

  /// One, or two that mirror each other; one in a row mirrors itself.
  void run_chunks(const Place& place, const std::vector<Prepared<Real>>& works, std::span<const Chunk> chunks) const {
    for (const Prepared<Real>& now : works) {
      if (now.work.kind == IsingWork::Kind::kMirror) {
        mirror(place, now, chunks.front(), chunks.back());
        continue;
      }
      for (const Chunk& chunk : chunks)
        now.work.kind == IsingWork::Kind::kAbove ? run_above(place, now, chunk) : run_leaves(place, now, chunk);
    }
  }

  static std::uint64_t blocks_of(std::uint32_t bits) { return std::uint64_t{1} << (bits - kLaneBits<Real>); }

  void mirror(const Place& place, const Prepared<Real>& now, const Chunk& a, const Chunk& b) const {
    const std::uint64_t num_blocks = blocks_of(place.kind.order.tile_bits());
    const std::uint64_t count = a.ket == b.ket ? num_blocks / 2 : num_blocks;
    if (now.back)
      place.sums[slots_.beta(now.work.after)] +=
          now.after_weight * kernels_.ising->flip_mirror(a.bra, a.ket, b.bra, b.ket, num_blocks, count);
    for (const Turn<Real>& turn : now.after.mirror) {
      kernels_.tile->turn_mirror(a.ket, b.ket, num_blocks, count, turn);
      if (now.back) kernels_.tile->turn_mirror(a.bra, b.bra, num_blocks, count, turn);
    }
  }

  void run_above(const Place& place, const Prepared<Real>& now, const Chunk& chunk) const {
    const Mix<Real>& mix = now.after;
    const std::uint64_t num_blocks = blocks_of(place.kind.order.tile_bits());
    if (now.back) {
      place.sums[slots_.beta(now.work.after)] +=
          now.after_weight *
          kernels_.ising->flip(chunk.bra, chunk.ket, num_blocks, mix.above_bits.data(), mix.above_bits.size());
      kernels_.tile->turn(chunk.bra, num_blocks, mix.above.data(), mix.above.size());
    }
    kernels_.tile->turn(chunk.ket, num_blocks, mix.above.data(), mix.above.size());
  }

  void run_leaves(const Place& place, const Prepared<Real>& now, const Chunk& chunk) const {
    const TileOrder& order = place.kind.order;
    FormWalk<Adding> energy(model_.energy, order);
    FormWalk<Multiplying> phase(now.form, order);
    const bool phases = now.work.phase != kNoLayer;
    const bool energies = now.reads || (now.back && phases);
    const auto leaf = [&](std::uint64_t at) {
      run_leaf(place, now, chunk.ket + 2 * at, chunk.bra == nullptr ? nullptr : chunk.bra + 2 * at, phase, energy);
    };
    if (energies) energy.begin(chunk.base);
    if (phases) phase.begin(chunk.base);
    if (phases && energies)
      for_leaves(order, order.tile_bits(), 0, leaf, phase, energy);
    else if (phases)
      for_leaves(order, order.tile_bits(), 0, leaf, phase);
    else if (energies)
      for_leaves(order, order.tile_bits(), 0, leaf, energy);
    else
      for_leaves(order, order.tile_bits(), 0, leaf);
  }

  void run_leaf(const Place& place, const Prepared<Real>& now, Real* ket, Real* bra, const FormWalk<Multiplying>& phase,
                const FormWalk<Adding>& energy) const {
    const std::uint64_t num_blocks = blocks_of(place.kind.order.leaf_bits);
    mix_leaf(place, now, now.work.before, now.before, now.before_weight, ket, bra);
    if (now.work.phase != kNoLayer) {
      if (now.back) {
        place.sums[slots_.gamma(now.work.phase)] +=
            now.phase_weight * kernels_.ising->slope(bra, ket, place.energy_pairs, energy.terms(), num_blocks);
        kernels_.ising->phase(bra, now.pairs.data(), phase.terms(), num_blocks);
      }
      kernels_.ising->phase(ket, now.pairs.data(), phase.terms(), num_blocks);
    }
    mix_leaf(place, now, now.work.after, now.after, now.after_weight, ket, bra);
    if (!now.reads) return;
    place.sums[slots_.energy()] +=
        now.reading_weight * (bra == nullptr
                                  ? kernels_.ising->energy(ket, place.energy_pairs, energy.terms(), num_blocks)
                                  : kernels_.ising->weigh(bra, ket, place.energy_pairs, energy.terms(), num_blocks));
  }

  void mix_leaf(const Place& place, const Prepared<Real>& now, std::uint32_t layer, const Mix<Real>& mix, double weight,
                Real* ket, Real* bra) const {
    if (layer == kNoLayer) return;
    const std::uint64_t num_blocks = blocks_of(place.kind.order.leaf_bits);
    if (now.back) {
      double sum = kernels_.ising->flip(bra, ket, num_blocks, mix.near_bits.data(), mix.near_bits.size());
      if (mix.num_lanes > 0) sum += kernels_.ising->flip_lanes(bra, ket, num_blocks, mix.num_lanes);
      place.sums[slots_.beta(layer)] += weight * sum;
      turn_leaf(mix, num_blocks, bra);
    }
    turn_leaf(mix, num_blocks, ket);
  }
  void turn_leaf(const Mix<Real>& mix, std::uint64_t num_blocks, Real* state) const {
    if (!mix.lanes.empty()) kernels_.tile->turn_lanes(state, num_blocks, mix.lanes.data(), mix.lanes.size());
    kernels_.tile->turn(state, num_blocks, mix.near.data(), mix.near.size());
  }

  Model& model_;
  const LayerAngles& angles_;
  IsingAndTileKernels<Real> kernels_;
  Executor& executor_;
  const std::stop_token& stop_;
  std::uint32_t num_bits_;  ///< of places
  std::vector<TileKind> kinds_;
  std::vector<simd::AlignedVector<Real>> energy_pairs_;  ///< of leaves, by kind
  Slots slots_;
  std::vector<double> sums_;
  double scale_ = 1;  ///< the amplitude is this times what stands in memory
};

namespace {

/// `radius`: no energy is farther from the offset.
Result<void> check(const LayerAngles& angles, double radius) {
  if (angles.gammas.size() != angles.betas.size()) {
    return fail(errors::kSizeMismatch, "{} gammas but {} betas; a layer has one of each", angles.gammas.size(),
                angles.betas.size());
  }
  for (const auto part : {angles.gammas, angles.betas})
    for (const double angle : part)
      if (!std::isfinite(angle)) return fail(errors::kNotFinite, "an angle is {}; use finite ones", angle);
  for (const double gamma : angles.gammas) {
    if (!std::isfinite(gamma * radius)) {
      return fail(errors::kNotFinite, "gamma {} times energies up to {} is not finite; use smaller ones", gamma,
                  radius);
    }
  }
  return {};
}

/// Of the first `n` bits, where spin form has -1 and 1; the others are 0.
EnergyForm form_of(const problem::Bqm& cost, std::uint32_t n) {
  const problem::Bqm binary = cost.with_vartype(problem::Vartype::kBinary);
  EnergyForm out{.num_bits = n,
                 .whole = binary.offset(),
                 .linear = {binary.linear().begin(), binary.linear().begin() + n},
                 .pairs = std::vector<double>(std::size_t{n} * n)};
  for (const problem::QuadraticTerm& term : binary.terms())
    if (term.u < n && term.v < n) out.pairs[term.u * n + term.v] = out.pairs[term.v * n + term.u] = term.bias;
  return out;
}

}  // namespace

template <class Real>
Result<IsingEvolution<Real>> IsingEvolution<Real>::create(const problem::Bqm& cost, std::uint64_t memory_bytes_max,
                                                          Executor& executor) {
  if (cost.num_variables() == 0) {
    return fail(errors::kValueOutOfRange, "a model without variables has no state; give it at least one");
  }
  const auto n = static_cast<std::uint32_t>(cost.num_variables());
  const problem::Bqm spins = cost.with_vartype(problem::Vartype::kSpin);
  const bool fields = std::ranges::any_of(spins.linear(), [](double h) { return h != 0; });
  auto model = std::make_unique<Model>();
  model->num_qubits = n;
  model->symmetric = !fields && n >= kLaneBits<Real> + 2;
  model->num_stored = n - (model->symmetric ? 1 : 0);
  TANDEM_TRY(BasicStateVector<Real>::fits(model->num_stored, memory_bytes_max));
  model->memory_bytes_max = memory_bytes_max;
  model->energy = form_of(cost, model->num_stored);
  // The mean over all states, apart, so that what is summed up is about 0.
  model->offset = spins.offset();
  model->energy.whole -= model->offset;
  for (const double h : spins.linear()) model->radius += std::abs(h);
  for (const problem::QuadraticTerm& term : spins.terms()) model->radius += std::abs(term.bias);
  model->ket = model->new_state();
  if (!model->ket) {
    return fail(errors::kOutOfMemory, "the machine refused {} bytes for a state vector of {} qubits; use fewer qubits",
                model->bytes(), n);
  }
  return IsingEvolution(std::move(model), executor);
}

template <class Real>
IsingEvolution<Real>::IsingEvolution(std::unique_ptr<Model> model, Executor& executor)
    : model_(std::move(model)), executor_(&executor) {}
template <class Real>
IsingEvolution<Real>::IsingEvolution(IsingEvolution&&) noexcept = default;
template <class Real>
IsingEvolution<Real>& IsingEvolution<Real>::operator=(IsingEvolution&&) noexcept = default;
template <class Real>
IsingEvolution<Real>::~IsingEvolution() = default;

template <class Real>
Result<double> IsingEvolution<Real>::value(const LayerAngles& angles, std::stop_token stop) {
  TANDEM_TRY(check(angles, model_->radius));
  model_->scale = 0;
  Runner runner(*model_, angles, isa_, *executor_, stop, tile_bits_);
  if (!runner.forward()) return simulation_stopped();
  model_->scale = runner.scale();
  return runner.energy();
}

template <class Real>
Result<IsingGradient> IsingEvolution<Real>::gradient(const LayerAngles& angles, std::stop_token stop) {
  TANDEM_TRY(check(angles, model_->radius));
  model_->scale = 0;
  const std::uint64_t bytes = model_->bytes();
  if (!model_->bra) {
    if (model_->memory_bytes_max - bytes >= bytes) model_->bra = model_->new_state();
    if (!model_->bra) {
      return fail(errors::kOutOfMemory,
                  "a gradient holds two states of {} bytes and {} are available; use fewer qubits, or ask for values",
                  bytes, model_->memory_bytes_max);
    }
  }
  // Tiles of two states share the cache.
  Runner runner(*model_, angles, isa_, *executor_, stop, tile_bits_ - 1);
  if (!runner.forward_and_back()) return simulation_stopped();
  IsingGradient out{.value = runner.energy(), .gammas = {}, .betas = {}};
  for (std::size_t layer = 0; layer < angles.gammas.size(); ++layer) {
    out.gammas.push_back(runner.gamma(layer));
    out.betas.push_back(runner.beta(layer));
  }
  return out;
}

template <class Real>
std::complex<double> IsingEvolution<Real>::amplitude(std::uint64_t state) const {
  TANDEM_ASSERT(model_->scale != 0 && state >> model_->num_qubits == 0);
  const bool flips = model_->symmetric && (state >> model_->num_stored) != 0;
  const std::uint64_t place = flips ? state ^ ((std::uint64_t{2} << model_->num_stored) - 1) : state;
  const Real* const re = model_->ket.get() + re_at<Real>(place);
  return model_->scale * std::complex<double>(re[0], re[kLanes<Real>]);
}

template class IsingEvolution<double>;
template class IsingEvolution<float>;

}  // namespace tandem::statevector
