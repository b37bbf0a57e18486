// tandem/api/service/event_reader.h - EventReader: reads the log of one job on from where it stands, and tells a Watch.
//
// Room: api; for the sources of this part only. The one way in which a follower hears of events: by their place in the log, so
// none is missed and none comes twice, whoever wrote it.
#pragma once

#include <cstdint>

#include "tandem/api/service/service.h"

namespace tandem::service {

/// Threads: for one thread. Cost: one call of Service::events for each kPage events, and one more that finds nothing.
class EventReader {
 public:
  /// References that outlive it.
  EventReader(Service& service, const JobId& id, const Watch& watch) : service_(service), id_(id), watch_(watch) {}

  /// Reports everything that is in the log by now and was not reported yet. Errors: those of Service::events; 1405
  /// backend_garbage - an event without a sequence, or with one that was there before.
  Result<void> read_on();

 private:
  static constexpr std::size_t kPage = 1000;
  Service& service_;
  const JobId& id_;
  const Watch& watch_;
  std::uint64_t seen_ = 0;  ///< sequence of the last event that was reported
};

}  // namespace tandem::service
