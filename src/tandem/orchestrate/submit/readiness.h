// tandem/orchestrate/submit/readiness.h - whether a backend is sent to at this moment, and what it asks for. Internal to this part.
//
// Room: orchestrate. Not here: what becomes of an attempt whose backend is not ready (submit.cc), how long it is waited for (engine).
#pragma once

#include "tandem/orchestrate/submit/submit.h"

namespace tandem::submit {

/// Asked right before money is reserved or bytes go out: whether it is asked for new work at all by now, whether it takes any, how long its
/// queue is, how old its calibration.
/// Errors: 1002 cancelled; 5020 queue_wait_predicted. A provider that states no wait is asked by the submission itself, and so is one that
/// does not answer, unless that is waited for.
Result<std::optional<NotReady>> why_not_ready(const SubmissionRequest& request, const Clock& clock,
                                              const std::stop_token& stop);

/// An error that says so.
Error nothing_sent(const Error& error);

struct Asked {
  std::optional<NotReady> not_ready;
  backend::Quote quote;  ///< where it is ready
};

/// why_not_ready(), and what it asks for now. Errors: those of both.
Result<Asked> ask(const SubmissionRequest& request, const Clock& clock, const std::stop_token& stop);

}  // namespace tandem::submit
