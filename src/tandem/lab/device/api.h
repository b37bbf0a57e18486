// tandem/lab/device/api.h - Api: the routes and documents of API v1 (docs/guide/lab_device.md), strict on what it is sent.
//
// Room: lab. Pure but for the Device it speaks for. Not here: sockets and faults (device_server.h).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <variant>

#include "tandem/base/http.h"
#include "tandem/lab/device/device.h"
#include "tandem/lab/provider/fault_script.h"
#include "tandem/net/server/server.h"

namespace tandem::lab {

/// Where a request goes.
struct Route {
  Operation operation = Operation::kDevice;
  std::string id;  ///< of the job in the path
};

/// application/problem+json, labelled `emulated`. `code` is a word for programs, `detail` a sentence for people.
HttpResponse problem(int status, std::string_view code, std::string_view detail);

/// Threads: safe to call concurrently.
class Api {
 public:
  Api(Device& device, const DeviceOptions& options) : device_(device), options_(options) {}

  /// What it has, and so what faults may happen to.
  static std::span<const Operation> operations();
  /// The route of a request, or the refusal that it gets: 401, 404 or 405.
  std::variant<Route, HttpResponse> route(const server::ServerRequest& request) const;
  HttpResponse handle(const Route& route, const server::ServerRequest& request);

 private:
  HttpResponse describe() const;
  HttpResponse submit(const server::ServerRequest& request);
  HttpResponse status(const std::string& id) const;
  HttpResponse result(const std::string& id) const;
  HttpResponse cancel(const std::string& id);
  HttpResponse lookup(const server::ServerRequest& request) const;

  Device& device_;
  const DeviceOptions& options_;
};

}  // namespace tandem::lab
