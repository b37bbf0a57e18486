#include "tandem/api/service/event_reader.h"

namespace tandem::service {

Result<void> EventReader::read_on() {
  if (!watch_.on_event) return {};
  while (true) {
    TANDEM_TRY_ASSIGN(const Json page, service_.events(id_, seen_, kPage));
    const Json events = page.value("events", Json::array());
    if (events.empty()) return {};
    for (const Json& event : events) {
      const std::uint64_t sequence = event.value("sequence", std::uint64_t{0});
      if (sequence <= seen_) {
        return fail(errors::kBackendGarbage, "the server sent event {} after event {}; its log must rise", sequence,
                    seen_);
      }
      seen_ = sequence;
      watch_.on_event(event);
    }
  }
}

}  // namespace tandem::service
