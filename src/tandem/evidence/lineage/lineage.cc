#include "tandem/evidence/lineage/lineage.h"

#include "tandem/base/json_writer.h"

namespace tandem::lineage {
namespace {

Result<std::uint64_t> unsigned_member(const ObjectReader& reader, std::string_view key) {
  const Json* value = reader.find(key);
  if (value == nullptr) return std::uint64_t{0};
  if (!value->is_number_unsigned()) return fail_at(reader.at(key), errors::kWrongType, "'{}' must be a count", key);
  return value->get<std::uint64_t>();
}

void write_versions(JsonWriter& out, const Versions& versions) {
  out.member("build", versions.build)
      .member("machine_profile", versions.machine_profile)
      .member("settings_digest", versions.settings_digest)
      .member("tandem", versions.tandem);
}

Result<Versions> parse_versions(const ObjectReader& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, document.object("versions"));
  Versions out;
  TANDEM_TRY_ASSIGN(out.tandem, reader.string("tandem"));
  TANDEM_TRY_ASSIGN(out.build, reader.string("build"));
  TANDEM_TRY_ASSIGN(out.settings_digest, reader.string("settings_digest"));
  if (const Json* profile = reader.find("machine_profile")) out.machine_profile = *profile;
  return out;
}

template <typename Record>
Result<std::vector<Record>> parse_list(const ObjectReader& document, std::string_view key) {
  TANDEM_TRY_ASSIGN(const Json* list, document.array(key));
  std::vector<Record> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    TANDEM_TRY_ASSIGN(Record record, Record::parse((*list)[i], fmt::format("{}/{}", document.at(key), i)));
    out.push_back(std::move(record));
  }
  return out;
}

template <typename Record>
Json list_of(const std::vector<Record>& records) {
  Json out = Json::array();
  for (const Record& record : records) out.push_back(record.document());
  return out;
}

}  // namespace

hybrid::Reply WorkRecord::reply() const {
  return {.label = label,
          .backend = backend,
          .emulated = emulated,
          .local = local,
          .path = path,
          .partial = partial,
          .cached = cached,
          .billed = billed,
          .calibration_id = calibration_id,
          .calibration_age_ms = calibration_age_ms,
          .elapsed_ms = elapsed_ms,
          .time_to_best_ms = time_to_best_ms};
}

Json WorkRecord::document() const {
  Json out = {{"label", label},
              {"round", round},
              {"backend", backend},
              {"backend_version", backend_version},
              {"local", local},
              {"emulated", emulated},
              {"path", job::list_document(path)},
              {"partial", job::list_document(partial)},
              {"tries", job::list_document(tries)},
              {"cached", cached ? cached->document() : Json()},
              {"question_sha256", question_sha256},
              {"work_done", work_done},
              {"unit_name", unit_name},
              {"seed", seed},
              {"shots", shots},
              {"raw_sha256", raw_sha256},
              {"raw_media_type", raw_media_type},
              {"calibration_id", calibration_id},
              {"token", token},
              {"billed_usd_micros", billed.usd_micros},
              {"error", error},
              {"error_number", error_number},
              {"elapsed_ms", elapsed_ms}};
  if (race != solve::RaceRecord()) out["race"] = race.document();
  if (best_energy) out["best_energy"] = *best_energy;
  if (calibration_age_ms) out["calibration_age_ms"] = *calibration_age_ms;
  if (time_to_best_ms) out["time_to_best_ms"] = *time_to_best_ms;
  if (waited_ms != 0) out["waited_ms"] = waited_ms;
  return out;
}

Result<WorkRecord> WorkRecord::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  WorkRecord out;
  TANDEM_TRY_ASSIGN(out.label, reader.string("label"));
  TANDEM_TRY_ASSIGN(const std::int64_t round, reader.integer("round", 0, UINT32_MAX));
  out.round = static_cast<std::uint32_t>(round);
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.backend_version, reader.string_or("backend_version", ""));
  TANDEM_TRY_ASSIGN(out.local, reader.boolean_or("local", true));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(out.path, job::parse_list_or_empty<job::PathEntry>(reader, "path"));
  TANDEM_TRY_ASSIGN(out.partial, job::parse_list_or_empty<job::PartialAnswer>(reader, "partial"));
  TANDEM_TRY_ASSIGN(out.tries, job::parse_list_or_empty<job::FailedTry>(reader, "tries"));
  if (reader.has("cached")) {
    TANDEM_TRY_ASSIGN(out.cached, job::CachedAnswer::parse(*reader.find("cached"), reader.at("cached")));
  }
  TANDEM_TRY_ASSIGN(out.question_sha256, reader.string_or("question_sha256", ""));
  if (reader.has("calibration_age_ms")) {
    TANDEM_TRY_ASSIGN(out.calibration_age_ms, reader.number("calibration_age_ms"));
  }
  TANDEM_TRY_ASSIGN(const Json* work, reader.array("work_done"));
  for (const Json& units : *work) {
    if (!units.is_number_unsigned())
      return fail_at(reader.at("work_done"), errors::kWrongType, "work_done holds counts");
    out.work_done.push_back(units.get<std::uint64_t>());
  }
  TANDEM_TRY_ASSIGN(out.unit_name, reader.string_or("unit_name", ""));
  if (reader.has("race")) {
    TANDEM_TRY_ASSIGN(out.race, solve::RaceRecord::parse(*reader.find("race"), reader.at("race")));
  }
  if (reader.has("best_energy")) {
    TANDEM_TRY_ASSIGN(out.best_energy, reader.number("best_energy"));
  }
  TANDEM_TRY_ASSIGN(out.seed, unsigned_member(reader, "seed"));
  TANDEM_TRY_ASSIGN(out.shots, unsigned_member(reader, "shots"));
  TANDEM_TRY_ASSIGN(out.raw_sha256, reader.string_or("raw_sha256", ""));
  TANDEM_TRY_ASSIGN(out.raw_media_type, reader.string_or("raw_media_type", ""));
  TANDEM_TRY_ASSIGN(out.calibration_id, reader.string_or("calibration_id", ""));
  TANDEM_TRY_ASSIGN(out.token, reader.string_or("token", ""));
  TANDEM_TRY_ASSIGN(out.billed.usd_micros, reader.integer_or("billed_usd_micros", 0, INT64_MIN, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.error, reader.string_or("error", ""));
  TANDEM_TRY_ASSIGN(const std::int64_t number, reader.integer_or("error_number", 0, 0, UINT16_MAX));
  out.error_number = static_cast<std::uint16_t>(number);
  TANDEM_TRY_ASSIGN(out.elapsed_ms, reader.number_or("elapsed_ms", 0));
  TANDEM_TRY_ASSIGN(out.waited_ms, reader.number_or("waited_ms", 0));
  if (reader.has("time_to_best_ms")) {
    TANDEM_TRY_ASSIGN(out.time_to_best_ms, reader.number("time_to_best_ms"));
  }
  return out;
}

Json OrphanRecord::document() const {
  return {{"token", token},
          {"step", step},
          {"attempt", attempt},
          {"backend", backend},
          {"emulated", emulated},
          {"handle", handle},
          {"reason", reason},
          {"billed_usd_micros", billed.usd_micros},
          {"raw_sha256", raw_sha256},
          {"raw_media_type", raw_media_type},
          {"calibration_id", calibration_id},
          {"intent_at", intent_at},
          {"found_at", found_at}};
}

Result<OrphanRecord> OrphanRecord::parse(const Json& document, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, pointer));
  OrphanRecord out;
  TANDEM_TRY_ASSIGN(out.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.step, reader.string("step"));
  TANDEM_TRY_ASSIGN(const std::int64_t attempt, reader.integer("attempt", 0, UINT32_MAX));
  out.attempt = static_cast<std::uint32_t>(attempt);
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(out.handle, reader.string("handle"));
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(out.billed.usd_micros, reader.integer("billed_usd_micros", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.raw_sha256, reader.string("raw_sha256"));
  TANDEM_TRY_ASSIGN(out.raw_media_type, reader.string("raw_media_type"));
  TANDEM_TRY_ASSIGN(out.calibration_id, reader.string("calibration_id"));
  TANDEM_TRY_ASSIGN(out.intent_at, reader.string("intent_at"));
  TANDEM_TRY_ASSIGN(out.found_at, reader.string("found_at"));
  return out;
}

Result<std::string> LineageRecord::data_class() const {
  const Json options = spec.value();
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(options, "/spec"));
  if (!reader.has("business")) return "";
  TANDEM_TRY_ASSIGN(const ObjectReader business, reader.object("business"));
  return business.string_or("data_class", "");
}

JsonText LineageRecord::text() const {
  return JsonText::of(JsonWriter()
                          .member("approval", approval)
                          .member("consumer", consumer)
                          .member("created_at", created_at)
                          .member("job_id", job.value)
                          .member("lineage_id", id.value)
                          .member("orphans", list_of(orphans))
                          .member("plan", plan)
                          .member("problem_sha256", problem_sha256)
                          .member("result_sha256", result_sha256)
                          .member("review", review ? review->document() : Json())
                          .member("spec", spec)
                          .member("spec_sha256", spec_sha256)
                          .object("versions", [&](JsonWriter& out) { write_versions(out, versions); })
                          .member("walk", walk)
                          .member("work", list_of(work))
                          .finish());
}

Json LineageRecord::document() const { return text().value(); }

Result<LineageRecord> LineageRecord::parse(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  LineageRecord out;
  TANDEM_TRY_ASSIGN(const std::string id, reader.string("lineage_id"));
  out.id = LineageId(id);
  TANDEM_TRY_ASSIGN(const std::string job, reader.string("job_id"));
  out.job = JobId(job);
  if (const Json* spec = reader.find("spec")) out.spec = JsonText(*spec);
  TANDEM_TRY_ASSIGN(out.problem_sha256, reader.string_or("problem_sha256", ""));
  TANDEM_TRY_ASSIGN(out.spec_sha256, reader.string("spec_sha256"));
  if (const Json* plan = reader.find("plan")) out.plan = JsonText(*plan);
  if (const Json* approval = reader.find("approval")) out.approval = *approval;
  if (const Json* walk = reader.find("walk")) out.walk = *walk;
  TANDEM_TRY_ASSIGN(out.work, parse_list<WorkRecord>(reader, "work"));
  if (reader.has("review")) {
    TANDEM_TRY_ASSIGN(out.review, job::ReviewNote::parse(*reader.find("review"), reader.at("review")));
  }
  if (reader.has("orphans")) {
    TANDEM_TRY_ASSIGN(out.orphans, parse_list<OrphanRecord>(reader, "orphans"));
  }
  TANDEM_TRY_ASSIGN(out.versions, parse_versions(reader));
  TANDEM_TRY_ASSIGN(out.result_sha256, reader.string("result_sha256"));
  TANDEM_TRY_ASSIGN(out.created_at, reader.string("created_at"));
  TANDEM_TRY_ASSIGN(out.consumer, reader.string_or("consumer", ""));
  return out;
}

Json ReplayPackage::document() const {
  Json bytes = Json::object();
  for (const auto& [hash, content] : raw) bytes[hash] = to_base64(content);
  return {{"spec", spec}, {"plan", plan}, {"work", list_of(work)}, {"raw", std::move(bytes)}};
}

Result<ReplayPackage> ReplayPackage::parse(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  ReplayPackage out;
  if (const Json* spec = reader.find("spec")) out.spec = *spec;
  if (const Json* plan = reader.find("plan")) out.plan = *plan;
  TANDEM_TRY_ASSIGN(out.work, parse_list<WorkRecord>(reader, "work"));
  TANDEM_TRY(reader.object("raw"));
  for (const auto& [hash, text] : reader.find("raw")->items()) {
    if (!text.is_string()) return fail_at(reader.at("raw"), errors::kWrongType, "raw results travel as base64 text");
    TANDEM_TRY_ASSIGN(Bytes content, from_base64(text.get_ref<const std::string&>()));
    out.raw.emplace(hash, std::move(content));
  }
  return out;
}

}  // namespace tandem::lineage
