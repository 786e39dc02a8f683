#include "engine/numerics.h"

#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <string>

namespace apollo {
namespace {

TEST(NumericsTest, IdsHaveTheDocumentedForm) {
  EXPECT_EQ(CpuNumerics(WeightFormat::kInt8, CacheType::kF16),
            "cpu/int8/f16/1");
  EXPECT_EQ(CpuNumerics(std::nullopt, CacheType::kFloat32),
            "cpu/auto/float32/1");
  EXPECT_EQ(CudaNumerics(9, 0, WeightFormat::kBF16, CacheType::kBf16),
            "cuda/sm_90/bf16/bf16/1");
  EXPECT_EQ(CudaNumerics(12, 1, WeightFormat::kInt8, CacheType::kBf16),
            "cuda/sm_121/int8/bf16/1");
  EXPECT_EQ(CudaNumerics(9, 0, WeightFormat::kInt4, CacheType::kBf16),
            "cuda/sm_90/int4/bf16/1");
}

TEST(NumericsTest, WhateverDiffersShows) {
  std::set<std::string> ids;
  int all = 0;
  for (const WeightFormatInfo& weights : kWeightFormats) {
    for (const CacheType cache :
         {CacheType::kFloat32, CacheType::kF16, CacheType::kBf16}) {
      ids.insert(CpuNumerics(weights.format, cache));
      ids.insert(CudaNumerics(8, 0, weights.format, cache));
      ids.insert(CudaNumerics(8, 6, weights.format, cache));
      ids.insert(CudaNumerics(9, 0, weights.format, cache));
      all += 4;
    }
  }
  EXPECT_EQ(static_cast<int>(ids.size()), all);
}

}  // namespace
}  // namespace apollo
