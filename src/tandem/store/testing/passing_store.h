// tandem/store/testing/passing_store.h - PassingStore: passes everything on to another store. What a test changes on the way it overrides.
//
// Room: store, tests and benchmarks only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/store/store.h"

namespace tandem::store {

/// Threads: as the other one, which outlives it.
class PassingStore : public Store {
 public:
  explicit PassingStore(Store& inner) : inner_(inner) {}

  void commit(Batch batch, CommitDone done) override { inner_.commit(std::move(batch), std::move(done)); }
  Result<std::optional<Row>> get(Table table, std::string_view key) override { return inner_.get(table, key); }
  Result<std::vector<Row>> scan(const Scan& scan) override { return inner_.scan(scan); }
  Result<std::uint64_t> count(Table table, std::string_view prefix) override { return inner_.count(table, prefix); }
  Result<std::vector<LogEntry>> read_log(std::uint64_t after, std::size_t limit, std::string_view subject) override {
    return inner_.read_log(after, limit, subject);
  }
  Result<std::uint64_t> last_sequence() override { return inner_.last_sequence(); }
  Result<std::unique_ptr<Snapshot>> snapshot() override { return inner_.snapshot(); }
  bool shared() const override { return inner_.shared(); }
  Result<Timestamp> now() override { return inner_.now(); }
  std::unique_ptr<Timer> watch(std::function<void()> on_change) override { return inner_.watch(std::move(on_change)); }
  std::string_view kind() const override { return inner_.kind(); }

 private:
  Store& inner_;
};

}  // namespace tandem::store
