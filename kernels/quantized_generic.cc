// Plain C++, for machines without AVX2. The other versions must give the same
// results.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "kernels/half.h"
#include "kernels/quantize.h"
#include "kernels/quantized_panels.h"

namespace apollo {
namespace {

constexpr int kPanel = PackedMatrix::kQuantizedPanel;

float F16At(const std::uint8_t* at) {
  std::uint16_t bits;
  std::memcpy(&bits, at, sizeof(bits));
  return F32FromF16Bits(bits);
}

int DotInt8(const std::uint8_t* quads, const std::int8_t* x) {
  int dot = 0;
  for (int i = 0; i < kGroup; ++i) {
    dot += (quads[i / 4 * kPanel * 4 + i % 4] - 128) * x[i];
  }
  return dot;
}

int DotInt4(const std::uint8_t* quads, const std::int8_t* x) {
  int dot = 0;
  for (int i = 0; i < kGroup / 2; ++i) {
    const int two = quads[i / 4 * kPanel * 4 + i % 4];
    dot += (two & 15) * x[i] + (two >> 4) * x[i + 16];
  }
  return dot;
}

template <bool kInt8>
int NumberAt(const std::uint8_t* block, int o, int input) {
  if (kInt8) {
    return block[(input / 4 * kPanel + o) * 4 + input % 4] - 128;
  }
  const int two = block[(input % 16 / 4 * kPanel + o) * 4 + input % 4];
  return input < 16 ? two & 15 : two >> 4;
}

// Computes output `o` of a panel for row `r` of a tile.
template <bool kInt8>
float Output(const QuantizedProblem& p, const std::uint8_t* panel, int o,
             int tile, int r) {
  const std::uint8_t* block = panel;
  const int tile_rows = p.x.tile_rows(tile);
  const int first = p.x.first_row(tile);
  const std::int8_t* x = p.x.numbers(first) + r * kGroup;
  const float* scale = p.x.scales(first) + r;
  const float* sum = p.x.sums(first) + r;
  float acc = 0;
  for (int g = 0; g < p.x.groups(); ++g) {
    const std::uint8_t* quads = block + o * 4;
    const int dot = kInt8 ? DotInt8(quads, x) : DotInt4(quads, x);
    const float w = F16At(block + (kInt8 ? kInt8Scales : kInt4Scales) + o * 2);
    acc = std::fma(static_cast<float>(dot), w * *scale, acc);
    if (!kInt8) acc = std::fma(F16At(block + kInt4Minima + o * 2), *sum, acc);
    block += BlockBytes(p.w.format());
    x += tile_rows * kGroup;
    scale += tile_rows;
    sum += tile_rows;
  }
  for (const QuantizedRows::Outlier& outlier : p.x.outliers(tile)) {
    if (outlier.row != r) continue;
    block = panel +
            static_cast<std::size_t>(outlier.group) * BlockBytes(p.w.format());
    const float w = F16At(block + (kInt8 ? kInt8Scales : kInt4Scales) + o * 2);
    acc = std::fma(static_cast<float>(NumberAt<kInt8>(block, o, outlier.input)),
                   w * outlier.x, acc);
    if (!kInt8) {
      acc = std::fma(F16At(block + kInt4Minima + o * 2), outlier.x, acc);
    }
  }
  return acc;
}

}  // namespace

template <bool kInt8>
void QuantizedPanelsGeneric(const QuantizedProblem& p, int begin, int end) {
  const std::size_t panel_bytes =
      static_cast<std::size_t>(p.x.groups()) * BlockBytes(p.w.format());
  for (int panel = begin; panel < end; ++panel) {
    const std::uint8_t* block = p.w.data() + panel * panel_bytes;
    const int first = panel * kPanel;
    const int outputs = std::min(kPanel, p.w.outputs() - first);
    for (int tile = 0; tile < p.x.tiles(); ++tile) {
      for (int r = 0; r < p.x.tile_rows(tile); ++r) {
        float* out = p.out + (p.x.first_row(tile) + r) * p.out_stride + first;
        for (int o = 0; o < outputs; ++o) {
          const float acc = Output<kInt8>(p, block, o, tile, r);
          out[o] = p.bias != nullptr ? acc + p.bias[first + o] : acc;
        }
      }
    }
  }
}

template void QuantizedPanelsGeneric<true>(const QuantizedProblem&, int, int);
template void QuantizedPanelsGeneric<false>(const QuantizedProblem&, int, int);

}  // namespace apollo
