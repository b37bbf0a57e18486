// tandem/base/bytes.h - byte strings and their text forms.
//
// Room: base.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tandem/base/result.h"

namespace tandem {

/// Bytes travel as std::string: contiguous, movable, comparable.
using Bytes = std::string;

std::string to_hex(std::string_view bytes);
/// Errors: 1030 bad_encoding - odd length or a digit outside [0-9a-f].
Result<Bytes> from_hex(std::string_view text);
/// RFC 4648 base32, lower case, no padding.
std::string to_base32(std::string_view bytes);
/// RFC 4648 base64 with padding.
std::string to_base64(std::string_view bytes);
/// Errors: 1030 bad_encoding.
Result<Bytes> from_base64(std::string_view text);

/// Inflates gzip (RFC 1952) up to `limit` bytes of output; never holds more than that of it in memory.
/// Errors: 1031 bad_gzip - damaged or truncated; 1003 input_too_large - the output would exceed `limit`;
///         1004 out_of_memory.
Result<Bytes> gunzip(std::string_view compressed, std::uint64_t limit);
/// True for the two magic bytes of gzip.
bool is_gzip(std::string_view bytes);

}  // namespace tandem
