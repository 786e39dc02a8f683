// AVX2: tiles of 1 row by 32 outputs, 2 by 16, or 3 or 4 by 8, whose
// accumulators stay in registers. With few rows, reading the weights dominates,
// so they are read sequentially.

#include "kernels/quantized_panels.h"

#if defined(__x86_64__)
#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/check.h"
#include "kernels/quantize.h"

HWY_PUSH_ATTRIBUTES("avx2,fma,f16c")
namespace apollo {
namespace {

constexpr int kPanel = PackedMatrix::kQuantizedPanel;

HWY_INLINE __m256i Load(const std::uint8_t* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
// With one row, memory bandwidth is the limit, and the hardware prefetcher does
// not run far enough ahead. (Prefetches past the end of the weights are
// harmless.)
HWY_INLINE void Prefetch(const std::uint8_t* block, int bytes) {
  constexpr int kAhead = 4096;
#pragma GCC unroll 32
  for (int i = 0; i < bytes; i += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(block) + kAhead + i,
                 _MM_HINT_T0);
  }
}

// Returns a + b. gcc would rearrange a chain of sums into a tree, whose many
// numbers do not fit into the registers.
HWY_INLINE __m256i AddInOrder32(__m256i a, __m256i b) {
  __m256i sum = _mm256_add_epi32(a, b);
  asm("" : "+x"(sum));
  return sum;
}
HWY_INLINE __m256i AddInOrder16(__m256i a, __m256i b) {
  __m256i sum = _mm256_add_epi16(a, b);
  asm("" : "+x"(sum));
  return sum;
}

HWY_INLINE __m256i Quad(const std::int8_t* x) {
  std::int32_t quad;
  std::memcpy(&quad, x, sizeof(quad));
  return _mm256_set1_epi32(quad);
}
HWY_INLINE __m256 Halves(const std::uint8_t* at) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
}

// dot[r][p] = w . x for the 8 outputs of part p. |w| <= 127 and |x| <= 127, so
// two products fit into 16 bits.
template <int R, int P>
HWY_INLINE void DotsInt8(const std::uint8_t* block, const std::int8_t* x,
                         __m256i (&dot)[R][P]) {
  const __m256i ones = _mm256_set1_epi16(1);
  const __m256i flip = _mm256_set1_epi8(-128);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) dot[r][p] = _mm256_setzero_si256();
  }
#pragma GCC unroll 8
  for (int v = 0; v < 8; ++v) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const __m256i w = _mm256_xor_si256(Load(block + v * 128 + p * 32), flip);
      const __m256i size = _mm256_abs_epi8(w);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const __m256i signed_x =
            _mm256_sign_epi8(Quad(x + r * kGroup + v * 4), w);
        const __m256i pairs = _mm256_maddubs_epi16(size, signed_x);
        dot[r][p] = AddInOrder32(dot[r][p], _mm256_madd_epi16(pairs, ones));
      }
    }
  }
}

// Sixteen products of at most 15 * 127 fit into 16 bits.
template <int R, int P>
HWY_INLINE void DotsInt4(const std::uint8_t* block, const std::int8_t* x,
                         __m256i (&dot)[R][P]) {
  const __m256i low = _mm256_set1_epi8(15);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) dot[r][p] = _mm256_setzero_si256();
  }
#pragma GCC unroll 4
  for (int v = 0; v < 4; ++v) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const __m256i two = Load(block + v * 128 + p * 32);
      const __m256i w0 = _mm256_and_si256(two, low);
      const __m256i w1 = _mm256_and_si256(_mm256_srli_epi16(two, 4), low);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const std::int8_t* row = x + r * kGroup + v * 4;
        dot[r][p] =
            AddInOrder16(dot[r][p], _mm256_maddubs_epi16(w0, Quad(row)));
        dot[r][p] =
            AddInOrder16(dot[r][p], _mm256_maddubs_epi16(w1, Quad(row + 16)));
      }
    }
  }
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      dot[r][p] = _mm256_madd_epi16(dot[r][p], ones);
    }
  }
}

// Adds outliers to the accumulators of 8 outputs, [row][8], in memory.
template <bool kInt8>
void AddOutliers(std::span<const QuantizedRows::Outlier> outliers,
                 const std::uint8_t* panel, int part, float* acc) {
  constexpr int kScales = kInt8 ? kInt8Scales : kInt4Scales;
  const __m256i mask = _mm256_set1_epi32(kInt8 ? 255 : 15);
  const __m256i zero = _mm256_set1_epi32(kInt8 ? 128 : 0);
  for (const QuantizedRows::Outlier& outlier : outliers) {
    const std::uint8_t* block =
        panel + static_cast<std::size_t>(outlier.group) *
                    (kInt8 ? kInt8Block : kInt4Block);
    const int input = outlier.input;
    const __m256i quads =
        Load(block + (kInt8 ? input / 4 : input % 16 / 4) * 128 + part * 32);
    const __m128i shift =
        _mm_cvtsi32_si128(input % 4 * 8 + (!kInt8 && input >= 16 ? 4 : 0));
    const __m256i w = _mm256_sub_epi32(
        _mm256_and_si256(_mm256_srl_epi32(quads, shift), mask), zero);
    const __m256 x = _mm256_set1_ps(outlier.x);
    float* sums = acc + outlier.row * 8;
    __m256 sum =
        _mm256_fmadd_ps(_mm256_cvtepi32_ps(w),
                        _mm256_mul_ps(Halves(block + kScales + part * 16), x),
                        _mm256_loadu_ps(sums));
    if constexpr (!kInt8) {
      sum = _mm256_fmadd_ps(Halves(block + kInt4Minima + part * 16), x, sum);
    }
    _mm256_storeu_ps(sums, sum);
  }
}

// Computes outputs [8 * part, 8 * (part + P)) of a panel.
template <int R, int P, bool kInt8>
HWY_INLINE void TilePart(const QuantizedProblem& p, const std::uint8_t* block,
                         int panel, int part, int tile) {
  const int row = p.x.first_row(tile);
  const std::uint8_t* const first_block = block;
  const std::int8_t* x = p.x.numbers(row);
  const float* scales = p.x.scales(row);
  const float* sums = p.x.sums(row);
  __m256 acc[R][P];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int q = 0; q < P; ++q) acc[r][q] = _mm256_setzero_ps();
  }
  for (int g = p.x.groups(); g > 0; --g) {
    if constexpr (R == 1) Prefetch(block, kInt8 ? kInt8Block : kInt4Block);
    __m256i dot[R][P];
    if constexpr (kInt8) {
      DotsInt8<R, P>(block + part * 32, x, dot);
    } else {
      DotsInt4<R, P>(block + part * 32, x, dot);
    }
#pragma GCC unroll 4
    for (int q = 0; q < P; ++q) {
      const __m256 w =
          Halves(block + (kInt8 ? kInt8Scales : kInt4Scales) + (part + q) * 16);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        acc[r][q] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r][q]),
                                    _mm256_mul_ps(w, _mm256_set1_ps(scales[r])),
                                    acc[r][q]);
      }
      if constexpr (!kInt8) {
        const __m256 minima = Halves(block + kInt4Minima + (part + q) * 16);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
          acc[r][q] =
              _mm256_fmadd_ps(minima, _mm256_set1_ps(sums[r]), acc[r][q]);
        }
      }
    }
    if constexpr (!kInt8) sums += R;
    block += kInt8 ? kInt8Block : kInt4Block;
    x += R * kGroup;
    scales += R;
  }
#pragma GCC unroll 4
  for (int q = 0; q < P; ++q) {
    alignas(32) float sums_of_rows[R * 8];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      _mm256_store_ps(sums_of_rows + r * 8, acc[r][q]);
    AddOutliers<kInt8>(p.x.outliers(tile), first_block, part + q, sums_of_rows);
    const int first = panel * kPanel + (part + q) * 8;
    const int count = std::clamp(p.w.outputs() - first, 0, 8);
    for (int r = 0; r < R; ++r) {
      const float* lanes = sums_of_rows + r * 8;
      float* out = p.out + (row + r) * p.out_stride + first;
      for (int o = 0; o < count; ++o) {
        out[o] = p.bias != nullptr ? lanes[o] + p.bias[first + o] : lanes[o];
      }
    }
  }
}

// Computes the outputs of a panel, P parts of 8 at a time.
template <int R, int P, bool kInt8>
void Tile(const QuantizedProblem& p, const std::uint8_t* block, int panel,
          int tile) {
  for (int part = 0; part < kPanel / 8; part += P) {
    TilePart<R, P, kInt8>(p, block, panel, part, tile);
  }
}

template <bool kInt8>
void TileOf(int rows, const QuantizedProblem& p, const std::uint8_t* block,
            int panel, int tile) {
  switch (rows) {
    case 1:
      return Tile<1, 4, kInt8>(p, block, panel, tile);
    case 2:
      return Tile<2, 2, kInt8>(p, block, panel, tile);
    case 3:
      return Tile<3, 1, kInt8>(p, block, panel, tile);
    case 4:
      return Tile<4, 1, kInt8>(p, block, panel, tile);
    default:
      APOLLO_CHECK(false);
  }
}

}  // namespace

template <bool kInt8>
void QuantizedPanelsAvx2(const QuantizedProblem& p, int begin, int end) {
  const std::size_t panel_bytes =
      static_cast<std::size_t>(p.x.groups()) * BlockBytes(p.w.format());
  for (int panel = begin; panel < end; ++panel) {
    const std::uint8_t* block = p.w.data() + panel * panel_bytes;
    for (int tile = 0; tile < p.x.tiles(); ++tile) {
      const int rows = p.x.tile_rows(tile);
      TileOf<kInt8>(rows, p, block, panel, tile);
    }
  }
}

template void QuantizedPanelsAvx2<true>(const QuantizedProblem&, int, int);
template void QuantizedPanelsAvx2<false>(const QuantizedProblem&, int, int);

}  // namespace apollo
HWY_POP_ATTRIBUTES

#else  // Never called: the level is not available.
namespace apollo {
template <bool kInt8>
void QuantizedPanelsAvx2(const QuantizedProblem& p, int begin, int end) {
  QuantizedPanelsGeneric<kInt8>(p, begin, end);
}
template void QuantizedPanelsAvx2<true>(const QuantizedProblem&, int, int);
template void QuantizedPanelsAvx2<false>(const QuantizedProblem&, int, int);
}  // namespace apollo
#endif
