#include "kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace apollo::reference {

void MatMul(const float* x, int rows, int inputs, const float* w, int outputs,
            const float* bias, float* out) {
  for (int r = 0; r < rows; ++r) {
    for (int o = 0; o < outputs; ++o) {
      double sum = bias != nullptr ? bias[o] : 0.0;
      for (int i = 0; i < inputs; ++i) {
        sum += static_cast<double>(x[r * inputs + i]) * w[o * inputs + i];
      }
      out[r * outputs + o] = static_cast<float>(sum);
    }
  }
}

void RmsNorm(const float* x, int rows, int size, const float* weight, float eps,
             float* out) {
  for (int r = 0; r < rows; ++r) {
    double sum = 0;
    for (int i = 0; i < size; ++i) {
      sum += static_cast<double>(x[r * size + i]) * x[r * size + i];
    }
    const double scale = 1.0 / std::sqrt(sum / size + eps);
    for (int i = 0; i < size; ++i) {
      out[r * size + i] =
          static_cast<float>(weight[i] * (x[r * size + i] * scale));
    }
  }
}

void SiluMul(const float* gate_up, int rows, int size, float* out) {
  for (int r = 0; r < rows; ++r) {
    for (int i = 0; i < size; ++i) {
      const double gate = gate_up[r * 2 * size + i];
      const double up = gate_up[r * 2 * size + size + i];
      out[r * size + i] =
          static_cast<float>(gate / (1.0 + std::exp(-gate)) * up);
    }
  }
}

void Attention(const float* q, const float* keys, const float* values,
               int count, int heads, int kv_heads, int head_size, float* out) {
  const int kv_size = kv_heads * head_size;
  for (int h = 0; h < heads; ++h) {
    const int kv = h / (heads / kv_heads) * head_size;
    std::vector<double> p(count);
    for (int t = 0; t < count; ++t) {
      double dot = 0;
      for (int i = 0; i < head_size; ++i) {
        dot += static_cast<double>(q[h * head_size + i]) *
               keys[t * kv_size + kv + i];
      }
      p[t] = dot / std::sqrt(static_cast<double>(head_size));
    }
    const double top = *std::max_element(p.begin(), p.end());
    double sum = 0;
    for (double& value : p) sum += value = std::exp(value - top);
    for (int i = 0; i < head_size; ++i) {
      double mixed = 0;
      for (int t = 0; t < count; ++t) {
        mixed += p[t] / sum * values[t * kv_size + kv + i];
      }
      out[h * head_size + i] = static_cast<float>(mixed);
    }
  }
}

}  // namespace apollo::reference
