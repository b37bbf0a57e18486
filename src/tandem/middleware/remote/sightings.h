// tandem/middleware/remote/sightings.h - Sightings: what lookups saw of the work at a provider, page by page.
//
// Room: middleware. Where a provider lists all work and finds none by its token, one walk over the list answers for everybody in doubt, and
// a list that is longer than one call has time for is seen in several. Not here: asking (remote_backend.cc), reading pages (Codec).
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
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
/// so it is not begun anew by those who could do with less, and all come to their end. After that answer each tries a fresh one again.
/// Threads: safe to call concurrently; two who want the same page both ask for it.
class Sightings {
  struct Walk;

 public:
  /// Who takes part in the long walk and asks no more for so long is not waited for; nor is a page that nobody gets for so long. A sweep
  /// of several hundred who each need all the time of a call comes back to each within that.
  static constexpr std::chrono::minutes kPatience{30};
  /// By both clocks: one of them stands still while the machine sleeps, the other one can be set.
  struct Moment {
    Instant monotonic;
    Timestamp wall;
  };

  /// One call of one who looks, which keeps to the walk that it began with. Threads: one; the sightings outlive it.
  class Call {
   public:
    /// What is known, or the name of the page that tells more; empty: the first.
    std::variant<backend::Reconciled, std::string> known(Moment now);
    void add(const std::string& name, const LookupPage& page, Moment now);
    /// It has no time for more, and there will be another one for the same work.
    void cut_off(Moment now);
    /// The page of that name is none: the walk leads nowhere.
    void give_up();

   private:
    friend class Sightings;
    Call(Sightings& all, const backend::LostWork& lost, std::shared_ptr<Walk> walk)
        : all_(all), lost_(lost), walk_(std::move(walk)) {}
    Sightings& all_;
    const backend::LostWork lost_;
    const std::shared_ptr<Walk> walk_;
  };
  /// A walk is fresh that began at `fresh_since` or later.
  Call call(const backend::LostWork& lost, Instant fresh_since, Moment now);

 private:
  struct Walk {
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
    bool answered = false;  ///< nothing of the long walk is for it any more
    bool told = false;  ///< and it heard that: its next call sees all anew
  };
  void end_long_walk_of_nobody(Instant now);
  void end_long_walk();

  std::mutex mutex_;
  std::shared_ptr<Walk> fresh_;
  std::shared_ptr<Walk> long_;  ///< while anybody takes part
  Instant long_went_on_;
  std::map<std::string, Waiting, std::less<>> waiting_;  ///< who takes part in it, by token
};

}  // namespace tandem::remote
