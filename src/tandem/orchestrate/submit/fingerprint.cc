#include "tandem/orchestrate/submit/fingerprint.h"

#include <bit>
#include <span>

#include "tandem/orchestrate/submit/submit.h"

namespace tandem::submit {
namespace {

/// Feeds values to a hash in a fixed form: numbers as 8 little-endian bytes, lists with their length.
class Feed {
 public:
  void number(std::uint64_t value) {
    char bytes[8];
    for (char& byte : bytes) {
      byte = static_cast<char>(value & 0xff);
      value >>= 8;
    }
    stream_.update({bytes, sizeof bytes});
  }
  void real(double value) { number(std::bit_cast<std::uint64_t>(value)); }
  void text(std::string_view value) {
    number(value.size());
    stream_.update(value);
  }
  Sha256 finish() { return stream_.finish(); }

 private:
  Sha256Stream stream_;
};

void feed(Feed& out, const problem::Bqm& model) {
  out.text("bqm");
  out.number(static_cast<std::uint64_t>(model.vartype()));
  out.real(model.offset());
  out.number(model.linear().size());
  for (const double bias : model.linear()) out.real(bias);
  out.number(model.terms().size());
  for (const problem::QuadraticTerm& term : model.terms()) {
    out.number(term.u);
    out.number(term.v);
    out.real(term.bias);
  }
}

void feed(Feed& out, const problem::Polynomial& model) {
  out.text("polynomial");
  out.number(static_cast<std::uint64_t>(model.vartype()));
  out.number(model.num_variables());
  out.number(model.terms().size());
  for (const problem::Monomial& term : model.terms()) {
    out.real(term.coefficient);
    out.number(term.variables.size());
    for (const std::uint32_t variable : term.variables) out.number(variable);
  }
}

void feed(Feed& out, const problem::Cqm& model) {
  out.text("cqm");
  feed(out, model.objective());
  out.number(model.constraints().size());
  for (const problem::LinearConstraint& constraint : model.constraints()) {
    out.number(static_cast<std::uint64_t>(constraint.comparison));
    out.real(constraint.bound);
    out.number(constraint.terms.size());
    for (const problem::LinearTerm& term : constraint.terms) {
      out.number(term.variable);
      out.real(term.coefficient);
    }
  }
}

/// Seed and time say how an answer is looked for, not what is asked.
enum class Covers : bool { kQuestion, kEverything };

void feed(Feed& out, const backend::SolveWork& work, Covers covers) {
  out.text("solve");
  std::visit([&](const auto& model) { feed(out, model); }, *work.model);
  if (covers == Covers::kEverything) out.number(work.options.seed);
  out.number(work.options.num_samples);
  if (covers == Covers::kEverything) out.number(static_cast<std::uint64_t>(work.time_ms));
}

void feed(Feed& out, const backend::ProgramWork& work, Covers covers) {
  out.text("program");
  if (covers == Covers::kEverything) out.number(work.seed);
  out.number(work.pubs.size());
  for (const circuit::Pub& pub : work.pubs) out.text(canonical_json(pub.document()));
}

Sha256 hash_of(const backend::Work& work, Covers covers) {
  Feed out;
  std::visit([&](const auto& kind) { feed(out, kind, covers); }, work);
  return out.finish();
}

}  // namespace

Sha256 fingerprint(const backend::Work& work) { return hash_of(work, Covers::kEverything); }
Sha256 question(const backend::Work& work) { return hash_of(work, Covers::kQuestion); }

}  // namespace tandem::submit
