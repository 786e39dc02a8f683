#pragma once

#include <stdlib.h>

#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace apollo {

// A new folder that is removed with its content, also if an assertion fails.
// Its path is short enough for Unix sockets, which that of testing::TempDir()
// need not be. For tests.
class TempFolder {
 public:
  TempFolder()
      : path_((std::filesystem::temp_directory_path() / "apollo_XXXXXX")
                  .string()) {
    if (mkdtemp(path_.data()) == nullptr) {
      throw std::runtime_error("cannot create a folder like " + path_);
    }
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace apollo
