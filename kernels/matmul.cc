#include "kernels/matmul.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/cpu_level.h"
#include "kernels/quantized_panels.h"
#include "kernels/quantized_rows.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul.cc"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, PackedMatrix::kPanel>;
using V = hn::Vec<F32>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
constexpr int kVectors = PackedMatrix::kPanel / kLanes;  // Per panel.

struct Problem {
  const float* x;
  std::ptrdiff_t x_stride;
  int inputs;
  int outputs;
  const float* bias;
  float* out;
  std::ptrdiff_t out_stride;
};

// Adds the product of one input of R rows, starting at `x`, with its weights.
template <int R, int kSums>
HWY_INLINE void AddInput(const Problem& p, const float* x, const V* ws,
                         V (&sums)[R][kSums]) {
  for (int r = 0; r < R; ++r) {
    const V xs = hn::Set(F32(), x[r * p.x_stride]);
    for (int s = 0; s < kSums; ++s) {
      sums[r][s] = hn::MulAdd(xs, ws[s], sums[r][s]);
    }
  }
}

template <int R, int P>
HWY_INLINE void AddAll(const Problem& p, const float* w, const float* x,
                       V (&sums)[R][P * kVectors]) {
  const std::size_t panel_size =
      static_cast<std::size_t>(p.inputs) * PackedMatrix::kPanel;
  for (int i = 0; i < p.inputs; ++i) {
    V ws[P * kVectors];
    for (int q = 0; q < P; ++q) {
      for (int v = 0; v < kVectors; ++v) {
        ws[q * kVectors + v] = hn::Load(F32(), w + q * panel_size + v * kLanes);
      }
    }
    w += PackedMatrix::kPanel;
    AddInput<R>(p, x + i, ws, sums);
  }
}

// bf16 weights are stored in pairs of inputs: the first in the lower half of 32
// bits.
template <int R, int P>
HWY_INLINE void AddAll(const Problem& p, const std::uint16_t* w, const float* x,
                       V (&sums)[R][P * kVectors]) {
  const hn::RebindToUnsigned<F32> d32;
  const std::size_t panel_size =
      static_cast<std::size_t>((p.inputs + 1) / 2) * 2 * PackedMatrix::kPanel;
  const auto upper = hn::Set(d32, 0xffff0000u);
  for (int i = 0; i < p.inputs; i += 2) {
    V first[P * kVectors], second[P * kVectors];
    for (int q = 0; q < P; ++q) {
      for (int v = 0; v < kVectors; ++v) {
        const auto pair = hn::Load(
            d32, reinterpret_cast<const std::uint32_t*>(w + q * panel_size) +
                     v * kLanes);
        first[q * kVectors + v] = hn::BitCast(F32(), hn::ShiftLeft<16>(pair));
        second[q * kVectors + v] = hn::BitCast(F32(), hn::And(pair, upper));
      }
    }
    w += 2 * PackedMatrix::kPanel;
    AddInput<R>(p, x + i, first, sums);
    if (i + 1 < p.inputs) AddInput<R>(p, x + i + 1, second, sums);
  }
}

// Computes R rows times P panels with all accumulators in registers.
template <int R, int P, typename W>
HWY_INLINE void Tile(const Problem& p, const W* weights, int row, int panel) {
  constexpr int kSums = P * kVectors;
  const F32 d;
  V sums[R][kSums];
  for (int r = 0; r < R; ++r) {
    for (int s = 0; s < kSums; ++s) sums[r][s] = hn::Zero(d);
  }
  const int inputs = sizeof(W) == 2 ? (p.inputs + 1) / 2 * 2 : p.inputs;
  AddAll<R, P>(
      p,
      weights + static_cast<std::size_t>(panel) * inputs * PackedMatrix::kPanel,
      p.x + row * p.x_stride, sums);
  for (int r = 0; r < R; ++r) {
    float* out = p.out + (row + r) * p.out_stride;
    for (int s = 0; s < kSums; ++s) {
      const int first = panel * PackedMatrix::kPanel + s * kLanes;
      HWY_ALIGN float lanes[kLanes];
      hn::Store(sums[r][s], d, lanes);
      const int count = std::min(kLanes, p.outputs - first);
      for (int o = 0; o < count; ++o) {
        out[first + o] =
            p.bias != nullptr ? lanes[o] + p.bias[first + o] : lanes[o];
      }
    }
  }
}

// Computes all row tiles for panels [begin, end). R x P x kVectors accumulators
// must fit into the registers: 16 with AVX2 (12 accumulators), 32 with AVX-512
// (24).
template <typename W>
void Panels(const Problem& p, const W* weights, int rows, int begin, int end) {
  constexpr int kTall = kVectors == 1 ? 12 : 6;  // Rows of the tall tile.
  // Few rows: many panels at once hide the latency of the multiply-adds.
  if (rows < 4) {
    constexpr int kWide1 = kVectors == 1 ? 8 : 4;
    constexpr int kWide2 = kVectors == 1 ? 6 : 3;
    constexpr int kWide3 = kVectors == 1 ? 4 : 2;
    const int wide = rows == 1 ? kWide1 : rows == 2 ? kWide2 : kWide3;
    int panel = begin;
    for (; panel + wide <= end; panel += wide) {
      if (rows == 1) Tile<1, kWide1>(p, weights, 0, panel);
      if (rows == 2) Tile<2, kWide2>(p, weights, 0, panel);
      if (rows == 3) Tile<3, kWide3>(p, weights, 0, panel);
    }
    for (; panel < end; ++panel) {
      if (rows == 1) Tile<1, 1>(p, weights, 0, panel);
      if (rows == 2) Tile<2, 1>(p, weights, 0, panel);
      if (rows == 3) Tile<3, 1>(p, weights, 0, panel);
    }
    return;
  }
  for (int panel = begin; panel < end; ++panel) {
    int row = 0;
    for (; row + kTall <= rows; row += kTall) {
      Tile<kTall, 1>(p, weights, row, panel);
    }
    for (; row + 4 <= rows; row += 4) Tile<4, 1>(p, weights, row, panel);
    switch (rows - row) {
      case 3:
        Tile<3, 1>(p, weights, row, panel);
        break;
      case 2:
        Tile<2, 1>(p, weights, row, panel);
        break;
      case 1:
        Tile<1, 1>(p, weights, row, panel);
        break;
      default:
        break;
    }
  }
}

void MatMulPanels(const float* x, int rows, int x_stride, const PackedMatrix& w,
                  const float* bias, float* out, int out_stride, int begin,
                  int end) {
  const Problem p = {x,    x_stride, w.inputs(), w.outputs(),
                     bias, out,      out_stride};
  switch (w.format()) {
    case WeightFormat::kF32:
      return Panels(p, w.f32(), rows, begin, end);
    case WeightFormat::kBF16:
      return Panels(p, w.bf16(), rows, begin, end);
    case WeightFormat::kInt8:
    case WeightFormat::kInt4:
      NoSuchFormat();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apollo {

HWY_EXPORT(MatMulPanels);

namespace {

struct QuantizedKernel {
  QuantizedPanels panels;
  int tile;  // Rows.
};

template <bool kInt8>
QuantizedKernel KernelOf(CpuLevel level) {
  if (level >= CpuLevel::kAvx512Vnni) return {QuantizedPanelsVnni<kInt8>, 6};
  if (level >= CpuLevel::kAvx2) return {QuantizedPanelsAvx2<kInt8>, 4};
  return {QuantizedPanelsGeneric<kInt8>, 4};
}

QuantizedKernel KernelOf(WeightFormat format, CpuLevel level) {
  switch (format) {
    case WeightFormat::kInt8:
      return KernelOf<true>(level);
    case WeightFormat::kInt4:
      return KernelOf<false>(level);
    case WeightFormat::kF32:
    case WeightFormat::kBF16:
      break;
  }
  NoSuchFormat();
}

void MatMulQuantized(const float* x, int rows, int x_stride,
                     const PackedMatrix& w, const float* bias, float* out,
                     int out_stride, ThreadPool& pool) {
  const QuantizedKernel kernel = KernelOf(w.format(), CurrentCpuLevel());
  // Kept per thread, so that steps do not allocate memory.
  static thread_local QuantizedRows quantized;
  quantized.Quantize(x, rows, w.inputs(), x_stride, kernel.tile, pool);
  const QuantizedProblem problem = {quantized, w, bias, out, out_stride};
  // Below about 50,000 multiply-adds, waking a thread costs more than it saves.
  const std::int64_t per_panel = static_cast<std::int64_t>(w.inputs()) *
                                 PackedMatrix::kQuantizedPanel * rows;
  pool.ParallelFor(w.panels(), 50000 / per_panel + 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     kernel.panels(problem, static_cast<int>(begin),
                                   static_cast<int>(end));
                   });
}

}  // namespace

void MatMul(const float* x, int rows, int x_stride, const PackedMatrix& w,
            const float* bias, float* out, int out_stride, ThreadPool& pool) {
  if (rows <= 0) return;
  if (IsQuantized(w.format())) {
    MatMulQuantized(x, rows, x_stride, w, bias, out, out_stride, pool);
    return;
  }
  // Below about 20,000 multiply-adds, waking a thread costs more than it saves.
  const std::int64_t per_panel =
      static_cast<std::int64_t>(w.inputs()) * PackedMatrix::kPanel * rows;
  const std::int64_t grain = 20000 / per_panel + 1;
  pool.ParallelFor(w.panels(), grain,
                   [&](std::int64_t begin, std::int64_t end) {
                     HWY_DYNAMIC_DISPATCH(MatMulPanels)
                     (x, rows, x_stride, w, bias, out, out_stride,
                      static_cast<int>(begin), static_cast<int>(end));
                   });
}

}  // namespace apollo
#endif  // HWY_ONCE
