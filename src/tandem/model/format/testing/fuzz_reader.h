// tandem/model/format/testing/fuzz_reader.h - what every reader must hold for any bytes.
//
// Room: model, fuzzers only.
#pragma once

#include <cstdint>
#include <string_view>

#include "tandem/base/assert.h"
#include "tandem/model/format/format.h"

namespace tandem::format {

/// Reads `data` as `format`: an error has a number and a message; a problem is written and read back equal.
inline void fuzz_reader(const std::uint8_t* data, std::size_t size, FileFormat format, const ReadOptions& said) {
  static const auto registry = problem::ProblemRegistry::with_builtin_types();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadOptions options = said;
  options.format = format;
  options.limits = {.bytes_max = 1u << 20, .variables_max = 1000, .terms_max = 100'000};
  const auto problem = read_problem(text, "fuzz", options, registry);
  if (!problem) {
    TANDEM_ASSERT(!problem.error().message.empty() && !problem.error().place.empty());
    TANDEM_ASSERT(problem.error().number != errors::kInternal);
    return;
  }
  const auto written = write_problem(**problem, format);
  TANDEM_ASSERT(written.has_value());
  ReadOptions as_before = said;
  as_before.format = format;
  const auto again = read_problem(*written, "again", as_before, registry);
  TANDEM_ASSERT(again.has_value() && (*again)->hash() == (*problem)->hash());
}

}  // namespace tandem::format
