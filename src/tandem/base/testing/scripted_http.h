// tandem/base/testing/scripted_http.h - an Http that answers from a script and keeps what it was asked.
//
// Room: base, tests only.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "tandem/base/http.h"

namespace tandem {

/// Replies are used in order; when they are used up the handler answers, and without one the peer is unreachable.
/// Threads: safe to call concurrently; the handler runs without a lock.
class ScriptedHttp final : public Http {
 public:
  using Reply = tl::expected<HttpResponse, HttpFailure>;
  using Handler = std::function<Reply(const HttpRequest& request, Deadline deadline)>;

  ScriptedHttp& then(HttpResponse response) { return push(Reply(std::move(response))); }
  ScriptedHttp& then(int status, Bytes body) {
    return then(
        HttpResponse{.status = status, .headers = {{"Content-Type", "application/json"}}, .body = std::move(body)});
  }
  ScriptedHttp& then_fail(ErrorNumber number, Sent sent) {
    return push(
        tl::unexpected<HttpFailure>(HttpFailure{.error = make_error(number, "scripted failure"), .sent = sent}));
  }
  void otherwise(Handler handler) {
    const std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
  }

  Reply send(const HttpRequest& request, Deadline deadline) override {
    Handler handler;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      if (!replies_.empty()) {
        Reply reply = std::move(replies_.front());
        replies_.pop_front();
        return reply;
      }
      handler = handler_;
    }
    if (handler) return handler(request, deadline);
    return tl::unexpected<HttpFailure>(HttpFailure{
        .error = make_error(errors::kPeerUnreachable, "the script has no reply to {} {}", request.method, request.url),
        .sent = Sent::kNo});
  }

  std::vector<HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  /// Replies that nobody asked for yet.
  std::size_t replies_left() const {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }

 private:
  ScriptedHttp& push(Reply reply) {
    const std::lock_guard lock(mutex_);
    replies_.push_back(std::move(reply));
    return *this;
  }

  mutable std::mutex mutex_;
  std::deque<Reply> replies_;
  std::vector<HttpRequest> requests_;
  Handler handler_;
};

}  // namespace tandem
