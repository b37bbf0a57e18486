// The crash points of all parts of the program.
#include <algorithm>

#include "house.h"
#include "tandem/base/text.h"
#include "tandem/orchestrate/engine/crash_points.h"
#include "tandem/orchestrate/submit/crash_points.h"
#include "tandem/store/crash_points.h"

namespace tandem::app {

std::vector<std::string> crash_point_names() {
  std::vector<std::string> out = engine::crash_point_names();
  for (std::string& name : submit::crash_point_names()) out.push_back(std::move(name));
  out.insert(out.end(), store::kPoints.begin(), store::kPoints.end());
  std::sort(out.begin(), out.end());
  return out;
}

Result<CrashPoints> arm_crash_points(const Environment& environment) {
  TANDEM_TRY_ASSIGN(CrashPoints points, CrashPoints::arm(environment));
  if (!points.armed()) return points;
  const std::vector<std::string> names = crash_point_names();
  if (std::find(names.begin(), names.end(), points.name()) != names.end()) return points;
  const std::vector<std::string_view> known(names.begin(), names.end());
  return fail(errors::kBadSetting, "there is no crash point {}{}; `tandem doctor --crash-points` lists them",
              quote(points.name()), did_you_mean(points.name(), known));
}

}  // namespace tandem::app
