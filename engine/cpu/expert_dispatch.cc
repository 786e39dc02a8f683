#include "engine/cpu/expert_dispatch.h"

#include <algorithm>

#include "kernels/elementwise.h"

namespace apollo {

void ExpertPlan::Assign(std::span<const ExpertChoice> choices, int num_experts,
                        int k, std::span<const char> dropped) {
  const int count = static_cast<int>(choices.size());
  const auto is_dropped = [&](int choice) {
    return !dropped.empty() && dropped[choice / k] != 0;
  };
  first_.assign(num_experts + 1, 0);
  for (int c = 0; c < count; ++c) {
    if (!is_dropped(c)) ++first_[choices[c].expert + 1];
  }
  for (int e = 0; e < num_experts; ++e) first_[e + 1] += first_[e];
  order_.resize(first_[num_experts]);
  // Advances first_[e] to the end of e's choices, which is the start of those
  // of e + 1.
  for (int c = 0; c < count; ++c) {
    if (!is_dropped(c)) order_[first_[choices[c].expert]++] = c;
  }
  for (int e = num_experts; e > 0; --e) first_[e] = first_[e - 1];
  first_[0] = 0;
}

void ExpertDispatch::Add(const float* x, int rows, float* y) {
  for (int r = 0; r < rows; ++r) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(r) * width_;
    rows_.push_back({x + at, y + at});
  }
}

bool ExpertDispatch::Contiguous(std::span<const Row> rows) const {
  for (std::size_t r = 1; r < rows.size(); ++r) {
    if (rows[r].x != rows[r - 1].x + width_ ||
        rows[r].y != rows[r - 1].y + width_) {
      return false;
    }
  }
  return true;
}

void ExpertDispatch::Run(Expert expert) {
  std::span<const Row> left = rows_;
  while (!left.empty()) {
    const std::span<const Row> piece =
        left.first(std::min<std::size_t>(left.size(), kPieceRows));
    left = left.subspan(piece.size());
    const int count = static_cast<int>(piece.size());
    if (Contiguous(piece)) {
      expert(piece[0].x, count, piece[0].y);
      continue;
    }
    const std::size_t numbers = piece.size() * width_;
    if (x_.size() < numbers) {
      x_.resize(numbers);
      y_.resize(numbers);
    }
    for (int r = 0; r < count; ++r) {
      std::copy_n(piece[r].x, width_,
                  &x_[static_cast<std::size_t>(r) * width_]);
    }
    expert(x_.data(), count, y_.data());
    for (int r = 0; r < count; ++r) {
      std::copy_n(&y_[static_cast<std::size_t>(r) * width_], width_,
                  piece[r].y);
    }
  }
  rows_.clear();
}

Rows GatherRows(std::span<const int> choices, int k, const float* x,
                int width) {
  Rows rows = Rows::Host(static_cast<int>(choices.size()), width);
  float* out = rows.host().data();
  for (const int choice : choices) {
    out = std::copy_n(x + static_cast<std::size_t>(choice / k) * width, width,
                      out);
  }
  return rows;
}

void SumOfExperts(std::span<const ExpertChoice> choices, const float* outputs,
                  int width, float* sum) {
  std::fill_n(sum, width, 0.0f);
  for (const ExpertChoice& choice : choices) {
    AddScaled(outputs, choice.weight, width, sum);
    outputs += width;
  }
}

}  // namespace apollo
