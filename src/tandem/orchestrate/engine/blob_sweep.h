// tandem/orchestrate/engine/blob_sweep.h - BlobSweep: erases blobs that no row names any more.
//
// Room: orchestrate. A blob is shared by all that have the same content, and nobody counts them. Who lets go of blobs names them in the
// same commit; the sweep looks through the store whether any row still names them, and erases those that none does.
//
// A blob is never erased under somebody who begins to need it: a commit that names a blob either puts it, which raises its version and
// makes the erasing fail, or rests on another row that names it and stays (a submission, a checkpoint) until the job is removed. A put
// must not be left out because the blob is there already.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/store/store.h"

namespace tandem::engine {

/// Calls `take` with each run of exactly 64 lower-case hex digits.
void each_hash(std::string_view text, const std::function<void(std::string_view hash)>& take);

/// Calls `take` with the hash of each provider's or solver's answer that a stored document names.
void each_raw(std::string_view document, const std::function<void(std::string_view hash)>& take);

/// Adds to the commit that lets go of them which blobs may be needed by nobody now. `by`: who let go, once.
void leave_blobs(store::Batch& batch, std::string_view by, const std::vector<std::string>& blobs);

/// What housekeeping shares with the engine that it is done for.
struct Housekeeping {
  /// Adds what must hold for this process to be the one that does it, and holds for as long as it is without a break. False: it is not.
  std::function<bool(store::Batch&)> fence;
  /// Lets others have the store; called between small steps. False: stop.
  std::function<bool()> rest;
};

struct Swept {
  std::uint64_t named = 0;  ///< blobs that somebody let go of
  std::uint64_t erased = 0;
  bool complete = false;  ///< nothing that was let go of is left to look at
};

/// Threads: one. Cost: a scan of all checkpoints, submissions, lineages and jobs for up to kNamedMax blobs, shorter where all of them turn
/// out to be needed; about 200 bytes of memory for each of these and one page of rows. A row names a blob when the hash stands in it
/// anywhere: what looks like a name keeps the blob.
class BlobSweep {
 public:
  static constexpr std::size_t kNamedMax = 200'000;  ///< blobs in one sweep
  static constexpr std::size_t kPage = 64;  ///< rows read at once; some are large
  static constexpr std::size_t kErasedAtOnce = 32;  ///< in one commit

  BlobSweep(store::Store& store, const Housekeeping& housekeeping) : store_(store), housekeeping_(housekeeping) {}

  /// Erases what nobody needs of that which was let go of until now, or until it is told to stop.
  /// Errors: those of the store; 3004 precondition_failed - another process does it by now.
  Result<Swept> run();

 private:
  Result<void> take_named();
  Result<void> look_up();
  Result<void> spare(store::Table table);
  Result<void> erase_rest();
  Result<void> erase(const std::vector<std::pair<std::string, std::uint64_t>>& blobs);
  Result<void> forget_names();
  /// Commits what `batch` says, if nobody else has done this since the sweep began.
  Result<void> commit(store::Batch batch);

  store::Store& store_;
  const Housekeeping& housekeeping_;
  store::Batch
      lead_;  ///< what held when it began, and must hold until its end: another's sweep lets versions begin anew
  struct Named {
    std::array<char, 32> hash{};
    std::uint64_t version = 0;  ///< of the blob; 0: it is needed, or there is none
  };
  Named* find(std::string_view hash);
  std::vector<Named> named_;  ///< by hash
  std::size_t unneeded_ = 0;  ///< of named_: that nobody was seen to need
  std::vector<std::string> names_;  ///< keys of the rows that named them
  bool stopped_ = false;
  Swept swept_;
};

}  // namespace tandem::engine
