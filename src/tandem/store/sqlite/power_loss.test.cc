// Power loss at any change of the disk, again and again on the same disk: what was acknowledged is there, and nothing
// is there in part.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/matchers.h"
#include "tandem/store/sqlite/connection.h"
#include "tandem/store/sqlite/testing/fault_disk.h"
#include "tandem/store/sqlite/testing/stepped_store.h"
#include "tandem/store/testing/ledger.h"

namespace tandem::sqlite {
namespace {

using store::Batch;
using store::Ledger;

/// One disk and the life on it: batches are committed until the power goes, the disk keeps what it keeps, the store is
/// opened again.
class World {
 public:
  explicit World(std::uint64_t seed) : generator_(seed) {}

  void lie_about_syncs() { disk_.lie_about_syncs(true); }
  int losses() const { return losses_; }

  /// One life; what is wrong after its end, or "".
  std::string live_and_lose_power() {
    // Mostly soon, so that opening, recovering and the first commits are met often; sometimes after a few checkpoints.
    disk_.power_off_after(generator_.below(generator_.below(4) == 0 ? 400 : 60));
    if (store_.open()) work();
    store_.close();
    if (!disk_.powered_off()) return "";
    ++losses_;
    disk_.reboot(generator_);
    if (const auto opened = store_.open(); !opened) return "does not open: " + opened.error().to_string();
    std::string wrong = ledger_.compare(*store_);
    const auto connection = Connection::open("store.db", disk_.name(), Access::kReader);
    if (!connection || (*connection)->text("PRAGMA integrity_check").value_or("failed") != "ok") wrong += " damaged";
    store_.close();
    return wrong;
  }

 private:
  void work() {
    for (int group = 0; group < 40 && !disk_.powered_off(); ++group) {
      const int first = next_;
      std::vector<Batch> batches;
      for (std::uint64_t i = generator_.below(5); i < 5; ++i, ++next_) {
        ledger_.hand_in(next_);
        batches.push_back(Ledger::batch(next_));
      }
      const auto answers = store_.commit_group(std::move(batches));
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (answers[i]) ledger_.acknowledge(first + static_cast<int>(i));
      }
    }
  }

  Xoshiro256 generator_;
  FaultDisk disk_{"power"};
  SteppedStore store_{disk_, 96 << 10};
  Ledger ledger_;
  int next_ = 0;
  int losses_ = 0;
};

constexpr int kLives = 12;

TEST(PowerLoss, loses_nothing_acknowledged_and_leaves_nothing_in_part) {
  int losses = 0;
  for (std::uint64_t world = 0; world < 100; ++world) {
    World disk(world);
    for (int life = 0; life < kLives; ++life)
      ASSERT_EQ(disk.live_and_lose_power(), "") << "world " << world << ", life " << life;
    losses += disk.losses();
  }
  EXPECT_GE(losses, 1000);
}

TEST(PowerLoss, a_disk_that_acknowledges_before_the_sync_is_caught_every_time) {
  for (std::uint64_t world = 0; world < 20; ++world) {
    World disk(world);
    disk.lie_about_syncs();
    bool caught = false;
    for (int life = 0; life < kLives && !caught; ++life) caught = !disk.live_and_lose_power().empty();
    EXPECT_TRUE(caught) << "world " << world;
  }
}

}  // namespace
}  // namespace tandem::sqlite
