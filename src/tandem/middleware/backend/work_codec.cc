#include "tandem/middleware/backend/work_codec.h"

namespace tandem::backend {
namespace {

constexpr std::string_view kOutcomeKind = "solve_outcome";
constexpr std::string_view kPubsKind = "program_result";

Error garbage(const Error& cause) {
  return make_error(errors::kBackendGarbage, "the stored result of local work cannot be read: {}", cause.to_string());
}

Result<ObjectReader> open(const Json& document, std::string_view kind) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  TANDEM_TRY_ASSIGN(const std::string found, reader.string("kind"));
  if (found != kind) return fail(errors::kBackendGarbage, "expected a '{}', found a '{}'", kind, found);
  return reader;
}

Result<SolveResult> parse_outcome(const Bytes& bytes) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(bytes, "result"));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open(document, kOutcomeKind));
  solve::SolveOutcome out;
  TANDEM_TRY(reader.object("samples"));
  TANDEM_TRY_ASSIGN(out.samples, result::SampleSet::parse(*reader.find("samples"), reader.at("samples")));
  TANDEM_TRY_ASSIGN(out.proved, reader.boolean_or("proved", false));
  if (reader.has("bound")) {
    TANDEM_TRY_ASSIGN(out.bound, reader.number("bound"));
  }
  TANDEM_TRY_ASSIGN(const Json* work, reader.array("work_done"));
  for (const Json& units : *work) {
    if (!units.is_number_unsigned()) return fail(errors::kBackendGarbage, "work_done holds something else than counts");
    out.work_done.push_back(units.get<std::uint64_t>());
  }
  TANDEM_TRY_ASSIGN(out.unit_name, reader.string("unit_name"));
  if (reader.has("race")) {
    TANDEM_TRY_ASSIGN(out.race, solve::RaceRecord::parse(*reader.find("race"), reader.at("race")));
  }
  return SolveResult{std::move(out)};
}

Result<ProgramResult> parse_pubs(const Bytes& bytes) {
  TANDEM_TRY_ASSIGN(const Json document, parse_json(bytes, "result"));
  TANDEM_TRY_ASSIGN(const ObjectReader reader, open(document, kPubsKind));
  TANDEM_TRY_ASSIGN(const Json* pubs, reader.array("pubs"));
  ProgramResult out;
  for (std::size_t i = 0; i < pubs->size(); ++i) {
    TANDEM_TRY_ASSIGN(result::PubResult pub,
                      result::PubResult::parse((*pubs)[i], fmt::format("{}/{}", reader.at("pubs"), i)));
    out.pubs.push_back(std::move(pub));
  }
  return out;
}

}  // namespace

Bytes encode_outcome(const solve::SolveOutcome& outcome) {
  Json out = {{"kind", kOutcomeKind},
              {"samples", outcome.samples.document()},
              {"proved", outcome.proved},
              {"work_done", outcome.work_done},
              {"unit_name", outcome.unit_name}};
  if (outcome.bound) out["bound"] = *outcome.bound;
  if (outcome.race != solve::RaceRecord()) out["race"] = outcome.race.document();
  return canonical_json(out);
}

Result<SolveResult> decode_outcome(const Bytes& bytes) { return parse_outcome(bytes).map_error(garbage); }

Bytes encode_pubs(const std::vector<result::PubResult>& pubs) {
  Json list = Json::array();
  for (const result::PubResult& pub : pubs) list.push_back(pub.document());
  return canonical_json({{"kind", kPubsKind}, {"pubs", std::move(list)}});
}

Result<ProgramResult> decode_pubs(const Bytes& bytes) { return parse_pubs(bytes).map_error(garbage); }

}  // namespace tandem::backend
