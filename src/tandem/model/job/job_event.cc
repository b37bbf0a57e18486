#include "tandem/model/job/job_event.h"

#include <algorithm>

#include "tandem/base/assert.h"
#include "tandem/base/hash.h"
#include "tandem/base/text.h"
#include "tandem/model/job/event_table.h"
#include "tandem/model/job/job_state.h"

namespace tandem::job {
namespace {

constexpr std::string_view kLeafHash = R"(,"leaf_hash":")";
constexpr std::string_view kEnd = R"("})";
constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kTail = kLeafHash.size() + kHashDigits + kEnd.size();

/// Everything but leaf hash and sequence, canonical.
Bytes unhashed(const Event& event) {
  return JsonWriter()
      .member("actor", event.actor)
      .member("at", format_rfc3339(event.at))
      .member("data", event.data)
      .member("job_id", event.job.value)
      .member("type", event.type)
      .finish();
}

/// Reads what unhashed() wrote, from both ends: only the data, in the middle, is JSON of any kind.
class Parts {
 public:
  explicit Parts(std::string_view text) : rest_(text) {}

  /// A text behind `key`.
  std::optional<std::string> text_after(std::string_view key) {
    if (!rest_.starts_with(key)) return std::nullopt;
    rest_.remove_prefix(key.size());
    std::size_t end = 0;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return std::nullopt;
    const std::string_view found = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    if (found.find('\\') == std::string_view::npos) return std::string(found);
    const Json read = Json::parse(fmt::format("\"{}\"", found), nullptr, false);
    return read.is_string() ? std::optional(read.get<std::string>()) : std::nullopt;
  }
  /// The last text of all, behind the last `key`: an id or a type, which have nothing to escape.
  std::optional<std::string_view> last_after(std::string_view key) {
    const std::size_t at = rest_.rfind(key);
    if (at == std::string_view::npos || !rest_.ends_with('"')) return std::nullopt;
    const std::string_view found = rest_.substr(at + key.size(), rest_.size() - at - key.size() - 1);
    if (found.find_first_of("\"\\") != std::string_view::npos) return std::nullopt;
    rest_ = rest_.substr(0, at);
    return found;
  }
  /// What is left, an object.
  std::optional<JsonText> object_after(std::string_view key) {
    if (!rest_.starts_with(key)) return std::nullopt;
    const std::string_view found = rest_.substr(key.size());
    if (!found.starts_with('{') || !Json::accept(found)) return std::nullopt;
    return JsonText::of(std::string(found));
  }

 private:
  std::string_view rest_;
};

constexpr std::string_view kType = R"(,"type":")";
constexpr std::string_view kJob = R"(,"job_id":")";

bool is_one_of(std::string_view kind, std::string_view types) {
  while (!types.empty()) {
    const std::string_view type = types.substr(0, types.find('|'));
    if (type == kind || (type == "number" && kind == "integer")) return true;
    types.remove_prefix(std::min(types.size(), type.size() + 1));
  }
  return false;
}

}  // namespace

Bytes Event::stored() const {
  Bytes out = unhashed(*this);
  const std::string hash = merkle_leaf_hash(out).hex();
  out.pop_back();  // the brace
  return out.append(kLeafHash).append(hash).append(kEnd);
}

Bytes Event::numbered() const {
  Bytes out = stored();
  out.pop_back();
  return out.append(fmt::format(R"(,"sequence":{}}})", sequence));
}

Result<Event> Event::parse(std::string_view stored, std::uint64_t sequence) {
  const auto damaged = [&](std::string_view what) {
    return fail_at(fmt::format("event {}", sequence), errors::kStoreDamaged, "{}; the log was altered", what);
  };
  if (stored.size() < kTail || stored.substr(stored.size() - kTail, kLeafHash.size()) != kLeafHash ||
      !stored.ends_with(kEnd))
    return damaged("the entry does not end with its leaf hash");
  const std::string_view stated = stored.substr(stored.size() - kEnd.size() - kHashDigits, kHashDigits);
  Bytes hashed(stored.substr(0, stored.size() - kTail));
  hashed += '}';
  if (const std::string computed = merkle_leaf_hash(hashed).hex(); stated != computed)
    return damaged(fmt::format("the entry carries leaf hash {} but hashes to {}", quote(stated), computed));
  Parts parts(std::string_view(hashed).substr(0, hashed.size() - 1));
  const auto actor = parts.text_after(R"({"actor":")");
  const auto at = parts.text_after(R"(,"at":")");
  const auto type = parts.last_after(kType);
  const auto job = parts.last_after(kJob);
  auto data = parts.object_after(R"(,"data":)");
  if (!actor || !at || !type || !job || !data || invalid_utf8_at(hashed) != std::string_view::npos)
    return damaged("the entry is not what an event is written as");
  TANDEM_TRY_ASSIGN(const Timestamp time, parse_rfc3339(*at));
  return Event{.sequence = sequence,
               .job = JobId(std::string(*job)),
               .type = std::string(*type),
               .at = time,
               .actor = *actor,
               .data = *std::move(data)};
}

EventHead EventHead::of(std::string_view stored) {
  if (stored.size() < kTail) return {};
  Parts parts(stored.substr(0, stored.size() - kTail));
  const auto type = parts.last_after(kType);
  const auto job = parts.last_after(kJob);
  return type && job ? EventHead{.job = *job, .type = *type} : EventHead{};
}

bool ends_job(std::string_view event_type) {
  constexpr std::string_view kOfState = "job.";  // what follows is the state, where it is one
  if (!event_type.starts_with(kOfState)) return false;
  const auto state = find_job_state(event_type.substr(kOfState.size()));
  return state && is_final(*state);
}

std::span<const EventRecord> event_catalogue() { return kEventTable; }

EventData::EventData(std::string_view type)
    : record_(std::find_if(kEventTable.begin(), kEventTable.end(),
                           [&](const EventRecord& one) { return one.type == type; })) {
  TANDEM_ASSERT(record_ != kEventTable.end());
}

void EventData::expect(std::string_view name, std::string_view kind) {
  TANDEM_ASSERT(written_ < record_->members.size());
  const EventMember& member = record_->members[written_++];
  TANDEM_ASSERT(member.name == name && (member.types == kind || is_one_of(kind, member.types)));
}

JsonText EventData::finish() {
  TANDEM_ASSERT(written_ == record_->members.size());
  return JsonText::of(out_.finish());
}

}  // namespace tandem::job
