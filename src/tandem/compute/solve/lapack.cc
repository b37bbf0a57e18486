#include "tandem/compute/solve/lapack.h"

#include "tandem/base/late_library.h"

// As CoinUtils declares them.
extern "C" {
void dgetrf_(int* m, int* n, double* a, int* lda, int* pivots, int* info);
void dgetrs_(char* trans, int* n, int* nrhs, const double* a, int* lda, int* pivots, double* b, int* ldb, int* info,
             int trans_length);
}

namespace tandem::solve {
namespace {

constinit LateLibrary lapack("liblapack.so.3", "dgetrf_", "liblapack3");
TANDEM_LATE_FUNCTION(lapack, dgetrf_);
TANDEM_LATE_FUNCTION(lapack, dgetrs_);

}  // namespace

Result<void> open_lapack() { return lapack.open(); }

}  // namespace tandem::solve

void dgetrf_(int* m, int* n, double* a, int* lda, int* pivots, int* info) {
  tandem::solve::dgetrf_(m, n, a, lda, pivots, info);
}

void dgetrs_(char* trans, int* n, int* nrhs, const double* a, int* lda, int* pivots, double* b, int* ldb, int* info,
             int trans_length) {
  tandem::solve::dgetrs_(trans, n, nrhs, a, lda, pivots, b, ldb, info, trans_length);
}
