#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "common/rows.h"
#include "engine/block_pool.h"
#include "engine/sampler.h"
#include "model/config/model_config.h"
#include "sequence/generation.h"

namespace apollo {

// Consecutive rows of one sequence in a step of an expert stage.
struct ExpertSlice {
  // Holds blocks for positions 0..first_position + rows - 1; stays as it is
  // while the step exists.
  const BlockTable* blocks = nullptr;
  int first_position = 0;
  int family = -1;      // The family's expert; -1: none.
  bool hybrid = false;  // Every row uses the family's expert.
  Rows boundary;        // [rows, hidden]
};

// Rows of another worker for an expert that is resident here.
struct GuestRows {
  int expert = 0;
  Rows rows;  // [rows, hidden]
};

// The rows of a step in one layer that chose an expert which is not resident.
struct AbsentRows {
  int expert = 0;
  Rows rows;                // [rows, hidden]
  std::vector<int> slices;  // To which they belong, ascending.
};

// What is wanted of a slice that has gone through all layers. What it points to
// stays until the step is finished.
struct TokenRequest {
  int slice = 0;
  // For the slice's last score_targets.size() rows: the token that follows,
  // whose log-probability is wanted.
  std::span<const std::int32_t> score_targets;
  // Choose the token after the last row; the rest says how.
  bool sample = false;
  SamplingOptions sampling;
  int top_logprobs = 0;
  const TokenCounts* generated = nullptr;
  std::uint64_t position = 0;  // Of the token that is chosen.
};

struct SliceOutcome {
  std::optional<SampledToken> sampled;
  std::vector<float> score_logprobs;
  // False where logits are no numbers: there is no answer then.
  bool finite = true;
  // Layers whose use is counted: all, or those until the slice failed.
  int layers = 0;
  std::vector<std::uint32_t> expert_use;  // [sparse layers, experts]
  std::vector<std::uint32_t> off_family;  // [sparse layers]
};

// The rows of one step on their way through the layers of a stage, which made
// it and alone knows what it holds. Destroying it drops what is not done for
// it.
class ExpertStep {
 public:
  virtual ~ExpertStep() = default;
};

// The sparse layers [boundary, num_layers), the final norm, the head and the
// choice of tokens, with the cache, on one device. Logits never leave it. A
// step's way:
//
//   step = stage.Begin(slices);
//   for each sparse layer, numbered as in the model:
//     stage.RunLayer(step, layer, ...);
//     if rows came out whose expert is absent: stage.Resume(step, results, ...)
//   stage.Finish(step, requests, ...);
//
// Every asynchronous function calls what it is given in the engine's thread:
// before it returns, or later from an event that the stage posts; it never
// blocks. One function is at work at a time: the next call is made when the one
// before is done. Knows nothing of languages, links or other workers. One
// thread, the engine's.
class ExpertStage {
 public:
  // What is not done is dropped: nothing is called any more.
  virtual ~ExpertStage() = default;

  virtual BlockPool& blocks() = 0;
  virtual const ModelConfig& config() const = 0;
  // Resident in every sparse layer.
  virtual const std::set<int>& experts() const = 0;

  // At least one slice, each with at least one row. The step must be gone
  // before the stage.
  virtual std::unique_ptr<ExpertStep> Begin(
      std::vector<ExpertSlice> slices) = 0;

  // Called at most once for a layer, before Done and before the resident
  // experts run, so that others compute these rows meanwhile.
  using Absent = absl::AnyInvocable<void(std::vector<AbsentRows>)>;
  // The guests' outputs, in their order and shapes.
  using GuestsDone = absl::AnyInvocable<void(std::vector<Rows>)>;
  // Attention, the choice of experts, and the resident ones, which run the
  // guests' rows together with the step's own. The layer is then complete
  // unless rows were absent.
  virtual void RunLayer(ExpertStep& step, int layer,
                        std::vector<GuestRows> guests, Absent absent,
                        GuestsDone done) = 0;

  // Completes a layer with the outputs of its absent rows, in their order and
  // shapes. Where none could be had, the slices concerned have failed: from
  // here on their numbers mean nothing, and no expert runs for them.
  using Done = absl::AnyInvocable<void()>;
  virtual void Resume(ExpertStep& step,
                      std::vector<std::optional<Rows>> outputs, Done done) = 0;

  // Runs resident experts of a layer for guests alone.
  virtual void RunExperts(int layer, std::vector<GuestRows> guests,
                          GuestsDone done) = 0;

  // After the last layer. At most one request for a slice, and none for one
  // that has failed. The outcomes are those of all slices, in their order.
  using Finished = absl::AnyInvocable<void(std::vector<SliceOutcome>)>;
  virtual void Finish(ExpertStep& step, std::vector<TokenRequest> requests,
                      Finished done) = 0;
};

}  // namespace apollo
