// tandem/compute/statevector/bound_turn.h - the numbers of a turn.
//
// Room: compute, inside statevector.
#pragma once

#include <cmath>

#include "tandem/compute/statevector/lowering.h"
#include "tandem/compute/statevector/tile_kernels.h"

namespace tandem::statevector {

/// Of a turn, without its factor, by which `scale` is multiplied.
template <class Real>
void bind_turn(Turn<Real>& turn, const Step& step, double& scale) {
  turn.large = std::abs(step.sine) > std::abs(step.cosine);
  turn.ratio = static_cast<Real>(turn.large ? step.cosine / step.sine : step.sine / step.cosine);
  scale *= turn.large ? step.sine : step.cosine;
}

}  // namespace tandem::statevector
