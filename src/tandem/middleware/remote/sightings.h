// tandem/middleware/remote/sightings.h - Sightings: what lookups saw of the work at a provider, page by page.
//
// Room: middleware. Where a provider lists all work and finds none by its token, one walk over the list answers for everybody in doubt, and
// a list that is longer than one call has time for is seen in several. Not here: asking (remote_backend.cc), reading pages (Codec).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
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
  std::vector<Work> work = {};  ///< of several with one token, the first one counts
  /// What the next page is asked for with; empty: there is none.
  std::optional<std::string> next = std::nullopt;
  /// What was sent later stands on this page or on one before it, if anywhere; empty: the page excludes nothing.
  std::optional<Timestamp> back_to = std::nullopt;
};

/// Walks from the newest work on. Whoever asks gets a fresh one, which others go on with who ask meanwhile. Who had no time to come to
/// its end takes part in the long walk: each call of those goes on where the one before was cut off, until all of them have been answered;
/// so it is not begun anew by those who could do with less, and all come to their end.
/// Threads: safe to call concurrently; two who want the same page both ask for it.
class Sightings {
 public:
  /// Who takes part in the long walk and asks no more for so long is not waited for.
  static constexpr std::chrono::minutes kPatience{10};
  /// By both clocks: one of them stands still while the machine sleeps, the other one can be set.
  struct Moment {
    Instant monotonic;
    Timestamp wall;
  };
  struct Wanted {
    std::string page;  ///< empty: the first
    std::uint64_t walk = 0;
  };

  /// What is known of `lost`, or which page tells more. A walk is fresh that began at `fresh_since` or later.
  std::variant<backend::Reconciled, Wanted> look(const backend::LostWork& lost, Instant fresh_since, Moment now);
  void add(const Wanted& wanted, const LookupPage& page);
  /// Whoever looks for `lost` has no time for more, and will ask again.
  void cut_off(const backend::LostWork& lost, Moment now);
  /// That page is none: its walk leads nowhere.
  void give_up(const Wanted& wanted);

 private:
  struct Walk {
    std::uint64_t number = 0;
    Moment began = {};
    std::string next = {};
    bool ended = false;
    std::optional<Timestamp> back_to = std::nullopt;
    std::map<std::string, backend::Handle, std::less<>> tokens = {};

    bool is_empty() const { return !ended && next.empty(); }
    bool covers(Timestamp sent_at) const { return ended || (back_to && sent_at > *back_to); }
    bool is_as_deep_as(const Walk& other) const {
      return ended || (!other.ended && back_to && (!other.back_to || *back_to <= *other.back_to));
    }
  };
  struct Waiting {
    Instant asked_at;
    bool answered = false;
  };
  void end_long_walk_of_nobody(Instant now);
  std::optional<Walk>* walk_of(const Wanted& wanted);

  std::mutex mutex_;
  std::uint64_t walks_ = 0;
  std::optional<Walk> fresh_;
  std::optional<Walk> long_;  ///< while anybody takes part
  std::map<std::string, Waiting, std::less<>> waiting_;  ///< who takes part in it, by token
};

}  // namespace tandem::remote
