#include "tandem/sim/disk.h"

#include "tandem/store/precondition.h"

namespace tandem::sim {

using store::Append;
using store::Check;
using store::Erase;
using store::Put;

Result<store::Committed> Disk::apply(const std::string& process, store::Batch batch) {
  TANDEM_TRY(store::check_limits(batch));
  const auto holds = [&](const auto& operation) -> Result<void> {
    const Rows& rows = this->rows(operation.table);
    const auto found = rows.find(operation.key);
    return store::check_expect(operation.table, operation.key, operation.expect,
                               found == rows.end() ? std::nullopt : std::optional(found->second.version));
  };
  for (const store::Operation& operation : batch.operations) {
    if (const auto* put = std::get_if<Put>(&operation)) TANDEM_TRY(holds(*put));
    if (const auto* erase = std::get_if<Erase>(&operation)) TANDEM_TRY(holds(*erase));
    if (const auto* check = std::get_if<Check>(&operation)) TANDEM_TRY(holds(*check));
  }
  ++batches_;
  store::Committed committed;
  Undo undo{.log_size = log_.size()};
  for (store::Operation& operation : batch.operations) {
    if (auto* append = std::get_if<Append>(&operation)) {
      log_.push_back({log_.size() + 1, std::move(append->subject), std::move(append->value)});
      committed.sequences.push_back(log_.size());
      continue;
    }
    if (std::holds_alternative<Check>(operation)) continue;
    auto* put = std::get_if<Put>(&operation);
    const store::Table table = put != nullptr ? put->table : std::get<Erase>(operation).table;
    std::string& key = put != nullptr ? put->key : std::get<Erase>(operation).key;
    Rows& rows = tables_[static_cast<std::size_t>(table)];
    auto found = rows.find(key);
    if (keeps_history_)
      undo.rows.push_back({table, key, found == rows.end() ? std::nullopt : std::optional(found->second)});
    if (put == nullptr) {
      if (found == rows.end()) continue;
      if (observer_) observer_(process, {.table = table, .key = key, .before = &found->second});
      rows.erase(found);
    } else {
      const bool is_new = found == rows.end();
      Cell after{.version = is_new ? 1 : found->second.version + 1, .value = std::move(put->value)};
      if (observer_)
        observer_(process, {.table = table, .key = key, .before = is_new ? nullptr : &found->second, .after = &after});
      if (is_new)
        rows.emplace(std::move(key), std::move(after));
      else
        found->second = std::move(after);
    }
  }
  if (keeps_history_) history_.push_back(std::move(undo));
  for (const auto& [id, watcher] : watchers) watcher();
  return committed;
}

void Disk::lose_unsynced() {
  for (; !history_.empty(); history_.pop_back()) {
    std::vector<Past>& rows = history_.back().rows;
    for (; !rows.empty(); rows.pop_back()) {
      Past& past = rows.back();
      Rows& table = tables_[static_cast<std::size_t>(past.table)];
      if (past.cell)
        table[past.key] = *std::move(past.cell);
      else
        table.erase(past.key);
    }
    log_.resize(history_.back().log_size);
  }
}

}  // namespace tandem::sim
