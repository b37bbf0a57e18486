#include "tandem/middleware/remote/remote_backend.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "tandem/base/assert.h"
#include "tandem/base/backoff.h"
#include "tandem/base/hash.h"
#include "tandem/base/pause.h"
#include "tandem/base/text.h"

namespace tandem::remote {
namespace {

using backend::CallContext;
using backend::Handle;
using backend::SubmitFailure;
using backend::WorkRef;
using backend::WorkState;
using std::chrono::nanoseconds;

ErrorNumber number_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNotFound:
      return errors::kUnknownHandle;
    case Verdict::kConflict:
      return errors::kResultNotReady;
    case Verdict::kUnauthenticated:
      return errors::kCredentialRefused;
    case Verdict::kForbidden:
      return errors::kBackendForbidden;
    case Verdict::kThrottled:
      return errors::kBackendThrottled;
    case Verdict::kUnavailable:
    case Verdict::kTransient:
      return errors::kBackendUnavailable;
    case Verdict::kOk:
    case Verdict::kGarbage:
      return errors::kBackendGarbage;
    case Verdict::kInvalid:
      break;
  }
  return errors::kBackendRefused;
}

/// Of one call; the next one goes on from there.
constexpr std::size_t kLookupPagesMax = 400;

/// Our own rules said no or a library of ours is missing, which no second try changes; or the other side is not who it should be. Their
/// numbers say so.
bool is_ours_to_mend(const Error& error) {
  return error.number == errors::kEgressRefused || error.number == errors::kTlsFailed ||
         error.number == errors::kLibraryMissing;
}

class RemoteBackend final : public backend::Backend {
 public:
  RemoteBackend(std::unique_ptr<const Codec> codec, RemoteServices services, RemoteOptions options)
      : codec_(std::move(codec)), services_(services), options_(std::move(options)) {
    TANDEM_ASSERT(codec_ != nullptr);
    while (options_.base_url.ends_with('/')) options_.base_url.pop_back();
  }

  const backend::BackendInfo& info() const override { return codec_->manifest().info; }

  Result<void> validate(const backend::Work& work) const override {
    const std::lock_guard lock(mutex_);
    return codec_->validate(work, facts_ ? &facts_->values : nullptr);
  }

  Result<backend::Quote> quote(const backend::Work& work, const CallContext& context) override {
    TANDEM_TRY_ASSIGN(const DeviceFacts facts, facts_not_older_than(options_.facts_max_age, context));
    TANDEM_TRY(codec_->validate(work, &facts));
    TANDEM_TRY_ASSIGN(backend::Quote quote, priced(work, facts, context));
    quote.source = printable(quote.source, kProviderWordsBytesMax);
    // Limits hold for whatever was asked for, whether or not the provider's price tells it.
    if (const auto* program = std::get_if<backend::ProgramWork>(&work); program != nullptr && quote.use.shots == 0)
      quote.use.shots = static_cast<std::int64_t>(backend::num_shots(*program));
    // Every token is as long as this one, and so is what the request with it will be.
    TANDEM_TRY_ASSIGN(const HttpRequest request, codec_->encode_submit(work, attempt_token("", "", "", 0)));
    quote.use.bytes = static_cast<std::int64_t>(request.body.size());
    return quote;
  }

  tl::expected<Handle, SubmitFailure> submit(const backend::Work& work, std::string_view token,
                                             const CallContext& context) override {
    const auto unsent = [](Error error) { return tl::unexpected(SubmitFailure{.error = std::move(error)}); };
    const auto doubtful = [](Error error) {
      return tl::unexpected(SubmitFailure{.error = std::move(error), .ambiguous = true});
    };
    if (auto valid = validate(work); !valid) return unsent(std::move(valid.error()));
    auto request = codec_->encode_submit(work, token);
    if (!request) return unsent(std::move(request.error()));
    if (auto ready = complete(*request); !ready) return unsent(std::move(ready.error()));
    const auto response = services_.http.send(*request, exchange_deadline(context));  // the one send of this submission
    if (!response) {
      Error error = response.error().error;
      if (!is_ours_to_mend(error)) error.number = errors::kBackendUnavailable;
      return response.error().sent == Sent::kNo ? unsent(std::move(error)) : doubtful(std::move(error));
    }
    const Classified said = classify(*response);
    if (said.verdict == Verdict::kOk) {
      auto handle = codec_->decode_submit(response->body, token);
      if (!handle) return doubtful(std::move(handle.error()));
      return *std::move(handle);
    }
    SubmitFailure failure{.error = error_of(said, *response, "the submission"),
                          .ambiguous = !surely_not_accepted(said.verdict),
                          .said = class_of(said.verdict, Asked::kSubmission),
                          .retry_after = said.retry_after};
    if (!failure.ambiguous) failure.error.number = errors::kBackendRefused;
    return tl::unexpected(std::move(failure));
  }

  Result<backend::PollStatus> poll(const WorkRef& work, const CallContext& context) override {
    TANDEM_TRY_ASSIGN(auto status,
                      read(codec_->encode_poll(work.handle), "the status of " + work.handle, context,
                           [&](const HttpResponse& response) { return codec_->decode_poll(response.body, work); }));
    const bool without_result = status.state == WorkState::kFailed || status.state == WorkState::kCancelled;
    if (without_result && !status.billed) {
      TANDEM_TRY_ASSIGN(status.billed, bill(work, context));
    }
    status.poll_again = options_.poll_interval;
    status.detail = printable(status.detail, kProviderWordsBytesMax);
    return status;
  }

  /// Status first, for bill and calibration: of the result only its owner is looked at before it is stored.
  Result<backend::RawResult> fetch(const WorkRef& work, const CallContext& context) override {
    Bytes status;
    TANDEM_TRY_ASSIGN(auto raw, read(codec_->encode_poll(work.handle), "the status of " + work.handle, context,
                                     [&](const HttpResponse& response) {
                                       status = response.body;
                                       return codec_->decode_receipt(status, work);
                                     }));
    if (codec_->encode_bill(work.handle)) {
      TANDEM_TRY_ASSIGN(const auto billed, bill(work, context));
      if (!billed) {
        return fail(errors::kResultNotReady, "{} has not made out the bill of {} yet", info().id.value, work.handle);
      }
      raw.billed = *billed;
    }
    TANDEM_TRY_ASSIGN(HttpRequest request, codec_->encode_fetch(work.handle, status));
    TANDEM_TRY_ASSIGN(auto response, read(std::move(request), "the result of " + work.handle, context,
                                          [](const HttpResponse& whole) { return Result<HttpResponse>(whole); }));
    if (codec_->is_foreign_result(response.body, work)) {
      return fail(errors::kUnknownHandle, "{} answered the result of {} with that of other work", info().id.value,
                  work.handle);
    }
    raw.bytes = std::move(response.body);
    if (raw.media_type.empty()) raw.media_type = header_value(response.headers, "Content-Type");
    return raw;
  }

  Result<backend::WorkResult> decode(const backend::RawResult& raw, const backend::Work& work) const override {
    return codec_->decode_result(raw, work);
  }

  /// Status first: only work that is surely ours is cancelled. Repeating a cancel changes nothing, so it is repeated like
  /// a read. Work that has ended already needs none.
  Result<void> cancel(const WorkRef& work, const CallContext& context) override {
    TANDEM_TRY(poll(work, context));
    auto asked = read(codec_->encode_cancel(work.handle), "the request to cancel " + work.handle, context,
                      [](const HttpResponse&) { return Result<bool>(true); });
    if (!asked && asked.error().number != errors::kResultNotReady) return tl::unexpected(asked.error());
    return {};
  }

  /// Not found is said only when every page was seen on which the work may stand.
  Result<backend::Reconciled> reconcile(const backend::LostWork& lost, const CallContext& context) override {
    if (info().safety == backend::SubmitSafety::kC) return look_for(lost, context, list_);
    Sightings own;
    return look_for(lost, context, own);
  }

  Result<backend::Availability> availability(const CallContext& context) override {
    TANDEM_TRY_ASSIGN(DeviceFacts facts, ask_facts(context));
    return std::move(facts.availability);
  }

  Result<std::optional<device::Calibration>> calibration(const CallContext& context) override {
    const auto question = codec_->encode_calibration();
    if (!question) return std::optional<device::Calibration>();
    return read(*question, "the calibration", context,
                [&](const HttpResponse& response) { return codec_->decode_calibration(response.body); });
  }

  Result<std::optional<device::Target>> target(const CallContext& context) override {
    const auto question = codec_->encode_target();
    if (!question) return std::optional<device::Target>();
    return read(*question, "what constrains circuits", context,
                [&](const HttpResponse& response) { return codec_->decode_target(response.body); });
  }

  Result<std::optional<KeyOwner>> whose_key(const CallContext& context) {
    const auto question = codec_->encode_whose_key();
    if (!question) return std::optional<KeyOwner>();
    TANDEM_TRY_ASSIGN(auto owner, read(*question, "whose the key is", context, [&](const HttpResponse& response) {
                        return codec_->decode_whose_key(response.body);
                      }));
    for (std::string* text : {&owner.key_id, &owner.key_name, &owner.project_id}) {
      TANDEM_TRY(withhold_key(*text));
      *text = printable(*text, kProviderWordsBytesMax);
    }
    return std::optional(std::move(owner));
  }

  void forget(const Handle&) override {}  // nothing is kept for a handle here

 private:
  struct KnownFacts {
    DeviceFacts values;
    Instant asked_at;
  };

  Result<backend::Quote> priced(const backend::Work& work, const DeviceFacts& facts, const CallContext& context) {
    const auto question = codec_->encode_estimate(work);
    if (!question) return codec_->quote(work, facts, Bytes());
    auto estimate = read(*question, "the question for a price", context,
                         [&](const HttpResponse& response) { return codec_->quote(work, facts, response.body); });
    const ListPrice* list = options_.prices.find(info().id.value, services_.clock.now());
    if (list == nullptr) return estimate;
    const auto listed = list->of(codec_->billable(work));
    if (estimate) {
      if (listed && *listed != estimate->cost)
        estimate->source += fmt::format("; by {} it would be {}", list->words(), format_usd(listed->usd_micros));
      return estimate;
    }
    // Who refuses to name a price to us would refuse the work as well. The reason would make each plan another one.
    if (!listed || !backend::may_pass(backend::class_of(estimate.error()))) return estimate;
    return backend::Quote{
        .cost = *listed,
        .cost_basis = job::Basis::kAssumed,
        .source = fmt::format("{}; the provider did not answer the question for its price", list->words())};
  }

  Result<DeviceFacts> facts_not_older_than(nanoseconds age, const CallContext& context) {
    {
      const std::lock_guard lock(mutex_);
      if (facts_ && services_.clock.monotonic() - facts_->asked_at <= age) return facts_->values;
    }
    return ask_facts(context);
  }

  Result<DeviceFacts> ask_facts(const CallContext& context) {
    TANDEM_TRY_ASSIGN(DeviceFacts facts,
                      read(codec_->encode_device(), "the description of the device", context,
                           [&](const HttpResponse& response) { return codec_->decode_device(response.body); }));
    facts.availability.observed_at = services_.clock.now();
    facts.availability.detail = printable(facts.availability.detail, kProviderWordsBytesMax);
    const std::lock_guard lock(mutex_);
    facts_ = KnownFacts{.values = facts, .asked_at = services_.clock.monotonic()};
    return facts;
  }

  /// The provider answers, so its circuit stays closed.
  tl::unexpected<Error> not_seen_to_its_end(const backend::LostWork& lost, std::size_t pages,
                                            std::string_view why) const {
    return fail(errors::kResultNotReady, "{} has more than {} pages of jobs that are younger than {}{}; ask again",
                info().id.value, pages, lost.token, why);
  }

  Result<backend::Reconciled> look_for(const backend::LostWork& lost, const CallContext& context, Sightings& seen) {
    const auto now = [this] {
      return Sightings::Moment{.monotonic = services_.clock.monotonic(), .wall = services_.clock.now()};
    };
    Sightings::Call look = seen.call(lost, lost.asked_since.value_or(services_.clock.monotonic()), now());
    for (std::size_t pages = 0;; ++pages) {
      auto known = look.known(now());
      if (auto* answer = std::get_if<backend::Reconciled>(&known)) return std::move(*answer);
      if (pages == kLookupPagesMax) break;
      const auto& name = std::get<std::string>(known);
      auto page = read(codec_->encode_lookup(lost, name), fmt::format("the lookup of {}", lost.token), context,
                       [&](const HttpResponse& response) { return codec_->decode_lookup(response.body, lost); });
      if (page) {
        look.add(name, *page, now());
        continue;
      }
      // What was not answered may be later. An answer that is none is about the page itself.
      const ErrorNumber why = page.error().number;
      if (why == errors::kUnknownHandle || why == errors::kBackendGarbage || why == errors::kBackendRefused) {
        look.give_up();
        return tl::unexpected(std::move(page.error()));
      }
      look.cut_off(now());
      if (pages == 0) return tl::unexpected(std::move(page.error()));
      return not_seen_to_its_end(lost, pages, "; " + page.error().message);
    }
    look.cut_off(now());
    return not_seen_to_its_end(lost, kLookupPagesMax, "");
  }

  /// Of work that has ended. Empty: not made out yet.
  Result<std::optional<job::Money>> bill(const WorkRef& work, const CallContext& context) {
    const auto question = codec_->encode_bill(work.handle);
    if (!question) return std::optional<job::Money>();
    return read(*question, "the bill of " + work.handle, context,
                [&](const HttpResponse& response) { return codec_->decode_bill(response.body); });
  }

  Deadline exchange_deadline(const CallContext& context) const {
    return Deadline(std::min(context.deadline.at(), services_.clock.monotonic() + options_.request_timeout));
  }

  /// Adds the base URL and the credential, whose value is read at the last moment and kept nowhere.
  Result<void> complete(HttpRequest& request) const {
    request.url.insert(0, options_.base_url);
    request.headers.emplace_back("Accept", "application/json");
    if (options_.credential.empty()) return {};
    TANDEM_TRY_ASSIGN(const Secret secret, services_.credentials.get(options_.credential));
    request.headers.emplace_back("Authorization", codec_->manifest().authorization + " " + secret.reveal());
    return {};
  }

  /// Whatever a provider calls a key, the key itself is not shown.
  Result<void> withhold_key(std::string& text) const {
    if (options_.credential.empty()) return {};
    TANDEM_TRY_ASSIGN(const Secret secret, services_.credentials.get(options_.credential));
    if (text.find(secret.reveal()) != std::string::npos) text = "(withheld: the provider repeats the key)";
    return {};
  }

  Classified classify(const HttpResponse& response) const {
    if (response.body.size() > codec_->manifest().response_bytes_max) {
      return {.verdict = Verdict::kGarbage,
              .detail = fmt::format("an answer of {} bytes; the limit is {}", response.body.size(),
                                    codec_->manifest().response_bytes_max)};
    }
    Classified said = codec_->classify(response);
    const bool says_emulated = header_value(response.headers, kEmulatedHeader) == "true";
    if (said.verdict == Verdict::kOk && says_emulated != info().emulated) {
      return {.verdict = Verdict::kGarbage,
              .detail = says_emulated ? "an emulator answers where a real device is expected"
                                      : "this is no answer of an emulator, and an emulator is expected"};
    }
    said.detail = printable(said.detail, kProviderWordsBytesMax);
    return said;
  }

  Error error_of(const Classified& said, const HttpResponse& response, std::string_view what) const {
    return make_error(number_of(said.verdict), "{} answered {} with status {} ({}): {}", info().id.value, what,
                      response.status, to_string(said.verdict), said.detail.empty() ? "no reason given" : said.detail);
  }

  /// Sends until `decode` accepts an answer, the deadline passes, the tries are used up, or the answer is final.
  template <typename Decode>
  auto read(HttpRequest request, const std::string& what, const CallContext& context, Decode decode)
      -> decltype(decode(std::declval<const HttpResponse&>())) {
    TANDEM_TRY(complete(request));
    nanoseconds sleep = options_.backoff_base;
    for (std::size_t tries = 1;; ++tries) {
      nanoseconds wanted{0};
      auto answer = ask(request, what, context, decode, wanted);
      if (answer) return *std::move(answer);
      auto [error, repeat] = std::move(answer).error();
      sleep = next_backoff(options_.backoff_base, options_.backoff_cap, sleep, services_.rng);
      const nanoseconds wait = std::max(sleep, wanted);
      if (!repeat || tries >= options_.tries_max || context.deadline.left(services_.clock) <= wait) {
        return tl::unexpected(std::move(error));
      }
      services_.log.write(LogLevel::kDebug, "remote.repeat",
                          {{"backend", info().id.value}, {"what", what}, {"error", error.message}});
      TANDEM_TRY(pause(services_.executor, wait, context.stop));
    }
  }

  struct Failed {
    Error error;
    bool repeat = false;
  };

  /// One exchange of a read.
  template <typename Decode, typename Value = typename std::invoke_result_t<Decode, const HttpResponse&>::value_type>
  tl::expected<Value, Failed> ask(const HttpRequest& request, const std::string& what, const CallContext& context,
                                  Decode& decode, nanoseconds& wanted) {
    const auto response = services_.http.send(request, exchange_deadline(context));
    if (!response) {
      Error error = response.error().error;
      const bool repeat = !is_ours_to_mend(error);
      error.message = fmt::format("{} did not answer {}: {}", info().id.value, what, error.message);
      if (repeat) error.number = errors::kBackendUnavailable;
      return tl::unexpected(Failed{.error = std::move(error), .repeat = repeat});
    }
    const Classified said = classify(*response);
    if (said.verdict != Verdict::kOk) {
      wanted = said.retry_after.value_or(std::chrono::milliseconds(0));
      return tl::unexpected(Failed{.error = error_of(said, *response, what),
                                   .repeat = backend::may_pass(class_of(said.verdict, Asked::kRead))});
    }
    auto value = decode(*response);
    if (!value) {
      const bool repeat = value.error().number != errors::kUnknownHandle;
      return tl::unexpected(Failed{.error = std::move(value).error(), .repeat = repeat});
    }
    return *std::move(value);
  }

  std::unique_ptr<const Codec> codec_;
  RemoteServices services_;
  RemoteOptions options_;
  mutable std::mutex mutex_;
  std::optional<KnownFacts> facts_;  ///< guarded by mutex_
  Sightings list_;  ///< of a provider of class C
};

}  // namespace

std::unique_ptr<backend::Backend> make_remote_backend(std::unique_ptr<const Codec> codec, RemoteServices services,
                                                      RemoteOptions options) {
  return std::make_unique<RemoteBackend>(std::move(codec), services, std::move(options));
}

Result<std::optional<KeyOwner>> ask_whose_key(std::unique_ptr<const Codec> codec, RemoteServices services,
                                              RemoteOptions options, const CallContext& context) {
  return RemoteBackend(std::move(codec), services, std::move(options)).whose_key(context);
}

}  // namespace tandem::remote
