// apps/tandem/checks.h - what a command looked at, one line each, for people and for machines.
#pragma once

#include <string>
#include <vector>

#include "tandem/base/json.h"
#include "tandem/base/result.h"

namespace tandem::app {

/// The first problem decides the exit code. Threads: one.
struct Checks {
  std::vector<std::vector<std::string>> rows = {{"check", "", "detail"}};
  Json list = Json::array();
  int exit_code = 0;

  void well(const std::string& check, const std::string& detail) { add(check, detail, nullptr); }
  void problem(const std::string& check, const Error& error) { add(check, error.to_string(), &error); }

 private:
  void add(const std::string& check, const std::string& detail, const Error* error) {
    rows.push_back({check, error == nullptr ? "ok" : "PROBLEM", detail});
    list.push_back({{"check", check},
                    {"ok", error == nullptr},
                    {"detail", detail},
                    {"error", error == nullptr ? Json() : Json(static_cast<int>(error->number))}});
    if (error != nullptr && exit_code == 0) exit_code = error_record(error->number).exit_code;
  }
};

}  // namespace tandem::app
