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

// Steps that go through the layers together: which of their sequences take
// part, as slices of one step of the stage, and what is answered in the end.
// One thread.
class ExpertBatch {
 public:
  // Admits the sequences of the steps. `table` must outlive the batch, and
  // `config` too.
  ExpertBatch(std::vector<WaitingStep> steps, SequenceTable& table,
              const ModelConfig& config);

  int rows() const { return rows_; }

  // The slices of the sequences that take part. Once.
  std::vector<ExpertSlice> TakeSlices() { return std::move(slices_); }

  // Slices of these numbers have failed; the first reason counts.
  void Fail(std::span<const int> slices, const absl::Status& status);

  // What is wanted of the slices that have not failed.
  std::vector<TokenRequest> Requests() const;

  // One answer for each step, in their order, and to whom; outcomes: of all
  // slices. Their tokens were sampled `now`.
  using Answer = std::pair<LinkId, StageResult>;
  std::vector<Answer> Answers(std::vector<SliceOutcome> outcomes,
                              absl::Duration now) const;
  // Counts how rows were routed. Before Answers, which take the outcomes.
  void CountRouting(std::span<const SliceOutcome> outcomes,
                    const LanguageLabels& languages,
                    ExpertCounters& counters) const;

 private:
  // The rows of one sequence in one of the steps.
  struct Entry {
    int step = 0;                        // Index into steps_.
    const SequenceRows* rows = nullptr;  // In steps_.
    // Only with a slice; stays while the table is in use.
    const SequenceTable::Sequence* sequence = nullptr;
    int slice = -1;  // -1: refused at once.
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
