#include "tandem/middleware/remote/sightings.h"

#include <algorithm>

namespace tandem::remote {
namespace {

using backend::Reconciled;

/// Not later than that, by whichever clock more time has passed since.
Instant no_later(Sightings::Moment then, Sightings::Moment now) {
  const std::chrono::nanoseconds by_wall = std::chrono::microseconds(now.wall.micros - then.wall.micros);
  return now.monotonic + -std::max(now.monotonic - then.monotonic, by_wall);
}

}  // namespace

Sightings::Call Sightings::call(const backend::LostWork& lost, Instant fresh_since, Moment now) {
  const std::lock_guard lock(mutex_);
  if (const auto waiting = waiting_.find(lost.token); waiting != waiting_.end())
    waiting->second.asked_at = now.monotonic;
  end_long_walk_of_nobody(now.monotonic);
  const auto waiting = waiting_.find(lost.token);
  if (waiting != waiting_.end() && !waiting->second.told) return {*this, lost, long_};
  if (!fresh_ || fresh_->began.monotonic < fresh_since) fresh_ = std::make_shared<Walk>(Walk{.began = now});
  return {*this, lost, fresh_};
}

std::variant<Reconciled, std::string> Sightings::Call::known(Moment now) {
  const std::lock_guard lock(all_.mutex_);
  const auto waiting = all_.waiting_.find(lost_.token);
  const bool waits = waiting != all_.waiting_.end();
  for (const std::shared_ptr<Walk>& walk : {walk_, all_.fresh_, all_.long_}) {
    if (walk == nullptr) continue;
    const auto seen = walk->tokens.find(lost_.token);
    if (seen == walk->tokens.end()) continue;
    if (waits) all_.waiting_.erase(waiting);
    return Reconciled{.kind = Reconciled::Kind::kFound, .handle = seen->second};
  }
  if (!walk_->covers(lost_.sent_at)) return walk_->next;
  if (waits && walk_ == all_.long_) waiting->second.answered = waiting->second.told = true;
  return Reconciled{.seen_since = no_later(walk_->began, now)};
}

void Sightings::Call::add(const std::string& name, const LookupPage& page, Moment now) {
  const std::lock_guard lock(all_.mutex_);
  if (walk_->ended || walk_->next != name) return;  // somebody else was faster
  for (const LookupPage::Work& work : page.work)
    if (!work.token.empty()) walk_->tokens.try_emplace(work.token, work.handle);
  if (page.back_to && (!walk_->back_to || *page.back_to < *walk_->back_to)) walk_->back_to = page.back_to;
  walk_->ended = !page.next;
  walk_->next = page.next.value_or("");
  if (walk_ == all_.long_) all_.long_went_on_ = now.monotonic;
}

void Sightings::Call::cut_off(Moment now) {
  const std::lock_guard lock(all_.mutex_);
  if (const auto waiting = all_.waiting_.find(lost_.token); waiting != all_.waiting_.end()) {
    waiting->second.told = false;
    return;
  }
  if (walk_->is_empty()) return;
  if (!all_.long_ || walk_->is_as_deep_as(*all_.long_)) {
    all_.long_ = walk_;
    all_.long_went_on_ = now.monotonic;
  }
  // Who comes late does not keep it from its end.
  const bool comes_late = all_.long_->covers(lost_.sent_at);
  all_.waiting_.emplace(lost_.token, Waiting{.asked_at = now.monotonic, .answered = comes_late});
}

void Sightings::Call::give_up() {
  const std::lock_guard lock(all_.mutex_);
  if (walk_ == all_.fresh_) all_.fresh_.reset();
  if (walk_ == all_.long_) all_.end_long_walk();
}

void Sightings::end_long_walk_of_nobody(Instant now) {
  std::erase_if(waiting_, [&](const auto& one) { return now - one.second.asked_at > kPatience; });
  const auto answered = [](const auto& one) { return one.second.answered; };
  if (std::all_of(waiting_.begin(), waiting_.end(), answered) || now - long_went_on_ > kPatience) end_long_walk();
}

void Sightings::end_long_walk() {
  waiting_.clear();
  long_.reset();
}

}  // namespace tandem::remote
