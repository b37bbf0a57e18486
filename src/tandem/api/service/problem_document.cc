#include "tandem/api/service/service.h"
#include "tandem/base/text.h"

namespace tandem::service {

Json problem_document(const Error& error, std::string_view instance) {
  const ErrorRecord& record = error_record(error.number);
  Json out = {{"type", fmt::format("urn:tandem:error:{}", record.name)},
              {"title", record.title},
              {"status", record.http_status},
              {"detail", error.message},
              {"number", static_cast<int>(error.number)},
              {"name", record.name},
              {"action", record.action},
              {"retryable", record.retryable},
              {"cost_incurred", error.cost_incurred}};
  if (!instance.empty()) out["instance"] = instance;
  if (!error.place.empty()) out["errors"] = Json::array({{{"pointer", error.place}, {"detail", error.message}}});
  return out;
}

Error error_of_problem(const HttpResponse& response) {
  const auto document = parse_json(response.body, "answer");
  if (document && document->is_object() && document->contains("number") && (*document)["number"].is_number_unsigned()) {
    Error out{.number = static_cast<ErrorNumber>((*document)["number"].get<std::uint16_t>()),
              .message = document->value("detail", "")};
    const Json places = document->value("errors", Json::array());
    if (!places.empty()) out.place = places.front().value("pointer", "");
    out.cost_incurred = document->value("cost_incurred", false);
    return out;
  }
  return make_error(errors::kBackendGarbage, "the server answered {} with something that is no problem document: {}",
                    response.status, quote(response.body));
}

}  // namespace tandem::service
