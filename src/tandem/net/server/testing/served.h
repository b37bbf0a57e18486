// tandem/net/server/testing/served.h - a running server with a handler, and everything that it borrows.
//
// Room: net, tests only.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "tandem/base/testing/recording_log.h"
#include "tandem/net/server/server.h"
#include "tandem/net/server/testing/raw_client.h"

namespace tandem::server {

/// An ErrorBody that shows the number, and the status of contract/errors.json.
inline HttpResponse number_as_body(const Error& error) {
  const int number = static_cast<int>(error.number);
  return {.status = error_record(error.number).http_status,
          .headers = {{"Content-Type", "text/plain"}},
          .body = std::to_string(number)};
}

class Served {
 public:
  explicit Served(Handler handler, ServerOptions options = {}) {
    options.listen = "127.0.0.1:0";
    auto started = Server::start(std::move(options), std::move(handler), &number_as_body, seams());
    EXPECT_TRUE(started) << started.error().to_string();
    server_ = std::move(*started);
  }

  Server& server() { return *server_; }
  const std::string& address() const { return server_->address(); }
  /// Destroys the server; what it borrowed stays.
  void destroy() { server_.reset(); }
  RawClient connect(int receive_buffer = RawClient::kNoBuffer) const { return RawClient(address(), receive_buffer); }
  /// "GET /path HTTP/1.1" with a Host that is accepted, and `more` header lines.
  std::string get(std::string_view path = "/", std::string_view more = "") const {
    return head("GET", path, more) + "\r\n";
  }
  std::string head(std::string_view method, std::string_view path, std::string_view more = "") const {
    return std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: " + address() + "\r\n" +
           std::string(more);
  }
  RecordingLog& log() { return log_; }
  ServerSeams seams() { return {executor_, clock_, log_, meter_}; }
  const Clock& clock() const { return clock_; }
  Executor& executor() { return executor_; }

 private:
  SystemClock clock_;
  RecordingLog log_;
  NullMeter meter_;
  ThreadExecutor executor_{4};
  std::unique_ptr<Server> server_;
};

/// Answers with "METHOD path name=value;... body".
inline void echo(const ServerRequest& request, const std::shared_ptr<Responder>& responder) {
  std::string shown = request.method + " " + request.path + " ";
  for (const auto& [name, value] : request.query) shown += name + "=" + value + ";";
  responder->send({.status = 200, .headers = {{"Content-Type", "text/plain"}}, .body = shown + " " + request.body});
}

}  // namespace tandem::server
