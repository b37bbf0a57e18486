#include "tandem/orchestrate/engine/blob_sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <regex>

#include "tandem/base/hash.h"
#include "tandem/base/rng.h"
#include "tandem/base/testing/fake_clock.h"
#include "tandem/base/testing/matchers.h"
#include "tandem/base/testing/recording_meter.h"
#include "tandem/orchestrate/engine/testing/cut_store.h"
#include "tandem/store/memory/memory_store.h"
#include "tandem/store/sqlite/sqlite_store.h"
#include "tandem/store/testing/temp_folder.h"

namespace tandem::engine {
namespace {

using store::Batch;
using store::Table;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> hashes_in(std::string_view text) {
  std::vector<std::string> out;
  each_hash(text, [&](std::string_view hash) { out.emplace_back(hash); });
  return out;
}

TEST(EachHash, finds_what_a_regular_expression_finds_in_any_text) {
  Xoshiro256 rng(11);
  const std::regex run("[0-9a-f]+");
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    while (text.size() < 400) {
      const std::size_t length = rng() % 3 == 0 ? 64 : rng() % 140;
      for (std::size_t i = 0; i < length; ++i) text += "0123456789abcdef"[rng() % 16];
      text.append(rng() % 3, "\"G :x,"[rng() % 6]);
    }
    std::vector<std::string> expected;
    for (std::sregex_iterator it(text.begin(), text.end(), run), end; it != end; ++it)
      if (it->length() == 64) expected.push_back(it->str());
    ASSERT_EQ(hashes_in(text), expected) << text;
  }
}

/// The same on each kind of store.
template <typename Kind>
class Sweeps : public testing::Test {
 protected:
  Sweeps() : store_(kind_.open(executor_)) {}

  std::string blob(const std::string& content) {
    commit(Batch().put(Table::kBlob, sha256(content).hex(), content));
    return sha256(content).hex();
  }
  std::vector<std::string> blobs(int count) {
    std::vector<std::string> out;
    Batch batch;
    for (int i = 0; i < count; ++i) {
      Bytes content = fmt::format("content {}", i);
      out.push_back(sha256(content).hex());
      batch.put(Table::kBlob, out.back(), std::move(content));
    }
    commit(std::move(batch));
    return out;
  }
  void commit(Batch batch) { ASSERT_THAT(store_->commit_and_wait(std::move(batch)), Succeeds()); }
  void let_go(const std::vector<std::string>& blobs, const std::string& by = "somebody") {
    Batch batch;
    leave_blobs(batch, by, blobs);
    commit(std::move(batch));
  }
  Result<Swept> sweep() { return BlobSweep(seen_, housekeeping_).run(); }
  std::vector<std::string> keys(Table table) {
    const auto rows = store_->scan({.table = table, .from = "", .until = "", .limit = 100'000}).value();
    std::vector<std::string> out;
    for (const store::Row& row : rows) out.push_back(row.key);
    return out;
  }

  ThreadExecutor executor_{1};
  Kind kind_;
  std::unique_ptr<store::Store> store_;
  CutStore seen_{*store_};  ///< by the sweep
  Housekeeping housekeeping_{.fence = [](Batch&) { return true; }, .rest = [] { return true; }};
};

struct InMemory {
  std::unique_ptr<store::Store> open(Executor& executor) { return std::make_unique<memory::MemoryStore>(executor); }
};
struct InFile {
  std::unique_ptr<store::Store> open(Executor& executor) {
    return sqlite::SqliteStore::open(folder / "store.db", {}, executor, clock, meter).value();
  }
  store::TempFolder folder;
  FakeClock clock;
  RecordingMeter meter;
};
using Kinds = testing::Types<InMemory, InFile>;
TYPED_TEST_SUITE(Sweeps, Kinds);

TYPED_TEST(Sweeps, what_was_let_go_of_and_no_row_names_is_erased_and_nothing_else) {
  const std::string gone = this->blob("gone");
  const std::string never_let_go = this->blob("never let go of");
  std::vector<std::string> kept;
  for (const Table table : {Table::kStep, Table::kSubmission, Table::kLineage, Table::kJob}) {
    kept.push_back(this->blob(std::string(to_string(table))));
    this->commit(Batch().put(table, "row", "{\"raw_sha256\":\"" + kept.back() + "\"}"));
  }
  std::vector<std::string> named = kept;
  named.push_back(gone);
  named.push_back(sha256("no blob has this name").hex());
  this->let_go(named);
  const auto swept = this->sweep();
  ASSERT_THAT(swept, Succeeds());
  EXPECT_EQ(swept->erased, 1u);
  EXPECT_TRUE(swept->complete);
  kept.push_back(never_let_go);
  EXPECT_THAT(this->keys(Table::kBlob), testing::UnorderedElementsAreArray(kept));
  EXPECT_THAT(this->keys(Table::kMeta), IsEmpty());
}

TYPED_TEST(Sweeps, a_row_on_any_page_keeps_its_blob) {
  const std::vector<std::string> named = this->blobs(1000);
  std::vector<std::string> kept;
  Batch batch;
  for (std::size_t i = 0; i < named.size(); ++i) {
    leave_blobs(batch, fmt::format("job {}", i), {named[i]});
    if (i % 3 != 0) continue;
    kept.push_back(named[i]);
    batch.put(Table::kLineage, fmt::format("row {}", i), kept.back());
  }
  this->commit(std::move(batch));
  EXPECT_EQ(this->sweep()->erased, 1000 - kept.size());
  EXPECT_THAT(this->keys(Table::kBlob), testing::UnorderedElementsAreArray(kept));
}

TYPED_TEST(Sweeps, a_blob_that_is_put_again_while_the_sweep_looks_is_never_erased) {
  const std::string contested = this->blob("contested");
  const std::string gone = this->blob("gone");
  this->let_go({contested, gone});
  this->seen_.before_commit([&] {  // all was read
    this->commit(Batch().put(Table::kBlob, contested, "contested").put(Table::kJob, "new", contested));
  });
  EXPECT_EQ(this->sweep()->erased, 1u);
  EXPECT_THAT(this->keys(Table::kBlob), ElementsAre(contested));
}

TYPED_TEST(Sweeps, when_another_led_meanwhile_nothing_is_erased_even_where_versions_began_anew_and_it_leads_no_more) {
  const auto lead = [this](const char* node) { return Batch().put(Table::kMeta, "leader", node); };
  this->housekeeping_.fence = [&](Batch& batch) {
    batch.check(Table::kMeta, "leader", store::Expect::at(this->store_->get(Table::kMeta, "leader").value()->version));
    return true;
  };
  Batch page;  // after which the sweep rests
  for (std::size_t i = 0; i < BlobSweep::kPage; ++i) page.put(Table::kJob, fmt::format("job {:02}", i), "");
  this->commit(std::move(page));
  for (const bool leads_again : {false, true}) {
    const std::string contested = this->blob("contested");
    this->let_go({contested});
    this->commit(lead("us"));
    this->housekeeping_.rest = [&, once = false]() mutable {
      if (std::exchange(once, true)) return true;
      this->commit(lead("another").erase(Table::kBlob, contested));
      this->commit(Batch().put(Table::kBlob, contested, "contested").put(Table::kJob, "a new one", contested));
      if (leads_again) this->commit(lead("us"));
      return true;
    };
    EXPECT_THAT(this->sweep(), FailsWith(errors::kPreconditionFailed));
    EXPECT_THAT(this->keys(Table::kBlob), ElementsAre(contested));
    this->commit(Batch().erase(Table::kJob, "a new one").erase(Table::kBlob, contested));
  }
}

TYPED_TEST(Sweeps, one_that_is_stopped_anywhere_loses_nothing_and_the_next_one_ends_it) {
  for (int stop_after = 0; stop_after < 12; ++stop_after) {
    std::vector<std::string> named = this->blobs(150);
    const std::string kept = this->blob("kept");
    this->commit(Batch().put(Table::kJob, "row", kept));
    named.push_back(kept);
    this->let_go(named);
    this->housekeeping_.rest = [left = stop_after]() mutable { return left-- > 0; };
    ASSERT_THAT(this->sweep(), Succeeds());
    this->housekeeping_.rest = [] { return true; };
    const auto swept = this->sweep();
    EXPECT_TRUE(swept->complete);
    EXPECT_THAT(this->keys(Table::kBlob), ElementsAre(kept)) << stop_after;
    EXPECT_THAT(this->keys(Table::kMeta), IsEmpty());
  }
}

using SweepsInMemory = Sweeps<InMemory>;

TEST_F(SweepsInMemory, what_is_too_much_for_one_sweep_is_left_to_the_next) {
  constexpr std::size_t kNames = BlobSweep::kNamedMax / 2 + 1'000;  // a row and a blob each
  constexpr std::size_t kBatch = 5'000;
  for (std::size_t begin = 0; begin < kNames; begin += kBatch) {
    Batch batch;
    for (std::size_t i = begin; i < begin + kBatch; ++i)
      leave_blobs(batch, fmt::format("job {:06}", i), {fmt::format("{:064x}", i)});
    commit(std::move(batch));
  }
  const std::string early = blob("early");
  const std::string late = blob("late");
  let_go({early}, "job 000000/");
  let_go({late}, "job 999999");
  auto swept = sweep();
  EXPECT_FALSE(swept->complete);
  EXPECT_THAT(keys(Table::kBlob), ElementsAre(late));
  swept = sweep();
  EXPECT_TRUE(swept->complete);
  EXPECT_THAT(keys(Table::kBlob), IsEmpty());
  EXPECT_THAT(keys(Table::kMeta), IsEmpty());
}

}  // namespace
}  // namespace tandem::engine
