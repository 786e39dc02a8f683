#include "tests/gpu/gpu_cluster.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "tests/e2e/generate.h"

namespace apollo {
namespace {

std::string Variable(const char* name, const char* otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : otherwise;
}

}  // namespace

std::string TestDevice() { return Variable("APOLLO_TEST_DEVICE", "cpu"); }

std::string TestRows() { return Variable("APOLLO_TEST_ROWS", "host"); }

Cluster::Layout GpuLayout(int expert_workers) {
  std::vector<std::string> flags = {"--weights=bf16", "--cache_dtype=bf16",
                                    "--cache_megabytes=64"};
  // A program without CUDA need not have the flag.
  if (TestDevice() != "cpu") flags.push_back("--device=" + TestDevice());
  if (TestRows() == "nccl") {
    flags.push_back("--nccl_across_hosts");
    flags.push_back("--nccl_interface=lo");
  }
  Cluster::Layout layout = {.expert_workers = expert_workers,
                            .dense_flags = flags,
                            .expert_flags = flags,
                            .router_flags = {kPauseEarly}};
  // Small, so that long prompts are split into chunks.
  layout.dense_flags.push_back("--token_budget=48");
  layout.own_host_ids = TestRows() == "nccl";
  return layout;
}

void StartGpuCluster(Cluster& cluster) {
  ASSERT_TRUE(TestRows() == "host" ||
              (TestRows() == "nccl" && TestDevice() != "cpu"))
      << "APOLLO_TEST_ROWS is \"" << TestRows() << "\" on device "
      << TestDevice() << "; it must be host or, on a GPU, nccl";
  cluster.Start();
  if (TestRows() == "nccl") {
    for (const char* const worker : {"dense-worker-0", "expert-worker-0"}) {
      EXPECT_TRUE(cluster.WaitForMetricAtLeast(
          worker, "apollo_device_paths_open{direction=\"out\"}", 1))
          << "no path of NCCL has opened; the log of " << worker
          << " has the reason";
    }
  }
}

void ExpectRowsTravelled(Cluster& cluster) {
  if (TestDevice() == "cpu") return;
  const auto metric = [&cluster](const std::string& name) {
    return cluster.Metric("dense-worker-0", name);
  };
  const double nccl = metric("apollo_device_bytes_sent_total{path=\"nccl\"}");
  const double copied = metric("apollo_device_bytes_sent_total{path=\"copy\"}");
  if (TestRows() == "nccl") {
    EXPECT_GT(nccl, 0);
  } else {
    EXPECT_EQ(nccl, 0);
    EXPECT_GT(copied, 0);
  }
  testing::Test::RecordProperty("bytes_by_nccl", std::to_string(nccl));
  testing::Test::RecordProperty("bytes_copied", std::to_string(copied));
  for (const std::string direction : {"in", "out"}) {
    EXPECT_EQ(metric("apollo_device_path_faults_total{direction=\"" +
                     direction + "\"}"),
              0)
        << direction;
  }
}

}  // namespace apollo
