#include "tandem/orchestrate/engine/blob_sweep.h"

#include <algorithm>
#include <utility>

#include "tandem/base/bytes.h"
#include "tandem/base/text.h"

namespace tandem::engine {
namespace {

using store::Batch;
using store::Expect;
using store::Table;

constexpr std::string_view kNames = "unswept/";  ///< of the rows in Table::kMeta; a line each blob
constexpr std::size_t kHashDigits = 64;
constexpr std::size_t kNamesAtOnce = 256;  ///< rows erased in one commit

using Hash = std::array<char, 32>;

Hash packed(std::string_view hash) {
  Hash out{};
  const Bytes bytes = from_hex(hash).value_or(Bytes());
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
  return out;
}

std::string unpacked(const Hash& hash) { return to_hex({hash.data(), hash.size()}); }

bool is_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

void each_hash(std::string_view text, const std::function<void(std::string_view hash)>& take) {
  // A run of 64 covers one of any 64 places in a row: from there to both of its ends.
  std::size_t floor = 0;  // what stands before it was taken
  for (std::size_t at = kHashDigits - 1; at < text.size(); at += kHashDigits) {
    if (at < floor || !is_digit(text[at])) continue;
    std::size_t begin = at;
    while (begin > floor && is_digit(text[begin - 1])) --begin;
    std::size_t end = at + 1;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end - begin == kHashDigits) take(text.substr(begin, kHashDigits));
    floor = end;
  }
}

void leave_blobs(Batch& batch, std::string_view by, const std::vector<std::string>& blobs) {
  if (blobs.empty()) return;
  batch.put(Table::kMeta, std::string(kNames).append(by), fmt::format("{}", fmt::join(blobs, "\n")));
}

void each_raw(std::string_view document, const std::function<void(std::string_view hash)>& take) {
  constexpr std::string_view kMember = "\"raw_sha256\":\"";
  for (std::size_t at = document.find(kMember); at != std::string_view::npos; at = document.find(kMember, at)) {
    at += kMember.size();
    const std::string_view hash = document.substr(at, kHashDigits);
    if (hash.size() == kHashDigits && std::all_of(hash.begin(), hash.end(), is_digit)) take(hash);
  }
}

Result<Swept> BlobSweep::run() {
  if (!housekeeping_.fence(lead_)) return swept_;
  TANDEM_TRY(take_named());
  TANDEM_TRY(look_up());
  // From where names come to where they go: one that moves on while this looks is seen before or after.
  for (const Table table : {Table::kStep, Table::kSubmission, Table::kLineage, Table::kJob}) TANDEM_TRY(spare(table));
  TANDEM_TRY(erase_rest());
  TANDEM_TRY(forget_names());
  if (stopped_) swept_.complete = false;
  return swept_;
}

Result<void> BlobSweep::take_named() {
  store::Scan scan = store::Scan::prefix(Table::kMeta, std::string(kNames), kPage);
  while (true) {
    TANDEM_TRY_ASSIGN(const auto rows, store_.scan(scan));
    for (const store::Row& row : rows) {
      names_.push_back(row.key);
      each_hash(row.value, [&](std::string_view hash) { named_.push_back({.hash = packed(hash)}); });
    }
    swept_.complete = rows.size() < kPage;
    if (swept_.complete || names_.size() + named_.size() >= kNamedMax) break;
    scan.from = rows.back().key + '\0';
    stopped_ = !housekeeping_.rest();
    if (stopped_) return {};
  }
  std::sort(named_.begin(), named_.end(), [](const Named& a, const Named& b) { return a.hash < b.hash; });
  const auto same = [](const Named& a, const Named& b) { return a.hash == b.hash; };
  named_.erase(std::unique(named_.begin(), named_.end(), same), named_.end());
  swept_.named = named_.size();
  return {};
}

BlobSweep::Named* BlobSweep::find(std::string_view hash) {
  const Hash wanted = packed(hash);
  const auto at = std::lower_bound(named_.begin(), named_.end(), wanted,
                                   [](const Named& one, const Hash& other) { return one.hash < other; });
  return at != named_.end() && at->hash == wanted ? &*at : nullptr;
}

Result<void> BlobSweep::look_up() {
  std::size_t seen = 0;
  for (Named& one : named_) {
    if (stopped_) return {};
    TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBlob, unpacked(one.hash)));
    if (row) one.version = row->version;
    unneeded_ += row ? 1 : 0;
    if (++seen % kPage == 0) stopped_ = !housekeeping_.rest();
  }
  return {};
}

Result<void> BlobSweep::spare(Table table) {
  store::Scan scan{.table = table, .from = "", .until = "", .limit = kPage};
  while (!stopped_ && unneeded_ != 0) {
    TANDEM_TRY_ASSIGN(const auto rows, store_.scan(scan));
    for (const store::Row& row : rows) {
      each_hash(row.value, [&](std::string_view hash) {
        Named* const one = find(hash);
        if (one == nullptr || one->version == 0) return;
        one->version = 0;
        --unneeded_;
      });
    }
    if (rows.size() < kPage) return {};
    scan.from = rows.back().key + '\0';
    stopped_ = !housekeeping_.rest();
  }
  return {};
}

Result<void> BlobSweep::commit(Batch batch) {
  batch.operations.insert(batch.operations.end(), lead_.operations.begin(), lead_.operations.end());
  return store_.commit_and_wait(std::move(batch)).map([](const store::Committed&) {});
}

Result<void> BlobSweep::erase_rest() {
  std::vector<std::pair<std::string, std::uint64_t>> some;
  for (const Named& one : named_) {
    if (stopped_) return {};
    if (one.version == 0) continue;
    some.emplace_back(unpacked(one.hash), one.version);
    if (some.size() < kErasedAtOnce) continue;
    TANDEM_TRY(erase(some));
    some.clear();
    stopped_ = !housekeeping_.rest();
  }
  if (!some.empty() && !stopped_) TANDEM_TRY(erase(some));
  return {};
}

Result<void> BlobSweep::erase(const std::vector<std::pair<std::string, std::uint64_t>>& blobs) {
  Batch batch;
  for (const auto& [key, version] : blobs) batch.erase(Table::kBlob, key, Expect::at(version));
  auto done = commit(std::move(batch));
  if (done) {
    swept_.erased += blobs.size();
    return {};
  }
  if (done.error().number != errors::kPreconditionFailed) return tl::unexpected(std::move(done).error());
  // Somebody put one of them, or another process does this by now.
  if (blobs.size() == 1) {
    TANDEM_TRY_ASSIGN(const auto row, store_.get(Table::kBlob, blobs.front().first));
    if (row && row->version == blobs.front().second) return tl::unexpected(std::move(done).error());
    return {};
  }
  for (const auto& one : blobs) TANDEM_TRY(erase({one}));
  return {};
}

Result<void> BlobSweep::forget_names() {
  for (std::size_t at = 0; at < names_.size() && !stopped_; at += kNamesAtOnce) {
    Batch batch;
    for (std::size_t i = at; i < std::min(at + kNamesAtOnce, names_.size()); ++i) batch.erase(Table::kMeta, names_[i]);
    TANDEM_TRY(commit(std::move(batch)));
    stopped_ = !housekeeping_.rest();
  }
  return {};
}

}  // namespace tandem::engine
