#include "tools/upcycle/affinity_gate.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "common/check.h"

namespace apollo {
namespace {

using Vector = std::vector<double>;

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Solves equations with one symmetric, positive definite matrix by its Cholesky
// factor, which takes the place of its lower triangle.
class Solver {
 public:
  // A pivot that is not positive, as of a matrix of zeros, is taken as 1.
  explicit Solver(Vector matrix, std::size_t size)
      : factor_(std::move(matrix)), size_(size) {
    for (std::size_t i = 0; i < size_; ++i) {
      double* const row = &factor_[i * size_];
      for (std::size_t j = 0; j <= i; ++j) {
        const double* const other = &factor_[j * size_];
        double sum = row[j];
        for (std::size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
        if (j < i) {
          row[j] = sum / other[j];
        } else {
          row[i] = sum > 0 ? std::sqrt(sum) : 1;
        }
      }
    }
  }

  Vector Solve(Vector x) const {
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t k = 0; k < i; ++k) x[i] -= factor_[i * size_ + k] * x[k];
      x[i] /= factor_[i * size_ + i];
    }
    for (std::size_t i = size_; i-- > 0;) {
      for (std::size_t k = i + 1; k < size_; ++k) {
        x[i] -= factor_[k * size_ + i] * x[k];
      }
      x[i] /= factor_[i * size_ + i];
    }
    return x;
  }

 private:
  Vector factor_;
  const std::size_t size_;
};

Solver SolverOf(const StateSums& sums) {
  constexpr double kShrinkage = 0.1;
  Vector covariance = sums.CovarianceWithin();
  const std::size_t size = static_cast<std::size_t>(sums.hidden());
  double trace = 0;
  for (std::size_t i = 0; i < size; ++i) trace += covariance[i * size + i];
  const double added = kShrinkage * trace / static_cast<double>(size);
  for (std::size_t i = 0; i < size; ++i) covariance[i * size + i] += added;
  return Solver(std::move(covariance), size);
}

// Returns the mean over families of the distance from a family's logit at its
// mean state to the largest of the others.
double MeanMargin(const std::vector<Vector>& rows,
                  const std::vector<Vector>& means) {
  double sum = 0;
  for (std::size_t f = 0; f < rows.size(); ++f) {
    double next = -std::numeric_limits<double>::infinity();
    for (std::size_t e = 0; e < rows.size(); ++e) {
      if (e != f) next = std::max(next, Dot(rows[e], means[f]));
    }
    sum += Dot(rows[f], means[f]) - next;
  }
  return sum / static_cast<double>(rows.size());
}

}  // namespace

StateSums::StateSums(std::int64_t hidden, std::vector<std::int64_t> states)
    : hidden_(hidden), states_(std::move(states)) {
  for (const std::int64_t count : states_) APOLLO_CHECK(count >= 1);
  sums_.resize(states_.size(), Vector(static_cast<std::size_t>(hidden)));
  squares_.resize(static_cast<std::size_t>(hidden * hidden));
}

void StateSums::Add(int family, std::span<const float> state) {
  const std::size_t size = static_cast<std::size_t>(hidden_);
  APOLLO_CHECK(state.size() == size);
  const Vector x(state.begin(), state.end());
  const double share = 1.0 / static_cast<double>(states_[family]);
  for (std::size_t i = 0; i < size; ++i) {
    sums_[family][i] += x[i];
    const double scaled = x[i] * share;
    double* const row = &squares_[i * size];
    for (std::size_t j = 0; j <= i; ++j) row[j] += scaled * x[j];
  }
}

std::vector<double> StateSums::Mean(int family) const {
  Vector mean = sums_[family];
  for (double& value : mean) value /= static_cast<double>(states_[family]);
  return mean;
}

std::vector<double> StateSums::CovarianceWithin() const {
  const std::size_t size = static_cast<std::size_t>(hidden_);
  Vector covariance = squares_;
  for (int f = 0; f < families(); ++f) {
    const Vector mean = Mean(f);
    for (std::size_t i = 0; i < size; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        covariance[i * size + j] -= mean[i] * mean[j];
      }
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      covariance[i * size + j] /= families();
      covariance[j * size + i] = covariance[i * size + j];
    }
  }
  return covariance;
}

absl::StatusOr<std::vector<float>> MakeAffinityGate(const StateSums& sums,
                                                    double margin) {
  const std::size_t size = static_cast<std::size_t>(sums.hidden());
  std::vector<Vector> means;
  Vector mean(size);
  for (int f = 0; f < sums.families(); ++f) {
    means.push_back(sums.Mean(f));
    for (std::size_t i = 0; i < size; ++i) {
      mean[i] += means.back()[i] / sums.families();
    }
  }
  const Solver solver = SolverOf(sums);
  Vector constant = solver.Solve(mean);  // u
  const double at_mean = Dot(constant, mean);
  for (double& value : constant) value = at_mean > 0 ? value / at_mean : 0;
  std::vector<Vector> rows;
  for (const Vector& own : means) {
    Vector difference(size), middle(size);
    for (std::size_t i = 0; i < size; ++i) {
      difference[i] = own[i] - mean[i];
      middle[i] = (own[i] + mean[i]) / 2;
    }
    Vector row = solver.Solve(std::move(difference));
    const double offset = Dot(row, middle);
    for (std::size_t i = 0; i < size; ++i) row[i] -= offset * constant[i];
    rows.push_back(std::move(row));
  }
  const double found = MeanMargin(rows, means);
  if (rows.size() > 1 && !(found > 0 && std::isfinite(found))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the texts of the families are not told apart: a family's "
                     "logit is above the next one by ",
                     found, " on average; it must be positive"));
  }
  const double scale = rows.size() > 1 ? margin / found : 0;
  std::vector<float> gate;
  for (const Vector& row : rows) {
    for (const double value : row) {
      gate.push_back(static_cast<float>(value * scale));
    }
  }
  return gate;
}

}  // namespace apollo
