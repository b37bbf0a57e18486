#include "tandem/middleware/backend/backend.h"

namespace tandem::backend {

std::string_view to_string(SubmitSafety safety) {
  constexpr std::string_view kNames[] = {"local", "A", "B", "C", "D"};
  return kNames[static_cast<std::size_t>(safety)];
}

ErrorClass class_of(const SubmitFailure& failure) { return failure.said.value_or(class_of(failure.error)); }

std::uint64_t num_shots(const ProgramWork& work) {
  std::uint64_t out = 0;
  for (const circuit::Pub& pub : work.pubs) out += pub.shots * pub.num_bindings();
  return out;
}

void BackendRegistry::add(std::unique_ptr<Backend> backend) { backends_.push_back(std::move(backend)); }

Backend* BackendRegistry::find(std::string_view id) const {
  for (const auto& backend : backends_)
    if (backend->info().id.value == id) return backend.get();
  return nullptr;
}

std::vector<Backend*> BackendRegistry::all() const {
  std::vector<Backend*> out;
  for (const auto& backend : backends_) out.push_back(backend.get());
  return out;
}

}  // namespace tandem::backend
