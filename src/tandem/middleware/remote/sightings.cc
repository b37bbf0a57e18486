#include "tandem/middleware/remote/sightings.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "tandem/base/assert.h"

namespace tandem::remote {
namespace {

using backend::Reconciled;

void make_older(std::optional<Timestamp>& time, Timestamp other) {
  if (!time || other < *time) time = other;
}

/// Not later than that, by whichever clock more time has passed since.
Instant no_later(Sightings::Moment then, Sightings::Moment now) {
  const std::chrono::nanoseconds by_wall = std::chrono::microseconds(now.wall.micros - then.wall.micros);
  return now.monotonic + -std::max(now.monotonic - then.monotonic, by_wall);
}

}  // namespace

std::variant<Reconciled, Sightings::Wanted> Sightings::look(const backend::LostWork& lost, Instant fresh_since,
                                                            Moment now) {
  if (walks_.empty() || walks_.front().began.monotonic < fresh_since) begin(now);
  for (const Walk& walk : walks_) {
    const auto seen = walk.tokens.find(lost.token);
    if (seen != walk.tokens.end()) return Reconciled{.kind = Reconciled::Kind::kFound, .handle = seen->second};
  }
  // Who needs less than an older walk was left for sees all anew instead: that is soon done, and proves more.
  const auto goes_on_behind = [&](std::size_t i) {
    return walks_[i].meets_older && walks_[i + 1].left_for >= lost.sent_at;
  };
  for (going_ = 0; !walks_[going_].covers(lost.sent_at); ++going_)
    if (!goes_on_behind(going_)) return Wanted{.page = walks_[going_].next};
  return Reconciled{.seen_since = no_later(walks_[going_].began, now)};
}

void Sightings::begin(Moment now) {
  for (std::size_t i = walks_.size(); i-- > 0;) {
    if (walks_[i].is_needed()) continue;
    if (walks_[i].meets_older) {  // what came on top of the one behind it, and was seen, is part of that
      walks_[i + 1].newest = std::move(walks_[i].newest);
      walks_[i + 1].tokens.merge(walks_[i].tokens);
    } else if (i > 0) {
      walks_[i - 1].meets_older = false;
    }
    walks_.erase(walks_.begin() + static_cast<std::ptrdiff_t>(i));
  }
  walks_.insert(walks_.begin(), Walk{.began = now});
  if (walks_.size() > kWalksMax) {
    walks_.erase(walks_.begin() + kWalksMax, walks_.end());
    walks_.back().meets_older = false;
  }
}

void Sightings::add(const LookupPage& page) {
  TANDEM_ASSERT(going_ < walks_.size());
  Walk& walk = walks_[going_];
  if (walk.newest.empty() && !page.work.empty()) walk.newest = page.work.front().handle;
  for (const LookupPage::Work& work : page.work)
    if (!work.token.empty()) walk.tokens.try_emplace(work.token, work.handle);
  if (page.back_to) make_older(walk.back_to, *page.back_to);
  walk.ended = !page.next;
  walk.next = page.next.value_or("");
  if (going_ + 1 < walks_.size())
    walk.meets_older |= std::any_of(page.work.begin(), page.work.end(), [&](const LookupPage::Work& work) {
      return work.handle == walks_[going_ + 1].newest;
    });
}

void Sightings::cut_off(const backend::LostWork& lost) {
  if (!walks_.empty()) make_older(walks_[going_].left_for, lost.sent_at);
}

void Sightings::give_up() {
  if (walks_.empty()) return;
  if (going_ > 0) walks_[going_ - 1].meets_older = false;
  walks_.erase(walks_.begin() + static_cast<std::ptrdiff_t>(going_));
}

}  // namespace tandem::remote
