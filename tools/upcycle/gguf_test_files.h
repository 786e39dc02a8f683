#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tools/upcycle/dense_base.h"
#include "tools/upcycle/tiny_gguf.h"

namespace apollo {

// Returns the path of a file in a folder of the running test.
inline std::string TestFile(const std::string& name) {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::string folder =
      testing::TempDir() + "/" + test->test_suite_name() + "." + test->name();
  std::filesystem::create_directories(folder);
  return folder + "/" + name;
}

inline std::string WriteTestFile(const std::string& name,
                                 const std::string& bytes) {
  const std::string path = TestFile(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// Opens a model whose file is called base.gguf.
inline absl::StatusOr<std::unique_ptr<DenseBase>> OpenTiny(TinyModel model) {
  return OpenDenseBase(WriteTestFile("base.gguf", model.Build()));
}

// Returns the message of the error, without the folder.
inline std::string ErrorOf(const absl::Status& status) {
  std::string message(status.message());
  const std::string folder = TestFile("");
  for (auto at = message.find(folder); at != std::string::npos;
       at = message.find(folder)) {
    message.erase(at, folder.size());
  }
  return message;
}

}  // namespace apollo
