#include "tandem/middleware/remote/sightings.h"

#include <algorithm>
#include <utility>

#include "tandem/base/assert.h"

namespace tandem::remote {
namespace {

using backend::Reconciled;

void make_older(std::optional<Timestamp>& time, std::optional<Timestamp> other) {
  if (other && (!time || *other < *time)) time = other;
}

}  // namespace

std::variant<Reconciled, Sightings::Wanted> Sightings::look(const backend::LostWork& lost, Instant newest_since,
                                                            Instant now) {
  if (walks_.empty() || top_seen_ < newest_since) begin(now);
  for (const Walk& walk : walks_) {
    const auto seen = walk.tokens.find(lost.token);
    if (seen != walk.tokens.end()) return Reconciled{.kind = Reconciled::Kind::kFound, .handle = seen->second};
  }
  if (walks_.front().covers(lost.sent_at)) return Reconciled{.seen_since = walks_.front().began};
  return Wanted{.page = walks_.front().next};
}

void Sightings::begin(Instant now) {
  std::erase_if(walks_, [&](const Walk& walk) {
    return walk.is_empty() || !walk.left_for || walk.covers(*walk.left_for) || now - walk.went_on > kKept;
  });
  walks_.push_front({.began = now});
  top_seen_ = now;
}

void Sightings::add(const LookupPage& page, Instant now) {
  TANDEM_ASSERT(!walks_.empty());
  Walk& walk = walks_.front();
  walk.went_on = now;
  if (walk.newest.empty() && !page.work.empty()) walk.newest = page.work.front().handle;
  for (const LookupPage::Work& work : page.work)
    if (!work.token.empty()) walk.tokens.try_emplace(work.token, work.handle);
  make_older(walk.back_to, page.back_to);
  walk.ended = !page.next;
  walk.next = page.next.value_or("");
  const auto shows = [&](const backend::Handle& handle) {
    return std::any_of(page.work.begin(), page.work.end(), [&](const auto& work) { return work.handle == handle; });
  };
  while (walks_.size() > 1 && shows(walks_[1].newest)) {
    walk.join(std::move(walks_[1]));
    walks_.erase(walks_.begin() + 1);
  }
}

void Sightings::cut_off(const backend::LostWork& lost) {
  if (!walks_.empty()) make_older(walks_.front().left_for, lost.sent_at);
}

void Sightings::Walk::join(Walk older) {
  began = older.began;
  went_on = older.went_on;
  next = std::move(older.next);
  ended = older.ended;
  make_older(back_to, older.back_to);
  make_older(left_for, older.left_for);
  tokens.merge(older.tokens);
}

}  // namespace tandem::remote
