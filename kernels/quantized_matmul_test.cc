// Matrix products of int8 and int4 weights.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "kernels/for_each_level.h"
#include "kernels/matmul.h"
#include "kernels/quantize.h"
#include "kernels/quantized_rows.h"
#include "kernels/reference.h"

namespace apollo {
namespace {

constexpr WeightFormat kFormats[] = {WeightFormat::kInt8, WeightFormat::kInt4};

// Adds a few numbers that are much larger than the rest.
std::vector<float> WithOutliers(std::vector<float> x) {
  for (std::size_t i = 5; i < x.size(); i += 37) x[i] *= 60;
  return x;
}

// Returns numbers like weights: groups of different magnitudes, not centred on
// zero.
std::vector<float> Random(int size, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  float spread = 1, middle = 0;
  for (int i = 0; i < size; ++i) {
    if (i % 19 == 0) {
      spread = std::exp(normal(random));
      middle = normal(random) / 4;
    }
    values[i] = spread * (normal(random) + middle);
  }
  return values;
}

PackedMatrix Pack(const std::vector<float>& w, int outputs, int inputs,
                  WeightFormat format) {
  PackedMatrix packed(outputs, inputs, format);
  packed.SetRows(0, outputs, w.data());
  return packed;
}

std::vector<float> Unpack(const PackedMatrix& packed) {
  std::vector<float> w(static_cast<std::size_t>(packed.outputs()) *
                       packed.inputs());
  for (int o = 0; o < packed.outputs(); ++o) {
    packed.GetRow(o, &w[static_cast<std::size_t>(o) * packed.inputs()]);
  }
  return w;
}

// Returns the activations as rounded for the kernels, following the definition
// in quantized_rows.h.
std::vector<float> Rounded(const std::vector<float>& x, int inputs) {
  std::vector<float> rounded = x;
  for (std::size_t row = 0; row < x.size(); row += inputs) {
    double mean = 0;
    for (int i = 0; i < inputs; ++i) mean += std::abs(x[row + i]) / inputs;
    const auto outlier = [&](int i) {
      return std::abs(x[row + i]) > 10 * mean;
    };
    for (int first = 0; first < inputs; first += kGroup) {
      const int end = std::min(inputs, first + kGroup);
      float top = 0;
      for (int i = first; i < end; ++i) {
        if (!outlier(i)) top = std::max(top, std::abs(x[row + i]));
      }
      for (int i = first; i < end; ++i) {
        if (outlier(i)) continue;
        rounded[row + i] =
            top == 0 ? 0 : top / 127 * std::nearbyint(x[row + i] * (127 / top));
      }
    }
  }
  return rounded;
}

constexpr std::tuple<int, int, int> kShapes[] = {
    {1, 1, 1},    {1, 32, 32},  {1, 200, 33},  {2, 97, 24},
    {3, 130, 40}, {4, 31, 7},   {5, 48, 64},   {6, 64, 100},
    {7, 33, 96},  {13, 17, 57}, {37, 65, 160}, {8, 72, 320}};

TEST(QuantizedMatMulTest, AgreesWithTheReferenceForEveryShapeFormatAndLevel) {
  for (const auto& [rows, outputs, inputs] : kShapes) {
    const std::vector<float> x = WithOutliers(Random(rows * inputs, 1));
    const std::vector<float> bias = Random(outputs, 3);
    const std::vector<float> seen = Rounded(x, inputs);
    for (const WeightFormat format : kFormats) {
      const PackedMatrix packed =
          Pack(Random(outputs * inputs, 2), outputs, inputs, format);
      const std::vector<float> w = Unpack(packed);
      std::vector<float> expected(rows * outputs), sizes(rows * outputs);
      reference::MatMul(seen.data(), rows, inputs, w.data(), outputs,
                        bias.data(), expected.data());
      std::vector<float> x_size = seen, w_size = w;
      for (float& v : x_size) v = std::abs(v);
      for (float& v : w_size) v = std::abs(v);
      if (format == WeightFormat::kInt4) {
        // Upper bound of a group's minimum and of the offsets above it.
        const float top = *std::max_element(w_size.begin(), w_size.end());
        w_size.assign(w_size.size(), 3 * top);
      }
      reference::MatMul(x_size.data(), rows, inputs, w_size.data(), outputs,
                        nullptr, sizes.data());
      ForEachLevel([&, rows = rows, outputs = outputs, inputs = inputs] {
        for (const int threads : {1, 3}) {
          ThreadPool pool(threads);
          const int stride = outputs + 3;
          std::vector<float> out(rows * stride, -7.0f);
          MatMul(x.data(), rows, inputs, packed, bias.data(), out.data(),
                 stride, pool);
          for (int r = 0; r < rows; ++r) {
            for (int o = 0; o < outputs; ++o) {
              // Integers are exact. The product of the scales and the sum over
              // the groups are rounded: 2 + groups times 2^-24 of the sum of
              // magnitudes. Four times as much is ample.
              const float bound = 4 * (inputs / kGroup + 4) * 0x1p-24f *
                                  (sizes[r * outputs + o] + std::abs(bias[o]));
              ASSERT_NEAR(out[r * stride + o], expected[r * outputs + o], bound)
                  << rows << "x" << outputs << "x" << inputs << " at " << r
                  << "," << o << " int" << (format == kFormats[0] ? 8 : 4);
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

TEST(QuantizedMatMulTest, AllLevelsThreadsAndBatchesGiveTheSameBits) {
  const int rows = 29, outputs = 203, inputs = 301;
  const std::vector<float> x = WithOutliers(Random(rows * inputs, 4));
  for (const WeightFormat format : kFormats) {
    const PackedMatrix packed =
        Pack(Random(outputs * inputs, 5), outputs, inputs, format);
    ThreadPool one(1);
    std::vector<float> alone(rows * outputs);
    UseCpuLevel(CpuLevel::kGeneric);
    for (int r = 0; r < rows; ++r) {
      MatMul(&x[r * inputs], 1, inputs, packed, nullptr, &alone[r * outputs],
             outputs, one);
    }
    ForEachLevel([&] {
      for (int batch = 1; batch <= rows; ++batch) {
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

TEST(QuantizedMatMulTest, ManyRowsAndInputsGiveWhatEachRowGivesAlone) {
  // More than one block of rows (see `most` in quantized_vnni.cc).
  const int rows = 150, outputs = 40, inputs = 2100;
  const std::vector<float> x = WithOutliers(Random(rows * inputs, 6));
  for (const WeightFormat format : kFormats) {
    const PackedMatrix packed =
        Pack(Random(outputs * inputs, 7), outputs, inputs, format);
    ForEachLevel([&] {
      ThreadPool pool(2);
      std::vector<float> together(rows * outputs), alone(outputs);
      MatMul(x.data(), rows, inputs, packed, nullptr, together.data(), outputs,
             pool);
      for (const int r : {0, 1, 126, 127, 128, 149}) {
        MatMul(&x[r * inputs], 1, inputs, packed, nullptr, alone.data(),
               outputs, pool);
        for (int o = 0; o < outputs; ++o) {
          ASSERT_EQ(together[r * outputs + o], alone[o]) << r << "," << o;
        }
      }
    });
  }
}

TEST(QuantizedMatMulTest, ZerosTinyNumbersAndNotFiniteOnesAreDefined) {
  const int outputs = 40, inputs = 70;
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float tiny = std::numeric_limits<float>::denorm_min();
  const float most = std::numeric_limits<float>::max();
  for (const WeightFormat format : kFormats) {
    const PackedMatrix packed =
        Pack(Random(outputs * inputs, 8), outputs, inputs, format);
    ForEachLevel([&] {
      ThreadPool pool(1);
      // Row 0 is zero. Row 1 has the smallest numbers. Then rows with a number
      // that is not finite, at the beginning and in the padded group; then the
      // largest numbers; the last row is ordinary.
      std::vector<float> x = Random(7 * inputs, 9);
      std::fill_n(&x[0], inputs, -0.0f);
      std::fill_n(&x[inputs], inputs, tiny);
      x[2 * inputs + 3] = nan;
      x[3 * inputs + 69] = -inf;
      x[4 * inputs + 40] = inf;
      std::fill_n(&x[5 * inputs], inputs, most);
      std::vector<float> out(7 * outputs, 1.0f);
      MatMul(x.data(), 7, inputs, packed, nullptr, out.data(), outputs, pool);
      for (int o = 0; o < outputs; ++o) {
        EXPECT_EQ(out[o], 0.0f);
        EXPECT_EQ(out[outputs + o], 0.0f);
        EXPECT_FALSE(std::isfinite(out[2 * outputs + o])) << o;
        EXPECT_FALSE(std::isfinite(out[3 * outputs + o])) << o;
        EXPECT_FALSE(std::isfinite(out[4 * outputs + o])) << o;
        EXPECT_TRUE(std::isfinite(out[6 * outputs + o])) << o;
      }
    });
  }
}

TEST(QuantizedMatMulTest, TinyWeightsAreWhatTheirScalesSayAtEveryLevel) {
  // Scales and minima below 2^-14 are subnormal f16 and must not be flushed to
  // zero.
  const int rows = 7, outputs = 40, inputs = 96;
  const std::vector<float> x = Random(rows * inputs, 10);
  const std::vector<float> seen = Rounded(x, inputs);
  for (const float size : {1e-3f, 1e-5f, 1e-6f, 1e-7f, 4e-8f, 1e-9f, 1e-40f}) {
    for (const WeightFormat format : kFormats) {
      std::vector<float> w = Random(outputs * inputs, 11);
      const float top = *std::max_element(w.begin(), w.end());
      for (float& v : w) v *= size / top;
      const PackedMatrix packed = Pack(w, outputs, inputs, format);
      const std::vector<float> stored = Unpack(packed);
      EXPECT_EQ(*std::max_element(stored.begin(), stored.end()) > 0,
                size > 0x1p-25f)
          << size;
      std::vector<float> expected(rows * outputs);
      reference::MatMul(seen.data(), rows, inputs, stored.data(), outputs,
                        nullptr, expected.data());
      // As for any weights. A minimum and the offsets above it are as large as
      // the largest number, or one unit of f16.
      float sizes = 0;
      for (const float v : seen) sizes = std::max(sizes, std::abs(v));
      const float bound = 4 * (inputs / kGroup + 4) * 0x1p-24f * inputs *
                          sizes * 3 * (size + 0x1p-24f);
      ForEachLevel([&] {
        ThreadPool pool(2);
        std::vector<float> out(rows * outputs);
        MatMul(x.data(), rows, inputs, packed, nullptr, out.data(), outputs,
               pool);
        for (int i = 0; i < rows * outputs; ++i) {
          ASSERT_NEAR(out[i], expected[i], bound) << size;
        }
      });
    }
  }
}

TEST(QuantizedMatMulTest, ExtremeNumbersDoNotOverflow) {
  // All products have the same sign and the largest magnitude.
  const int outputs = 33, inputs = 64;
  for (const WeightFormat format : kFormats) {
    for (const float sign : {1.0f, -1.0f}) {
      std::vector<float> w(outputs * inputs, 127.0f);
      // A minimum of zero, so that int4 has 15 everywhere else.
      for (int o = 0; o < outputs; ++o) w[o * inputs] = w[o * inputs + 32] = 0;
      const PackedMatrix packed = Pack(w, outputs, inputs, format);
      const std::vector<float> stored = Unpack(packed);
      const std::vector<float> x(5 * inputs, sign * 127.0f);
      std::vector<float> expected(5 * outputs);
      reference::MatMul(x.data(), 5, inputs, stored.data(), outputs, nullptr,
                        expected.data());
      ForEachLevel([&] {
        ThreadPool pool(1);
        std::vector<float> out(5 * outputs);
        MatMul(x.data(), 5, inputs, packed, nullptr, out.data(), outputs, pool);
        for (int i = 0; i < 5 * outputs; ++i) {
          ASSERT_NEAR(out[i], expected[i], 1e-6 * std::abs(expected[i]));
        }
      });
    }
  }
}

TEST(QuantizedRowsTest, OutliersAreKeptExactlyAndTheRestKeepsItsPrecision) {
  const int inputs = 100;
  std::vector<float> x = Random(2 * inputs, 14);
  for (float& v : x) v = std::copysign(std::min(1.0f, std::abs(v)), v);
  x[40] = 1000.3f;
  x[inputs + 99] = -777.7f;
  ForEachLevel([&] {
    ThreadPool pool(1);
    QuantizedRows rows;
    rows.Quantize(x.data(), 2, inputs, inputs, 4, pool);
    ASSERT_EQ(rows.tiles(), 1);
    const auto outliers = rows.outliers(0);
    ASSERT_EQ(outliers.size(), 2u);
    EXPECT_EQ(outliers[0].row, 0);
    EXPECT_EQ(outliers[0].group, 1);
    EXPECT_EQ(outliers[0].input, 8);
    EXPECT_EQ(outliers[0].x, 1000.3f);
    EXPECT_EQ(outliers[1].row, 1);
    EXPECT_EQ(outliers[1].group, 3);
    EXPECT_EQ(outliers[1].input, 3);
    EXPECT_EQ(outliers[1].x, -777.7f);
    // Group 1 of row 0: the largest other number is 127; the outlier is zero.
    EXPECT_LE(rows.scales(0)[1 * 2 + 0], 1.0f / 127);
    EXPECT_EQ(rows.numbers(0)[(1 * 2 + 0) * 32 + 8], 0);
  });
}

TEST(QuantizeTest, NoNumberIsCutOffAndTheErrorIsHalfAStep) {
  const std::vector<float> x = Random(32 * 200, 10);
  for (const WeightFormat format : kFormats) {
    for (int g = 0; g < 200; ++g) {
      const WeightGroup group = QuantizeGroup(&x[g * 32], 32, format);
      float low = x[g * 32], high = low;
      for (int i = 0; i < 32; ++i) {
        low = std::min(low, x[g * 32 + i]);
        high = std::max(high, x[g * 32 + i]);
      }
      // An f16 has 11 bits, so the scale exceeds its optimum by at most 2^-10.
      // The minimum of int4 may add as much of its own magnitude.
      const bool int8 = format == WeightFormat::kInt8;
      const float step =
          int8 ? std::max(-low, high) / 127 * (1 + 0x1p-9f)
               : (high - low + 0x1p-9f * std::abs(low)) / 15 * (1 + 0x1p-9f);
      for (int i = 0; i < 32; ++i) {
        EXPECT_NEAR(Dequantize(group, i, format), x[g * 32 + i],
                    step * 0.5001f + 1e-6f);
      }
    }
  }
}

TEST(QuantizeTest, WholeMultiplesOfAnF16StayExact) {
  std::mt19937 random(11);
  for (int round = 0; round < 500; ++round) {
    const float scale = (1024 + random() % 1024) * 0x1p-20f;
    const float minimum = -scale * static_cast<float>(random() % 16);
    float eight[32], four[32];
    for (int i = 0; i < 32; ++i) {
      eight[i] =
          scale * static_cast<float>(static_cast<int>(random() % 255) - 127);
      four[i] = scale * static_cast<float>(random() % 16) +
                std::floor(minimum * 0x1p14f) * 0x1p-14f;
    }
    eight[7] = -127 * scale;
    four[3] = std::floor(minimum * 0x1p14f) * 0x1p-14f;
    four[9] = four[3] + 15 * scale;
    const WeightGroup a = QuantizeGroup(eight, 32, WeightFormat::kInt8);
    const WeightGroup b = QuantizeGroup(four, 32, WeightFormat::kInt4);
    for (int i = 0; i < 32; ++i) {
      EXPECT_EQ(Dequantize(a, i, WeightFormat::kInt8), eight[i]);
      EXPECT_EQ(Dequantize(b, i, WeightFormat::kInt4), four[i]);
    }
  }
}

TEST(QuantizeTest, OddGroupsAreDefined) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const WeightFormat format : kFormats) {
    const float zeros[32] = {};
    const WeightGroup zero = QuantizeGroup(zeros, 32, format);
    EXPECT_EQ(Dequantize(zero, 0, format), 0.0f);
    float bad[32] = {1, 2, 3};
    for (const float value : {inf, -inf, std::nanf(""), 1e30f}) {
      bad[5] = value;
      EXPECT_TRUE(
          std::isnan(Dequantize(QuantizeGroup(bad, 32, format), 0, format)))
          << value;
    }
    const float same[3] = {0.7f, 0.7f, 0.7f};
    const WeightGroup group = QuantizeGroup(same, 3, format);
    EXPECT_NEAR(Dequantize(group, 1, format), 0.7f, 1e-3f);
    // RoundRow equals what GetRow returns.
    std::vector<float> row = Random(75, 12);
    PackedMatrix packed = Pack(row, 1, 75, format);
    RoundRow(row.data(), 75, format);
    EXPECT_EQ(row, Unpack(packed));
  }
}

TEST(PackedMatrixTest, AViewGivesTheSameRows) {
  for (const WeightFormat format : {WeightFormat::kF32, WeightFormat::kBF16,
                                    WeightFormat::kInt8, WeightFormat::kInt4}) {
    const PackedMatrix packed = Pack(Random(37 * 45, 13), 37, 45, format);
    const PackedMatrix view = PackedMatrix::View(37, 45, format, packed.data());
    EXPECT_EQ(view.bytes(), packed.bytes());
    EXPECT_EQ(Unpack(view), Unpack(packed));
  }
}

}  // namespace
}  // namespace apollo
