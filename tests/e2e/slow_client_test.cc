// Clients that send but do not read: the router's memory for them is bounded,
// and they end while others continue.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

constexpr int kCalls = 32;

TEST(SlowClientTest, ThoseThatReadNothingHoldLittleAndEnd) {
  // All answers at the same time, so that without a bound all would be held.
  Cluster cluster(
      Runfile("tests/golden/published"),
      {.expert_workers = 1,
       .dense_flags = {"--max_running=256"},
       .router_flags = {kPauseEarly, "--stalled_client_timeout=3s"}});
  cluster.Start();
  const auto stub = cluster.NewStub();
  ASSERT_TRUE(Generate(*stub, GreedyRequest("fever", 8)).status.ok());
  const std::int64_t before = cluster.RouterBytes();

  grpc::ClientContext contexts[kCalls];
  std::vector<std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>>> held;
  for (grpc::ClientContext& context : contexts) {
    held.push_back(stub->Generate(&context, LongRequest("fever")));
  }
  // All requests start and end, although the client has not read a byte.
  const std::string kEnded =
      "apollo_requests_total{code=\"RESOURCE_EXHAUSTED\",method=\"Generate\"}";
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(5);
  std::int64_t peak = before;
  while (cluster.Metric("router", kEnded) < kCalls &&
         std::chrono::steady_clock::now() < end) {
    peak = std::max(peak, cluster.RouterBytes());
    std::this_thread::yield();
  }
  EXPECT_EQ(cluster.Metric("router", kEnded), kCalls);
  // The answers take 34 MB plus overhead; the bounds are 1 MB, and threads
  // and reads of metrics take 5 to 9 MB, or more on a busy machine. (Sanitizers
  // need memory of their own.)
#if !defined(ABSL_HAVE_ADDRESS_SANITIZER) && \
    !defined(ABSL_HAVE_THREAD_SANITIZER)
  EXPECT_LT(peak - before, 24 << 20);
#endif
  cluster.WaitForMetric("router", "apollo_num_requests_running", 0);
  cluster.WaitForMetric("dense-worker-0", "apollo_num_sequences_running", 0);
  for (const auto& reader : held) {
    v1::GenerateResponse response;
    while (reader->Read(&response)) continue;
    const grpc::Status status = reader->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED)
        << status.error_message();
  }
  EXPECT_TRUE(Generate(*stub, GreedyRequest("fever", 8)).status.ok());
  cluster.StopAll();
}

TEST(SlowClientTest, TooMuchMetadataIsRefused) {
  Cluster cluster(
      Runfile("tests/golden/published"),
      {.expert_workers = 0, .local_flags = {"--max_metadata_bytes=2048"}});
  cluster.Start();
  const auto stub = cluster.NewStub();
  for (const auto& [bytes, code] :
       {std::pair(1000, grpc::StatusCode::OK),
        std::pair(4000, grpc::StatusCode::RESOURCE_EXHAUSTED)}) {
    grpc::ClientContext context;
    context.AddMetadata("x-much", std::string(bytes, 'x'));
    v1::GetModelResponse response;
    EXPECT_EQ(stub->GetModel(&context, {}, &response).error_code(), code)
        << bytes;
  }
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo
