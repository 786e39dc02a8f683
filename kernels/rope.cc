#include "kernels/rope.h"

#include <cmath>
#include <utility>

#include "common/check.h"

namespace apollo {

RopeFrequencies PlainRopeFrequencies(int head_size, double theta) {
  APOLLO_CHECK(head_size % 2 == 0 && theta > 0);
  RopeFrequencies frequencies;
  for (int j = 0; j < head_size / 2; ++j) {
    frequencies.inverse.push_back(
        static_cast<float>(1.0 / std::pow(theta, 2.0 * j / head_size)));
  }
  return frequencies;
}

Rope::Rope(RopeFrequencies frequencies)
    : frequencies_(std::move(frequencies)),
      half_(static_cast<int>(frequencies_.inverse.size())) {}

void Rope::Angles(int position, float* angles) const {
  for (int j = 0; j < half_; ++j) {
    const float angle = static_cast<float>(position) * frequencies_.inverse[j];
    angles[j] = std::cos(angle) * frequencies_.scale;
    angles[half_ + j] = std::sin(angle) * frequencies_.scale;
  }
}

void Rope::Rotate(const float* angles, int heads, float* x) const {
  const float* cosine = angles;
  const float* sine = angles + half_;
  for (int h = 0; h < heads; ++h, x += 2 * half_) {
    for (int j = 0; j < half_; ++j) {
      const float a = x[j];
      const float b = x[j + half_];
      x[j] = a * cosine[j] - b * sine[j];
      x[j + half_] = b * cosine[j] + a * sine[j];
    }
  }
}

}  // namespace apollo
