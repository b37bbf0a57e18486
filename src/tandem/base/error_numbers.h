// GENERATED from contract/errors.json by tools/contract/generate. Do not edit.
// tandem/base/error_numbers.h - the constants of all error numbers.
#pragma once

#include "tandem/base/error_number.h"

namespace tandem::errors {

inline constexpr ErrorNumber kInternal{1001};  ///< an assumption of ours did not hold
inline constexpr ErrorNumber kCancelled{1002};  ///< stopped on request
inline constexpr ErrorNumber kInputTooLarge{1003};  ///< the input is larger than the limit
inline constexpr ErrorNumber kOutOfMemory{1004};  ///< not enough memory
inline constexpr ErrorNumber kUsage{1005};  ///< the command line is wrong
inline constexpr ErrorNumber kJsonSyntax{1010};  ///< the text is not JSON
inline constexpr ErrorNumber kJsonDuplicateKey{1011};  ///< a key stands twice
inline constexpr ErrorNumber kJsonTooDeep{1012};  ///< nested too deeply
inline constexpr ErrorNumber kNumberOutOfRange{1013};  ///< a number does not fit
inline constexpr ErrorNumber kYamlSyntax{1014};  ///< the text is not YAML
inline constexpr ErrorNumber kYamlUnsupported{1015};  ///< a YAML feature that job documents do not use
inline constexpr ErrorNumber kBadNumber{1016};  ///< not a number
inline constexpr ErrorNumber kBadDuration{1017};  ///< not a duration
inline constexpr ErrorNumber kBadMoney{1018};  ///< not an amount of money
inline constexpr ErrorNumber kBadTimestamp{1019};  ///< not a time
inline constexpr ErrorNumber kMissingKey{1020};  ///< a required key is missing
inline constexpr ErrorNumber kWrongType{1021};  ///< a value has the wrong type
inline constexpr ErrorNumber kUnknownKey{1022};  ///< an unknown key
inline constexpr ErrorNumber kValueOutOfRange{1023};  ///< a value is outside its limits
inline constexpr ErrorNumber kBadId{1024};  ///< not an id
inline constexpr ErrorNumber kBadEncoding{1030};  ///< bytes are not in the expected encoding
inline constexpr ErrorNumber kBadGzip{1031};  ///< the gzip stream is damaged
inline constexpr ErrorNumber kFileNotFound{1040};  ///< no such file
inline constexpr ErrorNumber kDiskFull{1041};  ///< the disk is full
inline constexpr ErrorNumber kIoError{1042};  ///< the disk failed
inline constexpr ErrorNumber kFilePermissionDenied{1043};  ///< no permission for the file
inline constexpr ErrorNumber kIsADirectory{1044};  ///< a directory where a file was expected
inline constexpr ErrorNumber kLockHeld{1045};  ///< another process holds the data directory
inline constexpr ErrorNumber kNotARegularFile{1046};  ///< not a regular file
inline constexpr ErrorNumber kNotADirectory{1047};  ///< not a directory
inline constexpr ErrorNumber kTooManyOpenFiles{1048};  ///< too many open files
inline constexpr ErrorNumber kLibraryMissing{1049};  ///< a library that this needs is not installed
inline constexpr ErrorNumber kCredentialMissing{1050};  ///< no such credential
inline constexpr ErrorNumber kCredentialUnsafe{1051};  ///< others may read the credential
inline constexpr ErrorNumber kBadCredentialReference{1052};  ///< not a credential reference
inline constexpr ErrorNumber kUnknownSetting{1060};  ///< no such setting
inline constexpr ErrorNumber kBadSetting{1061};  ///< a setting has a bad value
inline constexpr ErrorNumber kSettingPresent{1062};  ///< the settings file has it already
inline constexpr ErrorNumber kIndexOutOfRange{1101};  ///< an index is outside the model
inline constexpr ErrorNumber kNotFinite{1102};  ///< a coefficient is not finite
inline constexpr ErrorNumber kModelTooLarge{1103};  ///< the model is larger than the limit
inline constexpr ErrorNumber kSizeMismatch{1104};  ///< two sizes do not agree
inline constexpr ErrorNumber kBadVartype{1105};  ///< a value is not of the model's vartype
inline constexpr ErrorNumber kUnknownProblem{1106};  ///< no such problem type
inline constexpr ErrorNumber kInfeasibleProblem{1107};  ///< no assignment can satisfy the constraints
inline constexpr ErrorNumber kCoefficientOverflow{1108};  ///< coefficients are too large together
inline constexpr ErrorNumber kUnknownGate{1110};  ///< no such gate
inline constexpr ErrorNumber kBadCircuit{1111};  ///< the circuit is not well formed
inline constexpr ErrorNumber kUnboundParameter{1112};  ///< a parameter has no value
inline constexpr ErrorNumber kTooManyQubits{1113};  ///< more qubits than the backend has
inline constexpr ErrorNumber kBadJob{1120};  ///< the job document contradicts itself
inline constexpr ErrorNumber kFormatSyntax{1201};  ///< the file breaks its format
inline constexpr ErrorNumber kFormatAmbiguous{1202};  ///< the file could be read in two ways
inline constexpr ErrorNumber kFormatUnknown{1203};  ///< unknown file format
inline constexpr ErrorNumber kFormatCannotExpress{1204};  ///< the format cannot hold this model
inline constexpr ErrorNumber kSolverRefused{1301};  ///< the solver does not take this model
inline constexpr ErrorNumber kNoProof{1302};  ///< no proof within the budget
inline constexpr ErrorNumber kUnknownBackend{1401};  ///< no such backend
inline constexpr ErrorNumber kBackendCannot{1402};  ///< the backend cannot run this work
inline constexpr ErrorNumber kBackendUnavailable{1403};  ///< the backend does not answer
inline constexpr ErrorNumber kBackendRefused{1404};  ///< the backend refused the submission
inline constexpr ErrorNumber kBackendGarbage{1405};  ///< the backend answered something else
inline constexpr ErrorNumber kBackendJobFailed{1406};  ///< the work failed at the backend
inline constexpr ErrorNumber kSubmissionAmbiguous{1407};  ///< it is not known whether the backend took the work
inline constexpr ErrorNumber kUnknownHandle{1408};  ///< the backend does not know the work
inline constexpr ErrorNumber kCredentialRefused{1409};  ///< the backend does not accept the credential
inline constexpr ErrorNumber kBackendForbidden{1410};  ///< the account may not do that at the backend
inline constexpr ErrorNumber kBackendThrottled{1411};  ///< the backend is asked too often
inline constexpr ErrorNumber kCalibrationStale{1412};  ///< the calibration of the backend is too old
inline constexpr ErrorNumber kPeerUnreachable{2001};  ///< cannot connect
inline constexpr ErrorNumber kPeerTimeout{2002};  ///< the peer did not answer in time
inline constexpr ErrorNumber kConnectionLost{2003};  ///< the connection broke
inline constexpr ErrorNumber kResponseTooLarge{2004};  ///< the answer is larger than the limit
inline constexpr ErrorNumber kEgressRefused{2005};  ///< the address is not on the allow-list
inline constexpr ErrorNumber kTlsFailed{2006};  ///< the secure connection failed
inline constexpr ErrorNumber kAddressInUse{2010};  ///< the address is in use
inline constexpr ErrorNumber kBadAddress{2011};  ///< not an address to listen on
inline constexpr ErrorNumber kAddressNotLoopback{2012};  ///< only loopback
inline constexpr ErrorNumber kStoreNewer{3001};  ///< the store is from a newer version
inline constexpr ErrorNumber kStoreForeign{3002};  ///< not a Tandem store
inline constexpr ErrorNumber kStoreDamaged{3003};  ///< the store is damaged
inline constexpr ErrorNumber kPreconditionFailed{3004};  ///< a precondition of the commit does not hold
inline constexpr ErrorNumber kStoreClosed{3005};  ///< the store stopped accepting commits
inline constexpr ErrorNumber kBatchTooLarge{3006};  ///< the commit is larger than the limit
inline constexpr ErrorNumber kStoreOutOfMemory{3007};  ///< the store got no memory
inline constexpr ErrorNumber kStoreUnreachable{3008};  ///< the store cannot be reached
inline constexpr ErrorNumber kBadStoreAddress{3009};  ///< bad address of a store
inline constexpr ErrorNumber kStoreNotEmpty{3010};  ///< the store holds something already
inline constexpr ErrorNumber kBackupDamaged{3011};  ///< the backup cannot be used
inline constexpr ErrorNumber kRestoreUnfinished{3012};  ///< a restore into this store did not finish
inline constexpr ErrorNumber kBudgetExceeded{4001};  ///< the budget does not allow it
inline constexpr ErrorNumber kHoldUnknown{4002};  ///< no such hold
inline constexpr ErrorNumber kDoubleSettlement{4003};  ///< settled before
inline constexpr ErrorNumber kLimitExceeded{4004};  ///< a limit of the tenant, project, user or backend does not allow it
inline constexpr ErrorNumber kQuoteAboveLimit{4005};  ///< the quote is above what may be spent on this
inline constexpr ErrorNumber kAccountsContended{4006};  ///< others changed the same accounts all the time
inline constexpr ErrorNumber kNotAuthenticated{4101};  ///< nobody stands behind the request
inline constexpr ErrorNumber kNotPermitted{4102};  ///< the role does not allow it
inline constexpr ErrorNumber kApprovalNotFound{4103};  ///< there is no such approval
inline constexpr ErrorNumber kApprovalClosed{4104};  ///< the approval is not open any more
inline constexpr ErrorNumber kSelfApproval{4105};  ///< nobody approves what he submitted
inline constexpr ErrorNumber kDecidedAlready{4106};  ///< this person has decided already
inline constexpr ErrorNumber kApprovalRejected{4107};  ///< the plan was not approved
inline constexpr ErrorNumber kApprovalExpired{4108};  ///< nobody decided in time
inline constexpr ErrorNumber kPriceNotApproved{4109};  ///< it costs more than was approved
inline constexpr ErrorNumber kJobNotFound{5001};  ///< no such job
inline constexpr ErrorNumber kJobFinal{5002};  ///< the job has ended
inline constexpr ErrorNumber kIllegalTransition{5003};  ///< the job cannot go there from here
inline constexpr ErrorNumber kResultNotReady{5004};  ///< the job has no result yet
inline constexpr ErrorNumber kStaleFence{5005};  ///< somebody else owns the attempt now
inline constexpr ErrorNumber kNoPlan{5006};  ///< no backend can do this
inline constexpr ErrorNumber kIdempotencyConflict{5007};  ///< the idempotency key was used for another body
inline constexpr ErrorNumber kExpired{5009};  ///< the job's time is over
inline constexpr ErrorNumber kReplayDifferent{5010};  ///< the replay gave another result
inline constexpr ErrorNumber kReplayNotComparable{5011};  ///< the replay cannot be compared
inline constexpr ErrorNumber kDraining{5012};  ///< the server is shutting down
inline constexpr ErrorNumber kLeaseLost{5013};  ///< the lease of this process ran out
inline constexpr ErrorNumber kPoisonJob{5014};  ///< the job takes its processes down
inline constexpr ErrorNumber kQueueDelayExceeded{5015};  ///< jobs wait too long already
inline constexpr ErrorNumber kQueueWaitExpired{5016};  ///< the job waited too long for a worker
inline constexpr ErrorNumber kRunExpired{5017};  ///< the run took too long
inline constexpr ErrorNumber kCircuitOpen{5018};  ///< calls to this backend are held back
inline constexpr ErrorNumber kBackendBusy{5019};  ///< as many calls to this backend are under way as may be
inline constexpr ErrorNumber kQueueWaitPredicted{5020};  ///< the queue of the backend is too long
inline constexpr ErrorNumber kLowConfidence{5021};  ///< the result is not trusted enough
inline constexpr ErrorNumber kReviewRejected{5022};  ///< the result was rejected
inline constexpr ErrorNumber kIdempotencyInFlight{5023};  ///< the same request is being carried out
inline constexpr ErrorNumber kNoCachedResult{5024};  ///< no earlier result fits
inline constexpr ErrorNumber kJobNotFinal{5025};  ///< the job has not ended
inline constexpr ErrorNumber kPartialResult{5026};  ///< the backend gave only a part
inline constexpr ErrorNumber kSubmissionOpen{5027};  ///< a submission of the job is not resolved
inline constexpr ErrorNumber kRetriesExhausted{5028};  ///< every try of the step failed
inline constexpr ErrorNumber kSubmissionNotHeld{5029};  ///< the submission is not one that a person decides on
inline constexpr ErrorNumber kSubmissionNotFound{5030};  ///< there is no such submission
inline constexpr ErrorNumber kBadRequest{6001};  ///< the request is not HTTP as expected
inline constexpr ErrorNumber kHostRefused{6002};  ///< the Host is not ours
inline constexpr ErrorNumber kOriginRefused{6003};  ///< requests from web pages are refused
inline constexpr ErrorNumber kRouteNotFound{6004};  ///< no such resource
inline constexpr ErrorNumber kMethodNotAllowed{6005};  ///< the resource has no such method
inline constexpr ErrorNumber kMediaType{6006};  ///< the body is of another type
inline constexpr ErrorNumber kServerOverloaded{6007};  ///< too much at once
inline constexpr ErrorNumber kHeadTooLarge{6008};  ///< the head of the request is larger than the limit
inline constexpr ErrorNumber kRequestTimeout{6009};  ///< the request did not arrive in time

}  // namespace tandem::errors
