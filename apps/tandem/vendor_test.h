// apps/tandem/vendor_test.h - whether a vendor can be used with these settings: free questions, and where it is asked for one run.
#pragma once

#include <string>

#include "cli.h"
#include "vendor.h"

namespace tandem::app {

struct VendorTestOptions {
  std::string vendor;
  std::string backend;  ///< of the run, as "ionq.qpu.forte-1" or without the vendor; empty: the first of the settings
  bool run = false;
  std::string cost_max_usd;  ///< of the run
  bool again = false;  ///< a new run, although there is one of today
  std::string job;  ///< of the run to go on with; empty: that of today, or a new one
};

/// Asks what costs nothing: whether the vendor is reached, believes who we are, knows the backends, and what it would charge. With `run` it
/// also pays for one tiny circuit, as a job like any other, and keeps a record of it. Prints what it saw.
/// Returns the exit code: that of the first problem. Errors: 1023; 1061 bad_setting - no such backend is set; 4005 quote_above_limit -
///         nothing was sent; 1023 value_out_of_range - `job` is no such run; of a run those of admission, and what the job ended with.
Result<int> test_vendor(Cli& cli, const VendorTestOptions& options);

}  // namespace tandem::app
