#pragma once

#include <climits>
#include <cstddef>

namespace apollo {

// NCCL's ncclConfig_t of version 2.28, whose fields later versions keep and
// append to. nccl_abi_test.cc compares it with NCCL's header.
struct NcclConfig {
  std::size_t size = sizeof(NcclConfig);
  unsigned int magic = 0xcafebeef;
  unsigned int version = 22800;
  int blocking = INT_MIN;  // INT_MIN and null: not set.
  int cga_cluster_size = INT_MIN;
  int min_ctas = INT_MIN;
  int max_ctas = INT_MIN;
  const char* net_name = nullptr;
  int split_share = INT_MIN;
  int traffic_class = INT_MIN;
  const char* comm_name = nullptr;
  int collnet_enable = INT_MIN;
  int cta_policy = INT_MIN;
  int shrink_share = INT_MIN;
  int nvls_ctas = INT_MIN;
  int channels_per_net_peer = INT_MIN;
  int nvlink_centric_sched = INT_MIN;
};

// ncclUniqueId, which NCCL takes by value.
struct NcclUniqueId {
  char internal[128];
};

inline constexpr int kNcclUint8 = 1;  // ncclDataType_t

}  // namespace apollo
