// tandem/store/connection_pool.h - ConnectionPool: reading connections, opened when needed and kept.
//
// Room: store. For implementations of Store only.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "tandem/base/result.h"

namespace tandem::store {

/// Threads: take() is safe to call concurrently; when all connections are in use it waits for one. A read is one statement, so
/// the wait is short.
template <typename Connection>
class ConnectionPool {
 public:
  using Open = std::function<Result<std::unique_ptr<Connection>>()>;

  /// A connection of the pool, given back when destroyed.
  class Lease {
   public:
    Lease(ConnectionPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), connection_(std::move(other.connection_)) {}
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (pool_ != nullptr) pool_->give_back(std::move(connection_));
    }
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }
    /// It is of no more use: closed now, and the pool opens another when one is needed.
    void drop() { connection_.reset(); }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  ConnectionPool(Open open, std::size_t connections_max) : open_(std::move(open)), connections_max_(connections_max) {}

  /// Errors: those of opening.
  Result<Lease> take() {
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
    auto connection = open_();
    if (!connection) {
      give_back(nullptr);
      return unexpected<Error>(std::move(connection).error());
    }
    return Lease(*this, *std::move(connection));
  }

  /// Closes what nobody uses now: after one session was lost, the others are likely to be.
  void drop_idle() {
    const std::lock_guard lock(mutex_);
    opened_ -= idle_.size();
    idle_.clear();
    given_back_.notify_all();
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (connection)
      idle_.push_back(std::move(connection));
    else
      --opened_;
    given_back_.notify_one();
  }

  const Open open_;
  const std::size_t connections_max_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the last one used is taken first: its cache is warm
  std::size_t opened_ = 0;
};

}  // namespace tandem::store
