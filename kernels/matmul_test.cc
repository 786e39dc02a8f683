#include "kernels/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <tuple>
#include <vector>

#include "kernels/for_each_target.h"
#include "kernels/reference.h"

namespace apollo {
namespace {

std::vector<float> Random(int size, int seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
  std::vector<float> values(size);
  for (float& value : values) value = uniform(random);
  return values;
}

PackedMatrix Pack(const std::vector<float>& w, int outputs, int inputs,
                  WeightFormat format) {
  PackedMatrix packed(outputs, inputs, format);
  packed.SetRows(0, outputs, w.data());
  return packed;
}

TEST(MatMulTest, AgreesWithTheReferenceForEveryShapeFormatAndInstructionSet) {
  for (const auto& [rows, outputs, inputs] : {std::tuple{1, 1, 1},
                                              {1, 16, 8},
                                              {1, 200, 33},
                                              {2, 97, 24},
                                              {3, 130, 40},
                                              {4, 31, 7},
                                              {5, 48, 64},
                                              {6, 64, 100},
                                              {13, 17, 57},
                                              {37, 33, 16}}) {
    const std::vector<float> x = Random(rows * inputs, 1);
    const std::vector<float> bias = Random(outputs, 3);
    for (const WeightFormat format :
         {WeightFormat::kF32, WeightFormat::kBF16}) {
      const PackedMatrix packed =
          Pack(Random(outputs * inputs, 2), outputs, inputs, format);
      // The weights as stored, to exclude the rounding to bf16.
      std::vector<float> w(outputs * inputs);
      for (int o = 0; o < outputs; ++o) packed.GetRow(o, &w[o * inputs]);
      std::vector<float> expected(rows * outputs);
      reference::MatMul(x.data(), rows, inputs, w.data(), outputs, bias.data(),
                        expected.data());
      ForEachTarget([&, rows = rows, outputs = outputs, inputs = inputs] {
        for (const int threads : {1, 3}) {
          ThreadPool pool(threads);
          const int stride = outputs + 3;
          std::vector<float> out(rows * stride, -7.0f);
          MatMul(x.data(), rows, inputs, packed, bias.data(), out.data(),
                 stride, pool);
          for (int r = 0; r < rows; ++r) {
            for (int o = 0; o < outputs; ++o) {
              // The rounding error of a chain of n additions of numbers below 1
              // is about n * 2^-24 * n/4; 1e-4 is ample for n <= 100.
              ASSERT_NEAR(out[r * stride + o], expected[r * outputs + o], 1e-4)
                  << rows << "x" << outputs << "x" << inputs << " at " << r
                  << "," << o;
            }
            for (int o = outputs; o < stride; ++o) {
              ASSERT_EQ(out[r * stride + o], -7.0f) << "wrote past the row";
            }
          }
        }
      });
    }
  }
}

TEST(MatMulTest, ARowIsBitIdenticalAloneInABatchAndForAnyThreads) {
  const int rows = 29, outputs = 203, inputs = 301;
  const std::vector<float> x = Random(rows * inputs, 4);
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kBF16}) {
    const PackedMatrix packed =
        Pack(Random(outputs * inputs, 5), outputs, inputs, format);
    ForEachTarget([&] {
      ThreadPool one(1);
      std::vector<float> alone(rows * outputs);
      for (int r = 0; r < rows; ++r) {
        MatMul(&x[r * inputs], 1, inputs, packed, nullptr, &alone[r * outputs],
               outputs, one);
      }
      for (int batch = 2; batch <= rows; ++batch) {
        ThreadPool pool(1 + batch % 3);
        std::vector<float> together(batch * outputs);
        MatMul(x.data(), batch, inputs, packed, nullptr, together.data(),
               outputs, pool);
        for (int i = 0; i < batch * outputs; ++i) {
          ASSERT_EQ(together[i], alone[i]) << "batch of " << batch;
        }
      }
    });
  }
}

TEST(PackedMatrixTest, Bf16RoundsToNearestEven) {
  // 1 + 2^-8 is halfway between 1 and 1 + 2^-7; the tie goes to the even 1.
  const std::vector<float> w = {1.0f + 0x1p-8f, 1.0f + 3 * 0x1p-8f,
                                1.0f + 0x1.2p-8f, -0.0f};
  const PackedMatrix packed = Pack(w, 1, 4, WeightFormat::kBF16);
  float row[4];
  packed.GetRow(0, row);
  EXPECT_EQ(row[0], 1.0f);
  EXPECT_EQ(row[1], 1.0f + 0x1p-6f);
  EXPECT_EQ(row[2], 1.0f + 0x1p-7f);
  EXPECT_TRUE(std::signbit(row[3]));
}

TEST(PackedMatrixTest, RowsComeBackAsTheyWereSet) {
  const std::vector<float> w = Random(37 * 5, 9);
  PackedMatrix packed(37, 5, WeightFormat::kF32);
  packed.SetRows(16, 21, &w[16 * 5]);
  packed.SetRows(0, 16, &w[0]);
  for (int o = 0; o < 37; ++o) {
    float row[5];
    packed.GetRow(o, row);
    for (int i = 0; i < 5; ++i) EXPECT_EQ(row[i], w[o * 5 + i]);
  }
}

}  // namespace
}  // namespace apollo
