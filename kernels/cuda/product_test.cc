#include "kernels/cuda/product.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "kernels/cuda/packed_weights.h"
#include "kernels/cuda/testing.h"
#include "kernels/reference.h"

namespace apollo::cuda {
namespace {

constexpr ProductKernel kKernels[] = {
    ProductKernel::kRows8, ProductKernel::kRows16, ProductKernel::kRows32,
    ProductKernel::kRows64, ProductKernel::kTiles};

// A random matrix on the device, and its rounded numbers.
struct Matrix {
  Matrix(const PackedShape& shape, const std::vector<float>& numbers)
      : w(numbers.size()) {
    std::vector<std::byte> packed(PackedBytes(shape), std::byte{0xff});
    ClearPadding(shape, packed.data());
    PackRows(shape, 0, shape.outputs, numbers.data(), packed.data());
    for (int r = 0; r < shape.outputs; ++r) {
      UnpackRow(shape, packed.data(), r,
                &w[static_cast<std::size_t>(r) * shape.inputs]);
    }
    data = Device<std::byte>(packed);
    matrix = {data.get(), shape.outputs, shape.inputs, shape.format,
              shape.paired};
  }
  std::vector<float> w;
  Device<std::byte> data;
  DeviceMatrix matrix;
};

class ProductTest : public GpuTest {
 protected:
  void SetUp() override {
    GpuTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) ExpectOk(PrepareProducts());
  }
  Matrix RandomMatrix(const PackedShape& shape) {
    return Matrix(
        shape, Random(static_cast<std::size_t>(shape.outputs) * shape.inputs));
  }
  // Rows have 8 numbers of NaN between them.
  static std::vector<Bf16> Spread(const std::vector<Bf16>& x, int inputs) {
    std::vector<Bf16> spread;
    for (std::size_t i = 0; i < x.size(); i += inputs) {
      spread.insert(spread.end(), x.begin() + i, x.begin() + i + inputs);
      spread.insert(spread.end(), 8, Bf16{0x7fff});
    }
    return spread;
  }
};

class ProductFormatTest : public ProductTest,
                          public testing::WithParamInterface<WeightFormat> {};
INSTANTIATE_TEST_SUITE_P(Formats, ProductFormatTest,
                         testing::Values(WeightFormat::kBF16,
                                         WeightFormat::kInt8,
                                         WeightFormat::kInt4),
                         [](const auto& format) {
                           return InfoOf(format.param).name;
                         });

// Sums of `inputs` products of numbers of deviation 1 in float32 differ from
// the exact ones by at most about inputs * 2^-24 * sqrt(inputs).
double Tolerance(int inputs) {
  return 1e-6 + inputs * 6e-8 * std::sqrt(static_cast<double>(inputs));
}

TEST_P(ProductFormatTest, AllKernelsEqualTheReferenceAndEachOtherBitByBit) {
  for (const auto& [outputs, inputs] :
       {std::pair(40, 32), std::pair(144, 96), std::pair(16, 544)}) {
    const Matrix m = RandomMatrix({outputs, inputs, GetParam()});
    for (const int rows : {1, 9, 65, 130}) {
      const std::vector<Bf16> x = RandomBf16(rows * inputs);
      const Device<Bf16> device_x(Spread(x, inputs));
      const std::vector<float> bias = Random(outputs);
      const Device<float> device_bias(bias);
      std::vector<float> expected(rows * outputs);
      reference::MatMul(Widened(x).data(), rows, inputs, m.w.data(), outputs,
                        bias.data(), expected.data());
      std::vector<float> first;
      for (const ProductKernel kernel : kKernels) {
        const Device<float> out(rows * outputs);
        Product product{m.matrix, device_x.get(), inputs + 8, rows};
        product.bias = device_bias.get();
        product.out = out.get();
        product.out_stride = outputs;
        ExpectOk(RunWith(kernel, product, nullptr));
        const std::vector<float> actual = out.Read();
        ExpectNear(actual, expected, Tolerance(inputs), 1e-6);
        if (first.empty()) first = actual;
        EXPECT_TRUE(first == actual)
            << "kernel " << static_cast<int>(kernel) << ", " << rows
            << " rows, " << outputs << " x " << inputs;
      }
    }
  }
}

TEST_P(ProductFormatTest, ARowDependsOnItselfOnly) {
  constexpr int kInputs = 288, kOutputs = 48, kRows = 37;
  const Matrix m = RandomMatrix({kOutputs, kInputs, GetParam()});
  const std::vector<Bf16> x = RandomBf16(kRows * kInputs);
  const Device<Bf16> device_x(x);
  const Device<float> all(kRows * kOutputs);
  Product product{m.matrix, device_x.get(), kInputs, kRows};
  product.out = all.get();
  product.out_stride = kOutputs;
  ExpectOk(cuda::Run(product, nullptr));
  const std::vector<float> whole = all.Read();
  for (const int row : {0, 8, 36}) {
    const Device<float> one(kOutputs);
    product.x = device_x.get() + row * kInputs;
    product.rows = 1;
    product.out = one.get();
    ExpectOk(cuda::Run(product, nullptr));
    EXPECT_TRUE(std::equal(whole.begin() + row * kOutputs,
                           whole.begin() + (row + 1) * kOutputs,
                           one.Read().begin()));
  }
}

// Sums of small integers are exact in any order, so nothing may be rounded: not
// the numbers 0 to 15, not the scales, not the minima.
TEST_F(ProductTest, NothingOfAnInt4MatrixIsRounded) {
  constexpr int kInputs = 96, kOutputs = 19, kRows = 11;
  std::vector<float> numbers(kOutputs * kInputs);
  for (int o = 0; o < kOutputs; ++o) {
    for (int i = 0; i < kInputs; ++i) {
      const int group = i / 32;
      const int number = i % 32 < 2 ? i % 32 * 15 : (i * 7 + o * 5) % 16;
      // Scales and minima have more bits than fit into bf16.
      numbers[o * kInputs + i] =
          static_cast<float>(number * (257 + 2 * o + group) - 1023 + 4 * o);
    }
  }
  std::vector<Bf16> x(kRows * kInputs);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = Bf16BitsFromF32(static_cast<float>(static_cast<int>(i * 5 % 9) - 4));
  }
  const Matrix m({kOutputs, kInputs, WeightFormat::kInt4}, numbers);
  ASSERT_TRUE(m.w == numbers);
  std::vector<float> expected(kRows * kOutputs);
  reference::MatMul(Widened(x).data(), kRows, kInputs, numbers.data(), kOutputs,
                    nullptr, expected.data());
  const Device<Bf16> device_x(x);
  for (const ProductKernel kernel : kKernels) {
    const Device<float> out(kRows * kOutputs);
    Product product{m.matrix, device_x.get(), kInputs, kRows};
    product.out = out.get();
    product.out_stride = kOutputs;
    ExpectOk(RunWith(kernel, product, nullptr));
    EXPECT_TRUE(out.Read() == expected)
        << "kernel " << static_cast<int>(kernel);
  }
}

TEST_P(ProductFormatTest, EpiloguesAddRoundAndActivate) {
  constexpr int kInputs = 64, kOutputs = 48, kRows = 11;
  const std::vector<float> numbers = Random(kOutputs * kInputs, 0.2f);
  const std::vector<Bf16> x = RandomBf16(kRows * kInputs);
  const Device<Bf16> device_x(x);
  const Matrix plain({kOutputs, kInputs, GetParam()}, numbers);
  const Matrix paired({kOutputs, kInputs, GetParam(), true}, numbers);
  ASSERT_TRUE(plain.w == paired.w);
  std::vector<float> sums(kRows * kOutputs);
  reference::MatMul(Widened(x).data(), kRows, kInputs, plain.w.data(), kOutputs,
                    nullptr, sums.data());
  std::vector<float> activated(kRows * kOutputs / 2);
  reference::SiluMul(sums.data(), kRows, kOutputs / 2, activated.data());
  for (const ProductKernel kernel : kKernels) {
    const std::vector<float> old = Random(kRows * kOutputs);
    const Device<float> residual(old);
    Product product{plain.matrix, device_x.get(), kInputs, kRows};
    product.epilogue = Epilogue::kAdd;
    product.out = residual.get();
    product.out_stride = kOutputs;
    ExpectOk(RunWith(kernel, product, nullptr));
    std::vector<float> expected = sums;
    for (std::size_t i = 0; i < old.size(); ++i) expected[i] += old[i];
    ExpectNear(residual.Read(), expected, 1e-5, 1e-6);

    // Rows of outputs are 8 numbers apart, which stay NaN.
    const Device<Bf16> rounded(kRows * (kOutputs + 8));
    product.epilogue = Epilogue::kStoreBf16;
    product.out = rounded.get();
    product.out_stride = kOutputs + 8;
    ExpectOk(RunWith(kernel, product, nullptr));
    const std::vector<float> spread = Widened(rounded.Read());
    for (int r = 0; r < kRows; ++r) {
      const auto row = spread.begin() + r * (kOutputs + 8);
      ExpectNear(
          {row, row + kOutputs},
          {sums.begin() + r * kOutputs, sums.begin() + (r + 1) * kOutputs},
          1e-5, 1.0 / 256);
      for (int i = 0; i < 8; ++i) EXPECT_TRUE(std::isnan(row[kOutputs + i]));
    }

    const Device<Bf16> active(kRows * kOutputs / 2);
    product.w = paired.matrix;
    product.epilogue = Epilogue::kSwiGluBf16;
    product.out = active.get();
    product.out_stride = kOutputs / 2;
    ExpectOk(RunWith(kernel, product, nullptr));
    ExpectNear(Widened(active.Read()), activated, 1e-4, 1.0 / 256);
  }
}

TEST_P(ProductFormatTest, GroupedRowsUseTheirExpertsAndAbsentOnesAreLeft) {
  constexpr int kInputs = 96, kOutputs = 40, kExperts = 4, kRows = 20;
  std::vector<Matrix> matrices;
  std::vector<const void*> weights;
  for (int e = 0; e < kExperts; ++e) {
    matrices.push_back(RandomMatrix({kOutputs, kInputs, GetParam()}));
    weights.push_back(e == 2 ? nullptr : matrices.back().data.get());
  }
  // Expert 1 has no rows; expert 2 is absent.
  const std::vector<std::int32_t> offsets = {0, 9, 9, 12, 20};
  const std::vector<Bf16> x = RandomBf16(7 * kInputs);
  std::vector<std::int32_t> source, target;
  for (int p = 0; p < kRows; ++p) {
    source.push_back(p * 3 % 7);
    target.push_back((p * 11 + 5) % kRows);  // A permutation.
  }
  const Device<Bf16> device_x(x);
  const Device<const void*> device_weights(weights);
  const Device<std::int32_t> device_offsets(offsets), device_source(source),
      device_target(target);
  std::vector<float> first;
  for (const ProductKernel kernel : kKernels) {
    const Device<float> out(kRows * kOutputs);
    GroupedProduct product;
    product.w = matrices[0].matrix;
    product.experts = kExperts;
    product.weights = device_weights.get();
    product.offsets = device_offsets.get();
    product.max_rows = kRows + 3;
    product.source = device_source.get();
    product.target = device_target.get();
    product.x = device_x.get();
    product.x_stride = kInputs;
    product.out = out.get();
    product.out_stride = kOutputs;
    ExpectOk(RunWith(kernel, product, nullptr));
    const std::vector<float> actual = out.Read();
    for (int p = 0; p < kRows; ++p) {
      const int e = p < 9 ? 0 : p < 12 ? 2 : 3;
      const auto row = actual.begin() + target[p] * kOutputs;
      if (e == 2) {
        EXPECT_TRUE(std::isnan(*row));
        continue;
      }
      std::vector<float> expected(kOutputs);
      reference::MatMul(Widened(x).data() + source[p] * kInputs, 1, kInputs,
                        matrices[e].w.data(), kOutputs, nullptr,
                        expected.data());
      ExpectNear({row, row + kOutputs}, expected, Tolerance(kInputs), 1e-6);
    }
    if (first.empty()) first = actual;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      EXPECT_TRUE(first[i] == actual[i] || std::isnan(first[i]));
    }
  }
}

TEST_F(ProductTest, NoRowsAreAllowed) {
  const Matrix m = RandomMatrix({16, 32});
  Product product{m.matrix, nullptr, 32, 0};
  ExpectOk(cuda::Run(product, nullptr));
}

}  // namespace
}  // namespace apollo::cuda
