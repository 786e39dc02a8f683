#include "tests/gpu/gpu_cluster.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

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
                            .expert_flags = flags};
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
    // Fields of a line may be in any order.
    EXPECT_TRUE(cluster.WaitForLog("device_path_open"))
        << "no path of NCCL has opened; the log has the reason";
  }
}

}  // namespace apollo
