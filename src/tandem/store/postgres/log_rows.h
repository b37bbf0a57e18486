// tandem/store/postgres/log_rows.h - rows of the event log: entries of one subject that are committed one after the other share a row.
//
// Room: store. Not here: when they are written (group_writer.h).
//
// A row costs the server its place in the table and in two indexes, whatever it holds. `sequence` is that of its last entry, `entries`
// how many there are. Of several, `value` has each with its size before it (append_sized); one is as it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "tandem/store/postgres/wire.h"
#include "tandem/store/store.h"

namespace tandem::postgres {

/// Values in one row, unless one alone is larger: with its subject below the 2 kB from which on the server compresses.
inline constexpr std::size_t kLogRowBytesMax = 1'800;

/// The parameters of kAppend. `left`, `mark`: as it says; the mark lives until they are sent.
Params append_params(std::span<const store::Append* const> entries, std::int64_t left, std::string_view mark);

/// The entries after `after`, `limit` at most, of rows as kAfter gives them. Errors: 3003 store_damaged.
Result<std::vector<store::LogEntry>> entries_of(const Answer& rows, std::uint64_t after, std::size_t limit);

}  // namespace tandem::postgres
