#include "tandem/store/postgres/log_rows.h"

#include <deque>
#include <optional>

namespace tandem::postgres {

using store::Append;
using store::LogEntry;

namespace {

/// Takes the first value off `rest`. Nothing: there is none.
std::optional<std::string_view> take(std::string_view& rest) {
  if (rest.size() < kSizeBytes) return std::nullopt;
  const std::size_t size = number_at<std::uint32_t>(rest.data());
  rest.remove_prefix(kSizeBytes);
  if (rest.size() < size) return std::nullopt;
  const std::string_view value = rest.substr(0, size);
  rest.remove_prefix(size);
  return value;
}

/// The values of a row; as many as it says, or none.
std::vector<std::string_view> values_of(std::string_view value, std::int64_t entries) {
  if (entries == 1) return {value};
  std::vector<std::string_view> out;
  while (static_cast<std::int64_t>(out.size()) < entries) {
    const auto one = take(value);
    if (!one) return {};
    out.push_back(*one);
  }
  return value.empty() ? out : std::vector<std::string_view>();
}

}  // namespace

Params append_params(std::span<const Append* const> entries, std::int64_t left, std::string_view mark) {
  std::vector<std::string_view> subjects;
  std::vector<std::string_view> values;
  std::vector<std::int64_t> counts;
  std::vector<std::int64_t> upto;
  std::deque<Bytes> shared;  // what `values` points into
  for (std::size_t i = 0; i < entries.size();) {
    const std::size_t first = i;
    std::size_t bytes = entries[i]->value.size() + kSizeBytes;
    for (++i; i < entries.size() && entries[i]->subject == entries[first]->subject; ++i) {
      bytes += entries[i]->value.size() + kSizeBytes;
      if (bytes > kLogRowBytesMax) break;
    }
    subjects.push_back(entries[first]->subject);
    counts.push_back(static_cast<std::int64_t>(i - first));
    upto.push_back(static_cast<std::int64_t>(i));
    if (i - first == 1) {
      values.push_back(entries[first]->value);
      continue;
    }
    Bytes& row = shared.emplace_back();
    row.reserve(bytes);
    for (std::size_t k = first; k < i; ++k) append_sized(row, entries[k]->value);
    values.push_back(row);
  }
  Params params;
  params.byte_strings(subjects).byte_strings(values).integers(counts).integers(upto).integer(left).bytes(mark);
  return params;
}

Result<std::vector<LogEntry>> entries_of(const Answer& rows, std::uint64_t after, std::size_t limit) {
  std::vector<LogEntry> out;
  for (std::size_t row = 0; row < rows.num_rows(); ++row) {
    const std::vector<std::string_view> values = values_of(rows.bytes(row, 2), rows.integer(row, 3));
    const auto last = static_cast<std::uint64_t>(rows.integer(row, 0));
    if (values.empty() || last < values.size())
      return fail(errors::kStoreDamaged, "row {} of the event log cannot be read: restore the last backup", last);
    std::uint64_t sequence = last - values.size();
    for (const std::string_view value : values) {
      if (++sequence <= after) continue;
      if (out.size() == limit) return out;
      out.push_back({sequence, std::string(rows.bytes(row, 1)), Bytes(value)});
    }
  }
  return out;
}

}  // namespace tandem::postgres
