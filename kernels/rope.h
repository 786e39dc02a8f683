#pragma once

#include <vector>

namespace apollo {

// The numbers of a rotation that all positions share.
struct RopeFrequencies {
  std::vector<float> inverse;  // [head_size / 2], radians per position.
  float scale = 1;             // Of cosines and sines.
};

// Returns theta^(-2j / head_size) for j < head_size / 2, and a scale of 1.
// head_size must be even; theta > 0.
RopeFrequencies PlainRopeFrequencies(int head_size, double theta);

// Rotary position embedding (Su et al., 2021) with the half-split rotation:
// for j < head_size / 2, with angle = position * inverse[j],
//   x'[j]            = scale (x[j] cos(angle) - x[j + head_size/2] sin(angle))
//   x'[j + head_size/2] = scale (x[j + head_size/2] cos(angle) + x[j]
//   sin(angle))
// Angles are float32 products, as in the published model's code. The scale is
// applied to cosines and sines.
class Rope {
 public:
  explicit Rope(RopeFrequencies frequencies);

  // Computes the cosines, followed by the sines, of one position, both with the
  // scale.  // [head_size]
  void Angles(int position, float* angles) const;

  // Rotates `heads` heads in place. x: [heads, head_size].
  void Rotate(const float* angles, int heads, float* x) const;

 private:
  RopeFrequencies frequencies_;
  int half_;
};

}  // namespace apollo
