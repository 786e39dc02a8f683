#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/rows.h"
#include "common/thread_pool.h"
#include "kernels/gate.h"
#include "model/tokenizer/tokenizer.h"
#include "model/weights/open_model.h"
#include "tools/upcycle/family_texts.h"
#include "tools/upcycle/gate_override.h"

namespace apollo {

// The boundary states of texts, and their way through the sparse layers, by the
// engine's stages for processors. The same bits on machines of one kind
// (engine/numerics.h). Single-threaded, but for the pool.
class GateStates {
 public:
  // Runs the dense layers on the texts, each as a sequence of its own, with the
  // tokens that the tokenizer puts before it. A text longer than
  // kMostTokens is cut off there. All arguments must outlive the object.
  // RESOURCE_EXHAUSTED if memory for the cache of a text is lacking.
  static absl::StatusOr<std::unique_ptr<GateStates>> Create(
      const OpenModel& model, const Tokenizer& tokenizer,
      const FamilyTexts& texts, ThreadPool& pool);

  static constexpr int kMostTokens = 512;

  // The number of states of each family that Visit passes on.
  const std::vector<std::int64_t>& states() const { return states_; }

  // Runs the sparse layers up to `layer`, with `gates` in place of the model's,
  // and passes on the input of that layer's gate for each token [hidden] and
  // the experts that the gate chose [top_k]. The first token of a text is left
  // out: its state hardly depends on the text, because later ones use it as a
  // place to attend to.
  using Visit = absl::FunctionRef<void(int family, std::span<const float> state,
                                       std::span<const ExpertChoice> choices)>;
  absl::Status RunTo(int layer, const Gates& gates, Visit visit) const;

 private:
  struct Text {
    int family = 0;
    Rows boundary;  // [rows, hidden]
  };
  GateStates(const OpenModel& model, ThreadPool& pool)
      : model_(model), pool_(pool) {}
  absl::Status RunDense(const Tokenizer& tokenizer, const FamilyTexts& texts);

  const OpenModel& model_;
  ThreadPool& pool_;
  std::vector<Text> texts_;
  std::vector<std::int64_t> states_;
};

}  // namespace apollo
