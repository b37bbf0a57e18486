// Every fault of the emulated IonQ cloud, through the real adapter and real sockets, against the real ledger: nothing is billed twice,
// nothing is lost, nothing stays in doubt. A machine of safety class C: what is lost is looked for and never sent again.
#include "tandem/lab/provider/testing/fault_matrix.h"

#include "tandem/lab/ionq/testing/ionq_bench.h"

namespace tandem::lab {
namespace {

using std::chrono::milliseconds;

std::unique_ptr<ProviderBench> ionq_with(const FaultCell& cell) {
  IonqOptions options = IonqBench::quick();
  options.queue_time = cell.queue_time;
  options.seed = 4;
  auto bench = std::make_unique<IonqBench>(cell.faults, options);
  bench->add_jobs_of_others(cell.jobs_of_others);
  return bench;
}

constexpr FaultCell kCells[] = {
    {"no_fault", "faults: []"},

    // Submissions that are clearly not accepted.
    {"submit_refused", "faults: [{on: submit, action: refuse, probability: 0.5}]"},
    {"submit_throttled_with_retry_after", "faults: [{on: submit, action: throttle, delay_ms: 1000, probability: 0.5}]"},
    {"submit_throttled_without_a_word", "faults: [{on: submit, action: throttle_silently, probability: 0.5}]"},

    // Answers of gateways and of the vendor: accepted or not, nobody can say.
    {"submit_500_before", "faults: [{on: submit, action: error, status: 500, probability: 0.5}]"},
    {"submit_502_before_as_a_page", "faults: [{on: submit, action: error_html, status: 502, probability: 0.5}]"},
    {"submit_503_before", "faults: [{on: submit, action: error, status: 503, probability: 0.5}]"},
    {"submit_504_before", "faults: [{on: submit, action: error, status: 504, probability: 0.5}]"},
    {"submit_520_to_529_before",
     "faults: [{on: submit, action: error_html, status: 520, probability: 0.2}, {on: submit, action: error, status:"
     " 522, probability: 0.2}, {on: submit, action: error_html, status: 524, probability: 0.2}, {on: submit, action:"
     " error, status: 529, probability: 0.2}]"},
    {"submit_500_after_accepting", "faults: [{on: submit, action: error_after, status: 500, probability: 0.5}]"},
    {"submit_502_after_accepting", "faults: [{on: submit, action: error_after, status: 502, probability: 0.5}]"},
    {"submit_503_after_accepting", "faults: [{on: submit, action: error_after, status: 503, probability: 0.5}]"},
    {"submit_504_after_accepting", "faults: [{on: submit, action: error_after, status: 504, probability: 0.5}]"},
    {"submit_524_after_accepting", "faults: [{on: submit, action: error_after, status: 524, probability: 0.5}]"},
    {"bursts_of_5xx_on_everything",
     "faults: [{on: submit, action: error_after, status: 502, from: 11, count: 10}, {on: submit, action: error,"
     " status: 503, from: 31, count: 10}, {on: status, action: error, status: 500, from: 21, count: 12}, {on: result,"
     " action: error, status: 504, from: 11, count: 8}, {on: bill, action: error_html, status: 502, from: 16, count:"
     " 8}, {on: lookup, action: error, status: 503, from: 4, count: 8}]"},

    // Connections that break, requests that wait, bodies that come late, damaged or as a page.
    {"reset_before", "faults: [{on: submit, action: drop_request, probability: 0.5}]"},
    {"reset_after", "faults: [{on: submit, action: drop_reply, probability: 0.5}]"},
    {"reset_before_or_after_on_every_read",
     "faults: [{on: status, action: drop_request, probability: 0.2}, {on: status, action: drop_reply, probability:"
     " 0.2}, {on: result, action: drop_request, probability: 0.2}, {on: result, action: drop_reply, probability: 0.2},"
     " {on: bill, action: drop_reply, probability: 0.3}, {on: estimate, action: drop_reply, probability: 0.2}, {on:"
     " device, action: drop_request, probability: 0.2}]"},
    {"accepted_late_within_the_window", "faults: [{on: submit, action: accept_late, delay_ms: 20, probability: 0.5}]"},
    {"accepted_late_beyond_the_window", "faults: [{on: submit, action: accept_late, delay_ms: 150, probability: 0.5}]"},
    {"submit_slow_within_the_timeout", "faults: [{on: submit, action: delay, delay_ms: 10}]"},
    {"submit_slow_beyond_the_timeout", "faults: [{on: submit, action: delay, delay_ms: 180, probability: 0.3}]"},
    {"answer_to_submit_slow_within_the_timeout", "faults: [{on: submit, action: slow_body, delay_ms: 40}]"},
    {"answer_to_submit_slow_beyond_the_timeout",
     "faults: [{on: submit, action: slow_body, delay_ms: 190, probability: 0.3}]"},
    {"answer_to_submit_truncated", "faults: [{on: submit, action: garbage_truncated, probability: 0.5}]"},
    {"answer_to_submit_a_page", "faults: [{on: submit, action: garbage_html, probability: 0.5}]"},

    // Polls.
    {"status_fails",
     "faults: [{on: status, action: error, status: 502, probability: 0.2}, {on: status, action: error_html, status:"
     " 504, probability: 0.2}, {on: status, action: garbage_html, probability: 0.2}, {on: status, action:"
     " garbage_truncated, probability: 0.2}]"},
    {"status_unknown_for_a_while", "faults: [{on: status, action: unknown_status, probability: 0.6}]"},
    {"status_unknown_for_ever", "faults: [{on: status, action: unknown_status}]", milliseconds(1), milliseconds(150),
     BillsComeOut::kNotAll},
    {"reads_throttled_with_retry_after",
     "faults: [{on: status, action: throttle, delay_ms: 0, probability: 0.3}, {on: result, action: throttle, delay_ms:"
     " 0, probability: 0.3}, {on: bill, action: throttle, delay_ms: 1000, nth: 7}, {on: status, action: throttle,"
     " delay_ms: 1000, nth: 40}]"},
    {"reads_throttled_without_a_word",
     "faults: [{on: status, action: throttle_silently, probability: 0.3}, {on: result, action: throttle_silently,"
     " probability: 0.3}, {on: bill, action: throttle_silently, probability: 0.3}, {on: estimate, action:"
     " throttle_silently, probability: 0.3}]"},
    {"reads_delivered_twice",
     "faults: [{on: status, action: twice}, {on: result, action: twice}, {on: bill, action: twice}, {on: lookup,"
     " action: twice}, {on: cancel, action: twice}, {on: submit, action: drop_reply, probability: 0.3}]"},

    // Results and bills.
    {"result_damaged_for_a_while",
     "faults: [{on: result, action: garbage_truncated, probability: 0.4}, {on: result, action: slow_body, delay_ms: 20,"
     " probability: 0.3}, {on: result, action: garbage_html, probability: 0.3}]"},
    {"result_damaged_for_ever", "faults: [{on: result, action: garbage_truncated}]", milliseconds(1),
     milliseconds(150)},
    {"result_missing_for_a_while", "faults: [{on: result, action: result_missing, probability: 0.7}]"},
    {"result_missing_for_ever", "faults: [{on: result, action: result_missing}]", milliseconds(1), milliseconds(150),
     BillsComeOut::kNotAll},
    {"result_with_half_of_the_shots", "faults: [{on: result, action: partial_result, probability: 0.5}]"},
    {"bill_late",
     "faults: [{on: bill, action: error, status: 500, probability: 0.5}, {on: bill, action: garbage_html, probability:"
     " 0.5}]"},
    {"bill_never", "faults: [{on: bill, action: error, status: 500}]", milliseconds(1), milliseconds(150),
     BillsComeOut::kNotAll},

    // The end of a step's time.
    {"deadline_in_the_queue", "faults: []", milliseconds(15), milliseconds(40)},
    {"cancel_race", "faults: [{on: cancel, action: cancel_race, probability: 0.6}]", milliseconds(15),
     milliseconds(40)},
    {"cancel_fails",
     "faults: [{on: cancel, action: error, status: 503, probability: 0.3}, {on: cancel, action: drop_reply,"
     " probability: 0.3}]",
     milliseconds(15), milliseconds(40)},

    // Clocks, up to the hour that the adapter allows for.
    {"clock_of_the_provider_50_minutes_ahead",
     "faults: [{on: submit, action: drop_reply, probability: 0.5}]\nclock_offset_ms: 3000000"},
    {"clock_of_the_provider_50_minutes_behind",
     "faults: [{on: submit, action: drop_reply, probability: 0.5}]\nclock_offset_ms: -3000000"},

    // Lookups, with something to be looked for.
    {"lookups_fail",
     "faults: [{on: submit, action: drop_reply, probability: 0.5}, {on: lookup, action: error, status: 502,"
     " probability: 0.4}, {on: lookup, action: garbage_truncated, probability: 0.3}]"},
    {"lookups_throttled",
     "faults: [{on: submit, action: drop_reply, probability: 0.5}, {on: lookup, action: throttle_silently,"
     " probability: 0.5}, {on: lookup, action: throttle, delay_ms: 0, probability: 0.3}]"},
    {"lookups_page_slowly",
     "faults: [{on: submit, action: drop_reply, probability: 0.2}, {on: submit, action: drop_request, probability:"
     " 0.2}, {on: lookup, action: delay, delay_ms: 10}]",
     milliseconds(1), milliseconds(3000), BillsComeOut::kAlways, kJobLimit, 300},
    {"lookups_never_answered",
     "faults: [{on: submit, action: drop_reply, probability: 0.3}, {on: lookup, action: error, status: 503}]",
     milliseconds(1), milliseconds(150), BillsComeOut::kNotAll},

    // Before anything is sent, and money.
    {"estimates_fail",
     "faults: [{on: estimate, action: error, status: 500, probability: 0.5}, {on: estimate, action: garbage_truncated,"
     " probability: 0.5}]"},
    {"backends_fail",
     "faults: [{on: device, action: error, status: 503, probability: 0.4}, {on: device, action: garbage_html,"
     " probability: 0.4}]"},
    {"price_rises_within_the_limit_of_the_job", "faults: [{on: estimate, action: cheap_estimate, probability: 0.5}]"},
    {"price_rises_beyond_the_limit_of_the_job", "faults: [{on: estimate, action: cheap_estimate}]", milliseconds(1),
     milliseconds(3000), BillsComeOut::kAlways, job::Money{700'000}},

    {"everything_at_once",
     "faults: [{on: submit, action: drop_reply, probability: 0.15}, {on: submit, action: accept_late, delay_ms: 150,"
     " probability: 0.15}, {on: submit, action: error_after, status: 502, probability: 0.15}, {on: submit, action:"
     " drop_request, probability: 0.15}, {on: submit, action: throttle_silently, probability: 0.1}, {on: status,"
     " action: error, probability: 0.2}, {on: status, action: unknown_status, probability: 0.2}, {on: result, action:"
     " garbage_truncated, probability: 0.3}, {on: bill, action: error, status: 500, probability: 0.3}, {on: lookup,"
     " action: error, probability: 0.3}, {on: cancel, action: error, probability: 0.3}, {on: estimate, action:"
     " cheap_estimate, probability: 0.2}]\nclock_offset_ms: -600000"},
};

INSTANTIATE_TEST_SUITE_P(OnMemory, FaultMatrix, testing::ValuesIn(matrix_of(kCells, ionq_with)), name_of_cell);
INSTANTIATE_TEST_SUITE_P(OnSqlite, FaultMatrix,
                         testing::Values(MatrixCase{std::end(kCells)[-1], ionq_with, StoreKind::kSqlite}),
                         name_of_cell);
INSTANTIATE_TEST_SUITE_P(EmulatedIonq, PlantedFault, testing::Values(&ionq_with));

}  // namespace
}  // namespace tandem::lab
