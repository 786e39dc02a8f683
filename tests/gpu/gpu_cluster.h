#pragma once

#include <string>

#include "tests/e2e/cluster.h"

namespace apollo {

// The device on which tests of GPU clusters run: $APOLLO_TEST_DEVICE, for
// example "cuda:0"; "cpu", the default, tests the tests.
std::string TestDevice();

// How rows travel between workers: $APOLLO_TEST_ROWS, "host" (the default) or
// "nccl", which needs a GPU.
std::string TestRows();

// Returns the layout of a cluster whose workers compute in bf16, with keys and
// values in bf16, on the test device. All share it: with "nccl" each has its
// own NCCL_HOSTID, because NCCL refuses two processes of one host on one GPU.
Cluster::Layout GpuLayout(int expert_workers);

// Starts the cluster. With "nccl" waits until paths for rows have opened.
void StartGpuCluster(Cluster& cluster);

// Expects that the dense worker has sent rows as they should travel, and none
// otherwise, and that no path has failed.
void ExpectRowsTravelled(Cluster& cluster);

}  // namespace apollo
