#include "benchmarks/quality/divergence.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "kernels/logits.h"

namespace apollo {

absl::Status Divergence::Add(const float* exact, const float* other,
                             int vocab) {
  const double exact_sum = LogSumExp(exact, vocab);
  const double other_sum = LogSumExp(other, vocab);
  double kl = 0;
  for (int t = 0; t < vocab; ++t) {
    const double log_p = exact[t] - exact_sum;
    if (log_p < -40) continue;  // Contributes less than 1e-17 in total.
    kl += std::exp(log_p) * (log_p - (other[t] - other_sum));
  }
  if (!std::isfinite(kl) || !std::isfinite(other_sum)) {
    return absl::InvalidArgumentError(
        absl::StrCat("its divergence is ", kl, ", not a finite number"));
  }
  kl_.push_back(kl);
  if (ArgMax(exact, vocab) == ArgMax(other, vocab)) ++same_choice_;
  return absl::OkStatus();
}

void Divergence::Add(const Divergence& other) {
  kl_.insert(kl_.end(), other.kl_.begin(), other.kl_.end());
  same_choice_ += other.same_choice_;
}

double Divergence::mean() const {
  return std::accumulate(kl_.begin(), kl_.end(), 0.0) / count();
}

double Divergence::percentile99() const {
  std::vector<double> sorted = kl_;
  const std::size_t at = sorted.size() * 99 / 100;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(at),
                   sorted.end());
  return sorted[at];
}

double Divergence::same_choice() const {
  return static_cast<double>(same_choice_) / count();
}

}  // namespace apollo
