// tandem/middleware/ansatz/qaoa.h - the QAOA circuit of a Bqm and its parameter schedules: tables and ramps, no optimisation.
//
// Room: middleware. Farhi, Goldstone, Gutmann, arXiv 1411.4028; fixed angles for regular Max-Cut, arXiv 2107.00677;
// linear ramp, arXiv 2405.09169.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/result.h"
#include "tandem/model/circuit/circuit.h"
#include "tandem/model/problem/bqm.h"

namespace tandem::ansatz {

/// One (gamma, beta) a layer; radians.
struct QaoaAngles {
  std::vector<double> gammas;
  std::vector<double> betas;
  std::string schedule;  ///< "linear_ramp", "fixed_angles(d=3,p=2)"
};

/// prod_l exp(+i beta_l sum X) exp(-i gamma_l H / scale) |+>, then measure all (qubit i -> bit i): with positive angles it
/// follows the ground state of (1-t)(-sum X) + t H, so it looks for minima.
/// Parameters are bound: the circuit has none. H is the spin form of `bqm` without offset; scale makes angles comparable
/// between instances (see qaoa_scale). Errors: 1113 too_many_qubits; 1104 size_mismatch.
Result<circuit::Circuit> qaoa_circuit(const problem::Bqm& bqm, const QaoaAngles& angles);

/// Root mean square over variables of the local field sqrt(h_i^2 + sum_j J_ij^2); 1 for a model without terms.
double qaoa_scale(const problem::Bqm& bqm);

/// A linear ramp (the form of arXiv 2405.09169): gamma rises, beta falls. In units of qaoa_scale the published optima of
/// regular Max-Cut graphs of every degree nearly coincide; the two lines are fitted by eye to those of p = 1..4.
QaoaAngles linear_ramp(std::uint32_t layers);
/// The fixed-angle table when `bqm` is an unweighted d-regular Max-Cut (d and layers with an entry); else the ramp.
QaoaAngles choose_angles(const problem::Bqm& bqm, std::uint32_t layers);

}  // namespace tandem::ansatz
