#pragma once

#include <vector>

namespace apollo {

// Rotary position embedding (Su et al., 2021) with the half-split rotation:
// for j < head_size / 2, with angle = position * theta^(-2j / head_size),
//   x'[j]            = x[j] cos(angle) - x[j + head_size/2] sin(angle)
//   x'[j + head_size/2] = x[j + head_size/2] cos(angle) + x[j] sin(angle)
// Angles are float32 products, as in the published model's code.
class Rope {
 public:
  // head_size must be even; theta > 0.
  Rope(int head_size, double theta);

  // Computes the cosines, followed by the sines, of one position.  //
  // [head_size]
  void Angles(int position, float* angles) const;

  // Rotates `heads` heads in place. x: [heads, head_size].
  void Rotate(const float* angles, int heads, float* x) const;

 private:
  int half_;
  std::vector<float> inverse_frequency_;  // [head_size / 2]
};

}  // namespace apollo
