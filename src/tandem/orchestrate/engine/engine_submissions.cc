// What people say of work at providers that nothing else resolves.
#include <algorithm>

#include "tandem/orchestrate/engine/engine_impl.h"

namespace tandem::engine {
namespace {

Result<void> check_word(const PersonsWord& word) {
  if (word.reason.empty())
    return fail_at("/reason", errors::kMissingKey, "it is kept with the submission, and has to say how this is known");
  return check_reason(word.reason);
}

}  // namespace

Result<submit::SubmissionPage> EngineImpl::submissions(const SubmissionQuery& query) {
  if (query.projects.empty()) return services_.submitter.list(query);
  return services_.submitter.list(query, [&](const submit::SubmissionRecord& record) -> Result<bool> {
    const auto job = reads_.job(record.job);
    if (!job && job.error().number == errors::kJobNotFound) return false;
    TANDEM_TRY(job);
    return std::ranges::find(query.projects, job->project) != query.projects.end();
  });
}

Result<SubmissionRecord> EngineImpl::submission(std::string_view token) { return services_.submitter.find(token); }

Result<SubmissionRecord> EngineImpl::release(std::string_view token, const PersonsWord& word, job::Money billed) {
  TANDEM_TRY(check_word(word));
  auto done = reconciler_.release(token, word, billed, drain_.get_token());
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  return done;
}

Result<SubmissionRecord> EngineImpl::adopt(std::string_view token, const PersonsWord& word, std::string_view handle) {
  TANDEM_TRY(check_word(word));
  auto done = reconciler_.adopt(token, word, handle, drain_.get_token());
  if (!done && is_store_trouble(done.error())) cannot_store(done.error());
  return done;
}

}  // namespace tandem::engine
