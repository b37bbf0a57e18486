// tandem/lab/provider/testing/scratch_folder.h - a folder that goes with its object.
//
// Room: lab, tests only.
#pragma once

#include <filesystem>
#include <string>

namespace tandem::lab {

/// Threads: one.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tandem-lab-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace tandem::lab
