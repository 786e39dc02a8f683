#include "expert_worker/placement_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace apollo {
namespace {

using ::testing::HasSubstr;

constexpr SparseShape kShape = {22, 24, 7};

std::string ErrorOf(const std::string& text) {
  const auto placement = ParsePlacement(text, "p.txt", kShape);
  EXPECT_EQ(placement.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(placement.status().message());
}

TEST(PlacementFileTest, ALineIsAWorker) {
  const auto placement = ParsePlacement(
      "# a comment\n"
      "\n"
      "expert-worker-0: 0,4\n"
      "  b:all \r\n"
      "c: 1 22=5\t23=5,6\n"
      "d:\n",
      "p.txt", kShape);
  ASSERT_TRUE(placement.ok()) << placement.status();
  EXPECT_EQ(placement->size(), 4u);
  EXPECT_EQ(placement->at("expert-worker-0"), (LayerExperts{0, 4}));
  EXPECT_EQ(placement->at("b"), (LayerExperts{0, 1, 2, 3, 4, 5, 6}));
  LayerExperts c = {1, 5};
  c.in_layer[23] = {6};
  EXPECT_EQ(placement->at("c"), c);
  EXPECT_EQ(placement->at("d"), LayerExperts());
}

TEST(PlacementFileTest, ErrorsNameTheLineAndThePart) {
  EXPECT_EQ(ErrorOf("a: 0\nb 1\n"),
            "p.txt:2: no colon; a line is a worker's name, a colon and its "
            "experts");
  EXPECT_THAT(ErrorOf("a: 0,7"), HasSubstr("p.txt:1: the worker has \"7\""));
  EXPECT_THAT(ErrorOf("a: 21=0"),
              HasSubstr("\"21\" is no sparse layer; they are 22 to 23"));
  EXPECT_THAT(ErrorOf("a: x=0"), HasSubstr("\"x\""));
  EXPECT_THAT(ErrorOf("a: 22="), HasSubstr("p.txt:1"));
  EXPECT_THAT(ErrorOf(": 1"), HasSubstr("no worker's name"));
  EXPECT_THAT(ErrorOf("a: 1\na: 2"), HasSubstr("has a line already"));
}

class PlacementWatchTest : public testing::Test {
 protected:
  ~PlacementWatchTest() override { std::filesystem::remove(path_); }
  void Write(const std::string& text) { std::ofstream(path_) << text; }
  void RefreshTwice() {
    watch_.Refresh();
    watch_.Refresh();
  }

  const std::string path_ = testing::TempDir() + "/placement.txt";
  std::vector<Placement> seen_;
  PlacementWatch watch_{path_, kShape,
                        [this](const Placement& p) { seen_.push_back(p); }};
};

TEST_F(PlacementWatchTest, ABadFileKeepsTheLastPlacement) {
  watch_.Refresh();  // No file yet.
  EXPECT_TRUE(seen_.empty());
  Write("a: 0\n");
  RefreshTwice();
  RefreshTwice();
  ASSERT_EQ(seen_.size(), 1u);
  Write("a: 99\n");
  RefreshTwice();
  Write("");
  RefreshTwice();
  EXPECT_EQ(seen_.size(), 1u);
  Write("a: 1\n");
  RefreshTwice();
  ASSERT_EQ(seen_.size(), 2u);
  EXPECT_EQ(seen_[1].at("a"), LayerExperts{1});
}

TEST_F(PlacementWatchTest, WhoeverAsksGetsAChangeAtOnceOrTheReason) {
  EXPECT_THAT(watch_.ReadNow().message(), HasSubstr(path_));  // No file yet.
  Write("a: 0\n");
  EXPECT_TRUE(watch_.ReadNow().ok());
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_TRUE(watch_.ReadNow().ok());
  EXPECT_EQ(seen_.size(), 1u);  // Nothing new.
  Write("a: 99\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(watch_.ReadNow().message(), HasSubstr("\"99\""));
  }
  Write("");
  EXPECT_THAT(watch_.ReadNow().message(), HasSubstr("is being written"));
  EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(PlacementWatchTest, AFileThatIsBeingWrittenIsNotTaken) {
  for (const char* part : {"a: 0", "a: 0,1", "a: 0,1\n", "a: 0,1\nb: 2"}) {
    Write(part);
    watch_.Refresh();
  }
  EXPECT_TRUE(seen_.empty());
  watch_.Refresh();
  ASSERT_EQ(seen_.size(), 1u);
  EXPECT_EQ(seen_[0].size(), 2u);
}

}  // namespace
}  // namespace apollo
