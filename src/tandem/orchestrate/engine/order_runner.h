// tandem/orchestrate/engine/order_runner.h - carries out the orders of one round: backends, fallbacks, raw bytes first.
//
// Room: orchestrate. Local work is submitted, awaited and fetched here; remote work goes through the submission ledger. What a
// backend answered is stored (blob, record, event in one commit) before it is decoded, so a crash costs at most the running work.
#pragma once

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "tandem/evidence/lineage/lineage.h"
#include "tandem/hybrid/loop.h"
#include "tandem/orchestrate/engine/engine.h"

namespace tandem::engine {

/// Whose orders these are.
struct OrderContext {
  JobId job;
  std::string tenant;
  std::uint64_t fence = 0;
  std::uint32_t round = 0;
  std::size_t threads = 0;
  std::stop_token stop;
  Deadline deadline = Deadline::never();
  std::function<void(const std::string& label, double energy)> on_incumbent;
};

struct Carried {
  hybrid::Reply reply;
  lineage::WorkRecord record;
};

/// Threads: one call a job at a time.
class OrderRunner {
 public:
  OrderRunner(EngineServices& services) : services_(services) {}

  /// Runs all orders side by side; an order whose record is checkpointed already is decoded from its raw bytes instead.
  /// When an order named "solve" proves its answer, the others of the round are stopped: nothing is left to find.
  /// Errors: those of the store; 5005 stale_fence. A failed order is a Carried with an error, not an error here.
  Result<std::vector<Carried>> run(std::span<const hybrid::Order> orders, const OrderContext& context);

 private:
  Result<Carried> run_one(const hybrid::Order& order, const OrderContext& context, std::size_t threads,
                          std::stop_token stop);
  Result<std::optional<Carried>> resume(const hybrid::Order& order, const OrderContext& context);
  Result<void> checkpoint(const Carried& carried, const Bytes& raw, const OrderContext& context);

  EngineServices& services_;
};

/// "<job>/<round>/<label>" in Table::kStep.
std::string step_key(const JobId& job, std::uint32_t round, std::string_view label);

}  // namespace tandem::engine
