// Compares the structs and numbers in nccl_abi.h and nccl_api.h with NCCL's
// header. Only with --config=cuda; needs no GPU.
#include "link/nccl/nccl_abi.h"

#include <gtest/gtest.h>
#include <nccl.h>

#include <cstddef>
#include <cstring>

#include "link/nccl/cuda_device.h"
#include "link/nccl/nccl_api.h"
#include "link/nccl/nccl_library.h"

namespace apollo {
namespace {

#define EXPECT_SAME_PLACE(ours, theirs) \
  EXPECT_EQ(offsetof(NcclConfig, ours), offsetof(ncclConfig_t, theirs))

TEST(NcclAbiTest, TheConfigIsThatOfTheHeader) {
  EXPECT_SAME_PLACE(size, size);
  EXPECT_SAME_PLACE(magic, magic);
  EXPECT_SAME_PLACE(version, version);
  EXPECT_SAME_PLACE(blocking, blocking);
  EXPECT_SAME_PLACE(cga_cluster_size, cgaClusterSize);
  EXPECT_SAME_PLACE(min_ctas, minCTAs);
  EXPECT_SAME_PLACE(max_ctas, maxCTAs);
  EXPECT_SAME_PLACE(net_name, netName);
  EXPECT_SAME_PLACE(split_share, splitShare);
  EXPECT_SAME_PLACE(traffic_class, trafficClass);
  EXPECT_SAME_PLACE(comm_name, commName);
  EXPECT_SAME_PLACE(collnet_enable, collnetEnable);
  EXPECT_SAME_PLACE(cta_policy, CTAPolicy);
  EXPECT_SAME_PLACE(shrink_share, shrinkShare);
  EXPECT_SAME_PLACE(nvls_ctas, nvlsCTAs);
  EXPECT_SAME_PLACE(channels_per_net_peer, nChannelsPerNetPeer);
  EXPECT_SAME_PLACE(nvlink_centric_sched, nvlinkCentricSched);
  EXPECT_LE(sizeof(NcclConfig), sizeof(ncclConfig_t));
  ncclConfig_t theirs = NCCL_CONFIG_INITIALIZER;
  EXPECT_EQ(NcclConfig().magic, theirs.magic);
  EXPECT_EQ(NcclConfig().blocking, theirs.blocking);
  EXPECT_LE(NcclConfig().version, theirs.version);
}

TEST(NcclAbiTest, IdsAndNumbersAreThoseOfTheHeader) {
  EXPECT_EQ(sizeof(NcclUniqueId), sizeof(ncclUniqueId));
  EXPECT_EQ(kNcclUint8, ncclUint8);
  EXPECT_EQ(static_cast<int>(NcclResult::kRemoteError), ncclRemoteError);
  EXPECT_EQ(static_cast<int>(NcclResult::kInProgress), ncclInProgress);
  EXPECT_LE(kMinNcclVersion, NCCL_VERSION_CODE);
}

TEST(NcclAbiTest, TheInstalledLibraryLoads) {
  const auto api = LoadNccl({"/usr/local/cuda/lib64/libnccl.so.2"});
  ASSERT_TRUE(api.ok()) << api.status();
  EXPECT_GE((*api)->version, kMinNcclVersion);
  CommunicatorId id = {};
  EXPECT_EQ((*api)->get_unique_id(&id), NcclResult::kSuccess);
  EXPECT_NE(id, CommunicatorId{});
}

TEST(CudaDeviceTest, AMissingGpuIsNamed) {
  const auto device = MakeCudaDevice(1000);
  EXPECT_EQ(device.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(device.status().message().find("1000"), std::string::npos);
}

}  // namespace
}  // namespace apollo
