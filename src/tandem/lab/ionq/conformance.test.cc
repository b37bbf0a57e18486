// The emulated IonQ cloud over loopback, through the adapter, held to what every backend must show.
#include "tandem/middleware/backend/testing/conformance.h"
#include "tandem/lab/ionq/testing/ionq_bench.h"

namespace tandem::lab {
namespace {

struct IonqHarness {
  static constexpr bool kRunsWhenPolled = false;
  explicit IonqHarness(const char* name) : backend_(client.backend(name, executor)) {}
  backend::Backend& backend() { return *backend_; }
  backend::Work work() const { return backend::x_on_qubit_0_of_three(200); }
  backend::Work foreign_work() const { return backend::two_variables(); }

  IonqBench bench;
  IonqClient client{bench};
  ThreadExecutor executor{1};
  std::unique_ptr<backend::Backend> backend_;
};
struct MachineHarness : IonqHarness {
  MachineHarness() : IonqHarness("qpu.forte-1") {}
};
struct SimulatorHarness : IonqHarness {
  SimulatorHarness() : IonqHarness("simulator") {}
};

}  // namespace
}  // namespace tandem::lab

namespace tandem::backend {
INSTANTIATE_TYPED_TEST_SUITE_P(EmulatedIonqMachine, BackendEssentials, lab::MachineHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(EmulatedIonqMachine, BackendConformance, lab::MachineHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(EmulatedIonqSimulator, BackendEssentials, lab::SimulatorHarness);
INSTANTIATE_TYPED_TEST_SUITE_P(EmulatedIonqSimulator, BackendConformance, lab::SimulatorHarness);
}  // namespace tandem::backend
