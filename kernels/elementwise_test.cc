#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/for_each_target.h"
#include "kernels/reference.h"

namespace apollo {
namespace {

std::vector<float> Random(int size, float range) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> uniform(-range, range);
  std::vector<float> values(size);
  for (float& value : values) value = uniform(random);
  return values;
}

TEST(RmsNormTest, AgreesWithTheReference) {
  ThreadPool pool(2);
  for (const int size : {1, 7, 16, 40, 577}) {
    const std::vector<float> x = Random(3 * size, 5);
    const std::vector<float> weight = Random(size, 2);
    std::vector<float> expected(3 * size);
    reference::RmsNorm(x.data(), 3, size, weight.data(), 1e-5f,
                       expected.data());
    ForEachTarget([&] {
      std::vector<float> out(3 * size);
      RmsNorm(x.data(), 3, size, weight.data(), 1e-5f, out.data(), pool);
      for (int i = 0; i < 3 * size; ++i)
        ASSERT_NEAR(out[i], expected[i], 2e-6 * 8);
      // In place.
      out = x;
      RmsNorm(out.data(), 3, size, weight.data(), 1e-5f, out.data(), pool);
      for (int i = 0; i < 3 * size; ++i)
        ASSERT_NEAR(out[i], expected[i], 2e-6 * 8);
      // By one thread, in place.
      std::vector<float> alone = x;
      RmsNorm(alone.data(), 3, size, weight.data(), 1e-5f, alone.data());
      EXPECT_EQ(alone, out);
    });
  }
}

TEST(SiluMulTest, AgreesWithTheReferenceAndSaturates) {
  ThreadPool pool(2);
  for (const int size : {1, 5, 16, 50, 129}) {
    std::vector<float> gate_up = Random(2 * 2 * size, 20);
    gate_up[0] = -200.0f;  // exp(200) overflows; silu must be 0, not NaN.
    std::vector<float> expected(2 * size);
    reference::SiluMul(gate_up.data(), 2, size, expected.data());
    ForEachTarget([&] {
      std::vector<float> out(2 * size);
      SiluMul(gate_up.data(), 2, size, out.data(), pool);
      for (int i = 0; i < 2 * size; ++i) {
        // Products up to 400, with a relative error of a few 2^-24.
        ASSERT_NEAR(out[i], expected[i], 2e-4) << i;
      }
    });
  }
}

TEST(AddScaledTest, AddsEveryElement) {
  const std::vector<float> x = Random(37, 3);
  ForEachTarget([&] {
    std::vector<float> y(37, 1.0f);
    AddScaled(x.data(), 0.5f, 37, y.data());
    for (int i = 0; i < 37; ++i) EXPECT_FLOAT_EQ(y[i], 1.0f + 0.5f * x[i]);
  });
}

}  // namespace
}  // namespace apollo
