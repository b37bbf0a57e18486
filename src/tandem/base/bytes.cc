#include "tandem/base/bytes.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <new>

#include "tandem/base/assert.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase32Digits = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view kBase64Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t kInflateStep = 256u << 10;  // output per inflate() call: large enough to be rare

constexpr std::array<std::int8_t, 256> values_of(std::string_view digits) {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    values[static_cast<unsigned char>(digits[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kHexValues = values_of(kHexDigits);
constexpr auto kBase64Values = values_of(kBase64Digits);

int value_of(const std::array<std::int8_t, 256>& values, char digit) {
  return values[static_cast<unsigned char>(digit)];
}

/// RFC 4648 in groups of `bits`: the digits of `bytes`, most significant bit first, without padding.
std::string to_digits(std::string_view bytes, std::string_view digits, unsigned bits) {
  std::string text;
  text.reserve((bytes.size() * 8 + bits - 1) / bits);
  std::uint32_t buffer = 0;
  unsigned held = 0;
  const std::uint32_t mask = (1u << bits) - 1;
  for (const char c : bytes) {
    buffer = buffer << 8 | static_cast<unsigned char>(c);
    held += 8;
    while (held >= bits) {
      held -= bits;
      text += digits[buffer >> held & mask];
    }
  }
  if (held > 0) text += digits[buffer << (bits - held) & mask];
  return text;
}

struct InflateEnd {
  void operator()(z_stream* stream) const { inflateEnd(stream); }
};

std::string_view reason_of(const z_stream& stream, int code) {
  if (stream.msg != nullptr) return stream.msg;
  return code == Z_BUF_ERROR ? "the data ends too early" : "damaged data";
}

/// Room in `out` for `needed` bytes, never more than `most`. The sizes are `most` halved: while bytes move from half of it
/// to all of it, no more than `most` of them exist.
void make_room(Bytes& out, std::size_t needed, std::size_t most) {
  if (needed <= out.capacity()) return;
  std::size_t room = most;
  while (room / 2 >= needed) room /= 2;
  out.reserve(room);
}

Result<Bytes> inflate_members(std::string_view compressed, std::uint64_t limit) {
  z_stream stream{};
  constexpr int kGzipOnly = 15 + 16;  // the largest window, gzip framing with its CRC checked
  if (inflateInit2(&stream, kGzipOnly) != Z_OK) {
    return fail(errors::kOutOfMemory, "no memory for decompression; free some memory and try again");
  }
  const std::unique_ptr<z_stream, InflateEnd> guard(&stream);
  Bytes out;
  // One byte beyond the limit tells that there is more.
  const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(limit, out.max_size() - 1)) + 1;
  std::size_t used = 0;  // input handed to zlib so far
  const auto consumed = [&] { return used - stream.avail_in; };
  int code = Z_OK;
  while (true) {
    if (stream.avail_in == 0 && used < compressed.size()) {
      const std::size_t piece = std::min<std::size_t>(compressed.size() - used, std::numeric_limits<uInt>::max());
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data() + used));
      stream.avail_in = static_cast<uInt>(piece);
      used += piece;
    }
    const std::size_t before = out.size();
    const std::size_t step = std::min(kInflateStep, most - before);
    make_room(out, before + step, most);
    out.resize(before + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(step);
    code = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + step - stream.avail_out);
    if (out.size() == most) {
      return fail(errors::kInputTooLarge, "the decompressed data is larger than the limit of {} bytes; split the input",
                  limit);
    }
    if (code == Z_STREAM_END) {
      if (consumed() == compressed.size()) return out;
      code = inflateReset(&stream);  // RFC 1952 2.2: a file is a series of members
    } else if (code == Z_BUF_ERROR || (code == Z_OK && stream.avail_out > 0 && consumed() == compressed.size())) {
      return fail(errors::kBadGzip, "the gzip data ends too early, after {} bytes; fetch or compress the file again",
                  compressed.size());
    }
    if (code != Z_OK) {
      return fail(errors::kBadGzip, "the gzip data is damaged near byte {} ({}); fetch or compress the file again",
                  consumed(), reason_of(stream, code));
    }
  }
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text(bytes.size() * 2, '\0');
  char* at = text.data();
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    *at++ = kHexDigits[byte >> 4];
    *at++ = kHexDigits[byte & 15];
  }
  return text;
}

Result<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0)
    return fail(errors::kBadEncoding, "hex text has {} digits, which is odd; encode it again", text.size());
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = value_of(kHexValues, text[i]);
    const int low = value_of(kHexValues, text[i + 1]);
    if (high < 0 || low < 0) {
      const std::size_t at = high < 0 ? i : i + 1;
      return fail(errors::kBadEncoding, "character {} at position {} is not a hex digit; use 0-9 and a-f",
                  quote(text.substr(at, 1)), at);
    }
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string to_base32(std::string_view bytes) { return to_digits(bytes, kBase32Digits, 5); }

std::string to_base64(std::string_view bytes) {
  std::string text = to_digits(bytes, kBase64Digits, 6);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

Result<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return fail(errors::kBadEncoding, "base64 text has {} characters, which is not a multiple of 4; encode it again",
                text.size());
  }
  std::size_t digits = text.size();
  while (digits > 0 && text.size() - digits < 2 && text[digits - 1] == '=') --digits;
  Bytes bytes;
  bytes.reserve(digits * 3 / 4);
  std::uint32_t buffer = 0;
  unsigned held = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    const int value = value_of(kBase64Values, text[i]);
    if (value < 0) {
      return fail(errors::kBadEncoding, "character {} at position {} is not base64; encode it again",
                  quote(text.substr(i, 1)), i);
    }
    buffer = (buffer << 6 | static_cast<std::uint32_t>(value)) & 0xffffffu;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(buffer >> held & 0xffu);
    }
  }
  // Bits beyond the last whole byte must be zero, so that one value has one spelling.
  if (held > 0 && (buffer & ((1u << held) - 1)) != 0) {
    return fail(errors::kBadEncoding, "base64 text ends with stray bits in {}; encode it again",
                quote(text.substr(digits - 1)));
  }
  return bytes;
}

Result<Bytes> gunzip(std::string_view compressed, std::uint64_t limit) {
  if (!is_gzip(compressed)) {
    return fail(errors::kBadGzip, "the data does not start with the gzip magic bytes 1f 8b; compress the file again");
  }
  try {
    return inflate_members(compressed, limit);
  } catch (const std::bad_alloc&) {
    return fail(errors::kOutOfMemory, "no memory to decompress {} bytes up to the limit of {} bytes", compressed.size(),
                limit);
  }
}

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 2) == "\x1f\x8b"; }

}  // namespace tandem
