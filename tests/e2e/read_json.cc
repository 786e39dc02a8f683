#include "tests/e2e/read_json.h"

#include <gtest/gtest.h>

#include "common/mapped_file.h"

namespace apollo {

Json ReadJson(const std::string& path) {
  const auto text = ReadFile(path, 16 << 20);
  EXPECT_TRUE(text.ok()) << text.status();
  const auto json = ParseJson(text.value_or("{}"), path);
  EXPECT_TRUE(json.ok()) << json.status();
  return json.value_or(Json::object());
}

}  // namespace apollo
