// tandem/compute/solve/lapack.h - the two functions of LAPACK that CBC calls, from a library opened with the first search.
//
// Room: compute, inside solve. CBC's static libraries name them as the linker does; what is linked under these names passes calls on. Source:
// Anderson et al., LAPACK Users' Guide (1999), DGETRF and DGETRS.
#pragma once

#include "tandem/base/result.h"

namespace tandem::solve {

/// Before CBC runs. Errors: 1049 library_missing.
Result<void> open_lapack();

}  // namespace tandem::solve
