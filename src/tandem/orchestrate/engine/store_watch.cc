#include "tandem/orchestrate/engine/store_watch.h"

#include <algorithm>
#include <iterator>

namespace tandem::engine {
namespace {

/// Room for the checkpoint of a large job, so that work does not start again only to stop at its next write.
constexpr std::size_t kProbeBytes = std::size_t{1} << 20;
constexpr const char* kProbeKey = "space_probe";

bool is_final_trouble(ErrorNumber number) { return number == errors::kStoreClosed; }

}  // namespace

bool is_store_trouble(const Error& error) {
  constexpr ErrorNumber kTroubles[] = {errors::kDiskFull,         errors::kStoreOutOfMemory, errors::kLockHeld,
                                       errors::kStoreUnreachable, errors::kIoError,          errors::kStoreClosed};
  return std::find(std::begin(kTroubles), std::end(kTroubles), error.number) != std::end(kTroubles);
}

void StoreWatch::note(const Error& error) {
  Error trouble = error;
  if (error.number == errors::kIoError) {
    // After a failed write or sync the store acknowledges nothing more (store.h); after a failed read it may well.
    const auto asked = store_.commit_and_wait(store::Batch());
    if (asked) return;
    trouble = make_error(errors::kStoreClosed, "the store stopped acknowledging: {}", error.to_string());
  }
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    if (trouble_ && is_final_trouble(trouble_->number)) return;  // the first reason is the reason
    news = !trouble_ || trouble_->number != trouble.number;
    trouble_ = trouble;
  }
  meter_.set("tandem_store_writable", 0);
  if (news) log_.write(LogLevel::kError, "store.cannot_write", {{"error", trouble.to_string()}});
}

Result<void> StoreWatch::writable() const {
  const std::lock_guard lock(mutex_);
  if (trouble_) return tl::unexpected(*trouble_);
  return {};
}

bool StoreWatch::may_recover() const {
  const std::lock_guard lock(mutex_);
  return trouble_ && !is_final_trouble(trouble_->number);
}

Result<void> StoreWatch::probe() {
  const auto write = [&](store::Batch batch) -> Result<void> {
    auto done = store_.commit_and_wait(std::move(batch));
    if (done) return {};
    note(done.error());
    return tl::unexpected(std::move(done).error());
  };
  TANDEM_TRY(write(store::Batch().put(store::Table::kMeta, kProbeKey, Bytes(kProbeBytes, '0'))));
  TANDEM_TRY(write(store::Batch().erase(store::Table::kMeta, kProbeKey)));
  {
    const std::lock_guard lock(mutex_);
    trouble_.reset();
  }
  meter_.set("tandem_store_writable", 1);
  log_.write(LogLevel::kWarning, "store.writes_again", {});
  return {};
}

}  // namespace tandem::engine
