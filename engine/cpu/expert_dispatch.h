#pragma once

#include <absl/functional/function_ref.h>

#include <cstddef>
#include <span>
#include <vector>

#include "common/rows.h"
#include "kernels/gate.h"

namespace apollo {

// The choices of a step in one layer, grouped by expert. Choice c of [rows, k]
// belongs to row c / k. Single-threaded.
class ExpertPlan {
 public:
  // Groups the choices [rows, k]. Rows marked in `dropped` ([rows], or empty
  // for none) get no expert.
  void Assign(std::span<const ExpertChoice> choices, int num_experts, int k,
              std::span<const char> dropped);

  // Returns the choices of an expert, in ascending order.
  std::span<const int> choices(int expert) const {
    return std::span(order_).subspan(first_[expert],
                                     first_[expert + 1] - first_[expert]);
  }

 private:
  std::vector<int> order_;  // Choices by expert.
  std::vector<int> first_;  // [experts + 1]: first index in order_.
};

// Runs rows from several sources through one expert as one batch and scatters
// the outputs back. Reuses its memory from call to call. Single-threaded.
class ExpertDispatch {
 public:
  // y = expert(x). x, y: [rows, width]. Rows are independent.
  using Expert = absl::FunctionRef<void(const float* x, int rows, float* y)>;

  explicit ExpertDispatch(int width) : width_(width) {}

  // Adds rows [rows, width] and the destination of their outputs. Both must
  // stay valid until Run returns.
  void Add(const float* x, int rows, float* y);

  // Runs the added rows, in pieces of at most kPieceRows, and clears them.
  void Run(Expert expert);

  // Maximum number of rows that are copied at a time.
  static constexpr int kPieceRows = 512;

 private:
  struct Row {
    const float* x;
    float* y;
  };
  // Returns true if the inputs of the rows are contiguous in memory, and so are
  // the outputs.
  bool Contiguous(std::span<const Row> rows) const;

  const int width_;
  std::vector<Row> rows_;
  std::vector<float> x_, y_;  // [kPieceRows, width] at most.
};

// Copies the inputs of an expert's choices into contiguous rows.
// x: [rows, width]
Rows GatherRows(std::span<const int> choices, int k, const float* x, int width);

// Combines the expert outputs of one row: sum = sum over j of weight_j *
// output_j, in the order of the choices.
// choices: [k]; outputs: [k, width]; sum: [width]
void SumOfExperts(std::span<const ExpertChoice> choices, const float* outputs,
                  int width, float* sum);

}  // namespace apollo
