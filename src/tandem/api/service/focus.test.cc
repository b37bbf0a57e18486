#include "tandem/api/service/focus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tandem/base/text.h"

namespace tandem::service {
namespace {

/// RFC 4180, read independently of the writer: one line.
std::vector<std::string> fields(std::string_view line) {
  std::vector<std::string> out(1);
  bool quoted = false;
  for (std::size_t i = 0; i + 2 < line.size(); ++i) {  // without CR LF
    const char c = line[i];
    if (c == '"' && quoted && line[i + 1] == '"') {
      out.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      out.emplace_back();
    } else {
      out.back() += c;
    }
  }
  return out;
}

std::map<std::string, std::string> row_of(const Json& charge) {
  const auto names = fields(focus_heading());
  const auto values = fields(focus_row(charge));
  EXPECT_EQ(names.size(), values.size());
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i < std::min(names.size(), values.size()); ++i) out[names[i]] = values[i];
  return out;
}

Json some_charge() {
  return {{"at", "2026-11-30T23:59:59.500000Z"},
          {"backend", "vendor.device"},
          {"begin", "2026-11-30T23:58:00.000001Z"},
          {"bytes", 4321},
          {"cost_usd_micros", 1'234'567},
          {"emulated", false},
          {"job_id", "job_1"},
          {"owner", "Ann, \"finance\""},
          {"project", "a,b"},
          {"qpu_us", 2'500'000},
          {"shots", 1000},
          {"tenant", "acme"},
          {"tier", "qpu"},
          {"token", "tok"},
          {"user", "ann"}};
}

TEST(Focus, has_every_column_that_the_specification_calls_mandatory) {
  const auto names = fields(focus_heading());
  for (const char* name :
       {"BilledCost",         "BillingAccountId", "BillingAccountName", "BillingCurrency",   "BillingPeriodEnd",
        "BillingPeriodStart", "ChargeCategory",   "ChargeClass",        "ChargeDescription", "ChargePeriodEnd",
        "ChargePeriodStart",  "ContractedCost",   "EffectiveCost",      "InvoiceIssuerName", "ListCost",
        "PricingQuantity",    "PricingUnit",      "ProviderName",       "PublisherName",     "ServiceCategory",
        "ServiceName"})
    EXPECT_THAT(names, testing::Contains(name));
}

TEST(Focus, a_project_that_is_called_like_a_formula_is_text) {
  for (const char* name : {"=HYPERLINK(1)", "+1", "-1", "@SUM(A1)"}) {
    Json charge = some_charge();
    charge["project"] = name;
    EXPECT_EQ(row_of(charge)["SubAccountId"], "'" + std::string(name));
  }
}

TEST(Focus, a_charge_is_exact_and_in_its_month) {
  auto row = row_of(some_charge());
  EXPECT_EQ(row["BilledCost"], "1.234567");
  EXPECT_EQ(row["EffectiveCost"], "1.234567");
  EXPECT_EQ(row["BillingCurrency"], "USD");
  EXPECT_EQ(row["BillingPeriodStart"], "2026-11-01T00:00:00Z");
  EXPECT_EQ(row["BillingPeriodEnd"], "2026-12-01T00:00:00Z");
  EXPECT_EQ(row["ChargePeriodStart"], "2026-11-30T23:58:00Z");
  EXPECT_EQ(row["ChargePeriodEnd"], "2026-12-01T00:00:00Z");
  EXPECT_EQ(row["ConsumedQuantity"], "1000");
  EXPECT_EQ(row["ConsumedUnit"], "Shots");
  EXPECT_EQ(row["ProviderName"], "vendor");
  EXPECT_EQ(row["SubAccountId"], "a,b");
  EXPECT_EQ(row["ChargeClass"], "");
  EXPECT_EQ(row["x_QpuSeconds"], "2.500000");
  EXPECT_EQ(row["x_Bytes"], "4321");
  EXPECT_EQ(Json::parse(row["Tags"])["owner"], "Ann, \"finance\"");
}

TEST(Focus, play_money_is_billed_by_nobody) {
  Json charge = some_charge();
  charge["emulated"] = true;
  charge["shots"] = 0;
  auto row = row_of(charge);
  for (const char* name : {"BilledCost", "ContractedCost", "EffectiveCost", "ListCost"})
    EXPECT_EQ(row[name], "0.000000");
  EXPECT_EQ(row["x_EmulatedCost"], "1.234567");
  EXPECT_EQ(row["x_Emulated"], "true");
  EXPECT_EQ(row["ServiceName"], "vendor.device (emulated)");
  EXPECT_EQ(row["ConsumedQuantity"], "2.500000");
  EXPECT_EQ(row["ConsumedUnit"], "Seconds");
}

}  // namespace
}  // namespace tandem::service
