#include "engine/answer_lengths.h"

#include <algorithm>
#include <cmath>

namespace apollo {

void AnswerLengths::Add(int tokens) {
  answers_ = std::min(answers_ + 1, kMemory);
  const double weight = 1.0 / answers_;
  mean_ += weight * (tokens - mean_);
  deviation_ += weight * (std::abs(tokens - mean_) - deviation_);
}

int AnswerLengths::Expected() const {
  return std::max(1, static_cast<int>(std::ceil(mean_ + deviation_)));
}

}  // namespace apollo
