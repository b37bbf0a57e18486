#include "tandem/base/hash.h"
#include "tandem/evidence/lineage/lineage.h"
#include "tandem/hybrid/walk/walk.h"

namespace tandem::lineage {
namespace {

constexpr std::size_t kBriefMax = 60;  ///< of a value in a line of differences

using hybrid::Order;
using hybrid::Reply;

class Replayer {
 public:
  Replayer(const ReplayPackage& package, const backend::BackendRegistry& backends, std::size_t threads)
      : package_(package), backends_(backends), threads_(threads) {}

  Result<Reply> repeat(const Order& order, std::uint32_t round) {
    const WorkRecord* record = find(order.label, round);
    if (record == nullptr) {
      return fail(errors::kReplayDifferent, "the replayed walk asks for '{}' in round {}, the recorded one never did",
                  order.label, round);
    }
    Reply out = record->reply();
    if (record->raw_sha256.empty()) {
      out.error = Error{.number = static_cast<ErrorNumber>(record->error_number), .message = record->error};
      return out;
    }
    backend::Backend* backend = backends_.find(record->backend);
    if (backend == nullptr || backend->info().version != record->backend_version) {
      return fail(errors::kReplayNotComparable, "'{}' was done by {} version '{}'; here it is {}", order.label,
                  record->backend, record->backend_version,
                  backend == nullptr ? "absent" : fmt::format("version '{}'", backend->info().version));
    }
    TANDEM_TRY_ASSIGN(const backend::RawResult raw,
                      record->recomputed() ? compute(*backend, order, *record) : stored(*record));
    const std::string hash = sha256(raw.bytes).hex();
    if (hash != record->raw_sha256)
      differences.push_back(
          fmt::format("raw result of '{}': recorded {}, now {}", order.label, record->raw_sha256, hash));
    TANDEM_TRY_ASSIGN(out.result, backend->decode(raw, order.work));
    return out;
  }

  std::vector<std::string> differences;

 private:
  const WorkRecord* find(const std::string& label, std::uint32_t round) const {
    for (const WorkRecord& record : package_.work)
      if (record.label == label && record.round == round) return &record;
    return nullptr;
  }

  Result<backend::RawResult> stored(const WorkRecord& record) const {
    const auto found = package_.raw.find(record.raw_sha256);
    if (found == package_.raw.end()) {
      return fail(errors::kReplayNotComparable, "the raw result {} of '{}' is not in the package", record.raw_sha256,
                  record.label);
    }
    return backend::RawResult{.bytes = found->second,
                              .media_type = record.raw_media_type,
                              .billed = record.billed,
                              .calibration_id = record.calibration_id};
  }

  /// Local work again, by units instead of time.
  Result<backend::RawResult> compute(backend::Backend& backend, const Order& order, const WorkRecord& record) const {
    backend::Work work = order.work;
    if (auto* solve = std::get_if<backend::SolveWork>(&work)) {
      solve->time_ms = 0;
      solve->options.work.units = record.work_done;
    }
    const backend::CallContext call{.threads = threads_};
    const auto handle = backend.submit(work, "", call);
    if (!handle) return tl::unexpected(handle.error().error);
    TANDEM_TRY(backend.poll({.handle = *handle, .token = ""}, call));
    auto raw = backend.fetch({.handle = *handle, .token = ""}, call);
    backend.forget(*handle);
    return raw;
  }

  const ReplayPackage& package_;
  const backend::BackendRegistry& backends_;
  std::size_t threads_;
};

void compare(const Json& a, const Json& b, const std::string& path, std::size_t limit, std::vector<std::string>& out) {
  if (out.size() >= limit || a == b) return;
  const bool objects = a.is_object() && b.is_object();
  const bool arrays = a.is_array() && b.is_array() && a.size() == b.size();
  if (!objects && !arrays) {
    const auto brief = [](const Json& value) {
      std::string text = value.dump();
      if (text.size() > kBriefMax) {
        std::size_t end = kBriefMax;
        while ((static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;  // not inside a character
        text.resize(end);
        text += "...";
      }
      return text;
    };
    out.push_back(fmt::format("{}: {} / {}", path.empty() ? "/" : path, brief(a), brief(b)));
    return;
  }
  if (arrays) {
    for (std::size_t i = 0; i < a.size(); ++i) compare(a[i], b[i], fmt::format("{}/{}", path, i), limit, out);
    return;
  }
  for (const auto& [key, value] : a.items()) compare(value, b.value(key, Json()), path + "/" + key, limit, out);
  for (const auto& [key, value] : b.items())
    if (!a.contains(key)) compare(Json(), value, path + "/" + key, limit, out);
}

}  // namespace

Result<ReplayOutcome> replay(const ReplayPackage& package, const backend::BackendRegistry& backends,
                             const problem::ProblemRegistry& problems, std::size_t threads) {
  TANDEM_TRY_ASSIGN(const job::JobSpec spec, job::JobSpec::parse(package.spec, problems));
  TANDEM_TRY_ASSIGN(const job::Plan plan, job::Plan::parse(package.plan, "/plan"));
  TANDEM_TRY_ASSIGN(const std::unique_ptr<hybrid::Loop> loop, walk::make_walk(spec, plan));
  Replayer replayer(package, backends, threads);
  Json state = loop->initial_state();
  std::vector<Reply> replies;
  for (std::uint32_t round = 0;; ++round) {
    TANDEM_TRY_ASSIGN(hybrid::Advance advance, loop->next(state, replies));
    if (advance.done) {
      job::ResultDocument& result = advance.done->result;
      result.acceptance = walk::evaluate_acceptance(spec, result);
      const JsonText computed = result.computed();
      ReplayOutcome out{.canonical = computed.value(), .differences = std::move(replayer.differences)};
      out.canonical_sha256 = sha256(computed.text()).hex();
      return out;
    }
    state = std::move(advance.state);
    replies.clear();
    for (const Order& order : advance.orders) {
      TANDEM_TRY_ASSIGN(Reply reply, replayer.repeat(order, round));
      replies.push_back(std::move(reply));
    }
  }
}

std::vector<std::string> difference(const Json& a, const Json& b, std::size_t limit) {
  std::vector<std::string> out;
  compare(a, b, "", limit, out);
  return out;
}

}  // namespace tandem::lineage
