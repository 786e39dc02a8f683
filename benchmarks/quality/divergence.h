#pragma once

#include <absl/status/status.h>

#include <vector>

namespace apollo {

// The divergence of predictions from those of an exact model.
class Divergence {
 public:
  // Adds one prediction: logits [vocab] of the exact model and of the other
  // one. Measures the Kullback-Leibler divergence, sum(p log(p / q)), in nats.
  // Returns INVALID_ARGUMENT if it is not finite, for example because the
  // logits are not.
  absl::Status Add(const float* exact, const float* other, int vocab);
  void Add(const Divergence& other);

  int count() const { return static_cast<int>(kl_.size()); }
  // The following functions require count() > 0.
  double mean() const;
  // The 99th percentile of the divergences.
  double percentile99() const;
  // The share of predictions with the same most probable token.
  double same_choice() const;

 private:
  std::vector<double> kl_;
  int same_choice_ = 0;
};

}  // namespace apollo
