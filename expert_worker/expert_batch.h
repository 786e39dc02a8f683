#pragma once

#include <absl/status/status.h>
#include <absl/time/time.h>

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
// part, as slices of one step of the stage, and forms the answers.
// Single-threaded.
class ExpertBatch {
 public:
  // Admits the sequences of the steps. `table` and `config` must outlive the
  // batch.
  ExpertBatch(std::vector<WaitingStep> steps, SequenceTable& table,
              const ModelConfig& config);

  int rows() const { return rows_; }

  // Takes the slices of the sequences that take part. Call once.
  std::vector<ExpertSlice> TakeSlices() { return std::move(slices_); }

  // Marks slices as failed. The first status of a slice counts.
  void Fail(std::span<const int> slices, const absl::Status& status);

  // Returns the token requests of the slices that have not failed.
  std::vector<TokenRequest> Requests() const;

  // Returns one answer per step, in order, each with its recipient. `outcomes`
  // has one entry per slice; the tokens were sampled at `now`.
  using Answer = std::pair<LinkId, StageResult>;
  std::vector<Answer> Answers(std::vector<SliceOutcome> outcomes,
                              absl::Duration now) const;
  // Counts the routing of rows. Call it before Answers, which consumes the
  // outcomes.
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
  };

  void Admit(SequenceTable& table);
  void MakeSlices(const SequenceTable& table);
  SequenceOutput Output(const Entry& entry, SliceOutcome outcome,
                        absl::Duration now) const;

  const ModelConfig& config_;
  std::vector<WaitingStep> steps_;
  std::vector<Entry> entries_;
  std::vector<int> entry_of_slice_;
  std::vector<ExpertSlice> slices_;
  int rows_ = 0;
};

}  // namespace apollo
