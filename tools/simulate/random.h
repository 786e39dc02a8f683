#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace apollo::simulate {

// Random numbers of one purpose: SplitMix64 (Steele, Lea and Flood, 2014).
// Purposes of one seed are independent, so that a change of the cluster does
// not change its load.
class Random {
 public:
  Random(std::uint64_t seed, std::uint64_t purpose)
      : state_(seed * 0x9e3779b97f4a7c15 + purpose * 0xd1342543de82ef95) {
    Next();
  }

  std::uint64_t Next() {
    std::uint64_t x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
  }
  // Returns a number from [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // Returns an integer from [least, most].
  int Between(int least, int most) {
    const double size = static_cast<double>(most) - least + 1;
    return std::min(most, least + static_cast<int>(Uniform() * size));
  }
  // Returns an exponentially distributed number with that mean.
  double Exponential(double mean) { return -std::log(1 - Uniform()) * mean; }
  // Returns an index with a probability in proportion to its weight. At least
  // one weight must be positive.
  std::size_t Pick(std::span<const double> weights) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    double left = Uniform() * sum;
    std::size_t last = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] <= 0) continue;
      last = i;
      if (left < weights[i]) return i;
      left -= weights[i];
    }
    return last;
  }

 private:
  std::uint64_t state_;
};

}  // namespace apollo::simulate
