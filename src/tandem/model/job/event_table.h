// GENERATED from contract/events.json by tools/contract/generate. Do not edit.
// tandem/model/job/event_table.h - the catalogue of events; read by job_event.cc only.
#pragma once

#include <array>

#include "tandem/model/job/job_event.h"

namespace tandem::job {

// Members of the data of each type, with their JSON types.
inline constexpr std::array<EventMember, 11> kJobQueuedMembers{{{"cost_max_usd_micros", "integer"}, {"home", "string"}, {"name", "string"}, {"problem_type", "string"}, {"project", "string"}, {"rank", "integer"}, {"retry_of", "string|null"}, {"serial_key", "string"}, {"spec_sha256", "string"}, {"start_by", "integer"}, {"tenant", "string"}}};
inline constexpr std::array<EventMember, 2> kJobStartedMembers{{{"fence", "integer"}, {"start", "integer"}}};
inline constexpr std::array<EventMember, 4> kJobPlannedMembers{{{"digest", "string"}, {"policy_digest", "string"}, {"primary", "string"}, {"reasons", "array"}}};
inline constexpr std::array<EventMember, 2> kRoundStartedMembers{{{"orders", "array"}, {"round", "integer"}}};
inline constexpr std::array<EventMember, 10> kStepFinishedMembers{{{"backend", "string"}, {"billed_usd_micros", "integer"}, {"cached_age_ms", "integer|null"}, {"cached_from", "string"}, {"elapsed_ms", "number"}, {"emulated", "boolean"}, {"error", "string"}, {"label", "string"}, {"path", "array"}, {"round", "integer"}}};
inline constexpr std::array<EventMember, 9> kStepRetryingMembers{{{"backend", "string"}, {"delay_ms", "integer"}, {"error", "string"}, {"error_class", "string"}, {"label", "string"}, {"number", "integer"}, {"round", "integer"}, {"tries_max", "integer"}, {"try", "integer"}}};
inline constexpr std::array<EventMember, 6> kStepWaitingMembers{{{"backend", "string"}, {"error", "string"}, {"label", "string"}, {"number", "integer"}, {"round", "integer"}, {"wait_max_ms", "integer"}}};
inline constexpr std::array<EventMember, 2> kJobRequeuedMembers{{{"error", "string"}, {"number", "integer"}}};
inline constexpr std::array<EventMember, 1> kJobCancelRequestedMembers{{{"reason", "string"}}};
inline constexpr std::array<EventMember, 4> kJobRemovedMembers{{{"reason", "string"}, {"result_sha256", "string"}, {"spec_sha256", "string"}, {"state", "string"}}};
inline constexpr std::array<EventMember, 1> kJobResumedMembers{{{"starts", "integer"}}};
inline constexpr std::array<EventMember, 5> kJobSucceededMembers{{{"acceptance_met", "boolean"}, {"billed_usd_micros", "integer"}, {"lineage_id", "string"}, {"objective", "number|null"}, {"result_sha256", "string"}}};
inline constexpr std::array<EventMember, 2> kJobAwaitingApprovalMembers{{{"approval_id", "string"}, {"expires_at", "string"}}};
inline constexpr std::array<EventMember, 2> kJobApprovedMembers{{{"approval_id", "string"}, {"approved_by", "array"}}};
inline constexpr std::array<EventMember, 10> kApprovalRequestedMembers{{{"approval_id", "string"}, {"cost_max_emulated_usd_micros", "integer"}, {"cost_max_usd_micros", "integer"}, {"expires_at", "string"}, {"external_ref", "string"}, {"needs", "array"}, {"plan_digest", "string"}, {"policy_digest", "string"}, {"submitted_before", "array"}, {"submitted_by", "string"}}};
inline constexpr std::array<EventMember, 6> kApprovalDecidedMembers{{{"approval_id", "string"}, {"decision", "string"}, {"external_ref", "string"}, {"plan_digest", "string"}, {"reason", "string"}, {"state", "string"}}};
inline constexpr std::array<EventMember, 3> kApprovalClosedMembers{{{"approval_id", "string"}, {"reason", "string"}, {"state", "string"}}};
inline constexpr std::array<EventMember, 4> kJobAwaitingReviewMembers{{{"confidence", "number"}, {"error", "string"}, {"number", "integer"}, {"result_sha256", "string"}}};
inline constexpr std::array<EventMember, 12> kSubmissionReservedMembers{{{"attempt", "integer"}, {"backend", "string"}, {"billed_usd_micros", "integer|null"}, {"emulated", "boolean"}, {"fence", "integer"}, {"handle", "string"}, {"raw_sha256", "string"}, {"reason", "string"}, {"reserved_usd_micros", "integer"}, {"sends", "integer"}, {"step", "string"}, {"token", "string"}}};
inline constexpr std::array<EventMember, 14> kBudgetAlertMembers{{{"backend", "string"}, {"crossed", "string"}, {"emulated", "boolean"}, {"forecast", "number|null"}, {"held", "integer|null"}, {"limit", "integer"}, {"overrun", "integer|null"}, {"period", "string"}, {"project", "string"}, {"settled", "integer|null"}, {"span", "string"}, {"tenant", "string"}, {"unit", "string"}, {"user", "string"}}};

/// Every type, in the order of contract/events.json.
inline constexpr std::array<EventRecord, 41> kEventTable{{
    {.type = "job.queued", .members = kJobQueuedMembers},
    {.type = "job.started", .members = kJobStartedMembers},
    {.type = "job.planned", .members = kJobPlannedMembers},
    {.type = "round.started", .members = kRoundStartedMembers},
    {.type = "step.finished", .members = kStepFinishedMembers},
    {.type = "step.retrying", .members = kStepRetryingMembers},
    {.type = "step.waiting", .members = kStepWaitingMembers},
    {.type = "step.failed", .members = kStepFinishedMembers},
    {.type = "step.stopped", .members = kStepFinishedMembers},
    {.type = "job.requeued", .members = kJobRequeuedMembers},
    {.type = "job.cancel_requested", .members = kJobCancelRequestedMembers},
    {.type = "job.removed", .members = kJobRemovedMembers},
    {.type = "job.suspend_requested", .members = kJobCancelRequestedMembers},
    {.type = "job.suspended", .members = kJobRequeuedMembers},
    {.type = "job.resumed", .members = kJobResumedMembers},
    {.type = "job.succeeded", .members = kJobSucceededMembers},
    {.type = "job.awaiting_approval", .members = kJobAwaitingApprovalMembers},
    {.type = "job.approved", .members = kJobApprovedMembers},
    {.type = "approval.requested", .members = kApprovalRequestedMembers},
    {.type = "approval.decided", .members = kApprovalDecidedMembers},
    {.type = "approval.closed", .members = kApprovalClosedMembers},
    {.type = "job.awaiting_review", .members = kJobAwaitingReviewMembers},
    {.type = "job.accepted", .members = kJobCancelRequestedMembers},
    {.type = "job.rejected", .members = kJobCancelRequestedMembers},
    {.type = "job.failed", .members = kJobRequeuedMembers},
    {.type = "job.cancelled", .members = kJobRequeuedMembers},
    {.type = "job.expired", .members = kJobRequeuedMembers},
    {.type = "submission.reserved", .members = kSubmissionReservedMembers},
    {.type = "submission.intent", .members = kSubmissionReservedMembers},
    {.type = "submission.ambiguous", .members = kSubmissionReservedMembers},
    {.type = "submission.confirmed", .members = kSubmissionReservedMembers},
    {.type = "submission.terminal", .members = kSubmissionReservedMembers},
    {.type = "submission.settled", .members = kSubmissionReservedMembers},
    {.type = "submission.held", .members = kSubmissionReservedMembers},
    {.type = "submission.refused", .members = kSubmissionReservedMembers},
    {.type = "submission.failed", .members = kSubmissionReservedMembers},
    {.type = "submission.cancelled", .members = kSubmissionReservedMembers},
    {.type = "submission.orphan", .members = kSubmissionReservedMembers},
    {.type = "submission.released", .members = kSubmissionReservedMembers},
    {.type = "submission.taken_over", .members = kSubmissionReservedMembers},
    {.type = "budget.alert", .members = kBudgetAlertMembers},
}};

}  // namespace tandem::job
