#include "tandem/orchestrate/engine/store_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_log.h"

namespace tandem::engine {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

/// Has a clock, and a way there and back that takes time.
class FarStore final : public store::Store {
 public:
  explicit FarStore(FakeClock& clock) : clock_(clock) {}
  seconds there{0};
  seconds back{0};
  seconds ahead{0};  ///< of the machine's clock
  bool away = false;

  Result<Timestamp> now() override {
    if (away) return fail(errors::kStoreUnreachable, "the cable is pulled");
    clock_.advance(there);
    const Timestamp told{clock_.now().micros + std::chrono::microseconds(ahead).count()};
    clock_.advance(back);
    return told;
  }
  bool shared() const override { return true; }
  void commit(store::Batch, store::CommitDone done) override { done(tl::unexpected(unused())); }
  Result<std::optional<store::Row>> get(store::Table, std::string_view) override { return tl::unexpected(unused()); }
  Result<std::vector<store::Row>> scan(const store::Scan&) override { return tl::unexpected(unused()); }
  Result<std::uint64_t> count(store::Table, std::string_view) override { return tl::unexpected(unused()); }
  Result<std::vector<store::LogEntry>> read_log(std::uint64_t, std::size_t, std::string_view) override {
    return tl::unexpected(unused());
  }
  Result<std::uint64_t> last_sequence() override { return tl::unexpected(unused()); }
  std::string_view kind() const override { return "far"; }

 private:
  static Error unused() { return make_error(errors::kInternal, "only its clock is asked"); }
  FakeClock& clock_;
};

class StoreClocks : public testing::Test {
 protected:
  seconds off() const {
    return std::chrono::duration_cast<seconds>(std::chrono::microseconds(clock_.now().micros - machine_.now().micros));
  }
  FakeClock machine_;
  FarStore store_{machine_};
  StoreClock clock_{machine_};
  RecordingLog log_;
};

TEST_F(StoreClocks, it_is_the_clock_of_the_machine_until_it_has_learnt_another) {
  EXPECT_EQ(clock_.now(), machine_.now());
  store_.ahead = hours(-1);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), hours(-1));
  EXPECT_EQ(clock_.monotonic(), machine_.monotonic());
  machine_.advance(seconds(5));
  EXPECT_EQ(off(), hours(-1));
}

TEST_F(StoreClocks, the_first_answer_is_taken_to_be_of_the_middle_of_its_way) {
  store_.ahead = seconds(100);
  store_.there = seconds(1);
  store_.back = seconds(3);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), seconds(99));  // wrong by 1 s, as half of 4 s less 1 s is
}

TEST_F(StoreClocks, a_later_answer_moves_it_by_what_it_proves_wrong_and_no_more) {
  store_.ahead = seconds(100);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  store_.there = seconds(20);  // slow, and right all the same
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), seconds(100));
  store_.ahead = seconds(110);  // by that way it may be 110 to 130
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), seconds(110));
  store_.there = seconds(0);
  store_.back = seconds(2);
  store_.ahead = seconds(50);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), seconds(50));  // 48 to 50
}

TEST_F(StoreClocks, a_machine_whose_clock_is_set_changes_nothing) {
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  machine_.step_wall(hours(1));
  EXPECT_EQ(off(), hours(-1));
  store_.ahead = hours(-1);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), hours(-1));
  EXPECT_EQ(log_.count("store.clock_set"), 0u);
}

TEST_F(StoreClocks, a_store_whose_clock_is_set_is_followed_and_told_of) {
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  store_.ahead = hours(1);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  EXPECT_EQ(off(), hours(1));
  EXPECT_EQ(log_.count("store.clock_set"), 1u);
}

TEST_F(StoreClocks, a_store_that_cannot_be_asked_changes_nothing) {
  store_.ahead = hours(2);
  ASSERT_THAT(clock_.learn(store_, log_), Succeeds());
  store_.away = true;
  EXPECT_THAT(clock_.learn(store_, log_), FailsWith(errors::kStoreUnreachable));
  EXPECT_EQ(off(), hours(2));
}

}  // namespace
}  // namespace tandem::engine
