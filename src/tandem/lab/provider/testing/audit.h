// tandem/lab/provider/testing/audit.h - holds the ledger of submissions against the provider's own book.
//
// Room: lab, tests only. The book is the oracle: it knows nothing of the ledger, and the ledger cannot write in it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tandem/lab/provider/book.h"
#include "tandem/orchestrate/submit/submit.h"
#include "tandem/trust/budget/budget.h"

namespace tandem::lab {

/// What the book says of one token.
struct Billed {
  int times = 0;
  std::int64_t usd_micros = 0;
  bool ended = false;
};

inline std::map<std::string, Billed> read_bills(const std::vector<Json>& book) {
  std::map<std::string, Billed> out;
  std::map<std::string, std::int64_t> by_id;
  for (const Json& line : book) {
    const std::string kind = line["line"];
    if (kind == "opened" || line.value("token", "").empty()) continue;  // without one: work of others
    Billed& billed = out[line["token"]];
    billed.times += kind == "accepted";
    billed.ended = billed.ended || kind == "ended";
    std::int64_t& amount = by_id[line["id"]];
    billed.usd_micros -= amount;
    amount = line["billed_usd_micros"];
    billed.usd_micros += amount;
  }
  return out;
}

struct Audit {
  std::vector<std::string> violations;
  std::size_t billed = 0;  ///< tokens in the book
  std::map<std::string, std::size_t> states;
};

/// Whether the provider lets us know every bill in the end. One that never names a bill, or never says that work has ended, leaves
/// work that it billed held: then the reservation has to stay, and to be as high as the bill.
enum class BillsComeOut : std::uint8_t { kAlways, kNotAll };

/// Checks after everything has come to rest: no token billed twice; every bill is posted, with the provider's figure, to the
/// job that caused it; nothing is left in doubt but what is held with a reason; nothing that the provider never took costs money.
inline Audit audit(const std::vector<Json>& book, store::Store& store, submit::Submitter& submitter,
                   const std::vector<JobId>& jobs, BillsComeOut bills_come_out = BillsComeOut::kAlways) {
  Audit out;
  std::map<std::string, Billed> bills = read_bills(book);
  const auto complain = [&](const std::string& token, const std::string& what) {
    out.violations.push_back(token + ": " + what);
  };
  for (const auto& [token, billed] : bills) {
    ++out.billed;
    if (billed.times != 1) complain(token, fmt::format("billed {} times", billed.times));
    if (!billed.ended) complain(token, "still open at the provider");
  }
  for (const JobId& job : jobs) {
    const auto hold = budget::Budget(store).load(job);
    if (!hold) {
      complain(job.value, hold.error().to_string());
      continue;
    }
    job::Money settled;
    job::Money reserved;
    const auto submissions = submitter.submissions(job);
    for (const submit::SubmissionRecord& record : submissions.value()) {
      ++out.states[std::string(to_string(record.state))];
      const auto found = bills.find(record.token);
      const bool billed = found != bills.end();
      if (is_final(record.state)) {
        settled = settled + record.billed;
        const std::int64_t bill = billed ? found->second.usd_micros : 0;
        if (record.billed.usd_micros != bill) {
          complain(record.token, fmt::format("{} with {} posted, but the book says {}", to_string(record.state),
                                             record.billed.usd_micros, bill));
        }
      } else {
        reserved = reserved + record.reserved;
        if (record.state != submit::SubmissionState::kHeld)
          complain(record.token, fmt::format("left {}", to_string(record.state)));
        if (record.reason.empty()) complain(record.token, "held without a reason");
        const bool covered =
            bills_come_out == BillsComeOut::kNotAll && billed && record.reserved.usd_micros >= found->second.usd_micros;
        if (billed && !covered) complain(record.token, "the provider billed it and we do not know: " + record.reason);
      }
      if (billed) bills.erase(found);
    }
    if (hold->play_money.settled != settled) complain(job.value, "settled money is not the sum of the bills");
    if (hold->play_money.reserved != reserved) complain(job.value, "reserved money is not the sum of what is open");
  }
  for (const auto& [token, billed] : bills) complain(token, "billed, but no submission of ours");
  return out;
}

}  // namespace tandem::lab
