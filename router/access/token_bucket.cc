#include "router/access/token_bucket.h"

#include <algorithm>

namespace apollo {
namespace {

// Rounding errors of many small amounts must not refuse a call.
constexpr double kRounding = 1e-6;

}  // namespace

TokenBucket::TokenBucket(const RateLimit& limit, absl::Duration now)
    : limit_(limit), content_(limit.burst), filled_(now) {}

void TokenBucket::SetLimit(const RateLimit& limit, absl::Duration now) {
  Fill(now);
  limit_ = limit;
  content_ = std::min(content_, limit.burst);
}

absl::Duration TokenBucket::WaitFor(double amount, absl::Duration now) {
  Fill(now);
  const double missing = std::min(amount, limit_.burst) - content_;
  if (missing <= kRounding) return absl::ZeroDuration();
  return absl::Seconds(missing / limit_.per_second);
}

void TokenBucket::Take(double amount, absl::Duration now) {
  Fill(now);
  content_ -= amount;
}

void TokenBucket::Put(double amount, absl::Duration now) {
  Fill(now);
  content_ = std::min(content_ + amount, limit_.burst);
}

double TokenBucket::Available(absl::Duration now) {
  Fill(now);
  return content_;
}

bool TokenBucket::Full(absl::Duration now) {
  Fill(now);
  return content_ >= limit_.burst;
}

void TokenBucket::Fill(absl::Duration now) {
  const double inflow =
      absl::ToDoubleSeconds(now - filled_) * limit_.per_second;
  content_ = std::min(content_ + inflow, limit_.burst);
  filled_ = now;
}

}  // namespace apollo
