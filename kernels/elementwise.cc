#include "kernels/elementwise.h"

#include <cmath>
#include <cstddef>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/elementwise.cc"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

void RmsNormRow(const float* x, int size, const float* weight, float eps,
                float* out) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    sums = hn::MulAdd(v, v, sums);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < size; ++i) sum += x[i] * x[i];
  const float scale = 1.0f / std::sqrt(sum / static_cast<float>(size) + eps);
  const auto scales = hn::Set(d, scale);
  for (i = 0; i + lanes <= size; i += lanes) {
    hn::StoreU(
        hn::Mul(hn::LoadU(d, weight + i), hn::Mul(hn::LoadU(d, x + i), scales)),
        d, out + i);
  }
  for (; i < size; ++i) out[i] = weight[i] * (x[i] * scale);
}

void SiluMulRow(const float* gate, const float* up, int size, float* out) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto one = hn::Set(d, 1.0f);
  // Exp is defined up to 104. Beyond 88 the result is zero in any case.
  const auto limit = hn::Set(d, 88.0f);
  const auto silu = [&](auto g, auto u) {
    return hn::Mul(
        hn::Div(g, hn::Add(one, hn::Exp(d, hn::Min(limit, hn::Neg(g))))), u);
  };
  int i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(silu(hn::LoadU(d, gate + i), hn::LoadU(d, up + i)), d, out + i);
  }
  // The remainder in one padded vector, with the same arithmetic.
  if (i < size) {
    HWY_ALIGN float g[HWY_MAX_BYTES / sizeof(float)] = {};
    HWY_ALIGN float u[HWY_MAX_BYTES / sizeof(float)] = {};
    for (int j = i; j < size; ++j) {
      g[j - i] = gate[j];
      u[j - i] = up[j];
    }
    hn::Store(silu(hn::Load(d, g), hn::Load(d, u)), d, g);
    for (int j = i; j < size; ++j) out[j] = g[j - i];
  }
}

void AddScaledRow(const float* x, float scale, int size, float* y) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto s = hn::Set(d, scale);
  int i = 0;
  for (; i + lanes <= size; i += lanes) {
    hn::StoreU(hn::MulAdd(s, hn::LoadU(d, x + i), hn::LoadU(d, y + i)), d,
               y + i);
  }
  for (; i < size; ++i) y[i] = std::fma(scale, x[i], y[i]);
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apollo {

HWY_EXPORT(RmsNormRow);
HWY_EXPORT(SiluMulRow);
HWY_EXPORT(AddScaledRow);

namespace {

// Returns the minimum number of rows per thread: about 8,000 numbers.
std::int64_t Grain(int size) { return 8192 / (size + 1) + 1; }

}  // namespace

void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out, ThreadPool& pool) {
  pool.ParallelFor(rows, Grain(size),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t r = begin; r < end; ++r) {
                       HWY_DYNAMIC_DISPATCH(RmsNormRow)
                       (x + r * size, size, weight, eps, out + r * size);
                     }
                   });
}

void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out) {
  for (std::int64_t r = 0; r < rows; ++r) {
    HWY_DYNAMIC_DISPATCH(RmsNormRow)
    (x + r * size, size, weight, eps, out + r * size);
  }
}

void SiluMul(const float* gate_up, int rows, int size, float* out,
             ThreadPool& pool) {
  pool.ParallelFor(rows, Grain(size),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t r = begin; r < end; ++r) {
                       const float* gate = gate_up + r * 2 * size;
                       HWY_DYNAMIC_DISPATCH(SiluMulRow)
                       (gate, gate + size, size, out + r * size);
                     }
                   });
}

void AddScaled(const float* x, float scale, int size, float* y) {
  HWY_DYNAMIC_DISPATCH(AddScaledRow)(x, scale, size, y);
}

float Sigmoid(float z) { return 1.0f / (1.0f + std::exp(-z)); }

}  // namespace apollo
#endif  // HWY_ONCE
