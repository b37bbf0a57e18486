#include <algorithm>

#include "tandem/base/text.h"
#include "tandem/hybrid/walk/walk.h"
#include "tandem/orchestrate/route/route.h"

namespace tandem::route {

Result<void> check_names(const job::JobSpec& spec, std::span<backend::Backend* const> backends) {
  std::vector<std::string_view> ids;
  std::vector<std::string_view> solvers;
  for (const backend::Backend* backend : backends) {
    ids.push_back(backend->info().id.value);
    if (backend->info().takes_solve) solvers.push_back(backend->info().method());
  }
  const auto known_at = [&](const std::string& name, const std::string& place) -> Result<void> {
    if (std::find(ids.begin(), ids.end(), name) != ids.end()) return {};
    return fail_at(place, errors::kUnknownBackend, "there is no backend {} here{}; see `tandem backends`", quote(name),
                   did_you_mean(name, ids));
  };
  const auto known = [&](const std::vector<std::string>& names, const std::string& place) -> Result<void> {
    for (std::size_t i = 0; i < names.size(); ++i) TANDEM_TRY(known_at(names[i], fmt::format("{}/{}", place, i)));
    return {};
  };
  TANDEM_TRY(known(spec.policy.backends, "/policy/backends"));
  TANDEM_TRY(known(spec.policy.avoid, "/policy/avoid"));
  for (std::size_t i = 0; i < spec.fallbacks.size(); ++i) {
    const job::Fallback& entry = spec.fallbacks[i];
    if (entry.is_backend()) TANDEM_TRY(known_at(entry.backend, fmt::format("/fallbacks/{}", i)));
    TANDEM_TRY(known(entry.from, fmt::format("/fallbacks/{}/from", i)));
  }
  if (!spec.solver.empty() && std::find(solvers.begin(), solvers.end(), spec.solver) == solvers.end()) {
    return fail_at("/solver", errors::kValueOutOfRange, "there is no solver {} here{}; there are {}",
                   quote(spec.solver), did_you_mean(spec.solver, solvers), fmt::join(solvers, ", "));
  }
  return {};
}

Result<void> check_memory(const job::JobSpec& spec, std::uint64_t available) {
  if (spec.is_program()) return {};
  const std::size_t n = spec.problem()->num_variables();
  const std::uint64_t needed = walk::bytes_needed(n);
  if (needed <= available) return {};
  return fail_at(
      "/problem", errors::kOutOfMemory,
      "{} variables need {} bytes at least, compute.memory_bytes_max allows {}; use a smaller problem or raise it", n,
      needed, available);
}

}  // namespace tandem::route
