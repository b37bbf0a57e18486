#include "tandem/orchestrate/engine/shortfall.h"

namespace tandem::engine {

std::optional<job::PartialAnswer> shortfall(const backend::Work& work, const backend::WorkResult& result) {
  job::PartialAnswer out;
  if (const auto* solve = std::get_if<backend::SolveWork>(&work)) {
    out.asked = solve->options.num_samples;
    out.got = std::get<backend::SolveResult>(result).outcome.samples.occurrences();
  } else {
    const std::vector<circuit::Pub>& asked = std::get<backend::ProgramWork>(work).pubs;
    const std::vector<result::PubResult>& got = std::get<backend::ProgramResult>(result).pubs;
    for (std::size_t i = 0; i < asked.size(); ++i) {
      if (!asked[i].observables.empty()) continue;
      out.asked += asked[i].shots * asked[i].num_bindings();
      if (i >= got.size()) continue;
      for (const result::BindingResult& binding : got[i].bindings) {
        const auto* counts = std::get_if<result::Counts>(&binding);
        out.got +=
            counts != nullptr ? counts->shots() : asked[i].shots;  // a distribution stands for any number of shots
      }
    }
  }
  if (out.got >= out.asked) return std::nullopt;
  return out;
}

}  // namespace tandem::engine
