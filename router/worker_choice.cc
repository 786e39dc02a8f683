#include "router/worker_choice.h"

#include <tuple>

namespace apollo {

std::int64_t RowsToCompute(std::int64_t prompt_tokens, const WorkerLoad& load) {
  return load.queued_rows + kRowsPerSequence * load.sequences + prompt_tokens -
         load.cached_tokens;
}

std::optional<std::size_t> ChooseWorker(std::int64_t prompt_tokens,
                                        std::span<const WorkerLoad> workers) {
  const auto cost = [&](const WorkerLoad& load) {
    return std::tuple(RowsToCompute(prompt_tokens, load), load.sequences);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    if (!best || cost(workers[i]) < cost(workers[*best])) best = i;
  }
  return best;
}

}  // namespace apollo
