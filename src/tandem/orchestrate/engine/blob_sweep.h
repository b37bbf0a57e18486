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
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/store/store.h"

namespace tandem::engine {

/// Calls `take` with each run of exactly 64 lower-case hex digits.
void each_hash(std::string_view text, const std::function<void(std::string_view hash)>& take);

/// Adds to the commit that lets go of them which blobs may be needed by nobody now. `by`: who let go, once.
void leave_blobs(store::Batch& batch, std::string_view by, const std::vector<std::string>& blobs);

/// What housekeeping shares with the engine that it is done for.
struct Housekeeping {
  /// Adds what must hold for this process to be the one that does it. False: it is not.
  std::function<bool(store::Batch&)> fence;
  /// Lets others have the store; called between small steps. False: stop.
  std::function<bool()> rest;
};

struct Swept {
  std::uint64_t named = 0;  ///< blobs that somebody let go of
  std::uint64_t erased = 0;
  std::uint64_t bytes = 0;  ///< of what was erased
  bool complete = false;  ///< nothing that was let go of is left to look at
};

/// Threads: one. Cost: a scan of all checkpoints, submissions, lineages and jobs for up to kNamedMax blobs; about 100 bytes of memory for
/// each of these and one page of rows. A row names a blob when the hash stands in it anywhere: what looks like a name keeps the blob.
class BlobSweep {
 public:
  static constexpr std::size_t kNamedMax = 50'000;  ///< blobs in one sweep
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
  /// Commits what `batch` says if this is still the process to do so. False: it is not, or should stop.
  Result<bool> commit(store::Batch batch);

  store::Store& store_;
  const Housekeeping& housekeeping_;
  std::map<std::array<char, 32>, std::uint64_t>
      versions_;  ///< of the blobs that nobody was seen to need; 0: not read yet
  std::vector<std::string> names_;  ///< keys of the rows that named them
  bool stopped_ = false;
  Swept swept_;
};

}  // namespace tandem::engine
