#include "tandem/middleware/remote/price_list.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "tandem/base/text.h"
#include "tandem/base/yaml.h"

namespace tandem::remote {
namespace {

constexpr double kUsdMax = static_cast<double>(kPriceMax.usd_micros) / 1e6;
constexpr std::int64_t kDayMicros = 86'400'000'000;

struct Rate {
  std::string_view key;
  double ListPrice::* value;
};
constexpr Rate kRates[] = {{"minimum", &ListPrice::minimum},
                           {"per_job", &ListPrice::per_job},
                           {"per_shot", &ListPrice::per_shot},
                           {"per_1q_gate", &ListPrice::per_one_qubit_gate},
                           {"per_2q_gate", &ListPrice::per_two_qubit_gate}};

/// "$0.03" or 0.03. Rates of a gate are often below a millionth of a dollar, so this is no amount of money yet.
Result<double> read_rate(const ObjectReader& reader, std::string_view key) {
  double out = 0;
  if (reader.find(key)->is_string()) {
    TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
    const auto value = parse_double(std::string_view(text).substr(text.starts_with('$') ? 1 : 0));
    if (!value)
      return fail_at(reader.at(key), errors::kBadSetting, "{} is no price; write one as $0.03 or 0.03", quote(text));
    out = *value;
  } else {
    TANDEM_TRY_ASSIGN(out, reader.number(key));
  }
  if (!(out >= 0 && out <= kUsdMax))
    return fail_at(reader.at(key), errors::kBadSetting, "{} is not from $0 to {}", shortest(out),
                   format_usd(kPriceMax.usd_micros));
  return out;
}

/// "2026-11-01": the beginning of that day.
Result<Timestamp> read_day(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
  const auto day = parse_rfc3339(text + "T00:00:00Z");
  if (!day) return fail_at(reader.at(key), errors::kBadSetting, "{} is no day; write one as 2026-11-01", quote(text));
  return *day;
}

Result<ListPrice> read_entry(const ObjectReader& reader, std::span<const std::string_view> backends) {
  TANDEM_TRY(reader.allow_only(
      {"backend", "source", "as_of", "valid_until", "minimum", "per_job", "per_shot", "per_1q_gate", "per_2q_gate"}));
  ListPrice out;
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  if (std::find(backends.begin(), backends.end(), out.backend) == backends.end())
    return fail_at(reader.at("backend"), errors::kBadSetting, "there is no backend {} that has a price{}",
                   quote(out.backend), did_you_mean(out.backend, backends));
  TANDEM_TRY_ASSIGN(out.source, reader.string("source"));
  TANDEM_TRY_ASSIGN(out.as_of, reader.string("as_of"));
  TANDEM_TRY_ASSIGN(out.begin, read_day(reader, "as_of"));
  if (reader.has("valid_until")) {
    TANDEM_TRY_ASSIGN(out.valid_until, reader.string("valid_until"));
    TANDEM_TRY_ASSIGN(const Timestamp last, read_day(reader, "valid_until"));
    if (last < out.begin)
      return fail_at(reader.at("valid_until"), errors::kBadSetting, "{} is before {}, when it begins", out.valid_until,
                     out.as_of);
    out.end = Timestamp{last.micros + kDayMicros};
  }
  bool any = false;
  for (const Rate& rate : kRates) {
    if (!reader.has(rate.key)) continue;
    TANDEM_TRY_ASSIGN(out.*rate.value, read_rate(reader, rate.key));
    any = true;
  }
  if (!any)
    return fail_at(reader.at(""), errors::kBadSetting,
                   "it has no rate; give at least one of minimum, per_job, per_shot, per_1q_gate and per_2q_gate");
  return out;
}

Result<std::vector<ListPrice>> read_entries(const Json& document, std::span<const std::string_view> backends) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY(reader.allow_only({"prices"}));
  TANDEM_TRY_ASSIGN(const Json* list, reader.array("prices"));
  if (list->size() > PriceList::kEntriesMax)
    return fail_at("/prices", errors::kBadSetting, "it has {} entries, and {} are allowed", list->size(),
                   PriceList::kEntriesMax);
  std::vector<ListPrice> out;
  std::set<std::pair<std::string, Timestamp>> seen;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string place = fmt::format("/prices/{}", i);
    TANDEM_TRY_ASSIGN(const ObjectReader entry, ObjectReader::create((*list)[i], place));
    TANDEM_TRY_ASSIGN(ListPrice price, read_entry(entry, backends));
    if (!seen.emplace(price.backend, price.begin).second)
      return fail_at(place, errors::kBadSetting, "there is an entry for {} as of {} before", price.backend,
                     price.as_of);
    out.push_back(std::move(price));
  }
  return out;
}

}  // namespace

Result<job::Money> ListPrice::of(const Billable& work) const {
  const auto times = [](double rate, std::uint64_t count) { return rate * static_cast<double>(count); };
  const double usd =
      std::max(minimum, per_job + times(per_shot, work.shots) + times(per_one_qubit_gate, work.one_qubit_gates) +
                            times(per_two_qubit_gate, work.two_qubit_gates));
  if (!(usd <= kUsdMax))
    return fail(errors::kValueOutOfRange, "by {} it costs more than {}; ask for less", words(),
                format_usd(kPriceMax.usd_micros));
  // Rates are decimals, and their products in binary may be a little more: a billionth of a dollar is none.
  return job::Money{static_cast<std::int64_t>(std::ceil(usd * 1e6 - 1e-3))};
}

std::string ListPrice::words() const { return fmt::format("the price list of {} ({})", as_of, source); }

Result<PriceList> PriceList::parse(std::string_view text, std::string_view name,
                                   std::span<const std::string_view> backends) {
  TANDEM_TRY_ASSIGN(const LocatedJson located, parse_json_or_yaml(text, name));
  auto entries = read_entries(located.value, backends);
  if (!entries) return tl::unexpected(located.at_its_place(std::move(entries).error()));
  PriceList out;
  out.entries_ = *std::move(entries);
  return out;
}

const ListPrice* PriceList::find(std::string_view backend, Timestamp now) const {
  const ListPrice* latest = nullptr;
  for (const ListPrice& one : entries_) {
    if (one.backend == backend && one.begin <= now && (latest == nullptr || latest->begin < one.begin)) latest = &one;
  }
  return latest == nullptr || (latest->end && *latest->end <= now) ? nullptr : latest;
}

}  // namespace tandem::remote
