// tandem/store/sqlite/reader_pool.h - read-only connections, opened when needed and kept.
//
// Room: store.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "tandem/store/sqlite/connection.h"

namespace tandem::sqlite {

/// Threads: take() is safe to call concurrently; when all connections are in use it waits for one. A read is one
/// statement, so the wait is short.
class ReaderPool {
 public:
  /// A connection of the pool, given back when destroyed.
  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<Connection> connection)
        : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&&) = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(std::move(connection_));
    }
    Connection* operator->() const { return connection_.get(); }
    Connection& operator*() const { return *connection_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  ReaderPool(std::string path, std::string vfs, std::size_t connections_max)
      : path_(std::move(path)), vfs_(std::move(vfs)), connections_max_(connections_max) {}

  /// Errors: those of Connection::open.
  Result<Lease> take();

 private:
  void give_back(std::unique_ptr<Connection> connection);

  const std::string path_;
  const std::string vfs_;
  const std::size_t connections_max_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  std::vector<std::unique_ptr<Connection>> idle_;  // the last one used is taken first: its cache is warm
  std::size_t opened_ = 0;
};

}  // namespace tandem::sqlite
