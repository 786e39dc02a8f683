#include "tools/upcycle/gate.h"

#include <cstddef>

namespace apollo {
namespace {

// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): a bijection that
// mixes the bits of a counter.
std::uint64_t Mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
  x = (x ^ x >> 27) * 0x94d049bb133111eb;
  return x ^ x >> 31;
}

// The sum of twelve uniform numbers has variance 1 and is approximately normal
// (Irwin-Hall). Summed exactly as integers in units of 2^-32, because
// logarithms and cosines differ between math libraries.
double NearlyNormal(std::uint64_t key, std::uint64_t counter) {
  std::int64_t sum = 0;
  for (std::uint64_t i = 0; i < 6; ++i) {
    const std::uint64_t bits = Mix(key + counter * 6 + i);
    sum += static_cast<std::int64_t>(bits >> 32) +
           static_cast<std::int64_t>(bits & 0xffffffff);
  }
  constexpr std::int64_t kMean = std::int64_t{6} << 32;
  return static_cast<double>(sum - kMean) * 0x1p-32;
}

}  // namespace

std::vector<float> MakeGate(std::uint64_t seed, std::int64_t layer,
                            std::int64_t experts, std::int64_t hidden,
                            double standard_deviation) {
  const std::uint64_t key = Mix(Mix(seed) ^ static_cast<std::uint64_t>(layer));
  std::vector<float> gate(static_cast<std::size_t>(experts * hidden));
  for (std::size_t i = 0; i < gate.size(); ++i) {
    gate[i] = static_cast<float>(NearlyNormal(key, i) * standard_deviation);
  }
  return gate;
}

}  // namespace apollo
