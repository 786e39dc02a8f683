#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace apollo {

// Sums over the states of families at the input of a gate. Rounds only exactly
// defined operations (+, -, *, / and square roots of doubles), in a fixed
// order, so equal states give equal bits on every machine. Single-threaded.
class StateSums {
 public:
  // `states[f]` >= 1 is the number of states that family f will add.
  StateSums(std::int64_t hidden, std::vector<std::int64_t> states);

  // Adds a state of a family.  // [hidden]
  void Add(int family, std::span<const float> state);

  std::int64_t hidden() const { return hidden_; }
  int families() const { return static_cast<int>(states_.size()); }
  // Returns the mean state of a family.  // [hidden]
  std::vector<double> Mean(int family) const;
  // Returns the lower triangle of the covariance of states around the mean of
  // their family, averaged over families, as a full matrix.
  // [hidden, hidden]
  std::vector<double> CovarianceWithin() const;

 private:
  const std::int64_t hidden_;
  const std::vector<std::int64_t> states_;
  std::vector<std::vector<double>> sums_;  // [families][hidden]
  // The sum over families of their mean of x x^T; its lower triangle.
  std::vector<double> squares_;
};

// Returns a gate [families, hidden] whose largest logit, for a state like those
// of a family, is that family's. Its rows are those of a linear discriminant
// analysis (Fisher, 1936; equal priors):
//
//   w_f = S^-1 (m_f - m),   logit_f(x) = w_f (x - (m_f + m) / 2)
//
// with m_f the mean state of family f, m the mean of the m_f, and S the
// covariance within families plus a tenth of its mean variance on the diagonal
// (shrinkage), because there may be fewer states than dimensions. A gate has no
// constants; their place takes the direction u = S^-1 m / (m S^-1 m), for which
// u m = 1, and which varies least within families:
//
//   row_f = w_f - (w_f (m_f + m) / 2) u
//
// All rows are scaled by one factor, so that at m_f the logit of family f is
// above the next one by `margin`, averaged over families. INVALID_ARGUMENT
// if the states of the families are not told apart.
absl::StatusOr<std::vector<float>> MakeAffinityGate(const StateSums& sums,
                                                    double margin);

}  // namespace apollo
