// tandem/lab/device/testing/bench.h - a DeviceServer on a free port with a book in a folder of its own, and clients for it.
//
// Room: lab, tests only.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tandem/base/testing/memory_credentials.h"
#include "tandem/base/testing/recording_log.h"
#include "tandem/base/testing/seeded_rng.h"
#include "tandem/lab/device/device_server.h"
#include "tandem/lab/provider/book.h"
#include "tandem/lab/provider/testing/provider_bench.h"
#include "tandem/lab/provider/testing/scratch_folder.h"
#include "tandem/middleware/adapter/labdevice/labdevice.h"
#include "tandem/middleware/remote/remote_backend.h"
#include "tandem/net/client/curl_http.h"

namespace tandem::lab {

/// How the emulated device at that address is spoken to.
inline ProviderAccess device_access(std::string url) {
  return {.url = std::move(url), .make_codec = labdevice::make_codec, .api_key = ""};
}

class DeviceBench final : public ProviderBench {
 public:
  explicit DeviceBench(std::string_view faults = "faults: []", DeviceOptions options = quick())
      : options_(std::move(options)) {
    options_.faults = FaultScript::parse(faults, "faults").value();
    if (options_.book.empty()) options_.book = folder_.path() + "/book.jsonl";
    restart();
  }
  static DeviceOptions quick() {
    return {.listen = "127.0.0.1:0", .qubits = 5, .queue_time = std::chrono::milliseconds(1)};
  }

  void restart() {
    server_.reset();
    auto started = DeviceServer::start(options_, {executor_, clock_, fs_, log_, meter_});
    ASSERT_TRUE(started.has_value()) << started.error().to_string();
    server_ = *std::move(started);
  }
  void stop() { server_.reset(); }
  std::string url() const { return "http://" + server_->address(); }
  const std::string& origin() const override { return server_->address(); }
  ProviderAccess access() const override { return device_access(url()); }
  DeviceOptions& options() { return options_; }
  std::vector<Json> book() override { return read_book(fs_, options_.book).value(); }

 private:
  ScratchFolder folder_;
  DeviceOptions options_;
  ThreadExecutor executor_{2};
  SystemClock clock_;
  RealFs fs_;
  RecordingLog log_;
  NullMeter meter_;
  std::unique_ptr<DeviceServer> server_;
};

/// The client's side of the wire.
class ClientBench {
 public:
  explicit ClientBench(const DeviceBench& device)
      : http_(client::CurlHttp::create({.allow = {device.origin()}}, clock_, executor_).value()), url_(device.url()) {}

  HttpResponse send(std::string method, const std::string& path, Bytes body = {}, Headers headers = {}) {
    if (method == "POST" && !body.empty()) headers.emplace_back("Content-Type", "application/json");
    const auto response = http_->send(
        {.method = std::move(method), .url = url_ + path, .headers = std::move(headers), .body = std::move(body)},
        Deadline::after(clock_, std::chrono::seconds(20)));
    EXPECT_TRUE(response.has_value()) << response.error().error.to_string();
    return response.value_or(HttpResponse{});
  }
  std::unique_ptr<backend::Backend> backend(remote::RemoteOptions options, Executor& executor) {
    options.base_url = url_;
    return remote::make_remote_backend(labdevice::make_codec(), {*http_, credentials_, clock_, executor, rng_, log_},
                                       std::move(options));
  }
  const SystemClock& clock() const { return clock_; }

 private:
  SystemClock clock_;
  ThreadExecutor executor_{1};
  std::unique_ptr<client::CurlHttp> http_;
  std::string url_;
  MemoryCredentials credentials_;
  SeededRng rng_{1};
  NullLog log_;
};

}  // namespace tandem::lab
