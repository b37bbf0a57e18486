// tandem/model/format/dimod.h - results as dimod SampleSets in JSON.
//
// Room: model. dimod.SampleSet.from_serializable(json.load(file)) reads it.
#pragma once

#include <span>
#include <string>

#include "tandem/base/json.h"
#include "tandem/model/result/sample_set.h"

namespace tandem::format {

/// Serialisation schema 3.2.0 of dimod with plain lists (sample_packed false). Labels are the names, or 0, 1, 2, ... without.
/// `info` is passed on; it must not hold {"type": "array", ...}, which dimod would take for an array.
Json dimod_sample_set(const result::SampleSet& samples, std::span<const std::string> names, Json info);

}  // namespace tandem::format
