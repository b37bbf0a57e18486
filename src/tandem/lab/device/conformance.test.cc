// The emulated device over loopback, held to what every backend must show.
#include "tandem/middleware/backend/testing/conformance.h"
#include "tandem/lab/device/testing/bench.h"

namespace tandem::lab {
namespace {

struct DeviceHarness {
  static constexpr bool kRunsWhenPolled = false;
  backend::Backend& backend() { return *backend_; }
  backend::Work work() const { return backend::x_on_qubit_0_of_three(200); }
  backend::Work foreign_work() const { return backend::two_variables(); }

  DeviceBench device;
  ClientBench client{device};
  ThreadExecutor executor{1};
  std::unique_ptr<backend::Backend> backend_ =
      client.backend({.poll_interval = std::chrono::milliseconds(1)}, executor);
};

}  // namespace
}  // namespace tandem::lab

namespace tandem::backend {
INSTANTIATE_TYPED_TEST_SUITE_P(EmulatedDevice, BackendEssentials, lab::DeviceHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(EmulatedDevice, BackendConformance, lab::DeviceHarness);
}  // namespace tandem::backend
