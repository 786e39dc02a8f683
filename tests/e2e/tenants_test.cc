// The requests of a router to a real dense worker for different tenants: equal
// prompts of two tenants share nothing in the cache.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "router/dense_client.h"
#include "sequence/generation.h"
#include "serving/server.h"
#include "tests/e2e/cluster.h"

namespace apollo {
namespace {

// Records the events of a sequence until it ends.
class Events final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted& started) override {
    MutexLock lock(mutex_);
    cached_ = started.cached_tokens;
  }
  void OnToken(const GeneratedToken& token) override {
    MutexLock lock(mutex_);
    tokens_.push_back(token.token);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    MutexLock lock(mutex_);
    status_ = finished.status();
    over_ = true;
    changed_.notify_all();
  }

  // Waits for the end and returns the number of prompt tokens found in the
  // cache.
  int Cached() {
    MutexLock lock(mutex_);
    while (!over_) changed_.wait(mutex_);
    EXPECT_TRUE(status_.ok()) << status_;
    return cached_;
  }
  std::vector<std::int32_t> Tokens() {
    MutexLock lock(mutex_);
    return tokens_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  int cached_ ABSL_GUARDED_BY(mutex_) = -1;
  std::vector<std::int32_t> tokens_ ABSL_GUARDED_BY(mutex_);
};

TEST(TenantsTest, ShareNoBlocksOfTheCache) {
  Cluster cluster(Runfile("tests/golden/published"), {});
  cluster.Start();
  DenseClient client(MakeClusterChannel(cluster.dense_address()));
  // Rows of prompts that the dense layers compute. The counters are those of
  // the last step, which has ended.
  const auto rows = [&] {
    return cluster.Metric("dense-worker-0",
                          R"(apollo_dense_rows_total{kind="prompt"})");
  };
  double computed = 0;
  std::vector<std::int32_t> answer;
  const auto cached = [&](const std::string& salt) {
    GenerationRequest request;
    request.request_id = "tenants";
    for (int i = 0; i < 40; ++i) request.prompt.push_back(i % 7 + 60);
    request.max_new_tokens = 3;
    request.ignore_eos = true;
    request.cache_salt = salt;
    const auto events = std::make_shared<Events>();
    const double before = rows();
    const auto call = client.Start(std::move(request), events);
    const int found = events->Cached();
    computed = rows() - before;
    if (answer.empty()) answer = events->Tokens();
    EXPECT_EQ(events->Tokens(), answer) << "salt " << salt;
    return found;
  };
  for (const char* first : {"clinic-a", "clinic-b", ""}) {
    EXPECT_EQ(cached(first), 0);
    EXPECT_EQ(computed, 40) << "as many rows as of the first one";
  }
  // Each tenant finds its own blocks, of 16 tokens each.
  for (const char* again : {"clinic-a", "clinic-b", ""}) {
    EXPECT_EQ(cached(again), 32);
    EXPECT_EQ(computed, 8);
  }
  EXPECT_EQ(cached("clinic-c"), 0);
  EXPECT_EQ(computed, 40);
  EXPECT_EQ(answer.size(), 3u);
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo
