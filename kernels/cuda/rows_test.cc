#include "kernels/cuda/rows.h"

#include "kernels/cuda/testing.h"
#include "kernels/reference.h"

namespace apollo::cuda {
namespace {

class RowsTest : public GpuTest {};

constexpr int kRows = 5;
// Less than the threads of a block use at once, and more.
constexpr int kSizes[] = {8, 104, 2056};

std::vector<float> RowsOf(const std::vector<float>& x, int size,
                          const std::vector<std::int32_t>& source) {
  std::vector<float> rows;
  for (const std::int32_t r : source) {
    rows.insert(rows.end(), x.begin() + r * size, x.begin() + (r + 1) * size);
  }
  return rows;
}

TEST_F(RowsTest, EmbeddingAndCopiesAreExact) {
  const std::vector<std::int32_t> index = {6, 0, 6, 3, 1};
  const Device<std::int32_t> device_index(index);
  for (const int size : kSizes) {
    const std::vector<Bf16> table = RandomBf16(7 * size);
    const Device<Bf16> device_table(table);
    const std::vector<float> wide = Widened(table);
    const std::vector<float> expected = RowsOf(wide, size, index);
    const Device<float> embedded(kRows * size);
    ExpectOk(Embed(device_table.get(), device_index.get(), kRows, size,
                   embedded.get(), nullptr));
    EXPECT_TRUE(embedded.Read() == expected);

    const Device<Bf16> narrow(kRows * size);
    ExpectOk(GatherRows(device_table.get(), device_index.get(), kRows, size,
                        narrow.get(), nullptr));
    EXPECT_TRUE(Widened(narrow.Read()) == expected);

    const Device<float> device_wide(wide), gathered(kRows * size);
    ExpectOk(GatherRows(device_wide.get(), device_index.get(), kRows, size,
                        gathered.get(), nullptr));
    EXPECT_TRUE(gathered.Read() == expected);
  }
}

TEST_F(RowsTest, RoundedRowsGoToTheirTargets) {
  for (const int size : kSizes) {
    const std::vector<std::int32_t> target = {3, 0, 6, 1, 4};
    const Device<std::int32_t> index(target);
    const std::vector<float> x = Random(kRows * size);
    const Device<float> device_x(x);
    const Device<Bf16> out(7 * size);
    ExpectOk(RoundRows(device_x.get(), index.get(), kRows, size, out.get(),
                       nullptr));
    // Rows that are no targets stay as they are.
    std::vector<Bf16> expected(7 * size, 0xffff);
    for (int i = 0; i < kRows * size; ++i) {
      expected[target[i / size] * size + i % size] = Bf16BitsFromF32(x[i]);
    }
    EXPECT_TRUE(out.Read() == expected);
  }
}

TEST_F(RowsTest, ScatteringIsTheInverseOfGathering) {
  constexpr int kSize = 16;
  const Device<std::int32_t> index(std::vector<std::int32_t>{3, 0, 4, 1, 2});
  const std::vector<float> x = Random(kRows * kSize);
  const Device<float> device_x(x), scattered(kRows * kSize),
      back(kRows * kSize);
  ExpectOk(ScatterRows(device_x.get(), index.get(), kRows, kSize,
                       scattered.get(), nullptr));
  ExpectOk(GatherRows(scattered.get(), index.get(), kRows, kSize, back.get(),
                      nullptr));
  EXPECT_TRUE(back.Read() == x);
  EXPECT_FALSE(scattered.Read() == x);
}

TEST_F(RowsTest, ConversionsRoundToNearestEven) {
  constexpr int kCount = 8 * 300;
  const std::vector<float> x = Random(kCount);
  const Device<float> device_x(x);
  const Device<Bf16> rounded(kCount);
  ExpectOk(Round(device_x.get(), kCount, rounded.get(), nullptr));
  const std::vector<Bf16> bits = rounded.Read();
  for (int i = 0; i < kCount; ++i) EXPECT_EQ(bits[i], Bf16BitsFromF32(x[i]));
  const Device<float> widened(kCount);
  ExpectOk(Widen(rounded.get(), kCount, widened.get(), nullptr));
  EXPECT_TRUE(widened.Read() == Widened(bits));
}

TEST_F(RowsTest, NormalisationEqualsTheReference) {
  const std::vector<std::int32_t> source = {4, 4, 0, 2, 1};
  const Device<std::int32_t> device_source(source);
  for (const int size : kSizes) {
    const std::vector<float> x = Random(kRows * size, 3), w = Random(size);
    const Device<float> device_x(x), device_w(w);
    for (const bool gather : {false, true}) {
      const std::vector<float> rows = gather ? RowsOf(x, size, source) : x;
      std::vector<float> expected(kRows * size);
      reference::RmsNorm(rows.data(), kRows, size, w.data(), 1e-6f,
                         expected.data());
      const Device<Bf16> out(kRows * size);
      ExpectOk(RmsNorm(device_x.get(), gather ? device_source.get() : nullptr,
                       kRows, size, device_w.get(), 1e-6f, out.get(), nullptr));
      // Half a unit in the last of 8 bits, and float32 errors.
      ExpectNear(Widened(out.Read()), expected, 1e-6, 1.0 / 256 + 1e-5);
    }
  }
}

TEST_F(RowsTest, ABiasIsAddedToEveryRow) {
  for (const int size : kSizes) {
    std::vector<float> x = Random(kRows * size);
    const std::vector<float> bias = Random(size);
    const Device<float> device_x(x), device_bias(bias);
    ExpectOk(AddBias(device_bias.get(), kRows, size, device_x.get(), nullptr));
    for (int i = 0; i < kRows * size; ++i) x[i] += bias[i % size];
    EXPECT_EQ(device_x.Read(), x);
  }
}

TEST_F(RowsTest, SizesThatAreNoMultiplesOfEightAreRefused) {
  EXPECT_TRUE(CheckRowSize(896).ok());
  for (const int size : {0, -8, 12}) {
    EXPECT_EQ(CheckRowSize(size).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace apollo::cuda
