#include <csignal>

#include "tandem/base/assert.h"
#include "tandem/base/crash_point.h"
#include "tandem/base/setting.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::string_view kVariable = "TANDEM_CRASH_POINT";

}  // namespace

Result<CrashPoints> CrashPoints::arm(const Environment& environment) {
  const std::string text = environment.get(kVariable);
  if (text.empty()) return CrashPoints();
  const std::string production = environment.get("TANDEM_PROD");
  if (!production.empty() && production != "0") {
    return fail(errors::kBadSetting,
                "{} is set to {} and TANDEM_PROD to {}; a production process cannot be armed, unset one", kVariable,
                quote(text), quote(production));
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return CrashPoints(text, 1);
  const auto arrivals = parse_int64(std::string_view(text).substr(colon + 1));
  if (colon == 0 || !arrivals || *arrivals < 1) {
    return fail(errors::kBadSetting, "{} is {}; write NAME or NAME:N with N from 1", kVariable, quote(text));
  }
  return CrashPoints(text.substr(0, colon), static_cast<std::uint64_t>(*arrivals));
}

void CrashPoints::arrive() const {
  if (arrivals_left_.fetch_sub(1) != 1) return;
  raise(SIGKILL);  // no destructor, no handler, no flush: what a power cut leaves of a process
}

}  // namespace tandem
