#include "tandem/sim/options.h"

#include <algorithm>
#include <iterator>

#include "tandem/base/rng.h"

namespace tandem::sim {
namespace {

using backend::SubmitSafety;

constexpr std::string_view kPlantNames[] = {"none",
                                            "fence-dropped",
                                            "reply-before-sync",
                                            "retry-on-ambiguous-b",
                                            "retry-on-ambiguous-c",
                                            "retry-on-ambiguous-d",
                                            "lease-by-local-clock",
                                            "approve-unseen"};
constexpr SubmitSafety kClasses[] = {SubmitSafety::kA, SubmitSafety::kB, SubmitSafety::kC, SubmitSafety::kD};
constexpr std::uint64_t kOptionStream = 1;

}  // namespace

std::string_view to_string(Plant plant) { return kPlantNames[static_cast<std::size_t>(plant)]; }

std::optional<Plant> find_plant(std::string_view name) {
  for (std::size_t i = 0; i < std::size(kPlantNames); ++i)
    if (kPlantNames[i] == name) return static_cast<Plant>(i);
  return std::nullopt;
}

std::optional<SubmitSafety> resends(Plant plant) {
  switch (plant) {
    case Plant::kRetryOnAmbiguousB:
      return SubmitSafety::kB;
    case Plant::kRetryOnAmbiguousC:
      return SubmitSafety::kC;
    case Plant::kRetryOnAmbiguousD:
      return SubmitSafety::kD;
    default:
      return std::nullopt;
  }
}

std::string Vendor::id() const {
  constexpr std::string_view kIds[] = {"qpu.a", "qpu.b", "qpu.c", "qpu.d"};
  return std::string(kIds[static_cast<std::size_t>(safety) - static_cast<std::size_t>(SubmitSafety::kA)]);
}

Options Options::expand(std::uint64_t seed, Plant plant) {
  Xoshiro256 rng(derive_seed(seed, kOptionStream));
  const auto between = [&](std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(high - low) + 1));
  };
  const auto often = [&](double share) { return rng.uniform() < share; };
  /// A chance up to `most` in some histories, 0 in the others.
  const auto sometimes = [&](double share, double most) {
    const double size = rng.uniform();
    return often(share) ? size * most : 0;
  };
  Options out{.seed = seed, .plant = plant};
  out.nodes = static_cast<std::uint32_t>(between(1, 3));
  out.shared = out.nodes > 1 || often(0.3);
  out.api_node = out.nodes > 1 && often(0.25);
  out.workers = static_cast<std::uint32_t>(between(1, 3));
  out.lease_ttl = between(300, 2000);
  out.remote_deadline = between(200, 2000);
  out.settle_window = between(50, 800);

  out.clients = static_cast<std::uint32_t>(between(1, 5));
  out.jobs_per_client = static_cast<std::uint32_t>(between(1, 6));
  out.cancels = sometimes(0.5, 0.5);
  out.problems = sometimes(0.2, 0.2);
  out.short_of_time = sometimes(0.4, 0.4);
  out.short_of_money = sometimes(0.3, 0.3);

  out.commit_micros = often(0.3) ? between(1'000, 20'000) : between(20, 1'000);
  out.commit_slow = sometimes(0.3, 0.02);
  out.crash_before_commit = sometimes(0.35, 0.02);
  out.crash_after_commit = sometimes(0.35, 0.02);
  out.pause_at_commit = sometimes(0.3, 0.02);
  out.commit_failed = sometimes(0.15, 0.005);

  out.request_lost = sometimes(0.3, 0.1);
  out.reply_lost = sometimes(0.3, 0.2);
  out.request_doubled = sometimes(0.3, 0.2);

  out.device_refuses = sometimes(0.3, 0.2);
  out.window_closed = sometimes(0.3, 0.2);
  out.device_fails = sometimes(0.3, 0.3);
  out.device_names_no_bill = sometimes(0.2, 0.3);
  out.device_garbage = sometimes(0.2, 0.2);
  out.device_loses_result = sometimes(0.2, 0.1);
  out.submit_lost = sometimes(0.3, 0.2);
  out.submit_reply_lost = sometimes(0.4, 0.3);
  out.submit_late = sometimes(0.3, 0.2);
  out.submit_doubled = sometimes(0.3, 0.3);
  out.local_fails = sometimes(0.3, 0.3);

  out.faults_every = often(0.7) ? between(100, 2000) : 0;
  out.crashes = often(0.5);
  out.restarts = often(0.4);
  out.pauses = often(0.4);
  out.clock_jumps = often(0.4);
  out.disk_fills = often(0.25);
  out.store_cuts = often(0.25);
  out.device_outages = often(0.3);

  out.device_throttles = sometimes(0.4, 0.6);
  out.runner_node = often(0.25) && !out.api_node;
  out.tenants = static_cast<std::uint32_t>(between(1, 3));
  out.projects = static_cast<std::uint32_t>(between(1, 3));
  out.serial = sometimes(0.4, 0.8);
  out.suspends = sometimes(0.4, 0.5);
  out.doubtful = sometimes(0.3, 0.5);
  out.retries = sometimes(0.3, 0.5);
  out.approvals = sometimes(0.4, 0.6);
  out.limits = often(0.6);
  out.tight_limits = out.limits && often(0.5);

  const double vendors = often(0.3) ? 1 : 0.35;  // all four beside each other, or some
  for (const SubmitSafety safety : kClasses) {
    const Vendor vendor{.safety = safety,
                        .emulated = often(0.3),
                        .price_usd_micros = between(600, 1400),
                        .price_period = between(100, 1500)};
    if (often(vendors) || resends(plant) == safety) out.vendors.push_back(vendor);
  }
  if (out.vendors.empty()) out.vendors.push_back({.safety = kClasses[rng.below(std::size(kClasses))]});
  out.submits_lost = sometimes(0.5, 0.5);

  switch (plant) {
    case Plant::kNone:
      break;
    case Plant::kFenceDropped:
      out.nodes = std::max(out.nodes, 2u);
      out.shared = true;
      break;
    case Plant::kReplyBeforeSync:  // taken back when the power fails: one machine, and nobody beside it
      out.nodes = 1;
      out.shared = false;
      out.api_node = false;
      out.crash_after_commit = std::max(out.crash_after_commit, 0.01);
      break;
    case Plant::kRetryOnAmbiguousB:
    case Plant::kRetryOnAmbiguousC:
    case Plant::kRetryOnAmbiguousD:
      break;  // its vendor is there
    case Plant::kApproveUnseen:
      out.approvals = std::max(out.approvals, 0.5);
      break;
    case Plant::kLeaseByLocalClock:
      out.nodes = std::max(out.nodes, 2u);
      out.shared = true;
      out.clock_jumps = true;
      break;
  }
  return out;
}

Json Options::document() const {
  Json list = Json::array();
  for (const Vendor& vendor : vendors)
    list.push_back({{"id", vendor.id()},
                    {"safety", backend::to_string(vendor.safety)},
                    {"emulated", vendor.emulated},
                    {"price_usd_micros", vendor.price_usd_micros},
                    {"price_period_ms", vendor.price_period}});
  return {{"seed", seed},
          {"plant", to_string(plant)},
          {"nodes", nodes},
          {"shared", shared},
          {"api_node", api_node},
          {"runner_node", runner_node},
          {"workers", workers},
          {"lease_ttl_ms", lease_ttl},
          {"remote_deadline_ms", remote_deadline},
          {"settle_window_ms", settle_window},
          {"clients", clients},
          {"jobs_per_client", jobs_per_client},
          {"tenants", tenants},
          {"projects", projects},
          {"serial", serial},
          {"cancels", cancels},
          {"suspends", suspends},
          {"doubtful", doubtful},
          {"retries", retries},
          {"approvals", approvals},
          {"problems", problems},
          {"limits", limits},
          {"tight_limits", tight_limits},
          {"short_of_time", short_of_time},
          {"short_of_money", short_of_money},
          {"commit_us", commit_micros},
          {"commit_slow", commit_slow},
          {"crash_before_commit", crash_before_commit},
          {"crash_after_commit", crash_after_commit},
          {"pause_at_commit", pause_at_commit},
          {"commit_failed", commit_failed},
          {"request_lost", request_lost},
          {"reply_lost", reply_lost},
          {"request_doubled", request_doubled},
          {"vendors", std::move(list)},
          {"device_refuses", device_refuses},
          {"window_closed", window_closed},
          {"device_throttles", device_throttles},
          {"device_fails", device_fails},
          {"device_names_no_bill", device_names_no_bill},
          {"device_garbage", device_garbage},
          {"device_loses_result", device_loses_result},
          {"submit_lost", submit_lost},
          {"submits_lost", submits_lost},
          {"submit_reply_lost", submit_reply_lost},
          {"submit_late", submit_late},
          {"submit_doubled", submit_doubled},
          {"local_fails", local_fails},
          {"faults_every_ms", faults_every},
          {"crashes", crashes},
          {"restarts", restarts},
          {"pauses", pauses},
          {"clock_jumps", clock_jumps},
          {"disk_fills", disk_fills},
          {"store_cuts", store_cuts},
          {"device_outages", device_outages}};
}

}  // namespace tandem::sim
