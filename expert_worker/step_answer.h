#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "link/frame.h"

namespace apollo {

// The answer to a step whose sequences may go through the layers in several
// batches. Single-threaded.
class StepAnswer {
 public:
  // `in_parts`: the dense worker takes an answer in parts. Otherwise it gets
  // all outputs once the last is there.
  StepAnswer(std::uint64_t step, std::size_t sequences, bool in_parts)
      : step_(step), missing_(sequences), in_parts_(in_parts) {}

  bool in_parts() const { return in_parts_; }

  // Adds the outputs of some sequences of the step. Returns what is to be sent
  // now.
  std::optional<StageResult> Add(std::vector<SequenceOutput> outputs) {
    missing_ -= outputs.size();
    outputs_.insert(outputs_.end(), std::make_move_iterator(outputs.begin()),
                    std::make_move_iterator(outputs.end()));
    if (missing_ > 0 && !in_parts_) return std::nullopt;
    return StageResult{step_, std::exchange(outputs_, {}), missing_ > 0};
  }

 private:
  const std::uint64_t step_;
  std::size_t missing_;  // Sequences.
  const bool in_parts_;
  std::vector<SequenceOutput> outputs_;  // Not sent yet.
};

}  // namespace apollo
