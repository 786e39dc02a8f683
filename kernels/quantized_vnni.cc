// AVX-512 with byte dot products: tiles of up to 6 rows by 32 outputs, whose
// accumulators stay in registers.

#include "kernels/quantized_panels.h"

#if defined(__x86_64__)
// A false positive in gcc's own header:
// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

#include "common/check.h"
#include "kernels/quantize.h"

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")
namespace apollo {
namespace {

constexpr int kPanel = PackedMatrix::kQuantizedPanel;

HWY_INLINE __m512i Quad(const std::int8_t* x) {
  std::int32_t quad;
  std::memcpy(&quad, x, sizeof(quad));
  return _mm512_set1_epi32(quad);
}

HWY_INLINE __m512 Halves(const std::uint8_t* at) {
  return _mm512_cvtph_ps(
      _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
}

// Adds quad `v` of R rows times 32 outputs.
template <int R>
HWY_INLINE void AddQuad(__m512i w0, __m512i w1, const std::int8_t* x, int v,
                        __m512i (&dot)[R][2]) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    const __m512i quad = Quad(x + r * kGroup + v * 4);
    dot[r][0] = _mm512_dpbusd_epi32(dot[r][0], w0, quad);
    dot[r][1] = _mm512_dpbusd_epi32(dot[r][1], w1, quad);
  }
}

template <int R, bool kInt8>
HWY_INLINE void Dots(const std::uint8_t* block, const std::int8_t* x,
                     const std::int32_t* offsets, __m512i (&dot)[R][2]) {
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) {
    dot[r][0] = dot[r][1] =
        kInt8 ? _mm512_set1_epi32(offsets[r]) : _mm512_setzero_si512();
  }
  const __m512i low = _mm512_set1_epi8(15);
#pragma GCC unroll 8
  for (int v = 0; v < (kInt8 ? 8 : 4); ++v) {
    const __m512i w0 = _mm512_loadu_si512(block + v * 128);
    const __m512i w1 = _mm512_loadu_si512(block + v * 128 + 64);
    if constexpr (kInt8) {
      AddQuad<R>(w0, w1, x, v, dot);
    } else {
      AddQuad<R>(_mm512_and_si512(w0, low), _mm512_and_si512(w1, low), x, v,
                 dot);
      AddQuad<R>(_mm512_and_si512(_mm512_srli_epi16(w0, 4), low),
                 _mm512_and_si512(_mm512_srli_epi16(w1, 4), low), x, v + 4,
                 dot);
    }
  }
}

// Adds outliers to the accumulators, [row][32], in memory.
template <bool kInt8>
HWY_INLINE void AddOutliers(std::span<const QuantizedRows::Outlier> outliers,
                            const std::uint8_t* panel, float* acc) {
  constexpr int kScales = kInt8 ? kInt8Scales : kInt4Scales;
  const __m512i low = _mm512_set1_epi8(15);
  const __m512i zero = _mm512_set1_epi32(kInt8 ? -128 : 0);
  for (const QuantizedRows::Outlier& outlier : outliers) {
    const std::uint8_t* block =
        panel + static_cast<std::size_t>(outlier.group) *
                    (kInt8 ? kInt8Block : kInt4Block);
    const int input = outlier.input;
    const std::uint8_t* quads =
        block + (kInt8 ? input / 4 : input % 16 / 4) * 128;
    // A dot product with a single 1 extracts the weight.
    const __m512i one = _mm512_set1_epi32(1 << input % 4 * 8);
    const __m128i shift = _mm_cvtsi32_si128(input / 16 * 4);
    const __m512 x = _mm512_set1_ps(outlier.x);
    float* sums = acc + outlier.row * kPanel;
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      __m512i w = _mm512_loadu_si512(quads + h * 64);
      if constexpr (!kInt8) {
        w = _mm512_and_si512(_mm512_srl_epi16(w, shift), low);
      }
      __m512 sum =
          _mm512_fmadd_ps(_mm512_cvtepi32_ps(_mm512_dpbusd_epi32(zero, w, one)),
                          _mm512_mul_ps(Halves(block + kScales + h * 32), x),
                          _mm512_load_ps(sums + h * 16));
      if constexpr (!kInt8) {
        sum = _mm512_fmadd_ps(Halves(block + kInt4Minima + h * 32), x, sum);
      }
      _mm512_store_ps(sums + h * 16, sum);
    }
  }
}

template <int R, bool kInt8>
void Tile(const QuantizedProblem& p, const std::uint8_t* block, int panel,
          int tile) {
  const int row = p.x.first_row(tile);
  const std::uint8_t* const first_block = block;
  constexpr int kScales = kInt8 ? kInt8Scales : kInt4Scales;
  const std::int8_t* x = p.x.numbers(row);
  const float* scales = p.x.scales(row);
  const std::int32_t* offsets = p.x.offsets(row);
  const float* sums = p.x.sums(row);
  __m512 acc[R][2];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) acc[r][0] = acc[r][1] = _mm512_setzero_ps();
  for (int g = p.x.groups(); g > 0; --g) {
    __m512i dot[R][2];
    Dots<R, kInt8>(block, x, offsets, dot);
    const __m512 w0 = Halves(block + kScales);
    const __m512 w1 = Halves(block + kScales + 32);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512 scale = _mm512_set1_ps(scales[r]);
      acc[r][0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][0]),
                                  _mm512_mul_ps(w0, scale), acc[r][0]);
      acc[r][1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][1]),
                                  _mm512_mul_ps(w1, scale), acc[r][1]);
    }
    if constexpr (!kInt8) {
      const __m512 m0 = Halves(block + kInt4Minima);
      const __m512 m1 = Halves(block + kInt4Minima + 32);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const __m512 sum = _mm512_set1_ps(sums[r]);
        acc[r][0] = _mm512_fmadd_ps(m0, sum, acc[r][0]);
        acc[r][1] = _mm512_fmadd_ps(m1, sum, acc[r][1]);
      }
      sums += R;
    }
    block += kInt8 ? kInt8Block : kInt4Block;
    x += R * kGroup;
    scales += R;
    if constexpr (kInt8) offsets += R;
  }
  if (const auto outliers = p.x.outliers(tile); !outliers.empty()) {
    alignas(64) float sums[R * kPanel];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      _mm512_store_ps(sums + r * kPanel, acc[r][0]);
      _mm512_store_ps(sums + r * kPanel + 16, acc[r][1]);
    }
    AddOutliers<kInt8>(outliers, first_block, sums);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      acc[r][0] = _mm512_load_ps(sums + r * kPanel);
      acc[r][1] = _mm512_load_ps(sums + r * kPanel + 16);
    }
  }
  for (int h = 0; h < 2; ++h) {
    const int first = panel * kPanel + h * 16;
    const int count = std::clamp(p.w.outputs() - first, 0, 16);
    const auto mask = static_cast<__mmask16>((1u << count) - 1);
    const __m512 bias = p.bias != nullptr
                            ? _mm512_maskz_loadu_ps(mask, p.bias + first)
                            : _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const __m512 value =
          p.bias != nullptr ? _mm512_add_ps(acc[r][h], bias) : acc[r][h];
      _mm512_mask_storeu_ps(p.out + (row + r) * p.out_stride + first, mask,
                            value);
    }
  }
}

template <bool kInt8>
void TileOf(int rows, const QuantizedProblem& p, const std::uint8_t* block,
            int panel, int tile) {
  switch (rows) {
    case 1:
      return Tile<1, kInt8>(p, block, panel, tile);
    case 2:
      return Tile<2, kInt8>(p, block, panel, tile);
    case 3:
      return Tile<3, kInt8>(p, block, panel, tile);
    case 4:
      return Tile<4, kInt8>(p, block, panel, tile);
    case 5:
      return Tile<5, kInt8>(p, block, panel, tile);
    case 6:
      return Tile<6, kInt8>(p, block, panel, tile);
    default:
      APOLLO_CHECK(false);
  }
}

}  // namespace

template <bool kInt8>
void QuantizedPanelsVnni(const QuantizedProblem& p, int begin, int end) {
  const std::size_t panel_bytes =
      static_cast<std::size_t>(p.x.groups()) * BlockBytes(p.w.format());
  // Rows whose numbers stay in the second-level cache while the panels are
  // processed.
  const int most = std::max(1, (256 << 10) / (p.x.groups() * kGroup * 6));
  for (int from = 0; from < p.x.tiles(); from += most) {
    const int to = std::min(p.x.tiles(), from + most);
    for (int panel = begin; panel < end; ++panel) {
      const std::uint8_t* block = p.w.data() + panel * panel_bytes;
      for (int tile = from; tile < to; ++tile) {
        const int rows = p.x.tile_rows(tile);
        TileOf<kInt8>(rows, p, block, panel, tile);
      }
    }
  }
}

template void QuantizedPanelsVnni<true>(const QuantizedProblem&, int, int);
template void QuantizedPanelsVnni<false>(const QuantizedProblem&, int, int);

}  // namespace apollo
HWY_POP_ATTRIBUTES

#else  // Never called: the level is not available.
namespace apollo {
template <bool kInt8>
void QuantizedPanelsVnni(const QuantizedProblem& p, int begin, int end) {
  QuantizedPanelsGeneric<kInt8>(p, begin, end);
}
template void QuantizedPanelsVnni<true>(const QuantizedProblem&, int, int);
template void QuantizedPanelsVnni<false>(const QuantizedProblem&, int, int);
}  // namespace apollo
#endif
