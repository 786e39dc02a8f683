#include "serving/counters.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "serving/buckets.h"
#include "serving/counters_testing.h"

namespace apollo {
namespace {

TEST(CountTest, OnlyIncreases) {
  Count count;
  EXPECT_EQ(count, 0);
  ++count;
  count += 5;
  count += 0;
  EXPECT_EQ(count, 6);
  EXPECT_DEATH(count += -1, "broken invariant");
}

TEST(CountTest, ACopyDoesNotChange) {
  Count count;
  Level level;
  count += 3;
  level = 7;
  const Count counted = count;
  const Level measured = level;
  ++count;
  level = 2;
  EXPECT_EQ(counted, 3);
  EXPECT_EQ(measured, 7);
  EXPECT_EQ(count, 4);
  EXPECT_EQ(level, 2);
}

// Also useful under the thread sanitizer.
TEST(CountTest, AnotherThreadSeesItIncrease) {
  Count count;
  std::thread counting([&count] {
    for (int i = 0; i < 100000; ++i) ++count;
  });
  std::int64_t last = 0;
  while (last < 100000) {
    const std::int64_t now = count;
    ASSERT_GE(now, last);
    last = now;
  }
  counting.join();
}

CountTable::Axis Languages() { return {"language", {"ar", "de", "sw"}}; }
CountTable::Axis Layers() { return {"layer", {"10", "11"}}; }

std::vector<std::string> Lines(const CountTable& table) {
  std::vector<std::string> lines;
  table.ForEachUsed(
      [&lines](const std::vector<MetricLabel>& labels, std::int64_t number) {
        std::string line;
        for (const MetricLabel& label : labels) {
          line += label.name + "=" + label.value + " ";
        }
        lines.push_back(line + std::to_string(number));
      });
  return lines;
}

TEST(CountTableTest, CountsByTheLabelsOfARow) {
  CountTable table({Languages(), Layers()}, {"expert", {"0", "1"}});
  EXPECT_EQ(Lines(table), std::vector<std::string>());
  table.Use({2, 0})[1] += 5;
  ++table.Use({0, 1})[0];
  ++table.Use({2, 0})[1];
  EXPECT_EQ(Lines(table),
            (std::vector<std::string>{"language=ar layer=11 expert=0 1",
                                      "language=ar layer=11 expert=1 0",
                                      "language=sw layer=10 expert=0 0",
                                      "language=sw layer=10 expert=1 6"}));
  ASSERT_EQ(table.Row({2, 0}).size(), 2u);
  EXPECT_EQ(table.Row({2, 0})[1], 6);
  EXPECT_TRUE(table.Row({2, 1}).empty());
}

TEST(CountTableTest, WithoutColumnsARowIsOneCount) {
  CountTable table({Languages(), Layers()});
  table.Use({1, 1});
  EXPECT_EQ(Lines(table), std::vector<std::string>{"language=de layer=11 0"});
  table.Use({1, 1})[0] += 2;
  EXPECT_EQ(table.Row({1, 1}).size(), 1u);
  EXPECT_EQ(Lines(table), std::vector<std::string>{"language=de layer=11 2"});
}

TEST(CountTableTest, EachRowIsItsOwn) {
  CountTable table({Languages(), Layers()}, {"expert", {"0", "1", "2"}});
  int n = 0;
  for (int language = 0; language < 3; ++language) {
    for (int layer = 0; layer < 2; ++layer) {
      for (Count& count : table.Use({language, layer})) count += ++n;
    }
  }
  n = 0;
  table.ForEachUsed(
      [&n](const auto&, std::int64_t number) { EXPECT_EQ(number, ++n); });
  EXPECT_EQ(n, 18);
}

TEST(CountTableTest, UnknownRowsAreABrokenInvariant) {
  CountTable table({Languages(), Layers()});
  EXPECT_DEATH(table.Use({3, 0}), "broken invariant");
  EXPECT_DEATH(table.Use({0, -1}), "broken invariant");
  EXPECT_DEATH(table.Use({0}), "broken invariant");
  EXPECT_DEATH(CountTable().Use({0}), "broken invariant");
}

TEST(DistributionTest, ObservationsFallIntoTheFirstBucketThatHoldsThem) {
  static constexpr double kBounds[] = {1, 2, 4};
  Distribution distribution(kBounds);
  for (const double value : {0.0, 1.0, 1.5, 4.0, 5.0, 100.0}) {
    distribution.Observe(value);
  }
  EXPECT_EQ(distribution.in_bucket(0), 2);  // A bound belongs to its bucket.
  EXPECT_EQ(distribution.in_bucket(1), 1);
  EXPECT_EQ(distribution.in_bucket(2), 1);
  EXPECT_EQ(distribution.in_bucket(3), 2);
  EXPECT_EQ(distribution.count(), 6);
  EXPECT_EQ(distribution.sum(), 111.5);
  const Distribution copy = distribution;
  distribution.Observe(1);
  EXPECT_EQ(copy.count(), 6);
  EXPECT_DEATH(distribution.Observe(-1), "broken invariant");
}

template <std::size_t kBounds>
bool Ascends(const double (&bounds)[kBounds]) {
  return std::is_sorted(bounds, bounds + kBounds, std::less_equal<>());
}

TEST(BucketsTest, BoundsAscend) {
  EXPECT_TRUE(Ascends(kRequestSeconds));
  EXPECT_TRUE(Ascends(kStepSeconds));
  EXPECT_TRUE(Ascends(kPauseSeconds));
  EXPECT_TRUE(Ascends(kRows));
  EXPECT_TRUE(Ascends(kProbabilities));
}

TEST(LevelTableTest, HasALevelForEachValue) {
  LevelTable table(Languages());
  EXPECT_EQ(table.axis().values.size(), 3u);
  table[2] = 7;
  table[2] = 5;
  EXPECT_EQ(table[2], 5);
  EXPECT_EQ(table[0], 0);
  EXPECT_TRUE(LevelTable().axis().values.empty());
}

// Tables for ExpectWholeTable.
struct Three {
  Count a;
  Level b;
  Count c;
};
constexpr MetricRow<Three> kWhole[] = {{"apollo_a", "A.", &Three::a},
                                       {"apollo_b", "B.", &Three::b},
                                       {"apollo_c", "C.", &Three::c}};
constexpr MetricRow<Three> kTwice[] = {{"apollo_a", "A.", &Three::a},
                                       {"apollo_b", "B.", &Three::b},
                                       {"apollo_c", "C.", &Three::c},
                                       {"apollo_d", "D.", &Three::a}};
constexpr MetricRow<Three> kNoMiddle[] = {{"apollo_a", "A.", &Three::a},
                                          {"apollo_c", "C.", &Three::c}};
constexpr MetricRow<Three> kNoEnd[] = {{"apollo_a", "A.", &Three::a},
                                       {"apollo_b", "B.", &Three::b}};
constexpr MetricRow<Three> kApart[] = {{"apollo_a", "A.", &Three::a, "k", "x"},
                                       {"apollo_b", "B.", &Three::b},
                                       {"apollo_a", "A.", &Three::c, "k", "y"}};
constexpr MetricRow<Three> kOtherHelp[] = {
    {"apollo_a", "A.", &Three::a, "k", "x"},
    {"apollo_a", "C.", &Three::c, "k", "y"},
    {"apollo_b", "B.", &Three::b}};

TEST(ExpectWholeTableTest, FindsMissingAndRepeatedMembers) {
  ExpectWholeTable(kWhole);
  EXPECT_NONFATAL_FAILURE(ExpectWholeTable(kTwice), "the same member");
  EXPECT_NONFATAL_FAILURE(ExpectWholeTable(kNoMiddle),
                          "before that of apollo_c");
  EXPECT_NONFATAL_FAILURE(ExpectWholeTable(kNoEnd), "the last member");
  EXPECT_NONFATAL_FAILURE(ExpectWholeTable(kApart), "adjacent");
  EXPECT_NONFATAL_FAILURE(ExpectWholeTable(kOtherHelp), "help");
}

}  // namespace
}  // namespace apollo
