#include "tandem/middleware/remote/sightings.h"

#include <algorithm>
#include <utility>

namespace tandem::remote {
namespace {

using backend::Reconciled;

/// Not later than that, by whichever clock more time has passed since.
Instant no_later(Sightings::Moment then, Sightings::Moment now) {
  const std::chrono::nanoseconds by_wall = std::chrono::microseconds(now.wall.micros - then.wall.micros);
  return now.monotonic + -std::max(now.monotonic - then.monotonic, by_wall);
}

}  // namespace

std::variant<Reconciled, Sightings::Wanted> Sightings::look(const backend::LostWork& lost, Instant fresh_since,
                                                            Moment now) {
  const std::lock_guard lock(mutex_);
  end_long_walk_of_nobody(now.monotonic);
  const auto waiting = waiting_.find(lost.token);
  for (const std::optional<Walk>* walk : {&fresh_, &long_}) {
    if (!*walk) continue;
    const auto seen = (*walk)->tokens.find(lost.token);
    if (seen == (*walk)->tokens.end()) continue;
    Reconciled found{.kind = Reconciled::Kind::kFound, .handle = seen->second};
    if (waiting != waiting_.end()) waiting_.erase(waiting);
    return found;
  }
  const bool waits = waiting != waiting_.end();
  if (!waits && (!fresh_ || fresh_->began.monotonic < fresh_since)) fresh_ = Walk{.number = ++walks_, .began = now};
  const Walk& walk = waits ? *long_ : *fresh_;
  if (waits) waiting->second.asked_at = now.monotonic;
  if (!walk.covers(lost.sent_at)) return Wanted{.page = walk.next, .walk = walk.number};
  if (waits) waiting->second.answered = true;
  return Reconciled{.seen_since = no_later(walk.began, now)};
}

void Sightings::end_long_walk_of_nobody(Instant now) {
  std::erase_if(waiting_, [&](const auto& one) { return now - one.second.asked_at > kPatience; });
  const auto answered = [](const auto& one) { return one.second.answered; };
  if (!std::all_of(waiting_.begin(), waiting_.end(), answered)) return;
  waiting_.clear();
  long_.reset();
}

std::optional<Sightings::Walk>* Sightings::walk_of(const Wanted& wanted) {
  for (std::optional<Walk>* walk : {&fresh_, &long_})
    if (*walk && (*walk)->number == wanted.walk && (*walk)->next == wanted.page && !(*walk)->ended) return walk;
  return nullptr;  // somebody else was faster
}

void Sightings::add(const Wanted& wanted, const LookupPage& page) {
  const std::lock_guard lock(mutex_);
  std::optional<Walk>* const found = walk_of(wanted);
  if (found == nullptr) return;
  Walk& walk = **found;
  for (const LookupPage::Work& work : page.work)
    if (!work.token.empty()) walk.tokens.try_emplace(work.token, work.handle);
  if (page.back_to && (!walk.back_to || *page.back_to < *walk.back_to)) walk.back_to = page.back_to;
  walk.ended = !page.next;
  walk.next = page.next.value_or("");
}

void Sightings::cut_off(const backend::LostWork& lost, Moment now) {
  const std::lock_guard lock(mutex_);
  if (waiting_.contains(lost.token) || !fresh_ || fresh_->is_empty()) return;
  if (!long_ || fresh_->is_as_deep_as(*long_)) {
    long_ = fresh_;
    long_->number = ++walks_;
  }
  // Who comes late does not keep it from its end.
  waiting_.emplace(lost.token, Waiting{.asked_at = now.monotonic, .answered = long_->covers(lost.sent_at)});
}

void Sightings::give_up(const Wanted& wanted) {
  const std::lock_guard lock(mutex_);
  std::optional<Walk>* const found = walk_of(wanted);
  if (found == nullptr) return;
  found->reset();
  if (!long_) waiting_.clear();
}

}  // namespace tandem::remote
