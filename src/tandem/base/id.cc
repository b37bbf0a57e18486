#include "tandem/base/id.h"

#include <array>

#include "tandem/base/bytes.h"
#include "tandem/base/clock.h"
#include "tandem/base/rng.h"
#include "tandem/base/text.h"

namespace tandem {
namespace {

constexpr std::string_view kJobPrefix = "job_";
constexpr std::string_view kUuidShape = "xxxxxxxx-xxxx-7xxx-vxxx-xxxxxxxxxxxx";

bool is_uuid7(std::string_view text) {
  if (text.size() != kUuidShape.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    switch (kUuidShape[i]) {
      case 'x':
        if (!hex) return false;
        break;
      case 'v':
        if (c != '8' && c != '9' && c != 'a' && c != 'b') return false;
        break;
      default:
        if (c != kUuidShape[i]) return false;
    }
  }
  return true;
}

}  // namespace

std::string new_uuid7(const Clock& clock, Rng& rng) {
  const auto micros = static_cast<std::uint64_t>(clock.now().micros);
  const std::uint64_t millis = micros / 1000;
  // RFC 9562 6.2 method 3: the 12 bits after the version carry the fraction of the millisecond, so ids sort by microsecond.
  const std::uint64_t fraction = micros % 1000 * 4096 / 1000;
  std::array<std::uint8_t, 16> bytes{};
  rng.fill(std::span(bytes).subspan(8));
  for (unsigned i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  bytes[6] = static_cast<std::uint8_t>(0x70u | fraction >> 8);
  bytes[7] = static_cast<std::uint8_t>(fraction);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3fu) | 0x80u);
  std::string text = to_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const std::size_t dash : {8u, 13u, 18u, 23u}) text.insert(dash, 1, '-');
  return text;
}

JobId new_job_id(const Clock& clock, Rng& rng) { return JobId(std::string(kJobPrefix) + new_uuid7(clock, rng)); }

Result<JobId> parse_job_id(std::string_view text) {
  if (!text.starts_with(kJobPrefix) || !is_uuid7(text.substr(kJobPrefix.size()))) {
    return fail(errors::kBadId,
                "{} is not a job id; it is 'job_' and a version 7 UUID of 36 characters, as `tandem jobs` prints it",
                quote(text));
  }
  return JobId(std::string(text));
}

}  // namespace tandem
