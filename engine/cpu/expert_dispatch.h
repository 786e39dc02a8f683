#pragma once

#include <absl/functional/function_ref.h>

#include <cstddef>
#include <span>
#include <vector>

#include "common/rows.h"
#include "kernels/gate.h"

namespace apollo {

// The rows of a step in one layer, sorted by the experts that they chose.
// Choice c of [rows, k] is that of row c / k. One thread.
class ExpertPlan {
 public:
  // Sorts the choices [rows, k]. Rows that are marked in `dropped` [rows] (or
  // none, if it is empty) get no expert.
  void Assign(std::span<const ExpertChoice> choices, int num_experts, int k,
              std::span<const char> dropped);

  // The choices of an expert, ascending.
  std::span<const int> choices(int expert) const {
    return std::span(order_).subspan(first_[expert],
                                     first_[expert + 1] - first_[expert]);
  }

 private:
  std::vector<int> order_;  // Choices by expert.
  std::vector<int> first_;  // [experts + 1]: where each begins in order_.
};

// Runs rows from different places through one expert together and puts its
// outputs where they belong. Keeps its memory from call to call. One thread.
class ExpertDispatch {
 public:
  // y = expert(x), [rows, width] each; no row depends on another.
  using Expert = absl::FunctionRef<void(const float* x, int rows, float* y)>;

  explicit ExpertDispatch(int width) : width_(width) {}

  // Adds rows [rows, width], and where their outputs go. Both must stay until
  // Run has returned.
  void Add(const float* x, int rows, float* y);

  // Runs what was added, in pieces of at most kPieceRows rows, and forgets it.
  void Run(Expert expert);

  // Rows that are in memory twice at most.
  static constexpr int kPieceRows = 512;

 private:
  struct Row {
    const float* x;
    float* y;
  };
  // Whether the inputs of such rows follow each other in memory, and the
  // outputs.
  bool Contiguous(std::span<const Row> rows) const;

  const int width_;
  std::vector<Row> rows_;
  std::vector<float> x_, y_;  // [kPieceRows, width] at most.
};

// The inputs of an expert's choices as rows of their own.
// x: [rows, width]
Rows GatherRows(std::span<const int> choices, int k, const float* x, int width);

// sum = sum over j of weight_j * output_j, in the order of choice, for one row.
// choices: [k]; outputs: [k, width]; sum: [width]
void SumOfExperts(std::span<const ExpertChoice> choices, const float* outputs,
                  int width, float* sum);

}  // namespace apollo
