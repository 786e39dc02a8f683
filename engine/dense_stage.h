#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <vector>

#include "common/rows.h"
#include "engine/block_pool.h"
#include "engine/post_event.h"
#include "model/config/model_config.h"

namespace apollo {

// Consecutive rows of one sequence in a step of a dense stage.
struct DenseSlice {
  // Holds blocks for positions 0..first_position + rows - 1. Read only during
  // the call of Forward.
  const BlockTable* blocks = nullptr;
  int first_position = 0;
  int rows = 0;
  // The number of leading rows that are replayed from the log. The others are
  // computed from their tokens.
  int cached = 0;
};

struct DenseStep {
  std::vector<DenseSlice> slices;
  // The tokens of the rows that are not cached, slice by slice; each below
  // vocab_size.
  std::vector<std::int32_t> tokens;
};

// The layers that all languages share, on one device: the embedding and layers
// [0, boundary), with their paged cache. A cache block also holds the boundary
// activations of its tokens: the log from which rows are replayed. Independent
// of languages and of other workers. Called only by the engine thread.
class DenseStage {
 public:
  // Called once, in the engine thread: before Forward returns, or later from an
  // event that the stage posts.
  using Done = absl::AnyInvocable<void(Rows)>;

  // Drops unfinished steps; their Done is never called.
  virtual ~DenseStage() = default;

  // Called once, before the first step: how the stage posts its events. `post`
  // stays callable as long as the stage exists. A stage that completes
  // everything within its calls needs none.
  virtual void SetPost(PostEvent /*post*/) {}

  // The allocation of the cache. Block contents change in the order of the
  // Forward calls, so a block may be given to another sequence, or read by a
  // later step, before the step that uses it completes.
  virtual BlockPool& blocks() = 0;

  // Runs one step without blocking. Passes the boundary activations [sum of
  // rows, hidden], in the order of the slices, to `done`. Steps may complete in
  // any order.
  virtual void Forward(DenseStep step, Done done) = 0;

  virtual const ModelConfig& config() const = 0;
};

}  // namespace apollo
