// Vectors of cached keys and values, for attention.cc: compiled once for each
// instruction set, so the guard is Highway's.

#if defined(APOLLO_KERNELS_ATTENTION_VECTORS_INL_H_) == \
    defined(HWY_TARGET_TOGGLE)
#ifdef APOLLO_KERNELS_ATTENTION_VECTORS_INL_H_
#undef APOLLO_KERNELS_ATTENTION_VECTORS_INL_H_
#else
#define APOLLO_KERNELS_ATTENTION_VECTORS_INL_H_
#endif

#include <hwy/highway.h>

#include <cstdint>
#include <cstring>

#include "kernels/attention.h"
#include "kernels/half.h"

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::CappedTag<float, kBlockTokens>;
using V = hn::Vec<F32>;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));
constexpr int kVectors = kBlockTokens / kLanes;  // Of one block's tokens.

// Queries of a tile whose sums stay in registers. There are 32 registers with
// AVX-512, where kVectors is 1, and 16 otherwise.
constexpr int kQueries = kVectors <= 2 ? 6 : 3;

// Loads kLanes cache values as float32.
HWY_INLINE V Load(const float* from) { return hn::LoadU(F32(), from); }
HWY_INLINE V Load(const hwy::bfloat16_t* from) {
  const hn::Rebind<hwy::bfloat16_t, F32> d;
  return hn::PromoteTo(F32(), hn::LoadU(d, from));
}
HWY_INLINE V Load(const hwy::float16_t* from) {
  const hn::Rebind<hwy::float16_t, F32> d;
  return hn::PromoteTo(F32(), hn::LoadU(d, from));
}
HWY_INLINE float LoadOne(const float* from) { return *from; }
HWY_INLINE float LoadOne(const hwy::float16_t* from) {
  std::uint16_t half;
  std::memcpy(&half, from, sizeof(half));
  return F32FromF16Bits(half);
}
HWY_INLINE float LoadOne(const hwy::bfloat16_t* from) {
  std::uint16_t half;
  std::memcpy(&half, from, sizeof(half));
  return F32FromBf16Bits(half);
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#endif  // Highway's guard.
