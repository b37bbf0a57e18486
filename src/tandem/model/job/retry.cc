#include "tandem/model/job/retry.h"

namespace tandem::job {
namespace {

Result<std::uint32_t> count(const ObjectReader& reader, std::string_view key) {
  TANDEM_TRY_ASSIGN(const std::int64_t value, reader.integer(key, 0, UINT32_MAX));
  return static_cast<std::uint32_t>(value);
}

}  // namespace

Json FailedTry::document() const {
  return {{"step", step},     {"round", round},         {"station", station},           {"backend", backend},
          {"try", number},    {"tries_max", tries_max}, {"error_class", error_class},   {"error_number", error_number},
          {"reason", reason}, {"delay_ms", delay_ms},   {"next_attempt", next_attempt}, {"at", at}};
}

Result<FailedTry> FailedTry::parse(const Json& value, const std::string& pointer) {
  TANDEM_TRY_ASSIGN(const ObjectReader reader, ObjectReader::create(value, pointer));
  FailedTry out;
  TANDEM_TRY_ASSIGN(out.step, reader.string("step"));
  TANDEM_TRY_ASSIGN(out.round, count(reader, "round"));
  TANDEM_TRY_ASSIGN(out.station, count(reader, "station"));
  TANDEM_TRY_ASSIGN(out.backend, reader.string("backend"));
  TANDEM_TRY_ASSIGN(out.number, count(reader, "try"));
  TANDEM_TRY_ASSIGN(out.tries_max, count(reader, "tries_max"));
  TANDEM_TRY_ASSIGN(out.error_class, reader.string("error_class"));
  TANDEM_TRY_ASSIGN(const std::int64_t error_number, reader.integer("error_number", 0, UINT16_MAX));
  out.error_number = static_cast<std::uint16_t>(error_number);
  TANDEM_TRY_ASSIGN(out.reason, reader.string("reason"));
  TANDEM_TRY_ASSIGN(out.delay_ms, reader.integer("delay_ms", 0, INT64_MAX));
  TANDEM_TRY_ASSIGN(out.next_attempt, count(reader, "next_attempt"));
  TANDEM_TRY_ASSIGN(out.at, reader.string("at"));
  return out;
}

}  // namespace tandem::job
