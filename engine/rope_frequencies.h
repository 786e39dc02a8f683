#pragma once

#include "kernels/rope.h"
#include "model/config/model_config.h"

namespace apollo {

// Returns the frequencies of a model's rotation, for every device.
//
// With d = head_size, b = rope_theta, and f_j = b^(-2j/d), frequency j is
//   default  f_j
//   linear   f_j / factor                      (Chen et al., 2023)
//   yarn     f_j ((1 - r_j) + r_j / factor)    ("NTK-by-parts", Peng et al.,
//            2023), where r_j rises from 0 to 1 between the dimensions at which
//            a position turns beta_fast and beta_slow times within the original
//            context, c: dimension(n) = d ln(c / (2 pi n)) / (2 ln b)
//   llama3   as yarn, where 1 - r_j rises from 0 to 1 while c / wavelength_j
//            goes from low_freq_factor to high_freq_factor
// Scaled frequencies have the roundings of transformers 5
// (modeling_rope_utils): float32 exponents and steps, limits in float64. Plain
// ones are rounded once, from float64.
RopeFrequencies RopeFrequenciesOf(const ModelConfig& config);

}  // namespace apollo
