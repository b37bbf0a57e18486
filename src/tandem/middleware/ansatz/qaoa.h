// tandem/middleware/ansatz/qaoa.h - the QAOA circuit of a Bqm and its parameter schedules: tables and ramps, no optimisation.
//
// Room: middleware. Farhi, Goldstone, Gutmann, arXiv 1411.4028; fixed angles for regular Max-Cut, arXiv 2107.00677;
// linear ramp, arXiv 2405.09169; mixers that keep a number of ones, Hadfield et al., arXiv 1709.03489, and Wang et al.,
// arXiv 1904.09314. States with a fixed number of ones: fixed_weight.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/compute/statevector/fixed_weight_evolution.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/problem/bqm.h"
#include "tandem/model/problem/cardinality.h"

namespace tandem::ansatz {

/// One (gamma, beta) a layer; radians.
struct QaoaAngles {
  std::vector<double> gammas;
  std::vector<double> betas;
  std::string schedule;  ///< "linear_ramp", "fixed_angles(d=3,p=2)"
  friend bool operator==(const QaoaAngles&, const QaoaAngles&) = default;
};

/// What a circuit may cost.
enum class Depth : std::uint8_t {
  kFree,  ///< a simulator: every pair of a cardinality is mixed, the start is uniform
  /// A device whose gates err: a ring is mixed, the start is uniform over small blocks, and couplings that carry less than
  /// a tenth of the variation under a cardinality are left out.
  kShallow,
};

/// Angles mean the same for every model and mixer: gamma is in units of qaoa_scale, beta turns the mixer of one qubit.
struct QaoaOptions {
  /// Disjoint (asserted). Their numbers of ones are exact in every sample of a perfect device; penalties are not needed.
  std::vector<problem::Cardinality> cardinalities{};
  Depth depth = Depth::kFree;
  /// A warm start: the share of ones with which each qubit starts, one a variable and none with cardinalities (asserted). The mixer of a
  /// qubit turns about the axis of its start (IsingEvolution). Empty: |+> and X.
  std::vector<double> ones{};
};

/// What the layers of a circuit are made of, for a simulator that does without the circuit.
struct QaoaForm {
  problem::Bqm phases;  ///< over spins, without what costs no gates
  double scale = 1;  ///< gamma / scale is what phases are multiplied with
  std::vector<statevector::WeightGroup> groups;  ///< one a cardinality; beta is the negative of that of LayerAngles
};
QaoaForm qaoa_form(const problem::Bqm& bqm, const QaoaOptions& options);

/// Shares of ones by a good solution (Egger, Marecek, Woerner, Quantum 5, 479 (2021)): 1 - epsilon where it is 1 or spin +1, epsilon where
/// it is not. `epsilon` is in [0, 1/2] (asserted): 0 stays there, 1/2 forgets it.
std::vector<double> warm_start(problem::AssignmentView solution, double epsilon = 0.25);

/// prod_l exp(+i beta_l M) exp(-i gamma_l H / scale) |start>, then measure all (qubit i -> bit i): with positive angles it
/// follows the ground state of (1-t)(-M) + t H, so it looks for minima. Qubits outside of cardinalities start in |+> under
/// M = sum X, or as a warm start says. Those of a cardinality start with its number of ones under M = 2/d sum (XX + YY)/2 over d pairs a qubit, pair
/// after pair; what is constant there, as a penalty on the kept number, costs no gates.
/// Parameters are bound: the circuit has none. H is the spin form of `bqm` without offset; scale makes angles comparable
/// between instances (see qaoa_scale). Errors: 1113 too_many_qubits; 1104 size_mismatch.
Result<circuit::Circuit> qaoa_circuit(const problem::Bqm& bqm, const QaoaAngles& angles,
                                      const QaoaOptions& options = {});

/// Half the energy change of one move, as root mean square over all moves and all assignments that keep `cardinalities`:
/// a move flips a variable or exchanges a one and a zero of a cardinality. Without cardinalities this is the local field,
/// the mean over i of h_i^2 + sum_j J_ij^2, rooted. 1 where nothing changes. Cost: O(n^3) with cardinalities.
double qaoa_scale(const problem::Bqm& bqm, std::span<const problem::Cardinality> cardinalities = {});

/// A linear ramp (arXiv 2405.09169): gamma rises from 0, beta falls to 0, and the slopes depend on nothing, because both
/// are in natural units. Measured on ensembles of 12 variables apart from every example and benchmark (dense and sparse
/// Ising models with fields, dense models with cardinalities; p = 1..20): P(optimum) is within a factor of two of the
/// best of a grid for each, within a quarter where no cardinality is kept.
QaoaAngles linear_ramp(std::uint32_t layers);
/// The fixed-angle table when `bqm` is an unweighted d-regular Max-Cut (d and layers with an entry); else the ramp.
QaoaAngles choose_angles(const problem::Bqm& bqm, std::uint32_t layers);

}  // namespace tandem::ansatz
