#include "tandem/trust/budget/budget.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/json_writer.h"
#include "tandem/base/text.h"

namespace tandem::budget {
namespace {

using job::Money;
using store::Expect;
using store::Table;

/// Of one account: a thousand absurd bills. Four such sums add up without overflow.
constexpr Money kSumMax{kAmountMax.usd_micros * 1000};

std::string hold_key(const JobId& job) { return "hold/" + job.value; }
std::string reservation_prefix(const JobId& job) { return fmt::format("reservation/{}/", job.value); }
std::string reservation_key(const JobId& job, std::string_view token) { return reservation_prefix(job).append(token); }

std::string usd(Money amount) { return format_usd(amount.usd_micros); }

/// "limit $1.00 = free $0.40 + reserved $0.50 + settled $0.10 + released $0.00"
std::string accounts(const Hold& hold) {
  return fmt::format("limit {} = free {} + reserved {} + settled {} + released {}", usd(hold.limit), usd(hold.free),
                     usd(hold.reserved), usd(hold.settled), usd(hold.released));
}

Error damaged(const store::Row& row, std::string_view what) {
  return make_error_at("budget " + row.key, errors::kStoreDamaged, "{}; restore the store from a backup", what);
}

void put_hold(store::Batch& batch, const Hold& hold) {
  batch.put(Table::kBudget, hold_key(hold.job), hold.value(), Expect::at(hold.version));
}

void put_reservation(store::Batch& batch, const JobId& job, const Reservation& reservation) {
  const Expect expect = reservation.version == 0 ? Expect::absent() : Expect::at(reservation.version);
  batch.put(Table::kBudget, reservation_key(job, reservation.token), reservation.value(), expect);
}

Result<std::optional<Reservation>> load_reservation(store::Store& store, const JobId& job, std::string_view token) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(Table::kBudget, reservation_key(job, token)));
  if (!row) return std::optional<Reservation>();
  TANDEM_TRY_ASSIGN(Reservation reservation, Reservation::parse(*row));
  return std::optional<Reservation>(std::move(reservation));
}

Result<Money> read_money(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::int64_t micros, reader.integer(key, 0, kSumMax.usd_micros));
  return Money{micros};
}

Result<Hold> parse_hold(const ObjectReader& reader) {
  Hold out;
  TANDEM_TRY_ASSIGN(out.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(out.limit, read_money(reader, "limit_usd_micros"));
  TANDEM_TRY_ASSIGN(out.free, read_money(reader, "free_usd_micros"));
  TANDEM_TRY_ASSIGN(out.reserved, read_money(reader, "reserved_usd_micros"));
  TANDEM_TRY_ASSIGN(out.settled, read_money(reader, "settled_usd_micros"));
  TANDEM_TRY_ASSIGN(out.released, read_money(reader, "released_usd_micros"));
  TANDEM_TRY_ASSIGN(out.overrun, read_money(reader, "overrun_usd_micros"));
  TANDEM_TRY_ASSIGN(out.stopped, reader.boolean_or("stopped", false));
  TANDEM_TRY_ASSIGN(out.closed, reader.boolean_or("closed", false));
  TANDEM_TRY_ASSIGN(const std::int64_t fence, reader.integer("fence", 0, INT64_MAX));
  out.fence = static_cast<std::uint64_t>(fence);
  return out;
}

Result<Reservation> parse_reservation(const ObjectReader& reader) {
  Reservation out;
  TANDEM_TRY_ASSIGN(out.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.amount, read_money(reader, "amount_usd_micros"));
  TANDEM_TRY_ASSIGN(out.billed, read_money(reader, "billed_usd_micros"));
  TANDEM_TRY_ASSIGN(const bool settled, reader.boolean_or("settled", false));
  out.state = settled ? ReservationState::kSettled : ReservationState::kReserved;
  return out;
}

/// Reads the row's value with `parse`; whatever is wrong in it is damage, for we wrote it.
template <typename Value>
Result<Value> parse_row(const store::Row& row, Result<Value> (*parse)(const ObjectReader&)) {
  const auto document = parse_json(row.value, row.key);
  if (!document) return tl::unexpected(damaged(row, document.error().to_string()));
  const auto reader = ObjectReader::create(*document, "");
  if (!reader) return tl::unexpected(damaged(row, reader.error().to_string()));
  auto value = parse(*reader);
  if (!value) return tl::unexpected(damaged(row, value.error().to_string()));
  value->version = row.version;
  return value;
}

Money sum_of_accounts(const Hold& hold) { return hold.free + hold.reserved + hold.settled + hold.released; }

}  // namespace

Bytes Hold::value() const {
  return JsonWriter()
      .member("job_id", job.value)
      .member("tenant", tenant)
      .member("limit_usd_micros", limit.usd_micros)
      .member("free_usd_micros", free.usd_micros)
      .member("reserved_usd_micros", reserved.usd_micros)
      .member("settled_usd_micros", settled.usd_micros)
      .member("released_usd_micros", released.usd_micros)
      .member("overrun_usd_micros", overrun.usd_micros)
      .member("stopped", stopped)
      .member("closed", closed)
      .member("fence", fence)
      .finish();
}

Result<Hold> Hold::parse(const store::Row& row) {
  TANDEM_TRY_ASSIGN(Hold out, parse_row(row, parse_hold));
  out.job = JobId(row.key.substr(hold_key(JobId()).size()));
  if (out.limit + out.overrun != sum_of_accounts(out)) {
    return tl::unexpected(
        damaged(row, fmt::format("the books do not balance: {}, over-run {}", accounts(out), usd(out.overrun))));
  }
  return out;
}

Bytes Reservation::value() const {
  return JsonWriter()
      .member("token", token)
      .member("amount_usd_micros", amount.usd_micros)
      .member("billed_usd_micros", billed.usd_micros)
      .member("settled", state == ReservationState::kSettled)
      .finish();
}

Result<Reservation> Reservation::parse(const store::Row& row) { return parse_row(row, parse_reservation); }

void hold(store::Batch& batch, const JobId& job, std::string_view tenant, Money limit) {
  TANDEM_ASSERT(limit.usd_micros >= 0 && limit <= kAmountMax);
  const Hold made{.job = job, .tenant = std::string(tenant), .limit = limit, .free = limit};
  batch.put(Table::kBudget, hold_key(job), made.value(), Expect::absent());
}

void release_untouched(store::Batch& batch, const JobId& job, std::string_view tenant, Money limit) {
  Hold made{.job = job, .tenant = std::string(tenant), .limit = limit, .released = limit, .closed = true};
  made.version = 1;
  put_hold(batch, made);
}

Result<Hold> Budget::load(const JobId& job) const {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBudget, hold_key(job)));
  if (!row) {
    return fail(errors::kHoldUnknown, "no money is held for job '{}'; only admitted jobs may spend", job.value);
  }
  return Hold::parse(*row);
}

Result<void> Budget::reserve(store::Batch& batch, const ReserveRequest& request) const {
  TANDEM_ASSERT(request.amount.usd_micros >= 0);
  TANDEM_TRY_ASSIGN(Hold hold, load(request.job));
  TANDEM_TRY_ASSIGN(const auto existing, load_reservation(store_, request.job, request.token));
  if (request.fence < hold.fence) {
    return fail(errors::kStaleFence, "worker {} wants money for job '{}', but worker {} has taken the job over; stop",
                request.fence, request.job.value, hold.fence);
  }
  if (existing) {
    return fail(errors::kDoubleSettlement, "attempt {} has {} reserved already; look at its submission", request.token,
                usd(existing->amount));
  }
  if (hold.closed) {
    return fail(errors::kBudgetExceeded, "the job has ended, nothing more is spent for it ({})", accounts(hold));
  }
  if (hold.stopped) {
    return fail(errors::kBudgetExceeded,
                "a provider billed more than was reserved, so this job spends nothing more ({}, over-run {}); look at "
                "its submissions",
                accounts(hold), usd(hold.overrun));
  }
  if (request.spend_max && hold.settled + hold.reserved + request.amount > *request.spend_max) {
    return fail(errors::kPriceNotApproved, "{} are needed, and the approved plan spends {} at most ({})",
                usd(request.amount), usd(*request.spend_max), accounts(hold));
  }
  if (request.amount > hold.free) {
    return fail(errors::kBudgetExceeded, "{} are needed and {} are free ({}); raise cost_max or ask for fewer shots",
                usd(request.amount), usd(hold.free), accounts(hold));
  }
  hold.free = hold.free - request.amount;
  hold.reserved = hold.reserved + request.amount;
  hold.fence = request.fence;
  put_hold(batch, hold);
  put_reservation(batch, request.job, {.token = request.token, .amount = request.amount});
  return {};
}

Result<void> Budget::settle(store::Batch& batch, const JobId& job, std::string_view token, Money billed) const {
  if (billed.usd_micros < 0 || billed > kAmountMax) {
    return fail(errors::kValueOutOfRange, "the provider bills {} for attempt {}; expected $0 to {}", usd(billed), token,
                usd(kAmountMax));
  }
  TANDEM_TRY_ASSIGN(Hold hold, load(job));
  TANDEM_TRY_ASSIGN(auto reservation, load_reservation(store_, job, token));
  if (!reservation) {
    return fail(errors::kHoldUnknown, "attempt {} of job '{}' has nothing reserved", token, job.value);
  }
  if (reservation->state == ReservationState::kSettled) {
    return fail(errors::kDoubleSettlement, "attempt {} was settled with {} and cannot be settled again with {}", token,
                usd(reservation->billed), usd(billed));
  }
  hold.reserved = hold.reserved - reservation->amount;
  hold.settled = hold.settled + billed;
  if (billed <= reservation->amount) {
    Money& rest = hold.closed ? hold.released : hold.free;
    rest = rest + (reservation->amount - billed);
  } else {
    const Money excess = billed - reservation->amount;
    const Money from_free = std::min(excess, hold.free);
    hold.free = hold.free - from_free;
    hold.overrun = hold.overrun + (excess - from_free);
    hold.stopped = true;
  }
  reservation->state = ReservationState::kSettled;
  reservation->billed = billed;
  put_hold(batch, hold);
  put_reservation(batch, job, *reservation);
  return {};
}

Result<void> Budget::release(store::Batch& batch, const JobId& job) const {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBudget, hold_key(job)));
  if (!row) return {};
  TANDEM_TRY_ASSIGN(Hold hold, Hold::parse(*row));
  if (hold.closed) return {};
  hold.released = hold.released + hold.free;
  hold.free = {};
  hold.closed = true;
  put_hold(batch, hold);
  return {};
}

Result<void> Budget::forget(store::Batch& batch, store::Batch& reservations, const JobId& job) const {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBudget, hold_key(job)));
  if (!row) return {};
  TANDEM_TRY_ASSIGN(const Hold hold, Hold::parse(*row));
  if (hold.reserved.usd_micros != 0)
    return fail(errors::kSubmissionOpen, "{} are reserved for work of job {} whose bill is not known",
                usd(hold.reserved), job.value);
  batch.erase(Table::kBudget, row->key, Expect::at(row->version));
  store::Scan scan = store::Scan::prefix(Table::kBudget, reservation_prefix(job));
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, store_.scan(scan));
    for (const store::Row& one : rows) reservations.erase(Table::kBudget, one.key, Expect::at(one.version));
    if (rows.size() < scan.limit) return {};
    scan.from = rows.back().key + '\0';
  }
}

}  // namespace tandem::budget
