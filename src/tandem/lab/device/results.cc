#include "tandem/lab/device/results.h"

namespace tandem::lab {
namespace {

std::string hex_number(std::span<const std::uint64_t> words) {
  std::string digits;
  for (std::size_t i = words.size(); i-- > 0;) {
    digits += digits.empty() ? (words[i] == 0 ? "" : fmt::format("{:x}", words[i])) : fmt::format("{:016x}", words[i]);
  }
  return "0x" + (digits.empty() ? "0" : digits);
}

Json counts_document(const result::Counts& counts) {
  Json table = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) table[hex_number(counts.outcome(i))] = counts.count(i);
  return {{"num_bits", counts.num_bits()}, {"shots", counts.shots()}, {"counts", std::move(table)}};
}

Json expectations_document(const result::Expectations& values) {
  Json list = Json::array();
  for (const result::Expectation& value : values) {
    list.push_back({{"value", value.value}, {"standard_error", value.standard_error}, {"shots", value.shots}});
  }
  return {{"expectations", std::move(list)}};
}

}  // namespace

Json pub_document(const result::PubResult& pub) {
  Json bindings = Json::array();
  for (const result::BindingResult& binding : pub.bindings) {
    const auto* counts = std::get_if<result::Counts>(&binding);
    bindings.push_back(counts != nullptr ? counts_document(*counts)
                                         : expectations_document(std::get<result::Expectations>(binding)));
  }
  return {{"bindings", std::move(bindings)}};
}

}  // namespace tandem::lab
