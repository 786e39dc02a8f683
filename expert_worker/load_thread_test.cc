#include "expert_worker/load_thread.h"

#include <gtest/gtest.h>

#include <utility>

namespace apollo {
namespace {

// Has the experts of layer 1 only.
class FakeLoader final : public ExpertLoader {
 public:
  std::int64_t Bytes(LayerExpert) const override { return 1; }
  absl::StatusOr<std::unique_ptr<ExpertWeights>> Load(
      LayerExpert which) override {
    if (which.layer != 1) return absl::NotFoundError("no tensor");
    return std::make_unique<ExpertWeights>();
  }
};

TEST(LoadThreadTest, PassesResultsOnInOrder) {
  using Result = std::pair<LayerExpert, absl::StatusCode>;
  FakeLoader loader;
  Queue<Result> results;
  LoadThread thread(
      loader, [&](LayerExpert which,
                  absl::StatusOr<std::unique_ptr<ExpertWeights>> weights) {
        EXPECT_EQ(weights.ok(), which.layer == 1);
        results.Push({which, weights.status().code()});
      });
  thread.Load({1, 5});
  thread.Load({2, 5});
  thread.Load({1, 3});
  EXPECT_EQ(results.Pop(), (Result{{1, 5}, absl::StatusCode::kOk}));
  EXPECT_EQ(results.Pop(), (Result{{2, 5}, absl::StatusCode::kNotFound}));
  EXPECT_EQ(results.Pop(), (Result{{1, 3}, absl::StatusCode::kOk}));
}

}  // namespace
}  // namespace apollo
