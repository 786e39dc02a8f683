#pragma once

#include <absl/status/status.h>

#include <vector>

namespace apollo {

// How far predictions are from others of the same tokens.
class Divergence {
 public:
  // Adds one prediction: logits [vocab] of the exact model and of the other
  // one. Kullback-Leibler divergence, sum(p log(p / q)), in nats.
  // INVALID_ARGUMENT if it is not a finite number, as of logits that are not.
  absl::Status Add(const float* exact, const float* other, int vocab);
  void Add(const Divergence& other);

  int count() const { return static_cast<int>(kl_.size()); }
  // Of these count() must not be 0.
  double mean() const;
  // What 99 of 100 predictions are below.
  double percentile99() const;
  // Predictions whose likeliest token is the same, of all.
  double same_choice() const;

 private:
  std::vector<double> kl_;
  int same_choice_ = 0;
};

}  // namespace apollo
