#include "dense_worker/token_budget_check.h"

#include <absl/strings/str_cat.h>

#include <cstdint>

#include "link/frame.h"

namespace apollo {

absl::Status CheckTokenBudget(int token_budget, const ModelConfig& config) {
  // All rows of a step may go to one expert worker in one frame.
  const std::uint64_t row_bytes = sizeof(float) * config.hidden_size;
  const std::uint64_t most = kMaxPayloadBytes / row_bytes;
  if (token_budget < 1 || static_cast<std::uint64_t>(token_budget) > most) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--token_budget is ", token_budget, "; it must be from 1 to ", most,
        ", the rows of this model that fit into one frame between workers"));
  }
  return absl::OkStatus();
}

}  // namespace apollo
