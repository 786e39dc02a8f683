#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <vector>

#include "common/rows.h"
#include "engine/block_pool.h"
#include "model/config/model_config.h"

namespace apollo {

// Consecutive rows of one sequence in a step of a dense stage.
struct DenseSlice {
  // Holds blocks for positions 0..first_position + rows - 1. Read only while
  // Forward is called.
  const BlockTable* blocks = nullptr;
  int first_position = 0;
  int rows = 0;
  // Of the first rows, so many are replayed from the log; the others are
  // computed from their tokens.
  int cached = 0;
};

struct DenseStep {
  std::vector<DenseSlice> slices;
  // Of the rows that are not cached, slice by slice; each below vocab_size.
  std::vector<std::int32_t> tokens;
};

// The layers that all languages share, on one device: the embedding and layers
// [0, boundary), with their paged cache. A block of it holds also its tokens'
// boundary activations: the log from which rows are replayed. Knows nothing of
// languages or other workers. One thread, the engine's, calls it.
class DenseStage {
 public:
  // Called once, in the engine's thread: before Forward returns, or later from
  // an event that the stage posts.
  using Done = absl::AnyInvocable<void(Rows)>;

  // What is not done is dropped: its Done is never called.
  virtual ~DenseStage() = default;

  // Who has which block. What the blocks hold changes in the order of the calls
  // of Forward, so that a block may be given to another sequence, or read by a
  // later step, before the step that uses it is done.
  virtual BlockPool& blocks() = 0;

  // Runs one step without blocking the thread. `done` gets the boundary
  // activations [sum of rows, hidden] in the order of the slices. Steps are
  // done in any order.
  virtual void Forward(DenseStep step, Done done) = 0;

  virtual const ModelConfig& config() const = 0;
};

}  // namespace apollo
