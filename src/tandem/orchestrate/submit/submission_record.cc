#include "tandem/orchestrate/submit/submission_record.h"

namespace tandem::submit {
namespace {

Result<Timestamp> read_time(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::string text, reader.string(key));
  return parse_rfc3339(text);
}

Result<job::Money> read_money(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::int64_t micros, reader.integer(key, 0, INT64_MAX));
  return job::Money{micros};
}

template <typename Unsigned>
Result<Unsigned> read_unsigned(const ObjectReader& reader, std::string_view key) {
  constexpr auto kMax = std::min<std::uint64_t>(std::numeric_limits<Unsigned>::max(), INT64_MAX);
  TANDEM_TRY_ASSIGN(const std::int64_t value, reader.integer(key, 0, static_cast<std::int64_t>(kMax)));
  return static_cast<Unsigned>(value);
}

Result<SubmissionRecord> parse_document(const Json& document) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(document, ""));
  SubmissionRecord out;
  TANDEM_TRY_ASSIGN(out.token, reader.string("token"));
  TANDEM_TRY_ASSIGN(out.tenant, reader.string("tenant"));
  TANDEM_TRY_ASSIGN(std::string job, reader.string("job_id"));
  out.job = JobId(std::move(job));
  TANDEM_TRY_ASSIGN(out.step, reader.string("step"));
  TANDEM_TRY_ASSIGN(out.attempt, read_unsigned<std::uint32_t>(reader, "attempt"));
  TANDEM_TRY_ASSIGN(out.fence, read_unsigned<std::uint64_t>(reader, "fence"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.emulated, reader.boolean_or("emulated", false));
  TANDEM_TRY_ASSIGN(out.work_sha256, reader.string("work_sha256"));
  TANDEM_TRY_ASSIGN(const std::string state, reader.string("state"));
  const auto known = find_submission_state(state);
  if (!known) return fail(errors::kStoreDamaged, "'{}' is not a submission state", state);
  out.state = *known;
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(out.error_number, read_unsigned<std::uint16_t>(reader, "error_number"));
  TANDEM_TRY_ASSIGN(const std::string error_class, reader.string_or("error_class", ""));
  out.error_class = backend::find_error_class(error_class);
  TANDEM_TRY_ASSIGN(const std::int64_t retry_after, reader.integer_or("retry_after_ms", 0, 0, INT64_MAX));
  out.retry_after = std::chrono::milliseconds(retry_after);
  TANDEM_TRY_ASSIGN(out.handle, reader.string("handle"));
  TANDEM_TRY_ASSIGN(out.reserved, read_money(reader, "reserved_usd_micros"));
  out.has_bill = reader.has("billed_usd_micros");
  if (out.has_bill) {
    TANDEM_TRY_ASSIGN(out.billed, read_money(reader, "billed_usd_micros"));
  }
  TANDEM_TRY_ASSIGN(out.use.shots, reader.integer_or("shots", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.use.qpu_us, reader.integer_or("qpu_us", 0, 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.use.bytes, reader.integer_or("bytes", 0, 0, INT64_MAX));
  if (reader.has("used_shots")) {
    out.used.emplace();
    TANDEM_TRY_ASSIGN(out.used->shots, reader.integer("used_shots", 0, INT64_MAX));
    TANDEM_TRY_ASSIGN(out.used->qpu_us, reader.integer("used_qpu_us", 0, INT64_MAX));
  }
  TANDEM_TRY_ASSIGN(out.raw_sha256, reader.string("raw_sha256"));
  TANDEM_TRY_ASSIGN(out.media_type, reader.string("media_type"));
  TANDEM_TRY_ASSIGN(out.calibration_id, reader.string("calibration_id"));
  TANDEM_TRY_ASSIGN(out.said_by, reader.string_or("said_by", ""));
  TANDEM_TRY_ASSIGN(out.said, reader.string_or("said", ""));
  TANDEM_TRY_ASSIGN(out.sends, read_unsigned<std::uint32_t>(reader, "sends"));
  TANDEM_TRY_ASSIGN(out.created_at, read_time(reader, "created_at"));
  TANDEM_TRY_ASSIGN(out.intent_at, read_time(reader, "intent_at"));
  TANDEM_TRY_ASSIGN(out.updated_at, read_time(reader, "updated_at"));
  if (reader.has("doubt_at")) {
    TANDEM_TRY_ASSIGN(out.doubt_at, read_time(reader, "doubt_at"));
  }
  return out;
}

}  // namespace

Json SubmissionRecord::document() const {
  return {{"token", token},
          {"tenant", tenant},
          {"job_id", job.value},
          {"step", step},
          {"attempt", attempt},
          {"fence", fence},
          {"backend", backend},
          {"emulated", emulated},
          {"work_sha256", work_sha256},
          {"state", to_string(state)},
          {"reason", reason},
          {"error_number", error_number},
          {"error_class", error_class ? to_string(*error_class) : ""},
          {"retry_after_ms", retry_after.count()},
          {"handle", handle},
          {"reserved_usd_micros", reserved.usd_micros},
          {"billed_usd_micros", has_bill ? Json(billed.usd_micros) : Json()},
          {"shots", use.shots},
          {"qpu_us", use.qpu_us},
          {"bytes", use.bytes},
          {"used_shots", used ? Json(used->shots) : Json()},
          {"used_qpu_us", used ? Json(used->qpu_us) : Json()},
          {"raw_sha256", raw_sha256},
          {"media_type", media_type},
          {"calibration_id", calibration_id},
          {"said_by", said_by},
          {"said", said},
          {"sends", sends},
          {"created_at", format_rfc3339(created_at)},
          {"intent_at", format_rfc3339(intent_at)},
          {"doubt_at", doubt_at ? Json(format_rfc3339(*doubt_at)) : Json()},
          {"updated_at", format_rfc3339(updated_at)}};
}

Result<SubmissionRecord> SubmissionRecord::parse(const store::Row& row) {
  const auto damaged = [&](const Error& cause) {
    return make_error_at("submission " + row.key, errors::kStoreDamaged, "{}; restore the store from a backup",
                         cause.to_string());
  };
  const auto document = parse_json(row.value, row.key);
  if (!document) return tl::unexpected(damaged(document.error()));
  auto out = parse_document(*document);
  if (!out) return tl::unexpected(damaged(out.error()));
  out->version = row.version;
  return out;
}

std::string open_key(std::string_view token) { return std::string("open/").append(token); }
std::string job_key(const JobId& job, std::string_view token) { return fmt::format("job/{}/{}", job.value, token); }
std::string step_key(const JobId& job, std::string_view step) { return fmt::format("step/{}/{}", job.value, step); }
std::string handle_key(std::string_view backend, std::string_view handle) {
  return fmt::format("handle/{}/{}", backend, handle);
}

}  // namespace tandem::submit
