#include "tandem/api/service/focus.h"

#include <algorithm>

#include "tandem/base/clock.h"
#include "tandem/base/text.h"
#include "tandem/trust/budget/account.h"

namespace tandem::service {
namespace {

constexpr std::int64_t kSecond = 1'000'000;

/// What all columns of a row are made from.
struct Focus {
  const Json& charge;
  std::string text(const char* key) const { return charge.value(key, ""); }
  std::int64_t number(const char* key) const { return charge.value(key, std::int64_t{0}); }
  bool emulated() const { return charge.value("emulated", false); }
  /// Exact: 1234567 millionths are 1.234567.
  static std::string decimal(std::int64_t micros) {
    return fmt::format("{}.{:06}", micros / kSecond, micros % kSecond);
  }
  std::string cost() const { return decimal(emulated() ? 0 : number("cost_usd_micros")); }
  Timestamp time(const char* key) const { return parse_rfc3339(text(key)).value_or(Timestamp{}); }
  /// To the second, as FOCUS writes times.
  static std::string seconds(Timestamp time) {
    return format_rfc3339(time).substr(0, std::string_view("0000-00-00T00:00:00").size()) + "Z";
  }
  budget::Span month() const { return budget::span_of(budget::Period::kMonth, time("at")); }
  /// Exclusive: after the second in which the bill came.
  std::string end() const { return seconds({time("at").micros + kSecond}); }
  std::string provider() const {
    const std::string backend = text("backend");
    return backend.substr(0, backend.find('.'));
  }
  std::string service() const { return text("backend") + (emulated() ? " (emulated)" : ""); }
  std::string quantity() const {
    if (number("shots") > 0) return std::to_string(number("shots"));
    return number("qpu_us") > 0 ? decimal(number("qpu_us")) : "1";
  }
  std::string unit() const { return number("shots") > 0 ? "Shots" : number("qpu_us") > 0 ? "Seconds" : "Submissions"; }
  std::string tags() const {
    return Json{{"emulated", emulated() ? "true" : "false"},
                {"job_id", text("job_id")},
                {"owner", text("owner")},
                {"tier", text("tier")},
                {"token", text("token")},
                {"user", text("user")}}
        .dump();
  }
};

struct Column {
  std::string_view name;
  std::string (*value)(const Focus&);
};
constexpr auto kNothing = [](const Focus&) { return std::string(); };
constexpr auto kCost = [](const Focus& row) { return row.cost(); };
constexpr auto kTenant = [](const Focus& row) { return row.text("tenant"); };
constexpr auto kProject = [](const Focus& row) { return row.text("project"); };
constexpr auto kProvider = [](const Focus& row) { return row.provider(); };
constexpr auto kQuantity = [](const Focus& row) { return row.quantity(); };
constexpr auto kUnit = [](const Focus& row) { return row.unit(); };
constexpr auto kBackend = [](const Focus& row) { return row.text("backend"); };

constexpr Column kColumns[] = {
    {"BilledCost", kCost},
    {"BillingAccountId", kTenant},
    {"BillingAccountName", kTenant},
    {"BillingCurrency", [](const Focus&) { return std::string("USD"); }},
    {"BillingPeriodEnd", [](const Focus& row) { return Focus::seconds(*row.month().end); }},
    {"BillingPeriodStart", [](const Focus& row) { return Focus::seconds(row.month().begin); }},
    {"ChargeCategory", [](const Focus&) { return std::string("Usage"); }},
    {"ChargeClass", kNothing},
    {"ChargeDescription",
     [](const Focus& row) { return fmt::format("submission {} to {}", row.text("token"), row.service()); }},
    {"ChargeFrequency", [](const Focus&) { return std::string("Usage-Based"); }},
    {"ChargePeriodEnd", [](const Focus& row) { return row.end(); }},
    {"ChargePeriodStart", [](const Focus& row) { return Focus::seconds(row.time("begin")); }},
    {"ConsumedQuantity", kQuantity},
    {"ConsumedUnit", kUnit},
    {"ContractedCost", kCost},
    {"EffectiveCost", kCost},
    {"InvoiceIssuerName", kProvider},
    {"ListCost", kCost},
    {"PricingQuantity", kQuantity},
    {"PricingUnit", kUnit},
    {"ProviderName", kProvider},
    {"PublisherName", kProvider},
    {"ResourceId", kBackend},
    {"ResourceType", [](const Focus& row) { return row.text("tier"); }},
    {"ServiceCategory", [](const Focus&) { return std::string("Compute"); }},
    {"ServiceName", [](const Focus& row) { return row.service(); }},
    {"SubAccountId", kProject},
    {"SubAccountName", kProject},
    {"Tags", [](const Focus& row) { return row.tags(); }},
    {"x_Bytes", [](const Focus& row) { return std::to_string(row.number("bytes")); }},
    {"x_Emulated", [](const Focus& row) { return std::string(row.emulated() ? "true" : "false"); }},
    {"x_EmulatedCost",
     [](const Focus& row) { return Focus::decimal(row.emulated() ? row.number("cost_usd_micros") : 0); }},
    {"x_QpuSeconds", [](const Focus& row) { return Focus::decimal(row.number("qpu_us")); }},
};

/// RFC 4180: in quotes where it has to be. A spreadsheet takes some texts for formulas, and a project may be called like one: a leading
/// apostrophe makes it text.
std::string field(const std::string& text) {
  std::string out(text.find_first_of("=+-@") == 0 ? "'" : "");
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return text.find_first_of(",\"\r\n") == std::string::npos ? out : '"' + out + '"';
}

}  // namespace

std::string focus_heading() {
  std::string out;
  for (const Column& column : kColumns) out.append(out.empty() ? "" : ",").append(column.name);
  return out + "\r\n";
}

std::string focus_row(const Json& charge) {
  const Focus row{charge};
  std::string out;
  for (const Column& column : kColumns) {
    if (&column != kColumns) out += ',';
    out += field(column.value(row));
  }
  return out + "\r\n";
}

}  // namespace tandem::service
