#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <utility>

#include "engine/cache_size.h"
#include "engine/dense_stage.h"

namespace apollo {

// A dense stage without a model, for tests of code built on stages. A row is a
// digest of all tokens up to it, computed from the contents of the blocks as in
// a real stage, so that a wrong block table shows in the values. Steps complete
// immediately; AsyncDenseStage around it lets the test decide when.
class FakeDenseStage final : public DenseStage {
 public:
  FakeDenseStage(ModelConfig config, int blocks)
      : config_(std::move(config)), blocks_(blocks) {}

  BlockPool& blocks() override { return blocks_; }
  const ModelConfig& config() const override { return config_; }

  void Forward(DenseStep step, Done done) override {
    int rows = 0;
    for (const DenseSlice& slice : step.slices) rows += slice.rows;
    Rows result = Rows::Host(rows, config_.hidden_size);
    float* out = result.host().data();
    auto token = step.tokens.begin();
    for (const DenseSlice& slice : step.slices) {
      for (int r = 0; r < slice.rows; ++r) {
        const int position = slice.first_position + r;
        if (r >= slice.cached) {
          EXPECT_NE(token, step.tokens.end());
          Log(slice, position) = Digest(slice, position, *token++);
        }
        const float digest = Log(slice, position);
        for (int i = 0; i < config_.hidden_size; ++i) {
          *out++ = digest + static_cast<float>(i);
        }
      }
    }
    EXPECT_EQ(token, step.tokens.end());
    done(std::move(result));
  }

 private:
  // Returns the content of a position in its block.
  float& Log(const DenseSlice& slice, int position) {
    const BlockId block = slice.blocks->at(position / kBlockTokens);
    return log_[{block, position % kBlockTokens}];
  }

  // Returns integers below 2^20, which are exact in float.
  float Digest(const DenseSlice& slice, int position, std::int32_t token) {
    const auto before = static_cast<std::uint32_t>(
        position == 0 ? 1 : Log(slice, position - 1));
    return static_cast<float>(
        (before * 31337u + static_cast<std::uint32_t>(token) * 97u + 11u) %
        (1u << 20));
  }

  const ModelConfig config_;
  BlockPool blocks_;
  std::map<std::pair<BlockId, int>, float> log_;
};

}  // namespace apollo
