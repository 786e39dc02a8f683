// The exponential function for softmax: compiled once for each instruction set,
// so the guard is Highway's.

#if defined(APOLLO_KERNELS_EXP_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef APOLLO_KERNELS_EXP_INL_H_
#undef APOLLO_KERNELS_EXP_INL_H_
#else
#define APOLLO_KERNELS_EXP_INL_H_
#endif

#include <hwy/highway.h>
// After highway.h.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace apollo {
namespace HWY_NAMESPACE {

// Returns exp(x) for x <= 0, with the bits of hwy::Exp. It needs half of its
// instructions if no lane is below -87, because then no result is denormal and
// all integers are small.
template <class D, class V = hwy::HWY_NAMESPACE::Vec<D>>
HWY_INLINE V ExpOfAtMostZero(D d, V x) {
  namespace hn = hwy::HWY_NAMESPACE;
  if (!hn::AllTrue(d, hn::Ge(x, hn::Set(d, -87.0f)))) [[unlikely]] {
    return hn::Exp(d, x);  // Or NaN.
  }
  // x = q ln 2 + r, with the integer q.
  const V q =
      hn::Trunc(hn::MulAdd(x, hn::Set(d, 1.442695041f), hn::Set(d, -0.5f)));
  V r = hn::MulAdd(q, hn::Set(d, -0.693145751953125f), x);
  r = hn::MulAdd(q, hn::Set(d, -1.428606765330187045e-6f), r);
  // The polynomial of hwy::Exp, in its order.
  const V r2 = hn::Mul(r, r);
  const V r4 = hn::Mul(r2, r2);
  const V low =
      hn::MulAdd(hn::Set(d, 0.166666671633720397949219f), r, hn::Set(d, 0.5f));
  const V middle = hn::MulAdd(hn::Set(d, 0.00833336077630519866943359f), r,
                              hn::Set(d, 0.0416664853692054748535156f));
  const V high = hn::MulAdd(hn::Set(d, 0.000198527617612853646278381f), r,
                            hn::Set(d, 0.00139304355252534151077271f));
  const V sum = hn::MulAdd(r4, high, hn::MulAdd(r2, middle, low));
  const V y = hn::Add(hn::MulAdd(sum, r2, r), hn::Set(d, 1.0f));
  // Adds q to the exponent: q is in the low bits of 1.5 * 2^23 + q.
  const hn::RebindToSigned<D> di;
  const auto exponent =
      hn::ShiftLeft<23>(hn::BitCast(di, hn::Add(q, hn::Set(d, 0x1.8p23f))));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, y), exponent));
}

}  // namespace HWY_NAMESPACE
}  // namespace apollo
HWY_AFTER_NAMESPACE();

#endif  // Highway's guard.
