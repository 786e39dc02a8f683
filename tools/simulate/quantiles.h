#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/simulate/time.h"

namespace apollo::simulate {

// The distribution of durations, in bins that are 1% wide. A quantile is
// therefore off by at most 0.5%; mean, count and maximum are exact.
class Quantiles {
 public:
  void Add(Time duration) {
    const std::size_t bin = BinOf(duration);
    if (bin >= bins_.size()) bins_.resize(bin + 1);
    ++bins_[bin];
    ++count_;
    sum_ += ToSeconds(duration);
    most_ = duration > most_ ? duration : most_;
  }

  std::uint64_t count() const { return count_; }
  // In seconds; 0 without durations.
  double Mean() const {
    return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
  }
  double Max() const { return ToSeconds(most_); }
  // Returns the duration that the share `q`, in [0, 1], does not exceed.
  double Quantile(double q) const {
    if (count_ == 0) return 0;
    const double wanted = q * static_cast<double>(count_);
    std::uint64_t seen = 0;
    for (std::size_t bin = 0; bin < bins_.size(); ++bin) {
      seen += bins_[bin];
      if (static_cast<double>(seen) >= wanted && bins_[bin] > 0) {
        return std::min(MiddleOf(bin), Max());
      }
    }
    return Max();
  }

 private:
  static constexpr double kWidth = 1.01;
  static constexpr double kLeast = 1000;  // Nanoseconds.

  static std::size_t BinOf(Time duration) {
    const double value = static_cast<double>(duration);
    if (value <= kLeast) return 0;
    return 1 + static_cast<std::size_t>(std::log(value / kLeast) /
                                        std::log(kWidth));
  }
  static double MiddleOf(std::size_t bin) {
    if (bin == 0) return 0;
    return kLeast * std::pow(kWidth, static_cast<double>(bin) - 0.5) * 1e-9;
  }

  std::vector<std::uint64_t> bins_;
  std::uint64_t count_ = 0;
  double sum_ = 0;
  Time most_ = 0;
};

}  // namespace apollo::simulate
