#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

// The choice of a dense worker for a sequence: a cached beginning of the prompt
// against load. Pure functions of plain data, so that a simulation decides as a
// router does.
namespace apollo {

// A worker that could take the sequence.
struct WorkerLoad {
  int sequences = 0;               // In progress.
  std::int64_t queued_rows = 0;    // Of their prompts, not computed yet.
  std::int64_t cached_tokens = 0;  // Of the beginning of the prompt.
};

// Rows that a sequence in progress still needs after its prompt: half of an
// answer of 256 tokens.
inline constexpr std::int64_t kRowsPerSequence = 128;

// Returns the rows that the worker computes until all that it has, and the
// prompt, are done:
//
//   queued_rows + kRowsPerSequence * sequences + prompt_tokens - cached_tokens
//
// A row is the unit of time: workers of one cluster are taken to be equally
// fast. A worker with a cached beginning of c tokens is preferred until it has
// c / kRowsPerSequence more sequences than others. Then another one computes
// the beginning, and has it from then on. So a beginning that all prompts share
// is soon cached everywhere, and no worker gets everything.
std::int64_t RowsToCompute(std::int64_t prompt_tokens, const WorkerLoad& load);

// Returns the index of the worker with the fewest rows to compute; then that
// with the fewest sequences; then the first. nullopt if there is none.
std::optional<std::size_t> ChooseWorker(std::int64_t prompt_tokens,
                                        std::span<const WorkerLoad> workers);

}  // namespace apollo
