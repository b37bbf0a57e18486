// tandem/store/testing/bench_folder.h - a folder of its own for a benchmark, on the disk that TANDEM_BENCH_DIR chooses.
//
// Room: store, benchmarks only.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tandem/base/assert.h"

namespace tandem::store {

class BenchFolder {
 public:
  BenchFolder() {
    const char* chosen = std::getenv("TANDEM_BENCH_DIR");
    path_ = std::string(chosen != nullptr ? chosen : "/tmp") + "/tandem-bench-XXXXXX";
    TANDEM_ASSERT(mkdtemp(path_.data()) != nullptr);
  }
  ~BenchFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace tandem::store
