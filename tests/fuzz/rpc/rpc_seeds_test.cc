// The corpus knows every method: else the fuzzer would not find its name.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "tests/fuzz/rpc/rpc_methods.h"

namespace apollo {
namespace {

TEST(RpcSeedsTest, EveryMethodHasASeed) {
  std::set<std::string> seeds;
  for (const auto& file :
       std::filesystem::directory_iterator("tests/fuzz/rpc/corpus")) {
    std::string method;
    std::getline(std::ifstream(file.path(), std::ios::binary), method);
    EXPECT_TRUE(RpcMethods().contains(method)) << file.path();
    seeds.insert(method);
  }
  EXPECT_GE(RpcMethods().size(), 20u);
  for (const auto& [path, method] : RpcMethods()) {
    EXPECT_TRUE(seeds.contains(path)) << path;
  }
}

}  // namespace
}  // namespace apollo
