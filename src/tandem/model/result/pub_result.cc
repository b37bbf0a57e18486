#include "tandem/model/result/pub_result.h"

#include <fmt/format.h>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"
#include "tandem/model/result/kind.h"

namespace tandem::result {

const Counts& PubResult::counts(std::size_t binding) const {
  TANDEM_ASSERT(binding < bindings.size() && std::holds_alternative<Counts>(bindings[binding]));
  return std::get<Counts>(bindings[binding]);
}

const Distribution& PubResult::distribution(std::size_t binding) const {
  TANDEM_ASSERT(binding < bindings.size() && std::holds_alternative<Distribution>(bindings[binding]));
  return std::get<Distribution>(bindings[binding]);
}

const Expectations& PubResult::expectations(std::size_t binding) const {
  TANDEM_ASSERT(binding < bindings.size() && std::holds_alternative<Expectations>(bindings[binding]));
  return std::get<Expectations>(bindings[binding]);
}

Json Arithmetic::document() const {
  Json out{{"precision", single ? "f32" : "f64"}, {"tolerance", tolerance}};
  if (rounding) out["rounding"] = *rounding;
  return out;
}

Result<Arithmetic> Arithmetic::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY(reader.allow_only({"precision", "tolerance", "rounding"}));
  TANDEM_TRY_ASSIGN(const std::string precision, reader.string("precision"));
  if (precision != "f32" && precision != "f64")
    return fail_at(reader.at("precision"), errors::kValueOutOfRange, "{} is not f32 or f64", quote(precision));
  Arithmetic out{.single = precision == "f32"};
  TANDEM_TRY_ASSIGN(out.tolerance, reader.number("tolerance"));
  if (reader.has("rounding")) {
    TANDEM_TRY_ASSIGN(out.rounding, reader.number("rounding"));
  }
  return out;
}

Json PubResult::document() const {
  Json items = Json::array();
  for (const BindingResult& binding : bindings) {
    if (const auto* counts = std::get_if<Counts>(&binding)) {
      items.push_back(counts->document());
      continue;
    }
    if (const auto* distribution = std::get_if<Distribution>(&binding)) {
      items.push_back(distribution->document());
      continue;
    }
    Json values = Json::array();
    for (const Expectation& expectation : std::get<Expectations>(binding)) values.push_back(expectation.document());
    items.push_back({{"kind", "expectations"}, {"values", std::move(values)}});
  }
  Json out{{"kind", "pub_result"}, {"bindings", std::move(items)}};
  if (arithmetic) out["arithmetic"] = arithmetic->document();
  return out;
}

Result<PubResult> PubResult::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open_kind(document, pointer, "pub_result"));
  TANDEM_TRY(reader.allow_only({"kind", "bindings", "arithmetic"}));
  TANDEM_TRY_ASSIGN(const Json* const items, reader.array("bindings"));
  if (items->size() > circuit::Pub::kBindingsMax) {
    return fail_at(reader.at("bindings"), errors::kValueOutOfRange, "{} bindings are above the limit of {}",
                   items->size(), circuit::Pub::kBindingsMax);
  }
  PubResult result;
  if (reader.has("arithmetic")) {
    TANDEM_TRY_ASSIGN(result.arithmetic, Arithmetic::parse(*reader.find("arithmetic"), reader.at("arithmetic")));
  }
  for (const Json& item : *items) {
    const std::string place = fmt::format("{}/{}", reader.at("bindings"), result.bindings.size());
    // The first binding says what all of them are.
    TANDEM_TRY_ASSIGN(const ObjectReader first, ObjectReader::create((*items)[0], reader.at("bindings") + "/0"));
    TANDEM_TRY_ASSIGN(const std::string kind, first.string("kind"));
    if (kind == "counts") {
      TANDEM_TRY_ASSIGN(Counts counts, Counts::parse(item, place));
      result.bindings.emplace_back(std::move(counts));
      continue;
    }
    if (kind == "distribution") {
      TANDEM_TRY_ASSIGN(Distribution distribution, Distribution::parse(item, place));
      result.bindings.emplace_back(std::move(distribution));
      continue;
    }
    TANDEM_TRY_ASSIGN(const ObjectReader inner, open_kind(item, place, "expectations"));
    TANDEM_TRY(inner.allow_only({"kind", "values"}));
    TANDEM_TRY_ASSIGN(const Json* const values, inner.array("values"));
    Expectations expectations;
    for (const Json& value : *values) {
      TANDEM_TRY_ASSIGN(const Expectation expectation,
                        Expectation::parse(value, fmt::format("{}/{}", inner.at("values"), expectations.size())));
      expectations.push_back(expectation);
    }
    result.bindings.emplace_back(std::move(expectations));
  }
  return result;
}

}  // namespace tandem::result
