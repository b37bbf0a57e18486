#include "tandem/model/problem/problem.h"

#include <fmt/ranges.h>

#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem::problem {

std::size_t num_variables(const Statement& statement) {
  return std::visit([](const auto& model) { return model.num_variables(); }, statement);
}

Sha256 Problem::hash() const { return sha256(canonical_json(document())); }

ProblemRegistry ProblemRegistry::with_builtin_types() {
  ProblemRegistry registry;
  for (const ProblemType& type : builtin_problem_types()) registry.add(type);
  return registry;
}

void ProblemRegistry::add(ProblemType type) {
  const bool added = types_.emplace(std::string(type.name), type).second;
  TANDEM_ASSERT(added);  // two types of one name
}

const ProblemType* ProblemRegistry::find(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> ProblemRegistry::names() const {
  std::vector<std::string_view> names;
  for (const auto& [name, type] : types_) names.push_back(name);
  return names;
}

Result<ProblemPtr> ProblemRegistry::parse(const Json& document, const std::string& pointer) const {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  TANDEM_TRY_ASSIGN(const std::string name, reader.string("type"));
  const ProblemType* const type = find(name);
  if (type == nullptr) {
    const std::vector<std::string_view> known = names();
    std::string hint = did_you_mean(name, known);
    if (hint.empty()) hint = fmt::format("; known are: {}", fmt::join(known, ", "));
    return fail_at(reader.at("type"), errors::kUnknownProblem, "no problem type is called {}{}", quote(name), hint);
  }
  return type->parse(document, pointer);
}

}  // namespace tandem::problem
