// tandem/store/precondition.h - what every Store checks alike, so that one batch gets one answer and one message
// everywhere.
//
// Room: store. For implementations of Store only.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tandem/store/store.h"

namespace tandem::store {

/// Errors: 3006 batch_too_large - too many operations or bytes, or a key or value above its limit.
Result<void> check_limits(const Batch& batch);

/// `version` is that of the row before the batch; nothing when there is no row.
/// Errors: 3004 precondition_failed.
Result<void> check_expect(Table table, std::string_view key, Expect expect, std::optional<std::uint64_t> version);

/// Bytes of keys and values: what a batch costs to hold and to write.
std::size_t size_bytes(const Operation& operation);
std::size_t size_bytes(const Batch& batch);

}  // namespace tandem::store
