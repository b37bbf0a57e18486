#include "tandem/orchestrate/schedule/weights.h"

#include <algorithm>

#include "tandem/base/text.h"

namespace tandem::schedule {
namespace {

bool is_name(std::string_view name) {
  const std::size_t slash = name.find('/');
  if (name.empty() || slash == 0 || slash == name.size() - 1) return false;
  if (slash != std::string_view::npos && name.find('/', slash + 1) != std::string_view::npos) return false;
  return std::none_of(name.begin(), name.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

}  // namespace

Result<Weights> parse_weights(std::string_view text) {
  Weights out;
  if (trim(text).empty()) return out;
  std::size_t begin = 0;
  for (std::size_t number = 1; begin <= text.size(); ++number) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view entry = trim(text.substr(begin, end - begin));
    const auto bad = [&](std::string_view what) {
      return fail(errors::kBadSetting, "entry {} of 'engine.tenant_weights', at character {}, is {}: {}", number,
                  begin + 1, quote(entry), what);
    };
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos)
      return bad("write TENANT=WEIGHT or TENANT/PROJECT=WEIGHT, entries separated by commas");
    const std::string_view name = trim(entry.substr(0, equals));
    if (!is_name(name)) return bad("the name must be a tenant, or a tenant, a slash and a project, without blanks");
    const auto weight = parse_double(trim(entry.substr(equals + 1)));
    if (!weight || *weight < kWeightMin || *weight > kWeightMax)
      return bad(fmt::format("the weight must be a number from {} to {}", shortest(kWeightMin), shortest(kWeightMax)));
    if (!out.emplace(name, *weight).second) return bad("this name has a weight already; leave one of them out");
    begin = end + 1;
  }
  return out;
}

}  // namespace tandem::schedule
