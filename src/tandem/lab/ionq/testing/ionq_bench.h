// tandem/lab/ionq/testing/ionq_bench.h - an IonqServer on a free port with a book in a folder of its own, and clients for it.
//
// Room: lab, tests only.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/lab/ionq/ionq_server.h"
#include "tandem/lab/provider/book.h"
#include "tandem/lab/provider/testing/provider_bench.h"
#include "tandem/lab/provider/testing/scratch_folder.h"
#include "tandem/middleware/adapter/ionq/ionq.h"
#include "tandem/middleware/remote/remote_backend.h"
#include "tandem/net/client/curl_http.h"

namespace tandem::lab {

class IonqBench final : public ProviderBench {
 public:
  explicit IonqBench(std::string_view faults = "faults: []", IonqOptions options = quick())
      : options_(std::move(options)) {
    options_.faults = FaultScript::parse(faults, "faults").value();
    options_.book = folder_.path() + "/book.jsonl";
    restart();
  }
  static IonqOptions quick() {
    return {.listen = "127.0.0.1:0", .qubits = 6, .queue_time = std::chrono::milliseconds(1), .api_key = "secret-key"};
  }

  void restart() {
    server_.reset();
    auto started = IonqServer::start(options_, {executor_, clock_, fs_, log_, meter_});
    ASSERT_TRUE(started.has_value()) << started.error().to_string();
    server_ = *std::move(started);
  }
  std::string url() const { return "http://" + server_->address() + "/v0.4"; }
  const std::string& origin() const override { return server_->address(); }
  /// To a machine: it is metered.
  ProviderAccess access() const override {
    return {.url = url(),
            .make_codec = [] { return ionq::make_codec({.backend = "qpu.forte-1", .emulated = true}).value(); },
            .api_key = options_.api_key};
  }
  /// While no server has it.
  void add_to_book(const Json& line) {
    server_.reset();
    std::ofstream(options_.book, std::ios::app) << line.dump() << "\n";
  }
  /// Puts jobs without a token into the book, ended; nothing is done for none. While no client has the address.
  void add_jobs_of_others(std::size_t count) {
    if (count == 0) return;
    const Json body = {
        {"type", "ionq.circuit.v1"},
        {"backend", "simulator"},
        {"input", {{"gateset", "qis"}, {"qubits", 1}, {"circuit", Json::array({{{"gate", "x"}, {"target", 0}}})}}}};
    const std::string at = format_rfc3339(clock_.now());
    for (std::size_t i = 0; i < count; ++i) {
      const std::string id = fmt::format("of-others-{}", i);
      add_to_book(
          {{"line", "accepted"}, {"at", at}, {"id", id}, {"token", ""}, {"billed_usd_micros", 0}, {"body", body}});
      add_to_book(
          {{"line", "ended"}, {"at", at}, {"id", id}, {"token", ""}, {"status", "canceled"}, {"billed_usd_micros", 0}});
    }
    restart();
  }
  std::vector<Json> book() override { return read_book(fs_, options_.book).value(); }
  std::size_t accepted() {
    std::size_t out = 0;
    for (const Json& line : book()) out += line.value("line", "") == "accepted" ? 1 : 0;
    return out;
  }

 private:
  ScratchFolder folder_;
  IonqOptions options_;
  ThreadExecutor executor_{2};
  SystemClock clock_;
  RealFs fs_;
  RecordingLog log_;
  NullMeter meter_;
  std::unique_ptr<IonqServer> server_;
};

/// The client's side of the wire.
class IonqClient {
 public:
  explicit IonqClient(const IonqBench& bench)
      : http_(client::CurlHttp::create({.allow = {bench.origin()}}, clock_, executor_).value()), url_(bench.url()) {}

  HttpResponse send(std::string method, const std::string& path, Bytes body = {}, Headers headers = {}) {
    headers.emplace_back("Authorization", "apiKey secret-key");
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    const auto response = http_->send(
        {.method = std::move(method), .url = url_ + path, .headers = std::move(headers), .body = std::move(body)},
        Deadline::after(clock_, std::chrono::seconds(20)));
    EXPECT_TRUE(response.has_value()) << response.error().error.to_string();
    return response.value_or(HttpResponse{});
  }
  std::unique_ptr<backend::Backend> backend(std::string name, Executor& executor) {
    remote::RemoteOptions options{.base_url = url_,
                                  .credential = "key",
                                  .request_timeout = std::chrono::milliseconds(2000),
                                  .poll_interval = std::chrono::milliseconds(1),
                                  .backoff_base = std::chrono::milliseconds(1),
                                  .backoff_cap = std::chrono::milliseconds(10)};
    return remote::make_remote_backend(ionq::make_codec({.backend = std::move(name), .emulated = true}).value(),
                                       {*http_, credentials_, clock_, executor, rng_, log_}, std::move(options));
  }
  const SystemClock& clock() const { return clock_; }

 private:
  SystemClock clock_;
  ThreadExecutor executor_{1};
  std::unique_ptr<client::CurlHttp> http_;
  std::string url_;
  MemoryCredentials credentials_{{"key", "secret-key"}};
  SeededRng rng_{1};
  NullLog log_;
};

}  // namespace tandem::lab
