#include "tandem/trust/budget/budget.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/json_writer.h"
#include "tandem/base/text.h"
#include "tandem/trust/budget/books.h"
#include "tandem/trust/budget/usage.h"

namespace tandem::budget {
namespace {

using job::Money;
using store::Expect;
using store::Table;

std::string hold_key(const JobId& job) { return std::string(kHoldPrefix) + job.value; }
std::string reservation_prefix(const JobId& job) { return fmt::format("{}{}/", kReservationPrefix, job.value); }
std::string reservation_key(const JobId& job, std::string_view token) { return reservation_prefix(job).append(token); }

std::string usd(Money amount) { return format_usd(amount.usd_micros); }

/// "limit $1.00 = free $0.40 + reserved $0.50 + settled $0.10 + released $0.00"
std::string figures(const Purse& purse) {
  return fmt::format("limit {} = free {} + reserved {} + settled {} + released {}", usd(purse.limit), usd(purse.free),
                     usd(purse.reserved), usd(purse.settled), usd(purse.released));
}

Error damaged(const store::Row& row, std::string_view what) {
  return make_error_at("budget " + row.key, errors::kStoreDamaged, "{}; restore the store from a backup", what);
}

void put_hold(store::Batch& batch, const Hold& hold) {
  const Expect expect = hold.version == 0 ? Expect::absent() : Expect::at(hold.version);
  batch.put(Table::kBudget, hold_key(hold.job), hold.value(), expect);
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

/// Every verb writes the hold. The rows of a verb are read one after the other: where somebody's commit came between, books that balance
/// seem not to. So damage is believed only of a job whose hold stood still.
Result<bool> has_moved(store::Store& store, const Hold& hold) {
  TANDEM_TRY_ASSIGN(const auto row, store.get(Table::kBudget, hold_key(hold.job)));
  return !row || row->version != hold.version;
}

Result<Money> read_money(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::int64_t micros, reader.integer(key, 0, kSumMaxUnits));
  return Money{micros};
}

Money sum_of(const Purse& purse) { return purse.free + purse.reserved + purse.settled + purse.released; }

Result<Purse> read_purse(const ObjectReader& reader) {
  Purse out;
  TANDEM_TRY_ASSIGN(out.limit, read_money(reader, "limit_usd_micros"));
  TANDEM_TRY_ASSIGN(out.free, read_money(reader, "free_usd_micros"));
  TANDEM_TRY_ASSIGN(out.reserved, read_money(reader, "reserved_usd_micros"));
  TANDEM_TRY_ASSIGN(out.settled, read_money(reader, "settled_usd_micros"));
  TANDEM_TRY_ASSIGN(out.released, read_money(reader, "released_usd_micros"));
  TANDEM_TRY_ASSIGN(out.overrun, read_money(reader, "overrun_usd_micros"));
  if (out.limit + out.overrun != sum_of(out))
    return fail(errors::kStoreDamaged, "the books do not balance: {}, over-run {}", figures(out), usd(out.overrun));
  return out;
}

void write_purse(JsonWriter& out, const Purse& purse) {
  out.member("limit_usd_micros", purse.limit.usd_micros)
      .member("free_usd_micros", purse.free.usd_micros)
      .member("reserved_usd_micros", purse.reserved.usd_micros)
      .member("settled_usd_micros", purse.settled.usd_micros)
      .member("released_usd_micros", purse.released.usd_micros)
      .member("overrun_usd_micros", purse.overrun.usd_micros);
}

/// As it is until something is reserved from it.
Purse untouched(Money limit, bool closed) {
  return {.limit = limit, .free = closed ? Money{} : limit, .released = closed ? limit : Money{}};
}

Result<Hold> parse_hold(const ObjectReader& reader) {
  Hold out;
  TANDEM_TRY_ASSIGN(out.payer.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(out.payer.project, reader.string_or("project", ""));
  TANDEM_TRY_ASSIGN(out.payer.user, reader.string_or("user", ""));
  TANDEM_TRY_ASSIGN(out.owner, reader.string_or("owner", ""));
  TANDEM_TRY_ASSIGN(out.money, read_purse(reader));
  TANDEM_TRY_ASSIGN(out.accounts, reader.strings_or_empty("accounts"));
  TANDEM_TRY_ASSIGN(out.stopped, reader.boolean_or("stopped", false));
  TANDEM_TRY_ASSIGN(out.closed, reader.boolean_or("closed", false));
  TANDEM_TRY_ASSIGN(const std::int64_t fence, reader.integer("fence", 0, INT64_MAX));
  out.fence = static_cast<std::uint64_t>(fence);
  out.play_money = untouched(out.money.limit, out.closed);
  if (reader.has("emulated")) {
    TANDEM_TRY_ASSIGN(const ObjectReader emulated, reader.object("emulated"));
    TANDEM_TRY_ASSIGN(out.play_money, read_purse(emulated));
  }
  return out;
}

Result<Share> parse_share(const ObjectReader& reader) {
  Share out;
  TANDEM_TRY_ASSIGN(out.account, reader.string("account"));
  TANDEM_TRY_ASSIGN(const std::string unit, reader.string("unit"));
  const auto known = find_unit(unit);
  if (!known) return fail_at(reader.at("unit"), errors::kStoreDamaged, "{} is no unit", quote(unit));
  out.unit = *known;
  TANDEM_TRY_ASSIGN(out.amount, reader.integer("amount", 0, kSumMaxUnits));
  return out;
}

Result<Reservation> parse_reservation(const ObjectReader& reader) {
  Reservation out;
  TANDEM_TRY_ASSIGN(out.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.amount, read_money(reader, "amount_usd_micros"));
  TANDEM_TRY_ASSIGN(out.billed, read_money(reader, "billed_usd_micros"));
  TANDEM_TRY_ASSIGN(const bool settled, reader.boolean_or("settled", false));
  out.state = settled ? ReservationState::kSettled : ReservationState::kReserved;
  TANDEM_TRY_ASSIGN(out.backend, reader.string_or("backend", ""));
  TANDEM_TRY_ASSIGN(const std::string tier, reader.string_or("tier", job::to_string(out.tier)));
  out.tier = job::find_tier(tier).value_or(out.tier);
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(out.use.shots, reader.integer_or("shots", 0, 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.use.qpu_us, reader.integer_or("qpu_us", 0, 0, kSumMaxUnits));
  TANDEM_TRY_ASSIGN(out.use.bytes, reader.integer_or("bytes", 0, 0, kSumMaxUnits));
  if (!reader.has("shares")) return out;
  TANDEM_TRY_ASSIGN(const Json* shares, reader.array("shares"));
  for (std::size_t i = 0; i < shares->size(); ++i) {
    TANDEM_TRY_ASSIGN(const ObjectReader one, ObjectReader::create((*shares)[i], fmt::format("/shares/{}", i)));
    TANDEM_TRY_ASSIGN(Share share, parse_share(one));
    out.shares.push_back(std::move(share));
  }
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

/// What an attempt asks for, or used, of one unit.
std::int64_t amount_of(Unit unit, Money cost, const job::MeteredUse& use, std::int64_t submissions) {
  switch (unit) {
    case Unit::kUsdMicros:
      return cost.usd_micros;
    case Unit::kJobs:
      return submissions;
    case Unit::kShots:
      return use.shots;
    case Unit::kQpuMicroseconds:
      return use.qpu_us;
    case Unit::kBytes:
      return use.bytes;
  }
  return 0;
}

/// What a change of a job's purse is in the accounts that hold the same money.
Posting posting_of(const Purse& before, const Purse& after) {
  const auto by = [](Money from, Money to) { return to.usd_micros - from.usd_micros; };
  return {.overrun = by(before.overrun, after.overrun),
          .held = by(before.free + before.reserved, after.free + after.reserved),
          .settled = by(before.settled, after.settled),
          .released = by(before.released, after.released)};
}

/// What the end of an attempt is in an account that granted `amount`.
Posting posting_of(std::int64_t amount, std::int64_t used) {
  return {.overrun = std::max<std::int64_t>(0, used - amount),
          .held = -amount,
          .settled = used,
          .released = std::max<std::int64_t>(0, amount - used)};
}

Result<void> post_purse(Books& books, const Hold& before, const Hold& after) {
  for (const std::string& account : before.accounts)
    TANDEM_TRY(books.post(account, Unit::kUsdMicros, posting_of(before.money, after.money)));
  return {};
}

/// Takes the bill from what is reserved, then from what is free, and the rest is an over-run. False: it was above the reservation.
bool pay(Purse& purse, Money reserved, Money billed, bool closed) {
  purse.reserved = purse.reserved - reserved;
  purse.settled = purse.settled + billed;
  if (billed <= reserved) {
    Money& rest = closed ? purse.released : purse.free;
    rest = rest + (reserved - billed);
    return true;
  }
  const Money excess = billed - reserved;
  const Money from_free = std::min(excess, purse.free);
  purse.free = purse.free - from_free;
  purse.overrun = purse.overrun + (excess - from_free);
  return false;
}

void close_purse(Purse& purse) {
  purse.released = purse.released + purse.free;
  purse.free = {};
}

Hold new_hold(const JobId& job, const Payer& payer, Money limit, std::string_view owner) {
  TANDEM_ASSERT(limit.usd_micros >= 0 && limit <= kAmountMax);
  const Purse full = untouched(limit, false);
  return {.job = job, .payer = payer, .owner = std::string(owner), .money = full, .play_money = full, .accounts = {}};
}

/// Of a provider, for its price or its bill. Errors: 1023 value_out_of_range.
Result<void> check_figures(std::string_view token, Money money, const job::MeteredUse& use) {
  const auto believed = [](std::int64_t figure) { return figure >= 0 && figure <= kAmountMaxUnits; };
  if (!believed(money.usd_micros))
    return fail(errors::kValueOutOfRange, "the provider wants {} for attempt {}; expected $0 to {}", usd(money), token,
                usd(kAmountMax));
  if (!believed(use.shots) || !believed(use.qpu_us))
    return fail(errors::kValueOutOfRange, "the provider counts {} shots and {} us for attempt {}; expected 0 to {}",
                use.shots, use.qpu_us, token, kAmountMaxUnits);
  return {};
}

/// A release before there was play money reserved for every backend from the real purse. What such an attempt holds goes to the purse
/// that its bill is paid from, as far as there is something left in it. Returns how much is reserved there.
Money move_to_play_money(Hold& hold, Money reserved) {
  const auto rest = [&](Purse& purse) -> Money& { return hold.closed ? purse.released : purse.free; };
  const Money moved = std::min(reserved, rest(hold.play_money));
  hold.money.reserved = hold.money.reserved - reserved;
  rest(hold.money) = rest(hold.money) + reserved;
  rest(hold.play_money) = rest(hold.play_money) - moved;
  hold.play_money.reserved = hold.play_money.reserved + moved;
  return moved;
}

}  // namespace

Bytes Hold::value() const {
  JsonWriter out;
  out.member("job_id", job.value).member("tenant", payer.tenant);
  if (!payer.project.empty()) out.member("project", payer.project);
  if (!payer.user.empty()) out.member("user", payer.user);
  if (!owner.empty()) out.member("owner", owner);
  write_purse(out, money);
  if (play_money != untouched(money.limit, closed))
    out.object("emulated", [&](JsonWriter& inner) { write_purse(inner, play_money); });
  if (!accounts.empty()) out.member("accounts", accounts);
  return out.member("stopped", stopped).member("closed", closed).member("fence", fence).finish();
}

Result<Hold> Hold::parse(const store::Row& row) {
  TANDEM_TRY_ASSIGN(Hold out, parse_row(row, parse_hold));
  out.job = JobId(row.key.substr(kHoldPrefix.size()));
  return out;
}

Bytes Reservation::value() const {
  JsonWriter out;
  out.member("token", token)
      .member("amount_usd_micros", amount.usd_micros)
      .member("billed_usd_micros", billed.usd_micros)
      .member("settled", state == ReservationState::kSettled)
      .member("backend", backend)
      .member("tier", job::to_string(tier))
      .member("emulated", emulated)
      .member("shots", use.shots)
      .member("qpu_us", use.qpu_us)
      .member("bytes", use.bytes);
  if (!shares.empty())
    out.objects("shares", shares, [](JsonWriter& one, const Share& share) {
      one.member("account", share.account).member("unit", to_string(share.unit)).member("amount", share.amount);
    });
  return out.finish();
}

Result<Reservation> Reservation::parse(const store::Row& row) { return parse_row(row, parse_reservation); }

Result<HeldParts> held_parts(const store::Row& row) {
  HeldParts out;
  if (row.key.starts_with(kAccountPrefix)) {
    TANDEM_TRY_ASSIGN(const Account account, Account::parse(row));
    for (const auto& [unit, entry] : account.entries) out[{row.key, unit}] += entry.held;
  } else if (row.key.starts_with(kHoldPrefix)) {
    TANDEM_TRY_ASSIGN(const Hold hold, Hold::parse(row));
    for (const std::string& account : hold.accounts)
      out[{account, Unit::kUsdMicros}] -= (hold.money.free + hold.money.reserved).usd_micros;
  } else if (row.key.starts_with(kReservationPrefix)) {
    TANDEM_TRY_ASSIGN(const Reservation reservation, Reservation::parse(row));
    if (reservation.state == ReservationState::kReserved)
      for (const Share& share : reservation.shares) out[{share.account, share.unit}] -= share.amount;
  } else {
    TANDEM_TRY(Charge::parse(row));
  }
  return out;
}

void hold(store::Batch& batch, const JobId& job, const Payer& payer, Money limit, std::string_view owner) {
  put_hold(batch, new_hold(job, payer, limit, owner));
}

void release_untouched(store::Batch& batch, const JobId& job, const Payer& payer, Money limit, std::string_view owner) {
  Hold made = new_hold(job, payer, limit, owner);
  close_purse(made.money);
  close_purse(made.play_money);
  made.closed = true;
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

Result<Alerts> Budget::admit(store::Batch& batch, const AdmissionRequest& request) const {
  Hold made = new_hold(request.job, request.payer, request.cost_max, request.owner);
  Books books(store_, limits_, request.now);
  const std::vector<Due> dues =
      limits_ != nullptr ? limits_->of_admission(request.payer, request.now) : std::vector<Due>();
  for (const Due& due : dues) {
    if (due.unit == Unit::kUsdMicros && request.cost_max.usd_micros == 0) continue;
    const bool is_money = due.unit == Unit::kUsdMicros;
    const std::int64_t amount = is_money                   ? request.cost_max.usd_micros
                                : due.unit == Unit::kBytes ? static_cast<std::int64_t>(request.bytes)
                                                           : 1;
    TANDEM_TRY(
        books.grant(due, amount, !is_money));  // a job was admitted and its document stored, whatever comes of it
    if (is_money) made.accounts.push_back(due.account.key());
  }
  if (request.cost_max.usd_micros != 0) put_hold(batch, made);
  return books.close(batch);
}

Result<Alerts> Budget::reserve(store::Batch& batch, const ReserveRequest& request) const {
  TANDEM_TRY(check_figures(request.token, request.amount, request.use));
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
  Purse& purse = hold.purse(request.emulated);
  if (hold.closed) {
    return fail(errors::kBudgetExceeded, "the job has ended, nothing more is spent for it ({})", figures(purse));
  }
  if (hold.stopped) {
    return fail(errors::kBudgetExceeded,
                "a provider billed more than was reserved, so this job spends nothing more ({}, over-run {}); look at "
                "its submissions",
                figures(purse), usd(purse.overrun));
  }
  if (request.spend_max && purse.settled + purse.reserved + request.amount > *request.spend_max) {
    return fail(errors::kPriceNotApproved, "{} are needed, and no more than {} are approved ({})", usd(request.amount),
                usd(*request.spend_max), figures(purse));
  }
  if (request.amount > purse.free) {
    return fail(errors::kBudgetExceeded, "{} are needed and {} are free ({}); raise cost_max or ask for fewer shots",
                usd(request.amount), usd(purse.free), figures(purse));
  }
  Reservation made{.token = request.token,
                   .amount = request.amount,
                   .backend = request.backend,
                   .tier = request.tier,
                   .emulated = request.emulated,
                   .use = request.use};
  Books books(store_, limits_, request.now);
  if (limits_ != nullptr) {
    for (const Due& due : limits_->of_attempt(hold.payer, request.backend, request.emulated, request.now)) {
      const std::int64_t amount = amount_of(due.unit, request.amount, request.use, 1);
      TANDEM_TRY(books.grant(due, amount, false));
      made.shares.push_back({.account = due.account.key(), .unit = due.unit, .amount = amount});
    }
  }
  purse.free = purse.free - request.amount;
  purse.reserved = purse.reserved + request.amount;
  hold.fence = request.fence;
  put_hold(batch, hold);
  put_reservation(batch, request.job, made);
  return books.close(batch);
}

Result<Alerts> Budget::settle(store::Batch& batch, const Settlement& settlement) const {
  TANDEM_TRY(check_figures(settlement.token, settlement.billed, settlement.use.value_or(job::MeteredUse{})));
  while (true) {
    TANDEM_TRY_ASSIGN(const Hold hold, load(settlement.job));
    Result<Alerts> out = settle_from(hold, batch, settlement);
    if (out || out.error().number != errors::kStoreDamaged) return out;
    TANDEM_TRY_ASSIGN(const bool moved, has_moved(store_, hold));
    if (!moved) return out;
  }
}

Result<Alerts> Budget::settle_from(Hold hold, store::Batch& batch, const Settlement& settlement) const {
  TANDEM_TRY_ASSIGN(auto reservation, load_reservation(store_, settlement.job, settlement.token));
  if (!reservation) {
    return fail(errors::kHoldUnknown, "attempt {} of job '{}' has nothing reserved", settlement.token,
                settlement.job.value);
  }
  if (reservation->state == ReservationState::kSettled) {
    return fail(errors::kDoubleSettlement, "attempt {} was settled with {} and cannot be settled again with {}",
                settlement.token, usd(reservation->billed), usd(settlement.billed));
  }
  job::MeteredUse use = settlement.use.value_or(settlement.accepted ? reservation->use : job::MeteredUse{});
  use.bytes = settlement.accepted ? reservation->use.bytes : 0;
  const Hold before = hold;
  Money reserved = reservation->amount;
  if (reservation->backend.empty()) {
    reservation->backend = settlement.backend;
    reservation->emulated = settlement.emulated;
    if (settlement.emulated) reserved = move_to_play_money(hold, reserved);
  }
  if (!pay(hold.purse(reservation->emulated), reserved, settlement.billed, hold.closed)) hold.stopped = true;
  reservation->state = ReservationState::kSettled;
  reservation->billed = settlement.billed;
  Books books(store_, limits_, settlement.now);
  TANDEM_TRY(post_purse(books, before, hold));
  for (const Share& share : reservation->shares)
    TANDEM_TRY(books.post(
        share.account, share.unit,
        posting_of(share.amount, amount_of(share.unit, settlement.billed, use, settlement.accepted ? 1 : 0))));
  put_hold(batch, hold);
  put_reservation(batch, settlement.job, *reservation);
  if (settlement.billed.usd_micros != 0 || use != job::MeteredUse{}) {
    const Charge charge{.at = settlement.now,
                        .begin = settlement.begin,
                        .payer = hold.payer,
                        .owner = hold.owner,
                        .backend = reservation->backend,
                        .tier = reservation->tier,
                        .emulated = reservation->emulated,
                        .job = hold.job,
                        .token = settlement.token,
                        .cost = settlement.billed,
                        .use = use};
    batch.put(Table::kBudget, charge.key(), charge.value(), Expect::absent());
  }
  return books.close(batch);
}

Result<void> Budget::release(store::Batch& batch, const JobId& job) const {
  while (true) {
    TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBudget, hold_key(job)));
    if (!row) return {};
    TANDEM_TRY_ASSIGN(const Hold hold, Hold::parse(*row));
    if (hold.closed) return {};
    Result<void> out = release_from(hold, batch);
    if (out || out.error().number != errors::kStoreDamaged) return out;
    TANDEM_TRY_ASSIGN(const bool moved, has_moved(store_, hold));
    if (!moved) return out;
  }
}

Result<void> Budget::release_from(Hold hold, store::Batch& batch) const {
  const Hold before = hold;
  close_purse(hold.money);
  close_purse(hold.play_money);
  hold.closed = true;
  Books books(store_, nullptr, {});  // giving back crosses no limit
  TANDEM_TRY(post_purse(books, before, hold));
  put_hold(batch, hold);
  (void)books.close(batch);
  return {};
}

Result<void> Budget::forget(store::Batch& batch, store::Batch& reservations, const JobId& job) const {
  TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBudget, hold_key(job)));
  if (!row) return {};
  TANDEM_TRY_ASSIGN(const Hold hold, Hold::parse(*row));
  if (const Money reserved = hold.money.reserved + hold.play_money.reserved; reserved.usd_micros != 0)
    return fail(errors::kSubmissionOpen, "{} are reserved for work of job {} whose bill is not known", usd(reserved),
                job.value);
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
