#include "tandem/lab/ionq/tolerance.h"

#include <algorithm>
#include <array>

namespace tandem::lab {
namespace {

using enum Tolerance;

constexpr std::string_view kCirq = "cirq/";            // cirq-ionq 1.7.0
constexpr std::string_view kRequests = "python-requests/";
constexpr std::string_view kQiskit = "qiskit-ionq/";  // qiskit-ionq 1.1.1

constexpr std::array<ToleranceRecord, 9> kTable = {{
    {kLang, kCirq, "POST /jobs with the member \"lang\": \"json\", which no schema has"},
    {kShotsAsText, kCirq, "POST /jobs with \"shots\" as text of digits"},
    {kAnyQpu, kCirq, "the backend \"qpu\" for whichever machine"},
    {kBodyOfList, kCirq, "GET /jobs with its questions in a JSON body, \"limit\" up to 1000"},
    {kNoNextOnLastPage, kCirq,
     "GET /jobs answers its last page without \"next\", which the schema wants and which it would follow for ever"},
    {kAnyQpu, kQiskit, "the backends \"qpu\" and \"qpu.qpu\" for whichever machine"},
    {kAnyQpu, kRequests, "the same in GET /backends/qpu.qpu, which qiskit-ionq asks without its name"},
    {kSeedNull, kQiskit, "POST /jobs with \"noise\": {\"seed\": null} where no seed was given"},
    {kSessionOfEstimate, kQiskit, "GET /jobs/estimate with the parameter \"session\""},
}};

}  // namespace

std::span<const ToleranceRecord> tolerance_table() { return kTable; }

bool tolerates(std::string_view user_agent, Tolerance tolerance) {
  return std::any_of(kTable.begin(), kTable.end(), [&](const ToleranceRecord& record) {
    return record.tolerance == tolerance && user_agent.starts_with(record.client);
  });
}

}  // namespace tandem::lab
