// tandem/middleware/remote/sightings.h - Sightings: what lookups saw of the work at a provider, page by page.
//
// Room: middleware. Where a provider lists all work and finds none by its token, one walk over the list answers for everybody in doubt, and
// a list that is longer than one call has time for is seen in several. Not here: asking (remote_backend.cc), reading pages (Codec).
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/middleware/backend/backend.h"

namespace tandem::remote {

/// One page of a lookup.
struct LookupPage {
  struct Work {
    backend::Handle handle;
    std::string token = {};  ///< empty: it bears none of ours
  };
  std::vector<Work> work = {};  ///< newest first; of several with one token, the first one counts
  /// What the next page is asked for with; empty: there is none.
  std::optional<std::string> next = std::nullopt;
  /// What was sent later stands on this page or on one before it, if anywhere; empty: the page excludes nothing.
  std::optional<Timestamp> back_to = std::nullopt;
};

/// Threads: one caller at a time.
class Sightings {
 public:
  /// A walk that was cut off is given up when nobody goes on with it for so long.
  static constexpr std::chrono::minutes kKept{1};
  struct Wanted {
    std::string page;  ///< empty: the first
  };

  /// What is known of `lost`, or which page tells more. The newest work is looked at again where that was before `newest_since`; from there
  /// on, all is seen anew unless somebody still needs what an earlier walk has left to see.
  std::variant<backend::Reconciled, Wanted> look(const backend::LostWork& lost, Instant newest_since, Instant now);
  /// The page that was wanted.
  void add(const LookupPage& page, Instant now);
  /// Whoever looks for `lost` has no time for more, and will ask again.
  void cut_off(const backend::LostWork& lost);
  /// A page is not what it was said to be.
  void forget() { walks_.clear(); }

 private:
  /// From the newest work on, without a gap.
  struct Walk {
    Instant began;
    Instant went_on = began;
    backend::Handle newest = {};
    std::string next = {};
    bool ended = false;
    std::optional<Timestamp> back_to = std::nullopt;
    std::optional<Timestamp> left_for = std::nullopt;  ///< the oldest that somebody looked for and had no time for
    std::map<std::string, backend::Handle, std::less<>> tokens = {};

    bool covers(Timestamp sent_at) const { return ended || (back_to && sent_at > *back_to); }
    bool is_empty() const { return !ended && next.empty(); }
    /// It came down to `older`, and goes on where that stopped.
    void join(Walk older);
  };
  void begin(Instant now);

  std::deque<Walk> walks_;  ///< newest first; the first goes on
  Instant top_seen_;  ///< when it began, whatever it joined since
};

}  // namespace tandem::remote
