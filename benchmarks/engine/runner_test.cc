#include "benchmarks/engine/runner.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "model/weights/open_model.h"

namespace apollo {
namespace {

TEST(RunnerTest, SequencesBeyondTheCacheAreAnError) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  const auto runner = Runner::Create(*model, 1, /*cache_megabytes=*/1);
  ASSERT_TRUE(runner.ok()) << runner.status();
  const std::vector<std::int32_t> tokens(256, 7);
  std::vector<Runner::Sequence> sequences(64);
  absl::Status status;
  std::size_t fed = 0;
  for (; status.ok() && fed < sequences.size(); ++fed) {
    status = (*runner)->Step({{&sequences[fed], tokens}}).status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_NE(std::string(status.message()).find("caches of 1 MB hold"),
            std::string::npos)
      << status;
  // There is room again after their release.
  EXPECT_GT(fed, 1u);
  for (Runner::Sequence& sequence : sequences) (*runner)->Release(sequence);
  const auto logits = (*runner)->Step({{&sequences[0], tokens}});
  ASSERT_TRUE(logits.ok()) << logits.status();
  ASSERT_EQ(static_cast<int>(logits->size()), (*runner)->vocab());
  for (const float logit : *logits) EXPECT_TRUE(std::isfinite(logit));
}

TEST(RunnerTest, NoCacheIsAnError) {
  const auto model = OpenModelDirectory("tests/golden/published");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(Runner::Create(*model, 1, 0).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace apollo
