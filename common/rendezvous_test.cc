#include "common/rendezvous.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace apollo {
namespace {

TEST(RendezvousTest, KeysAreSpreadEvenlyOverNames) {
  constexpr int kNames = 10, kKeys = 10000;
  std::map<int, int> counts;
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    int best = 0;
    std::uint64_t highest = 0;
    for (int name = 0; name < kNames; ++name) {
      const std::uint64_t score =
          RendezvousScore("expert-worker-" + std::to_string(name), key);
      if (score <= highest) continue;
      best = name;
      highest = score;
    }
    ++counts[best];
  }
  for (int name = 0; name < kNames; ++name) {
    EXPECT_GT(counts[name], kKeys / kNames / 2) << name;
    EXPECT_LT(counts[name], kKeys / kNames * 2) << name;
  }
}

}  // namespace
}  // namespace apollo
