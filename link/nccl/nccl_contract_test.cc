// The contract of links for rows that travel by NCCL, over gRPC.
#include <gtest/gtest.h>

#include "link/backpressure_contract.h"
#include "link/link_contract.h"
#include "link/nccl/nccl_pair.h"

namespace apollo {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Nccl, LinkContract, GrpcNcclPair);
INSTANTIATE_TYPED_TEST_SUITE_P(Nccl, Backpressure, GrpcNcclPair);

TEST(NcclContractTest, ThePayloadsOfTheContractTravelByNccl) {
  GrpcNcclPair pair;
  for (const int end : {0, 1}) {
    pair.link[end]->Send(Numbered(1, {1, 2, 3}));
    pair.at[1 - end]->WaitForFrames(1);
    EXPECT_EQ(pair.handler[1 - end]->by_device(), 1);
    EXPECT_EQ(pair.handler[1 - end]->by_host(), 0);
  }
  EXPECT_EQ(pair.nccl.ended(), 2);
}

}  // namespace
}  // namespace apollo
