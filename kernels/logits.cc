#include "kernels/logits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/logits.cc"
#include <hwy/foreach_target.h>  // Must come before highway.h.
#include <hwy/highway.h>
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;

// Returns the largest number that is not NaN, or minus infinity.
float Largest(const float* x, int size) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto best = hn::Set(d, -std::numeric_limits<float>::infinity());
  int i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    // NaN never compares greater.
    best = hn::IfThenElse(hn::Gt(v, best), v, best);
  }
  float top = hn::GetLane(hn::MaxOfLanes(d, best));
  for (; i < size; ++i) top = x[i] > top ? x[i] : top;
  return top;
}

bool AllFinite(const float* x, int size) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto v = hn::LoadU(d, x + i);
    // Stays zero, or becomes NaN for good.
    sums = hn::Add(sums, hn::Sub(v, v));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < size; ++i) sum += x[i] - x[i];
  return sum == 0;
}

int FirstEqual(const float* x, int size, float wanted) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto same = hn::Set(d, wanted);
  int i = 0;
  for (; i + lanes <= size; i += lanes) {
    const auto found = hn::FindFirstTrue(d, hn::Eq(hn::LoadU(d, x + i), same));
    if (found >= 0) return i + static_cast<int>(found);
  }
  while (i < size && x[i] != wanted) ++i;
  return i;
}

// Writes the tokens whose logits are at least `least`, in order, to `out`,
// which has room for all. Returns their number.
int TokensFrom(const float* x, int size, float least, std::int32_t* out) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto bound = hn::Set(d, least);
  int count = 0;
  int i = 0;
  const auto take = [&](int end) {
    for (; i < end; ++i) {
      if (x[i] >= least) out[count++] = i;
    }
  };
  while (i + lanes <= size) {
    if (hn::AllFalse(d, hn::Ge(hn::LoadU(d, x + i), bound))) {
      i += lanes;  // Almost always.
    } else {
      take(i + lanes);
    }
  }
  take(size);
  return count;
}

double SumExpOf(const float* x, int size, float top, float scale) {
  const F32 d;
  const int lanes = static_cast<int>(hn::Lanes(d));
  const auto tops = hn::Set(d, top);
  const auto scales = hn::Set(d, scale);
  // Sums in float over short chunks only, where the error is negligible.
  constexpr int kChunk = 512;
  double sum = 0;
  int i = 0;
  while (i + lanes <= size) {
    const int end = std::min(size, i + kChunk);
    auto part = hn::Zero(d);
    for (; i + lanes <= end; i += lanes) {
      part = hn::Add(
          part,
          hn::Exp(d, hn::Mul(hn::Sub(hn::LoadU(d, x + i), tops), scales)));
    }
    sum += hn::GetLane(hn::SumOfLanes(d, part));
  }
  // The remainder in one padded vector, with the same arithmetic.
  if (i < size) {
    HWY_ALIGN float rest[HWY_MAX_BYTES / sizeof(float)];
    std::fill(rest, rest + lanes, -1000.0f);
    for (int j = i; j < size; ++j) rest[j - i] = (x[j] - top) * scale;
    sum += hn::GetLane(hn::SumOfLanes(d, hn::Exp(d, hn::Load(d, rest))));
  }
  return sum;
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace apollo {

HWY_EXPORT(Largest);
HWY_EXPORT(AllFinite);
HWY_EXPORT(FirstEqual);
HWY_EXPORT(SumExpOf);
HWY_EXPORT(TokensFrom);

float LogSumExp(const float* logits, int size) {
  if (!HWY_DYNAMIC_DISPATCH(AllFinite)(logits, size)) {
    return std::numeric_limits<float>::quiet_NaN();
  }
  const float top = HWY_DYNAMIC_DISPATCH(Largest)(logits, size);
  return top + static_cast<float>(std::log(SumExp(logits, size, top, 1.0f)));
}

double SumExp(const float* logits, int size, float top, float scale) {
  return HWY_DYNAMIC_DISPATCH(SumExpOf)(logits, size, top, scale);
}

std::vector<std::int32_t> TokensAtLeast(const float* logits, int size,
                                        float least) {
  std::vector<std::int32_t> tokens(size);
  tokens.resize(
      HWY_DYNAMIC_DISPATCH(TokensFrom)(logits, size, least, tokens.data()));
  return tokens;
}

std::vector<std::int32_t> TopTokens(const float* logits, int size, int count) {
  count = std::min(count, size);
  std::vector<std::int32_t> order(size);
  std::iota(order.begin(), order.end(), 0);
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [logits](std::int32_t a, std::int32_t b) {
                      return logits[a] != logits[b] ? logits[a] > logits[b]
                                                    : a < b;
                    });
  order.resize(count);
  return order;
}

std::int32_t ArgMax(const float* logits, int size) {
  const float top = HWY_DYNAMIC_DISPATCH(Largest)(logits, size);
  const int token = HWY_DYNAMIC_DISPATCH(FirstEqual)(logits, size, top);
  return token < size ? token : 0;  // All may be NaN.
}

}  // namespace apollo
#endif  // HWY_ONCE
