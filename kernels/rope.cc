#include "kernels/rope.h"

#include <cmath>

#include "common/check.h"

namespace apollo {

Rope::Rope(int head_size, double theta) : half_(head_size / 2) {
  APOLLO_CHECK(head_size % 2 == 0 && theta > 0);
  for (int j = 0; j < half_; ++j) {
    inverse_frequency_.push_back(
        static_cast<float>(1.0 / std::pow(theta, 2.0 * j / head_size)));
  }
}

void Rope::Angles(int position, float* angles) const {
  for (int j = 0; j < half_; ++j) {
    const float angle = static_cast<float>(position) * inverse_frequency_[j];
    angles[j] = std::cos(angle);
    angles[half_ + j] = std::sin(angle);
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
