// tandem/middleware/remote/remote_backend.h - the one transport of all providers: a codec, a wire, and rules between them.
//
// Room: middleware. Reads are repeated with decorrelated jitter until they succeed or the deadline passes; a submission goes
// out once. Not here: whether a submission may be repeated (orchestrate/submit).
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "tandem/base/clock.h"
#include "tandem/base/credential.h"
#include "tandem/base/executor.h"
#include "tandem/base/http.h"
#include "tandem/base/log.h"
#include "tandem/base/rng.h"
#include "tandem/middleware/remote/codec.h"

namespace tandem::remote {

/// Of what a provider says of its reasons: enough for a sentence or two. Each try that fails, and the lineage, keeps it.
inline constexpr std::size_t kProviderWordsBytesMax = 1000;

struct RemoteOptions {
  std::string base_url;  ///< "http://127.0.0.1:9641"
  std::string credential;  ///< reference, sent as Manifest::authorization says; empty: none
  std::chrono::milliseconds request_timeout{5000};  ///< of one exchange, within the caller's deadline
  std::chrono::milliseconds poll_interval{50};  ///< setting lab.device_poll for the emulated device
  std::chrono::milliseconds facts_max_age{2000};  ///< prices and limits older than this are asked for again
  std::chrono::milliseconds backoff_base{20};
  std::chrono::milliseconds backoff_cap{1000};
  std::size_t tries_max = 5;  ///< of one read
  PriceList prices = {};  ///< for where the provider's own price is not to be had
};

/// References that outlive the backend.
struct RemoteServices {
  Http& http;
  Credentials& credentials;
  const Clock& clock;
  Executor& executor;
  Rng& rng;  ///< for jitter
  Log& log;
};

/// Threads: as Backend says; every call blocks its thread. Nothing is asked before the first call.
std::unique_ptr<backend::Backend> make_remote_backend(std::unique_ptr<const Codec> codec, RemoteServices services,
                                                      RemoteOptions options);

/// Whose the credential of the options is: a question to the provider that costs nothing, for people; no backend needs its answer. The
/// credential itself is withheld where an answer repeats it. Empty: the provider has no such question. Errors: those of Backend.
Result<std::optional<KeyOwner>> ask_whose_key(std::unique_ptr<const Codec> codec, RemoteServices services,
                                              RemoteOptions options, const backend::CallContext& context);

}  // namespace tandem::remote
