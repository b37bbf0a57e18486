// tandem/orchestrate/engine/answer_index.h - which earlier answers there are to a question, for the fallback "cached_result".
//
// Room: orchestrate; for the sources of this part only. An entry is written in the commit of its job's success, and holds what
// the answer was: a job of another tenant, project or data class never sees it. An entry whose bytes are gone is no answer.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/base/clock.h"
#include "tandem/evidence/lineage/lineage.h"
#include "tandem/store/store.h"

namespace tandem::engine {

inline constexpr std::string_view kAnswerIndex = "answer/";  ///< prefix of its entries in Table::kJobIndex

/// Whose questions and answers these are.
struct AnswerScope {
  std::string_view tenant;
  std::string_view project;  ///< empty: none, which is a scope as others are
  std::string_view data_class;
};

struct EarlierAnswer {
  JobId job;
  Timestamp finished_at;
  lineage::WorkRecord work;
  Bytes raw;
};

/// Orders that ask about the whole problem or program: their answers are indexed.
bool asks_whole(std::string_view label);

/// Adds the answers of a job to the commit of its success: one entry a question and backend, the latest. What was partial, or
/// was an earlier answer itself, is none.
void put_answers(store::Batch& batch, AnswerScope scope, const JobId& job, const std::vector<lineage::WorkRecord>& work,
                 Timestamp finished_at);

/// Adds that the entries go which are still this job's, also those without a project that former releases wrote.
/// Errors: those of the store.
Result<void> drop_answers(store::Store& store, store::Batch& batch, AnswerScope scope, const JobId& job,
                          const std::vector<lineage::WorkRecord>& work);

/// The youngest answer that fits. Errors: 5024 no_cached_result; those of the store.
Result<EarlierAnswer> find_answer(store::Store& store, AnswerScope scope, std::string_view label,
                                  const std::string& question_sha256, const job::Fallback& entry, Timestamp now);

}  // namespace tandem::engine
