// tandem/model/job/job_event.h - Event: one entry of the log from which everything else is projected.
//
// Room: model. The catalogue of types and of what their data holds is contract/events.json (event_table.h is made from it).
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "tandem/base/bytes.h"
#include "tandem/base/clock.h"
#include "tandem/base/id.h"
#include "tandem/base/json_writer.h"

namespace tandem::job {

/// `leaf_hash` is the RFC 6962 leaf hash of the canonical JSON of the rest.
struct Event {
  std::uint64_t sequence = 0;  ///< given by the store; not part of the hashed bytes
  JobId job;
  std::string type;  ///< "job.queued", "step.finished", "submission.confirmed", ...
  Timestamp at;
  std::string actor;  ///< "user:local", "engine", "reconciler"
  JsonText data = JsonText::of("{}");
  Bytes stored() const;  ///< what the log keeps: JSON with leaf_hash, without sequence
  Bytes numbered() const;  ///< contract/schemas/event.schema.json: with sequence as well
  /// Of what stored() wrote. Errors: 3003 store_damaged - also where the leaf hash is that of another content.
  static Result<Event> parse(std::string_view stored, std::uint64_t sequence);
};

/// What a stored event is about, read without the rest and without checking it.
struct EventHead {
  std::string_view job;
  std::string_view type;
  /// Empty texts where `stored` is no event.
  static EventHead of(std::string_view stored);
};

/// Whether an event of this type is the last that its job tells of its state: "job.succeeded", and so for each final state.
bool ends_job(std::string_view event_type);

/// A member of an event's data; `types` are JSON's, "integer|null". An integer is a number, too.
struct EventMember {
  std::string_view name;
  std::string_view types;
};
struct EventRecord {
  std::string_view type;
  std::span<const EventMember> members;  ///< all of them, always there; by name
};
/// contract/events.json.
std::span<const EventRecord> event_catalogue();

/// The data of an event, member by member in the order of their names. Whoever writes a type, a member or a kind of value that the
/// catalogue does not name, or leaves a member out, asserts: no such event gets into a log.
class EventData {
 public:
  explicit EventData(std::string_view type);
  template <typename Value>
  EventData& member(std::string_view name, const Value& value) {
    expect(name, kind_of(value));
    out_.member(name, value);
    return *this;
  }
  std::string_view type() const { return record_->type; }
  /// Once.
  JsonText finish();

 private:
  /// As types of JSON are called.
  template <typename Value>
  static std::string_view kind_of(const Value& value) {
    if constexpr (std::same_as<Value, bool>)
      return "boolean";
    else if constexpr (std::integral<Value>)
      return "integer";
    else if constexpr (std::floating_point<Value>)
      return "number";
    else if constexpr (std::convertible_to<const Value&, std::string_view>)
      return "string";
    else if constexpr (std::same_as<Value, std::vector<std::string>>)
      return "array";
    else if constexpr (std::same_as<Value, Json>)
      return value.type_name();  // lists and objects only
    else
      return value ? kind_of(*value) : "null";
  }
  void expect(std::string_view name, std::string_view kind);

  const EventRecord* record_;
  std::size_t written_ = 0;
  JsonWriter out_;
};

}  // namespace tandem::job
