// tandem/middleware/remote/sightings.h - Sightings: what lookups saw of the work at a provider, page by page.
//
// Room: middleware. Where a provider lists all work and finds none by its token, one walk over the list answers for everybody in doubt, and
// a list that is longer than one call has time for is seen in several. Not here: asking (remote_backend.cc), reading pages (Codec).
#pragma once

#include <cstddef>
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

/// Walks over a list, newest work first. Whoever asks gets a fresh one, which others that ask meanwhile share. One that was cut off is kept
/// until it came as far as somebody needed it; who needs as much goes on with it, from where a fresh one met it.
/// Threads: one caller at a time.
class Sightings {
 public:
  /// Of those that were cut off; the oldest are given up first.
  static constexpr std::size_t kWalksMax = 16;
  /// By both clocks: one of them stands still while the machine sleeps, the other one can be set.
  struct Moment {
    Instant monotonic;
    Timestamp wall;
  };
  struct Wanted {
    std::string page;  ///< empty: the first
  };

  /// What is known of `lost`, or which page tells more. A walk is fresh that began at `fresh_since` or later.
  std::variant<backend::Reconciled, Wanted> look(const backend::LostWork& lost, Instant fresh_since, Moment now);
  /// The page that was wanted.
  void add(const LookupPage& page);
  /// Whoever looks for `lost` has no time for more, and will ask again.
  void cut_off(const backend::LostWork& lost);
  /// The page that was wanted is none.
  void give_up();

 private:
  struct Walk {
    Moment began;
    backend::Handle newest = {};
    std::string next = {};
    bool ended = false;
    std::optional<Timestamp> back_to = std::nullopt;
    std::optional<Timestamp> left_for = std::nullopt;  ///< the oldest that somebody looked for and had no time for
    bool meets_older = false;  ///< it came down to the newest of the walk behind it, which so has no gap above it
    std::map<std::string, backend::Handle, std::less<>> tokens = {};

    bool covers(Timestamp sent_at) const { return ended || (back_to && sent_at > *back_to); }
    bool is_needed() const { return left_for && !covers(*left_for) && !next.empty(); }
  };
  void begin(Moment now);

  std::vector<Walk> walks_;  ///< the fresh one first, then the others from the youngest on
  std::size_t going_ = 0;  ///< the one that goes on with the page that was wanted last
};

}  // namespace tandem::remote
