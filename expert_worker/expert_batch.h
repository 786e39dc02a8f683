#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

#include <memory>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "engine/expert_stage.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/sequence_table.h"
#include "expert_worker/step_queue.h"
#include "link/frame.h"
#include "link/link_session.h"
#include "model/config/model_config.h"
#include "model/language/language_labels.h"

namespace apollo {

// Steps that go through the layers together. Selects the sequences that take
// part, as slices of one step of the stage, and forms the answers. A batch can
// be split, as its step is. Single-threaded.
class ExpertBatch {
 public:
  // Admits the sequences of the steps. `table` and `config` must outlive the
  // batch.
  ExpertBatch(std::vector<WaitingStep> steps, SequenceTable& table,
              const ModelConfig& config);

  int rows() const { return rows_; }

  // Takes the slices of the sequences that take part. Call once.
  std::vector<ExpertSlice> TakeSlices() { return std::move(slices_); }

  // Returns the sequences of the slices; one with several slices several times.
  std::vector<SequenceKey> InUse() const;
  // Returns these slices and all others of their sequences, ascending: rows
  // must not overtake earlier ones, whose keys and values they read.
  std::vector<int> WithOtherRows(std::set<int> slices) const;
  // Moves slices (ascending) into a batch of their own, in their order. The
  // others are numbered anew, too, in their order.
  ExpertBatch Split(std::span<const int> moved);
  // Returns true if all answers may come in parts. Workers that take none also
  // need the answers in the order of the steps, so their batches stay whole.
  bool InParts() const;
  // Returns the number of slices.
  int slices() const { return static_cast<int>(entry_of_slice_.size()); }

  // Marks slices as failed. The first status of a slice counts.
  void Fail(std::span<const int> slices, const absl::Status& status);

  // Returns the token requests of the slices that have not failed.
  std::vector<TokenRequest> Requests() const;

  // Returns the answers, in the order of the steps, each with its recipient: at
  // most one per step (see StepAnswer). `outcomes` has one entry per slice; the
  // tokens were sampled at `now`. Call once.
  using Answer = std::pair<LinkId, StageResult>;
  std::vector<Answer> Answers(std::vector<SliceOutcome> outcomes,
                              absl::Duration now);
  // Tells the table which rows were computed: after the step, whose blocks may
  // be replaced, and before Answers, which consumes the outcomes.
  void Publish(std::span<const SliceOutcome> outcomes,
               SequenceTable& table) const;
  // Counts the routing of rows. Call it before Answers, too.
  void CountRouting(std::span<const SliceOutcome> outcomes,
                    const LanguageLabels& languages,
                    ExpertCounters& counters) const;

 private:
  // The rows of one sequence in one step.
  struct Entry {
    int step = 0;                        // Index into steps_.
    const SequenceRows* rows = nullptr;  // In steps_.
    // Set only with a slice. Valid while the table is in use.
    const SequenceTable::Sequence* sequence = nullptr;
    int slice = -1;  // -1: refused.
    absl::Status status;
    int held = 0;  // See SequenceOutput::held_tokens.
  };

  using Steps = std::vector<WaitingStep>;
  ExpertBatch(std::shared_ptr<Steps> steps, const ModelConfig& config)
      : config_(config), steps_(std::move(steps)) {}

  void Admit(SequenceTable& table);
  void MakeSlices(const SequenceTable& table);
  SequenceOutput Output(const Entry& entry, SliceOutcome outcome,
                        absl::Duration now) const;

  const ModelConfig& config_;
  std::shared_ptr<Steps> steps_;  // Shared with the batches split off.
  std::vector<Entry> entries_;
  bool split_off_ = false;
  std::vector<int> entry_of_slice_;
  std::vector<ExpertSlice> slices_;
  int rows_ = 0;
};

}  // namespace apollo
