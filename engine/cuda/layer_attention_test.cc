#include "engine/cuda/layer_attention.h"

#include <cstddef>

#include "engine/cuda/random_model.h"
#include "kernels/cuda/attention.h"
#include "kernels/cuda/testing.h"

// The stages' tests compare the results of whole layers.
namespace apollo::cuda {
namespace {

class LayerAttentionTest : public GpuTest {};

TEST_F(LayerAttentionTest, LimitsFollowTheModelAndTheCache) {
  ModelConfig config = RandomModelConfig();  // 512 positions.
  EXPECT_EQ(BatchLimitsOf(config, 5, 1000).blocks, 32);
  const BatchLimits limits = BatchLimitsOf(config, 5, 10);
  EXPECT_EQ(limits.rows, 5);
  EXPECT_EQ(limits.blocks, 10);
  EXPECT_EQ(limits.group, 2);
  EXPECT_GT(limits.max_slots, 0);
}

TEST_F(LayerAttentionTest, ScratchArraysFillTheMemory) {
  const ModelConfig config = RandomModelConfig();
  const BatchLimits limits = {5, 10, 2, 1};
  const auto scratch = LayerScratch::Allocate(config, limits, 96);
  ASSERT_TRUE(scratch.ok()) << scratch.status();
  const auto bytes = [&](const void* from, const void* to) {
    return static_cast<const std::byte*>(to) -
           static_cast<const std::byte*>(from);
  };
  EXPECT_GE(bytes(scratch->normed, scratch->qkv), 5 * 64 * 2);
  EXPECT_GE(bytes(scratch->qkv, scratch->q), 5 * 128 * 4);
  EXPECT_GE(bytes(scratch->q, scratch->mixed), 5 * 64 * 2);
  EXPECT_GE(bytes(scratch->mixed, scratch->active), 5 * 64 * 2);
  EXPECT_GE(bytes(scratch->active, scratch->workspace), 5 * 96 * 2);
  EXPECT_GE(LayerScratch::Bytes(config, limits, 96),
            bytes(scratch->normed, scratch->workspace) +
                AttentionWorkspaceBytes({2, 1, 32}, 1));
}

}  // namespace
}  // namespace apollo::cuda
