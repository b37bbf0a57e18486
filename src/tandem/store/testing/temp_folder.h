// tandem/store/testing/temp_folder.h - a folder of its own for a test, removed with everything in it.
//
// Room: store, tests only.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tandem/base/assert.h"

namespace tandem::store {

class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "tandem-store-XXXXXX").string()) {
    TANDEM_ASSERT(mkdtemp(path_.data()) != nullptr);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tandem::store
