#include "tandem/compute/statevector/ising_runner.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>

#include "tandem/base/assert.h"
#include "tandem/compute/statevector/amplitudes.h"
#include "tandem/compute/statevector/desks.h"
#include "tandem/compute/statevector/ising_model.h"
#include "tandem/compute/statevector/ising_rows.h"
#include "tandem/compute/statevector/ising_work.h"

namespace tandem::statevector {

template <class Real>
class IsingRunner<Real>::Impl {
 public:
  Impl(const IsingState<Real>& state, std::span<const IsingLayer> layers, const IsingRunOptions<Real>& options,
       Executor& executor, const std::stop_token& stop)
      : state_(state),
        layers_(layers),
        options_(options),
        kernels_(kernels_of<Real>(options.isa)),
        executor_(executor),
        stop_(stop),
        num_bits_(std::max(state.num_stored(), kLaneBits<Real>)),
        // Mirrored tiles share the cache too.
        kinds_(tile_kinds(
            state.num_stored(),
            ising_shape<Real>(options.tile_bits - (state.symmetric && num_bits_ > options.tile_bits ? 1 : 0)))),
        passes_(ising_passes(kinds_.size(), num_layers(), state.symmetric)),
        slots_{layers.size()},
        sums_(slots_.count()) {
    if (options.energies.form != nullptr)
      for (const TileKind& kind : kinds_)
        energy_pairs_.push_back(energy_pairs<Real>(*options.energies.form, kind.order));
    const auto n = static_cast<int>(state.num_qubits);
    scale_ = std::ldexp(n % 2 == 0 ? 1 : std::sqrt(0.5), -(n / 2));
  }

  Result<void> forward(std::size_t i) {
    std::vector<Prepared<Real>> work = prepared(passes_[i], false);
    if (is_last(i) && options_.energies.any()) add_reading(work);
    return run(passes_[i].kind, work, {.fills = i == 0 && !begins(work)});
  }
  Result<void> forward_and_back() {
    TANDEM_ASSERT(options_.energies.any() && state_.bra != nullptr);
    for (std::size_t i = 0; i < passes_.size(); ++i) {
      std::vector<Prepared<Real>> work = prepared(passes_[i], false);
      if (is_last(i)) {
        add_reading(work);
        for (auto& back : prepared(passes_[i], true)) work.push_back(std::move(back));
      }
      TANDEM_TRY(run(passes_[i].kind, work, {.fills = i == 0 && !begins(work), .begins_bra = is_last(i)}));
    }
    for (std::size_t i = passes_.size() - 1; i-- > 0;)
      TANDEM_TRY(run(passes_[i].kind, prepared(passes_[i], true), {.has_bra = true}));
    return {};
  }

  const std::vector<IsingPass>& passes() const { return passes_; }
  const std::vector<TileKind>& kinds() const { return kinds_; }
  double scale() const { return scale_; }
  double energy() const { return sums_[slots_.energy()]; }
  double gamma(std::size_t layer) const { return 2 * sums_[slots_.gamma(layer)]; }
  double beta(std::size_t layer) const { return 2 * sums_[slots_.beta(layer)]; }

 private:
  struct Way {
    bool fills = false;  ///< the uniform state is made on the way
    bool begins_bra = false;  ///< what the bra was is not read
    bool has_bra = false;
  };

  /// Of sums over what is stored.
  double weight() const { return (state_.symmetric ? 2 : 1) * scale_ * scale_; }
  std::uint32_t num_layers() const { return static_cast<std::uint32_t>(layers_.size()); }
  const Real* table() const { return options_.energies.table; }
  bool is_last(std::size_t pass) const { return pass + 1 == passes_.size(); }

  /// With `scale`, and undone where the way leads back.
  static PhaseForm scaled(const PhaseForm& phases, double scale, bool back) {
    PhaseForm out = phases;
    if (back) {
      out.whole = std::conj(out.whole);
      for (std::complex<double>& value : out.linear) value = std::conj(value);
      for (std::complex<double>& value : out.pairs) value = std::conj(value);
    }
    out.whole *= scale;
    return out;
  }

  static bool begins(const std::vector<Prepared<Real>>& work) { return !work.empty() && work.front().begins; }
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
      // Lanes without a qubit stay 0, so a state that has some is filled.
      now.begins = &pass == &passes_.front() && !back && out.size() == 1 && work.phase != kNoLayer &&
                   state_.num_stored() >= kLaneBits<Real>;
      if (work.before != kNoLayer) {
        now.before = make_mix<Real>(kind, layers_[work.before], back);
        now.inner_before_weight = weight();
        scale_ *= now.before.inner.scale();
        now.before_weight = weight();
        scale_ *= now.before.leaf_scale;
      }
      if (work.phase != kNoLayer) {
        now.phase_weight = weight();
        const IsingLayer& layer = layers_[work.phase];
        if (table() != nullptr) {
          now.by_energy = energy_phase<Real>(-sign * layer.gamma,
                                             scale_ * (back ? std::conj(layer.phases.whole) : layer.phases.whole));
          scale_ = 1;
        } else {
          now.form = scaled(layer.phases, scale_, back);
          scale_ = 1;
          now.pairs = phase_pairs<Real>(now.form, kind.order);
          if (back) now.axis_readings = axis_readings(work.phase);
        }
      }
      if (work.after != kNoLayer) {
        now.after = make_mix<Real>(kind, layers_[work.after], back);
        now.after_weight = weight();
        scale_ *= work.kind == IsingWork::Kind::kAbove    ? now.after.above.scale()
                  : work.kind == IsingWork::Kind::kMirror ? now.after.mirror_scale
                                                          : now.after.leaf_scale;
        if (work.kind == IsingWork::Kind::kLeaves) {
          now.inner_after_weight = weight();
          scale_ *= now.after.inner.scale();
        }
      }
    }
    return out;
  }

  /// Half of a mixer's phases stand before its turns, the other half with those of the next layer.
  std::vector<AxisReading> axis_readings(std::uint32_t layer) const {
    std::vector<AxisReading> out;
    for (std::uint32_t l = std::max(layer, 1u) - 1; l <= layer; ++l)
      if (!layers_[l].axis_slopes.empty()) out.push_back(axis_reading(l, layers_[l].axis_slopes));
    return out;
  }

  /// The energy is read where a leaf is last in the cache.
  void add_reading(std::vector<Prepared<Real>>& work) const {
    if (work.empty() || work.back().work.kind != IsingWork::Kind::kLeaves) work.emplace_back();
    work.back().reads = true;
    work.back().reading_weight = weight();
  }

  Result<void> run(std::size_t number, const std::vector<Prepared<Real>>& work, const Way& way) {
    const TileKind& kind = kinds_[number];
    const std::uint32_t chunk_bits = kind.order.tile_bits();
    const std::uint32_t tile_bits = kind.in_a_row ? chunk_bits : chunk_bits - kLaneBits<Real> + kind.row_bits;
    const std::uint64_t num_tiles = std::uint64_t{1} << (num_bits_ - tile_bits);
    std::uint64_t inside = (std::uint64_t{1} << kind.row_bits) - 1;
    for (const std::uint32_t bit : kind.order.bits) inside |= std::uint64_t{1} << bit;
    const std::uint64_t outside = ((std::uint64_t{1} << num_bits_) - 1) & ~inside;
    const bool with_bra = way.begins_bra || way.has_bra;
    const bool pairs = kind.in_a_row && state_.symmetric && num_tiles > 1;
    const bool reads = std::ranges::any_of(work, [](const Prepared<Real>& one) { return one.back || one.reads; });
    const std::size_t slots = reads ? slots_.count() : 0;
    std::vector<double> sums(num_tiles * slots);
    std::atomic<bool> stopped = false;
    const Places<Real> memory{.ket = state_.ket, .bra = with_bra ? state_.bra : nullptr, .energies = table()};
    Desks<RowDesk<Real>> desks(kind.in_a_row ? 0 : threads_of(executor_),
                               [&] { return RowDesk<Real>::make(memory, tile_bits); });
    if (!kind.in_a_row && desks.count() == 0) {
      return fail(errors::kOutOfMemory,
                  "the machine refused {} bytes to work in beside the state vector; use fewer qubits",
                  (with_bra ? 4 : 2) * (std::uint64_t{1} << tile_bits) * sizeof(Real));
    }
    const auto place_of = [&](std::uint64_t tile) {
      return Place{.kind = kind,
                   .energy_pairs = energy_pairs_.empty() ? nullptr : energy_pairs_[number].data(),
                   .sums = sums.data() + tile * slots};
    };
    const auto in_place = [&](std::uint64_t tile) {
      const std::uint64_t base = deposit(tile, outside);
      std::array<Chunk, 2> chunks;  // of mirrored tiles
      for (std::size_t i = 0; i < 2; ++i) {
        const std::uint64_t own = i == 0 ? base : base ^ outside;
        chunks[i] = {.places = memory.from(own), .base = own};
        if (way.fills && (i == 0 || pairs)) fill(chunks[i].places.ket, std::uint64_t{1} << tile_bits);
      }
      run_chunks(place_of(tile), work, std::span(chunks).first(pairs ? 2 : 1));
    };
    const std::uint64_t num_chunks = std::uint64_t{1} << (tile_bits - chunk_bits);
    // Going back begins with a bra that is not there yet.
    Places<Real> gathered_from = memory;
    if (!way.has_bra) gathered_from.bra = nullptr;
    const auto gathered = [&](std::uint64_t tile, bool before_another) {
      const std::uint64_t base = deposit(tile, outside);
      NextRows<Real> next(kind, before_another ? gathered_from.from(deposit(tile + 1, outside)) : Places<Real>{},
                          kAsksOfLeaf * (num_chunks << (chunk_bits - kind.order.leaf_bits)));
      Place place = place_of(tile);
      place.next = &next;
      auto desk = desks.take();
      desk->gather(kind, gathered_from.from(base));
      for (std::uint64_t c = 0; c < num_chunks; ++c) {
        const Chunk chunk{.places = desk->places().from(c << chunk_bits), .base = base | c << kLaneBits<Real>};
        run_chunks(place, work, {&chunk, 1});
      }
      desk->put_back(kind, memory.from(base), num_bits_);
      desks.give(std::move(desk));
    };
    const std::uint64_t in_turn = kind.in_a_row ? 1 : tiles_in_turn(num_tiles);
    const auto body = [&](std::size_t task) {
      for (std::uint64_t i = 0; i < in_turn; ++i) {
        if (stop_.stop_requested()) stopped.store(true, std::memory_order_relaxed);
        if (stopped.load(std::memory_order_relaxed)) return;
        if (kind.in_a_row)
          in_place(task);
        else
          gathered(task * in_turn + i, i + 1 < in_turn);
      }
    };
    const std::uint64_t num_tasks = num_tiles / (pairs ? 2 : in_turn);
    if (num_tasks == 1)
      body(0);
    else
      executor_.parallel(num_tasks, desks.count(), body);
    if (stopped) return simulation_stopped();
    for (std::size_t i = 0; i < sums.size(); ++i) sums_[i % slots] += sums[i];
    return {};
  }

  /// Gathered tiles that a task takes one after the other: all but the first have been asked for. Few enough for all threads to have tasks.
  std::uint64_t tiles_in_turn(std::uint64_t num_tiles) const {
    constexpr std::uint64_t kMost = 8, kTasksOfThread = 8;
    return std::clamp<std::uint64_t>(std::bit_floor(num_tiles / (kTasksOfThread * threads_of(executor_))), 1, kMost);
  }

  void fill(Real* ket, std::uint64_t places) const {
    const std::size_t lanes = std::min(kLanes<Real>, std::size_t{1} << state_.num_stored());
    for (std::uint64_t place = 0; place < places; place += kLanes<Real>, ket += 2 * kLanes<Real>) {
      std::fill_n(ket, 2 * kLanes<Real>, Real(0));
      std::fill_n(ket, lanes, Real(1));
    }
  }

  /// Of NextRows, in run_leaf().
  static constexpr std::uint64_t kAsksOfLeaf = 2;
  struct Place {
    const TileKind& kind;
    const Real* energy_pairs;
    double* sums;
    NextRows<Real>* next = nullptr;  ///< of another tile
    void ask_for_next() const {
      if (next != nullptr) next->ask();
    }
  };
  struct Chunk {
    Places<Real> places;  ///< null energies: they are a form
    std::uint64_t base = 0;
  };
  struct AxisTerms {
    const double* first;
    const double* last;
  };
  /// Of a leaf, as kernels want them.
  struct Energies {
    const Real* pairs;
    const double* terms;
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
    const std::uint64_t count = a.places.ket == b.places.ket ? num_blocks / 2 : num_blocks;
    if (now.back)
      place.sums[slots_.beta(now.work.after)] +=
          now.after_weight *
          kernels_.ising->flip_mirror(a.places.bra, a.places.ket, b.places.bra, b.places.ket, num_blocks, count);
    for (const Turn<Real>& turn : now.after.mirror) {
      kernels_.tile->turn_mirror(a.places.ket, b.places.ket, num_blocks, count, turn);
      if (now.back) kernels_.tile->turn_mirror(a.places.bra, b.places.bra, num_blocks, count, turn);
    }
  }

  void run_above(const Place& place, const Prepared<Real>& now, const Chunk& chunk) const {
    const Mix<Real>& mix = now.after;
    mix_bits(place, now, now.work.after, mix.above, mix.above_bits, mix.above_weights, now.after_weight,
             place.kind.order.tile_bits(), chunk.places.ket, chunk.places.bra);
  }
  /// Bits above the lanes, in a piece of 2^`piece_bits` places.
  void mix_bits(const Place& place, const Prepared<Real>& now, std::uint32_t layer, const Turns<Real>& turns,
                std::span<const std::uint32_t> bits, std::span<const double> weights, double weight,
                std::uint32_t piece_bits, Real* ket, Real* bra) const {
    const std::uint64_t num_blocks = blocks_of(piece_bits);
    if (now.back) {
      place.sums[slots_.beta(layer)] += weight * flip(bra, ket, num_blocks, bits, weights);
      turns.apply(bra, num_blocks, *kernels_.tile, *kernels_.ising);
    }
    turns.apply(ket, num_blocks, *kernels_.tile, *kernels_.ising);
  }

  /// Part by part, and each leaf by leaf.
  template <class Leaf, class... Walks>
  void for_parts(const Place& place, const Prepared<Real>& now, const Chunk& chunk, const Leaf& leaf,
                 Walks&... walks) const {
    const TileOrder& order = place.kind.order;
    const auto mix_part = [&](std::uint64_t at, std::uint32_t layer, const Mix<Real>& mix, double weight) {
      if (layer == kNoLayer || mix.inner_bits.empty()) return;
      const Places<Real> here = chunk.places.from(at);
      mix_bits(place, now, layer, mix.inner, mix.inner_bits, mix.inner_weights, weight, order.part_bits, here.ket,
               here.bra);
    };
    const auto part = [&](std::uint64_t at) {
      mix_part(at, now.work.before, now.before, now.inner_before_weight);
      for_values(order.leaf_bits, order.part_bits, at, leaf, walks...);
      mix_part(at, now.work.after, now.after, now.inner_after_weight);
    };
    for_values(order.part_bits, order.tile_bits(), 0, part, walks...);
  }

  void run_leaves(const Place& place, const Prepared<Real>& now, const Chunk& chunk) const {
    const TileOrder& order = place.kind.order;
    if (chunk.places.energies != nullptr) {
      for_parts(place, now, chunk, [&](std::uint64_t at) {
        run_leaf(place, now, chunk, at, nullptr, {.pairs = chunk.places.energies + at, .terms = kNoTerms.data()});
      });
      return;
    }
    const bool phases = now.work.phase != kNoLayer;
    const bool energies = now.reads || (now.back && phases);
    const EnergyForm none;
    FormWalk<Adding> energy(energies ? *options_.energies.form : none, order);
    FormWalk<Multiplying> phase(now.form, order);
    const auto leaf = [&](std::uint64_t at) {
      run_leaf(place, now, chunk, at, phase.terms(), {.pairs = place.energy_pairs, .terms = energy.terms()});
    };
    if (energies) energy.begin(chunk.base);
    if (phases) phase.begin(chunk.base);
    if (!now.axis_readings.empty())
      run_leaves_with_axes(place, now, chunk, phase, energy);
    else if (phases && energies)
      for_parts(place, now, chunk, leaf, phase, energy);
    else if (phases)
      for_parts(place, now, chunk, leaf, phase);
    else if (energies)
      for_parts(place, now, chunk, leaf, energy);
    else
      for_parts(place, now, chunk, leaf);
  }

  /// The same, with sums of Z on the way: of the layer and of the one before it, which may have none.
  void run_leaves_with_axes(const Place& place, const Prepared<Real>& now, const Chunk& chunk,
                            FormWalk<Multiplying>& phase, FormWalk<Adding>& energy) const {
    const TileOrder& order = place.kind.order;
    FormWalk<Adding> first(now.axis_readings.front().form, order);
    FormWalk<Adding> last(now.axis_readings.back().form, order);
    first.begin(chunk.base);
    last.begin(chunk.base);
    const auto leaf = [&](std::uint64_t at) {
      const AxisTerms axes{.first = first.terms(), .last = last.terms()};
      run_leaf(place, now, chunk, at, phase.terms(), {.pairs = place.energy_pairs, .terms = energy.terms()}, &axes);
    };
    for_parts(place, now, chunk, leaf, phase, energy, first, last);
  }

  /// The leaf at place `at` of the chunk. `phase_terms`: where phases are a form.
  void run_leaf(const Place& place, const Prepared<Real>& now, const Chunk& chunk, std::uint64_t at,
                const double* phase_terms, const Energies& energies, const AxisTerms* axes = nullptr) const {
    const IsingKernels<Real>& kernels = *kernels_.ising;
    const std::uint64_t num_blocks = blocks_of(place.kind.order.leaf_bits);
    Real* const ket = chunk.places.from(at).ket;
    Real* const bra = chunk.places.from(at).bra;
    const auto turn = [&](Real* leaf, const BesidePhases<Real>& beside) {
      if (phase_terms == nullptr)
        (now.begins ? kernels.begin_by : kernels.phase_by)(leaf, energies.pairs, now.by_energy, num_blocks, beside);
      else
        (now.begins ? kernels.begin : kernels.phase)(leaf, now.pairs.data(), phase_terms, num_blocks, beside);
    };
    const bool phases = now.work.phase != kNoLayer;
    place.ask_for_next();
    if (phases && !now.back) {
      const bool ends = now.work.before != kNoLayer, begins = now.work.after != kNoLayer;
      BesidePhases<Real> beside;
      if (ends) mix_before(now.before, num_blocks, ket, beside);
      if (begins) beside_after(now.after, beside);
      turn(ket, beside);
      place.ask_for_next();
      if (begins) mix_after(now.after, num_blocks, ket, beside);
    } else {
      mix_leaf(place, now, now.work.before, now.before, now.before_weight, ket, bra);
      if (phases) {
        place.sums[slots_.gamma(now.work.phase)] +=
            now.phase_weight * kernels.slope(bra, ket, energies.pairs, energies.terms, num_blocks);
        if (axes != nullptr) {
          const auto read = [&](const AxisReading& reading, const double* terms) {
            place.sums[slots_.beta(reading.layer)] +=
                now.phase_weight * kernels.slope(bra, ket, no_pairs_.data(), terms, num_blocks);
          };
          read(now.axis_readings.front(), axes->first);
          if (now.axis_readings.size() > 1) read(now.axis_readings.back(), axes->last);
        }
        turn(bra, {});
        turn(ket, {});
      }
      place.ask_for_next();
      mix_leaf(place, now, now.work.after, now.after, now.after_weight, ket, bra);
    }
    if (!now.reads) return;
    place.sums[slots_.energy()] +=
        now.reading_weight * (bra == nullptr ? kernels.energy(ket, energies.pairs, energies.terms, num_blocks)
                                             : kernels.weigh(bra, ket, energies.pairs, energies.terms, num_blocks));
  }

  /// Sums are taken before turns on the way back.
  void mix_leaf(const Place& place, const Prepared<Real>& now, std::uint32_t layer, const Mix<Real>& mix, double weight,
                Real* ket, Real* bra) const {
    if (layer == kNoLayer) return;
    const std::uint64_t num_blocks = blocks_of(place.kind.order.leaf_bits);
    const auto turn = [&](Real* leaf) {
      turn_lanes(mix, num_blocks, leaf);
      mix.lowest.apply(leaf, num_blocks, *kernels_.tile, *kernels_.ising);
      mix.near.apply(leaf, num_blocks, *kernels_.tile, *kernels_.ising);
    };
    if (now.back) {
      double sum = flip(bra, ket, num_blocks, mix.near_bits, mix.near_weights);
      if (mix.num_lanes > 0) sum += flip_lanes(bra, ket, num_blocks, mix);
      place.sums[slots_.beta(layer)] += weight * sum;
      turn(bra);
    }
    turn(ket);
  }
  /// What ends a layer before the phases of the next: the lowest bits and the lanes last, with the phases where the kernel takes them.
  void mix_before(const Mix<Real>& mix, std::uint64_t num_blocks, Real* leaf, BesidePhases<Real>& beside) const {
    mix.near.apply(leaf, num_blocks, *kernels_.tile, *kernels_.ising);
    beside.turns_before = mix.lowest.all_alike();
    if (beside.turns_before == nullptr) mix.lowest.apply(leaf, num_blocks, *kernels_.tile, *kernels_.ising);
    beside.lanes_before = all_lanes(mix);
    if (beside.lanes_before == nullptr) turn_lanes(mix, num_blocks, leaf);
  }
  /// And what begins a layer behind them: the same the other way round.
  static void beside_after(const Mix<Real>& mix, BesidePhases<Real>& beside) {
    beside.lanes_after = all_lanes(mix);
    beside.turns_after = mix.lowest.all_alike();
  }
  void mix_after(const Mix<Real>& mix, std::uint64_t num_blocks, Real* leaf, const BesidePhases<Real>& beside) const {
    if (beside.lanes_after == nullptr) turn_lanes(mix, num_blocks, leaf);
    if (beside.turns_after == nullptr) mix.lowest.apply(leaf, num_blocks, *kernels_.tile, *kernels_.ising);
    mix.near.apply(leaf, num_blocks, *kernels_.tile, *kernels_.ising);
  }
  static const Turn<Real>* all_lanes(const Mix<Real>& mix) {
    return mix.lanes.size() == kLaneBits<Real> ? mix.lanes.data() : nullptr;
  }
  void turn_lanes(const Mix<Real>& mix, std::uint64_t num_blocks, Real* leaf) const {
    if (!mix.lanes.empty())
      kernels_.tile->turn_lanes(leaf, num_blocks, mix.lanes.data(), mix.lanes.size(), {}, nullptr);
  }
  /// Im <bra|sum X|ket> over the bits, with weights where there are any.
  double flip(const Real* bra, const Real* ket, std::uint64_t num_blocks, std::span<const std::uint32_t> bits,
              std::span<const double> weights) const {
    if (weights.empty()) return kernels_.ising->flip(bra, ket, num_blocks, bits.data(), bits.size());
    double sum = 0;
    for (std::size_t i = 0; i < bits.size(); ++i)
      sum += weights[i] * kernels_.ising->flip(bra, ket, num_blocks, &bits[i], 1);
    return sum;
  }
  double flip_lanes(const Real* bra, const Real* ket, std::uint64_t num_blocks, const Mix<Real>& mix) const {
    if (mix.lane_weights.empty()) return kernels_.ising->flip_lanes(bra, ket, num_blocks, mix.num_lanes);
    double sum = 0;
    double before = 0;  // the kernel sums from the lowest lane on
    for (std::size_t i = 0; i < mix.num_lanes; ++i) {
      const double upto = kernels_.ising->flip_lanes(bra, ket, num_blocks, i + 1);
      sum += mix.lane_weights[i] * (upto - before);
      before = upto;
    }
    return sum;
  }

  IsingState<Real> state_;
  std::span<const IsingLayer> layers_;
  IsingRunOptions<Real> options_;
  IsingAndTileKernels<Real> kernels_;
  Executor& executor_;
  std::stop_token stop_;
  std::uint32_t num_bits_;  ///< of places
  std::vector<TileKind> kinds_;
  std::vector<IsingPass> passes_;
  std::vector<simd::AlignedVector<Real>> energy_pairs_;  ///< of leaves, by kind
  /// Sums of Z have no pairs.
  simd::AlignedVector<Real> no_pairs_ = simd::AlignedVector<Real>(std::size_t{1} << (kLaneBits<Real> + kLeafBlockBits));
  Slots slots_;
  std::vector<double> sums_;
  double scale_ = 1;  ///< the amplitude is this times what stands in memory
};

template <class Real>
void unfold(Real* amplitudes, std::uint32_t num_qubits, Executor& executor) {
  TANDEM_ASSERT(can_be_halved<Real>(num_qubits));
  constexpr std::uint64_t kBlock = 2 * kLanes<Real>;
  constexpr std::uint64_t kBlocksInATask = 1 << 10;
  const std::uint64_t num_blocks = std::uint64_t{1} << (num_qubits - kLaneBits<Real>);
  const std::uint64_t half = num_blocks / 2;
  for_blocks(executor, (half + kBlocksInATask - 1) / kBlocksInATask, [&](std::size_t task) {
    const std::uint64_t first = half + task * kBlocksInATask;
    for (std::uint64_t b = first; b < std::min(first + kBlocksInATask, num_blocks); ++b) {
      const Real* const from = amplitudes + (num_blocks - 1 - b) * kBlock;
      Real* const to = amplitudes + b * kBlock;
      for (std::size_t l = 0; l < kLanes<Real>; ++l) {
        to[l] = from[kLanes<Real> - 1 - l];
        to[l + kLanes<Real>] = from[2 * kLanes<Real> - 1 - l];
      }
    }
  });
}

template <class Real>
IsingRunner<Real>::IsingRunner(const IsingState<Real>& state, std::span<const IsingLayer> layers,
                               const IsingRunOptions<Real>& options, Executor& executor, const std::stop_token& stop)
    : impl_(std::make_unique<Impl>(state, layers, options, executor, stop)) {}
template <class Real>
IsingRunner<Real>::~IsingRunner() = default;

template <class Real>
const std::vector<IsingPass>& IsingRunner<Real>::passes() const {
  return impl_->passes();
}
template <class Real>
const TileKind& IsingRunner<Real>::kind_of(const IsingPass& pass) const {
  return impl_->kinds()[pass.kind];
}
template <class Real>
Result<void> IsingRunner<Real>::forward(std::size_t pass) {
  return impl_->forward(pass);
}
template <class Real>
Result<void> IsingRunner<Real>::forward() {
  for (std::size_t pass = 0; pass < impl_->passes().size(); ++pass) TANDEM_TRY(impl_->forward(pass));
  return {};
}
template <class Real>
Result<void> IsingRunner<Real>::forward_and_back() {
  return impl_->forward_and_back();
}
template <class Real>
double IsingRunner<Real>::scale() const {
  return impl_->scale();
}
template <class Real>
double IsingRunner<Real>::energy() const {
  return impl_->energy();
}
template <class Real>
double IsingRunner<Real>::by_gamma(std::size_t layer) const {
  return impl_->gamma(layer);
}
template <class Real>
double IsingRunner<Real>::by_beta(std::size_t layer) const {
  return impl_->beta(layer);
}

template void unfold<float>(float*, std::uint32_t, Executor&);
template void unfold<double>(double*, std::uint32_t, Executor&);
template class IsingRunner<float>;
template class IsingRunner<double>;

}  // namespace tandem::statevector
