// The oracle's questions about money: what is held, what was billed, and what no vendor ever had.
#include "tandem/sim/oracle.h"
#include "tandem/trust/budget/budget.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::sim {
namespace {

using budget::Charge;
using budget::kHoldPrefix;
using budget::kReservationPrefix;
using store::Table;
using submit::SubmissionRecord;
using submit::SubmissionState;

store::Row row_of(const std::string& key, const Cell& cell) { return {key, cell.version, cell.value}; }

bool counts_for(const budget::Scope& scope, const Charge& charge) {
  const auto is = [](const std::string& named, const std::string& value) { return named.empty() || named == value; };
  return scope.emulated == charge.emulated && is(scope.tenant, charge.payer.tenant) &&
         is(scope.project, charge.payer.project) && is(scope.user, charge.payer.user) &&
         is(scope.backend, charge.backend);
}

}  // namespace

void Oracle::count_held(const std::string& key, const Cell& cell, int sign) {
  Counted& counted = counted_[key];  // what is taken away was mostly added by the change before
  if (counted.value != cell.value) {
    auto parts = budget::held_parts(row_of(key, cell));
    if (!parts) return violate(parts.error().to_string());
    counted = {.value = cell.value, .parts = *std::move(parts)};
  }
  for (const auto& [where, amount] : counted.parts) {
    const auto place = held_.try_emplace(where).first;
    place->second += sign * amount;
    if (place->second == 0) held_.erase(place);
  }
}

void Oracle::check_accounts() {
  for (const auto& [where, surplus] : held_)
    violate(fmt::format("{} holds {} {} more than its jobs and attempts have there", where.first, surplus,
                        to_string(where.second)));
}

void Oracle::check_money() {
  struct Sums {
    std::int64_t reserved = 0;
    std::int64_t settled = 0;
  };
  std::map<std::pair<std::string, bool>, Sums> sums;  // by job and whether it is play money
  const auto& budget = disk_.rows(Table::kBudget);
  for (const auto& [key, cell] : budget) {
    if (!key.starts_with(kReservationPrefix)) continue;
    const auto reservation = budget::Reservation::parse(row_of(key, cell));
    if (!reservation) return violate(reservation.error().to_string());
    const std::string job = key.substr(kReservationPrefix.size(), key.rfind('/') - kReservationPrefix.size());
    const bool done = reservation->state == budget::ReservationState::kSettled;
    Sums& sum = sums[{job, reservation->emulated}];
    (done ? sum.settled : sum.reserved) += done ? reservation->billed.usd_micros : reservation->amount.usd_micros;
  }
  for (const auto& [id, cell] : disk_.rows(Table::kJob)) {
    const auto row = budget.find(std::string(kHoldPrefix) + id);
    if (row == budget.end()) {
      if (sums.contains({id, false}) || sums.contains({id, true}))
        violate(fmt::format("job {} has reservations and no hold", id));
      continue;
    }
    const auto hold = budget::Hold::parse(row_of(row->first, row->second));
    if (!hold) return violate(hold.error().to_string());
    for (const bool emulated : {false, true}) {
      const budget::Purse& purse = hold->purse(emulated);
      const Sums& sum = sums[{id, emulated}];
      if (purse.reserved.usd_micros != sum.reserved || purse.settled.usd_micros != sum.settled)
        violate(fmt::format("the hold of {} has {} reserved and {} settled, its reservations say {} and {}", id,
                            purse.reserved.usd_micros, purse.settled.usd_micros, sum.reserved, sum.settled));
    }
    const Job* now = job(id, cell);
    if (now != nullptr && hold->closed != job::is_final(now->state))
      violate(fmt::format("the hold of {} is {}, the job is {}", id, hold->closed ? "closed" : "open",
                          job::to_string(now->state)));
  }
}

/// What each vendor billed is what was posted, for each submission that has ended.
void Oracle::check_books() {
  for (const SimDevice& device : devices_) {
    const std::string vendor = device.vendor().id();
    std::map<std::string, std::string> billed;  // token by job and step
    for (const auto& [handle, entry] : device.book()) {
      const auto row = disk_.rows(Table::kSubmission).find(entry.token);
      if (row == disk_.rows(Table::kSubmission).end())
        return violate(fmt::format("{} billed {}, of which nothing is on disk", vendor, entry.token));
      const SubmissionRecord* record = submission(entry.token, row->second);
      if (record == nullptr) return violate(fmt::format("the row of submission {} cannot be read", entry.token));
      // Whatever a vendor is given anew after a refusal, it bills a step once.
      const std::string step = fmt::format("{} {}", record->job.value, record->step);
      if (const auto [first, is_new] = billed.emplace(step, entry.token); !is_new && first->second != entry.token)
        violate(fmt::format("{} billed {} and {} for one step", vendor, first->second, entry.token));
      if (submit::is_final(record->state) && record->billed != entry.bill)
        violate(fmt::format("{} billed {} for {}, {} were posted", vendor, entry.bill.usd_micros, entry.token,
                            record->billed.usd_micros));
    }
  }
}

/// What was posted for a submission stands in one charge, and in the accounts of whoever pays for it.
void Oracle::check_charges() {
  std::map<std::string, Charge> charges;  // by token
  std::vector<budget::Account> accounts;
  for (const auto& [key, cell] : disk_.rows(Table::kBudget)) {
    if (key.starts_with(budget::kUsagePrefix)) {
      auto charge = Charge::parse(row_of(key, cell));
      if (!charge) return violate(charge.error().to_string());
      const std::string token = charge->token;
      if (!charges.emplace(token, *std::move(charge)).second)
        violate(fmt::format("submission {} is charged twice", token));
    } else if (key.starts_with(budget::kAccountPrefix)) {
      auto account = budget::Account::parse(row_of(key, cell));
      if (!account) return violate(account.error().to_string());
      accounts.push_back(*std::move(account));
    }
  }
  for (const auto& [token, charge] : charges) {
    const auto row = disk_.rows(Table::kSubmission).find(token);
    const SubmissionRecord* record =
        row == disk_.rows(Table::kSubmission).end() ? nullptr : submission(token, row->second);
    if (record == nullptr || record->billed != charge.cost || record->job != charge.job ||
        record->backend != charge.backend || record->emulated != charge.emulated)
      violate(fmt::format("the charge of {} for {} at {} is not what was posted for it", charge.cost.usd_micros, token,
                          charge.backend));
  }
  for (const auto& [key, cell] : disk_.rows(Table::kSubmission)) {
    if (cell.value.empty() || key.find('/') != std::string::npos) continue;
    const SubmissionRecord* record = submission(key, cell);
    if (record != nullptr && record->billed.usd_micros != 0 && !charges.contains(key))
      violate(fmt::format("{} were posted for {} without a charge", record->billed.usd_micros, key));
  }
  // Of days and months it decides when money was promised, which no charge says.
  for (const budget::Account& account : accounts) {
    if (account.id.period != budget::Period::kTotal) continue;
    std::int64_t charged = 0;
    for (const auto& [token, charge] : charges)
      if (counts_for(account.id.scope, charge)) charged += charge.cost.usd_micros;
    const auto entry = account.entries.find(budget::Unit::kUsdMicros);
    const std::int64_t settled = entry == account.entries.end() ? 0 : entry->second.settled;
    if (settled != charged)
      violate(fmt::format("{} has {} settled, its charges say {}", account.id.key(), settled, charged));
  }
}

/// What went out and is in no vendor's book was refused, or stays held: nobody's silence is an answer.
void Oracle::check_unfound() {
  for (const auto& [key, cell] : disk_.rows(Table::kSubmission)) {
    if (cell.value.empty() || key.find('/') != std::string::npos) continue;
    const SubmissionRecord* record = submission(key, cell);
    const SimDevice* device = record != nullptr ? find_device(devices_, record->backend) : nullptr;
    if (device == nullptr) return violate(fmt::format("submission {} is of no vendor", key));
    if (record->sends == 0 || device->find(key)) continue;
    if (record->state != SubmissionState::kHeld && record->state != SubmissionState::kRefused)
      violate(fmt::format("submission {} is {}, and {} never had it", key, submit::to_string(record->state),
                          record->backend));
    if (record->billed.usd_micros != 0)
      violate(
          fmt::format("{} were posted for {}, which {} never had", record->billed.usd_micros, key, record->backend));
  }
}

}  // namespace tandem::sim
