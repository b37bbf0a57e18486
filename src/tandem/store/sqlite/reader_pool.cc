#include "tandem/store/sqlite/reader_pool.h"

#include <utility>

namespace tandem::sqlite {

Result<ReaderPool::Lease> ReaderPool::take() {
  {
    std::unique_lock lock(mutex_);
    given_back_.wait(lock, [this] { return !idle_.empty() || opened_ < connections_max_; });
    if (!idle_.empty()) {
      Lease lease(*this, std::move(idle_.back()));
      idle_.pop_back();
      return lease;
    }
    ++opened_;
  }
  auto connection = Connection::open(path_, vfs_, Access::kReader);
  if (!connection) {
    const std::lock_guard lock(mutex_);
    --opened_;
    given_back_.notify_one();
    return unexpected<Error>(std::move(connection).error());
  }
  return Lease(*this, *std::move(connection));
}

void ReaderPool::give_back(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
  given_back_.notify_one();
}

}  // namespace tandem::sqlite
