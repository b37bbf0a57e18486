// Every fault of the emulated device, over real sockets, against the real ledger: nothing is billed twice, nothing is lost.
#include "tandem/lab/provider/testing/fault_matrix.h"
#include "tandem/lab/device/testing/bench.h"

namespace tandem::lab {
namespace {

using std::chrono::milliseconds;

std::unique_ptr<ProviderBench> device_with(const FaultCell& cell) {
  DeviceOptions options = DeviceBench::quick();
  options.queue_time = cell.queue_time;
  options.seed = 4;
  return std::make_unique<DeviceBench>(cell.faults, options);
}

constexpr FaultCell kCells[] = {
    {"no_fault", "faults: []"},
    {"refuse", "faults: [{on: submit, action: refuse, probability: 0.5}]"},
    {"throttle", "faults: [{on: submit, action: throttle, probability: 0.5}]"},
    {"delay", "faults: [{on: submit, action: delay, delay_ms: 10}]"},
    {"delay_beyond_the_timeout", "faults: [{on: submit, action: delay, delay_ms: 180, probability: 0.4}]"},
    {"error_before", "faults: [{on: submit, action: error, status: 503, probability: 0.5}]"},
    {"error_after_accepting", "faults: [{on: submit, action: error_after, status: 502, probability: 0.5}]"},
    {"drop_request", "faults: [{on: submit, action: drop_request, probability: 0.5}]"},
    {"drop_reply", "faults: [{on: submit, action: drop_reply, probability: 0.5}]"},
    {"accept_late_within_the_window", "faults: [{on: submit, action: accept_late, delay_ms: 20, probability: 0.5}]"},
    {"accept_late_beyond_the_window", "faults: [{on: submit, action: accept_late, delay_ms: 150, probability: 0.5}]"},
    {"garbage_html_on_submit", "faults: [{on: submit, action: garbage_html, probability: 0.5}]"},
    {"garbage_truncated_on_submit", "faults: [{on: submit, action: garbage_truncated, probability: 0.5}]"},
    {"slow_body_on_submit", "faults: [{on: submit, action: slow_body, delay_ms: 190, probability: 0.4}]"},
    {"bad_status",
     "faults: [{on: status, action: error, probability: 0.3}, {on: status, action: garbage_html, probability: 0.3},"
     " {on: status, action: unknown_status, probability: 0.3}, {on: status, action: drop_reply, probability: 0.3}]"},
    {"bad_result",
     "faults: [{on: result, action: garbage_truncated, probability: 0.4}, {on: result, action: slow_body, delay_ms: 20,"
     " probability: 0.3}, {on: result, action: garbage_html, probability: 0.3}]"},
    {"result_missing_for_a_while", "faults: [{on: result, action: result_missing, probability: 0.7}]"},
    {"result_missing_for_ever", "faults: [{on: result, action: result_missing}]", milliseconds(1), milliseconds(150)},
    {"unreadable_for_ever", "faults: [{on: result, action: garbage_truncated}]", milliseconds(1), milliseconds(150)},
    {"lost_replies_and_a_bad_lookup",
     "faults: [{on: submit, action: drop_reply, probability: 0.7}, {on: lookup, action: error, probability: 0.4},"
     " {on: lookup, action: garbage_truncated, probability: 0.4}]"},
    {"deadline_in_the_queue", "faults: []", milliseconds(15), milliseconds(40)},
    {"cancel_race", "faults: [{on: cancel, action: cancel_race, probability: 0.6}]", milliseconds(15),
     milliseconds(40)},
    {"device_description_fails", "faults: [{on: device, action: error, probability: 0.3}]"},
    {"everything_at_once",
     "faults: [{on: submit, action: drop_reply, probability: 0.2}, {on: submit, action: accept_late, delay_ms: 150,"
     " probability: 0.2}, {on: submit, action: error_after, probability: 0.2}, {on: submit, action: drop_request,"
     " probability: 0.2}, {on: status, action: error, probability: 0.2}, {on: status, action: unknown_status,"
     " probability: 0.2}, {on: result, action: garbage_truncated, probability: 0.3}, {on: lookup, action: error,"
     " probability: 0.3}, {on: cancel, action: error, probability: 0.3}]"},
};

INSTANTIATE_TEST_SUITE_P(OnMemory, FaultMatrix, testing::ValuesIn(matrix_of(kCells, device_with)), name_of_cell);
/// The same ledger on disk; two cells suffice, for the store has its own conformance suite.
INSTANTIATE_TEST_SUITE_P(OnSqlite, FaultMatrix,
                         testing::Values(MatrixCase{kCells[8], device_with, StoreKind::kSqlite},
                                         MatrixCase{std::end(kCells)[-1], device_with, StoreKind::kSqlite}),
                         name_of_cell);
INSTANTIATE_TEST_SUITE_P(EmulatedDevice, PlantedFault, testing::Values(&device_with));

}  // namespace
}  // namespace tandem::lab
