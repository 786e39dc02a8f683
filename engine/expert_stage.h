#pragma once

#include <absl/functional/any_invocable.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "common/layer_experts.h"
#include "common/rows.h"
#include "engine/block_pool.h"
#include "engine/block_use.h"
#include "engine/expert_weights.h"
#include "engine/post_event.h"
#include "engine/sampler.h"
#include "model/config/model_config.h"
#include "sequence/generation.h"

namespace apollo {

// Consecutive rows of one sequence in a step of an expert stage.
struct ExpertSlice {
  // Holds blocks for positions 0..first_position + rows - 1. Must not change
  // while the step exists.
  const BlockTable* blocks = nullptr;
  int first_position = 0;
  int family = -1;      // The expert of the language family; -1: none.
  bool hybrid = false;  // Every row uses the expert of the family.
  Rows boundary;        // [rows, hidden]
};

// Rows sent by another worker for an expert that is resident here.
struct GuestRows {
  int expert = 0;
  Rows rows;  // [rows, hidden]
};

// The rows of a step that chose a nonresident expert in one layer.
struct AbsentRows {
  int expert = 0;
  Rows rows;                // [rows, hidden]
  std::vector<int> slices;  // Slices that the rows belong to, ascending.
};

// What has come for a group of absent rows.
struct AbsentOutput {
  bool missing = false;      // Nothing yet.
  std::optional<Rows> rows;  // If not missing: as for Resume.
};

// The tokens to sample or score for a slice that has gone through all layers.
// Pointers must stay valid until the step is finished.
struct TokenRequest {
  int slice = 0;
  // Tokens that follow the slice's last score_targets.size() rows, but for
  // `unscored_rows` after them. Their log-probabilities are computed, and those
  // of this many of the most probable tokens, at most kMaxTopLogprobs.
  std::span<const std::int32_t> score_targets;
  int unscored_rows = 0;
  int score_alternatives = 0;
  // Sample the token after the last row, with the options below.
  bool sample = false;
  SamplingOptions sampling;
  int top_logprobs = 0;
  const TokenCounts* generated = nullptr;
  std::uint64_t position = 0;  // Position of the sampled token.
};

struct SliceOutcome {
  std::optional<SampledToken> sampled;
  std::vector<float> score_logprobs;
  // [score targets, alternatives], the best first; fewer alternatives than
  // asked for with a smaller vocabulary.
  std::vector<TokenLogprob> score_alternatives;
  // False if the logits are not finite. There is no result then.
  bool finite = true;
  // Layers covered by the counts below: all, or those before the slice failed.
  int layers = 0;
  std::vector<std::uint32_t> expert_use;  // [sparse layers, experts]
  // [sparse layers]: rows for which the gate did not choose the expert of the
  // slice's family; 0 without one.
  std::vector<std::uint32_t> off_family;
  // The same counts for the rows in each cache block that the slice touches, in
  // the order of the positions. Their sums are the counts above.
  std::vector<BlockUse> use_by_block;
};

// The rows of one step on their way through the layers of a stage. Created and
// interpreted by that stage only. Destroying it drops pending work.
class ExpertStep {
 public:
  virtual ~ExpertStep() = default;
};

// The sparse layers [boundary, num_layers), the final norm, the output head and
// the sampler, with the paged cache, on one device. Logits never leave the
// stage. A step runs as follows:
//
//   step = stage.Begin(slices);
//   for each sparse layer, with its index in the model:
//     stage.RunLayer(step, layer, ...);
//     if rows of absent experts came out: stage.Resume(step, results, ...),
//       or stage.Split(step, ...), and both steps go on by themselves
//   stage.Finish(step, requests, ...);
//
// Asynchronous functions never block. They call their callbacks in the engine
// thread: before they return, or later from an event that the stage posts. Only
// one function may be in progress: the next call is made after the previous one
// has completed. Independent of languages, links and other workers. Called only
// by the engine thread.
class ExpertStage {
 public:
  // Drops pending work; no callback is called afterwards.
  virtual ~ExpertStage() = default;

  // Called once, before the first step: how the stage posts its events. `post`
  // stays callable as long as the stage exists. A stage that completes
  // everything within its calls needs none.
  virtual void SetPost(PostEvent /*post*/) {}

  virtual BlockPool& blocks() = 0;
  virtual const ModelConfig& config() const = 0;
  // The experts in memory ("resident"), by sparse layer.
  virtual const LayerExperts& experts() const = 0;

  // Add and remove the weights of an expert of a sparse layer, between two
  // functions: none may be in progress. Weights come from a loader for this
  // device (engine/expert_weights.h). The results of a step do not depend on
  // when an expert came, and a step whose rows for it are absent still gets
  // their outputs by Resume. Devices without such a loader hold the experts
  // that they were made with.
  virtual void AddExpert(LayerExpert /*which*/,
                         std::unique_ptr<ExpertWeights> /*weights*/) {}
  virtual void RemoveExpert(LayerExpert /*which*/) {}

  // Starts a step of at least one slice, each with at least one row. The step
  // must be destroyed before the stage.
  virtual std::unique_ptr<ExpertStep> Begin(
      std::vector<ExpertSlice> slices) = 0;

  // Receives the rows of absent experts. Called at most once per layer, before
  // Done and before the resident experts run, so that other workers compute
  // these rows meanwhile.
  using Absent = absl::AnyInvocable<void(std::vector<AbsentRows>)>;
  // Receives the outputs of the guests, in their order and shapes.
  using GuestsDone = absl::AnyInvocable<void(std::vector<Rows>)>;
  // Runs attention, the gate, and the resident experts, which process the rows
  // of the guests together with those of the step. The layer is then complete
  // unless rows were absent.
  virtual void RunLayer(ExpertStep& step, int layer,
                        std::vector<GuestRows> guests, Absent absent,
                        GuestsDone done) = 0;

  // Completes a layer with the outputs of its absent rows, in their order and
  // shapes. A missing output fails the slices concerned: their values are
  // meaningless from then on, and no expert runs for them.
  using Done = absl::AnyInvocable<void()>;
  virtual void Resume(ExpertStep& step,
                      std::vector<std::optional<Rows>> outputs, Done done) = 0;

  // CanSplit returns true if Split may be called. Split completes a layer for
  // some slices, while outputs that others need are missing. The slices `moved`
  // (ascending, not all) leave the step and form the returned one, in their
  // order. It is in the same layer, and waits for the missing outputs: their
  // groups, in their order, are its absent rows. All slices with rows in these
  // groups must move, and all others of their sequences. `outputs`
  // has an entry for each group, in their order. The results of both steps are
  // those of the whole one.
  virtual bool CanSplit() const { return false; }
  virtual std::unique_ptr<ExpertStep> Split(
      ExpertStep& /*step*/, std::span<const int> /*moved*/,
      std::vector<AbsentOutput> /*outputs*/, Done /*done*/) {
    return nullptr;
  }

  // Runs resident experts of a layer for guests only.
  virtual void RunExperts(int layer, std::vector<GuestRows> guests,
                          GuestsDone done) = 0;

  // Ends a step after its last layer. Takes at most one request per slice, and
  // none for a failed one. Returns the outcomes of all slices, in order.
  using Finished = absl::AnyInvocable<void(std::vector<SliceOutcome>)>;
  virtual void Finish(ExpertStep& step, std::vector<TokenRequest> requests,
                      Finished done) = 0;
};

}  // namespace apollo
