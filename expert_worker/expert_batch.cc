#include "expert_worker/expert_batch.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>

namespace apollo {
namespace {

int RowCount(const SequenceRows& rows) {
  return static_cast<int>(rows.tokens.size());
}

// No answer is better than noise.
absl::Status NotFinite() {
  return absl::InternalError(
      "the model's output is not finite: its weights may be damaged");
}

}  // namespace

ExpertBatch::ExpertBatch(std::vector<WaitingStep> steps, SequenceTable& table,
                         const ModelConfig& config)
    : config_(config), steps_(std::make_shared<Steps>(std::move(steps))) {
  Admit(table);
  MakeSlices(table);
}

void ExpertBatch::Admit(SequenceTable& table) {
  for (std::size_t s = 0; s < steps_->size(); ++s) {
    const WaitingStep& step = (*steps_)[s];
    for (std::size_t i = 0; i < step.step.sequences.size(); ++i) {
      Entry& entry = entries_.emplace_back();
      entry.step = static_cast<int>(s);
      entry.rows = &step.step.sequences[i];
      entry.status = step.cancelled[i] != 0
                         ? absl::CancelledError("released")
                         : table.Admit(step.from, *entry.rows);
      if (absl::IsNotFound(entry.status)) {
        entry.held = table.HeldTokens({step.from, entry.rows->sequence});
      }
    }
  }
}

// Only now are the owners of blocks known: a later entry may have extended a
// table, or evicted its sequence.
void ExpertBatch::MakeSlices(const SequenceTable& table) {
  int step = -1;
  std::size_t index = 0;  // Index into the step's sequences.
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    index = entry.step == step ? index + 1 : 0;
    step = entry.step;
    WaitingStep& waiting = (*steps_)[step];
    if (!entry.status.ok()) continue;
    entry.sequence =
        table.Find({waiting.from, entry.rows->sequence}, entry.rows->attempt);
    if (entry.sequence == nullptr) {
      entry.status =
          absl::AbortedError("the expert worker made room for older sequences");
      continue;
    }
    const SequenceStart& start = entry.sequence->start;
    entry.slice = static_cast<int>(slices_.size());
    slices_.push_back({&entry.sequence->blocks, entry.rows->first_position,
                       start.family, start.hybrid,
                       std::move(waiting.boundary[index])});
    entry_of_slice_.push_back(static_cast<int>(i));
    rows_ += RowCount(*entry.rows);
  }
  // The slices keep the rows alive.
  for (WaitingStep& waiting : *steps_) {
    waiting.boundary.clear();
    waiting.receipt = nullptr;
  }
}

std::vector<SequenceKey> ExpertBatch::InUse() const {
  std::vector<SequenceKey> keys;
  for (const int i : entry_of_slice_) {
    const Entry& entry = entries_[i];
    keys.emplace_back((*steps_)[entry.step].from, entry.rows->sequence);
  }
  return keys;
}

std::vector<int> ExpertBatch::WithOtherRows(std::set<int> slices) const {
  const std::vector<SequenceKey> keys = InUse();
  std::set<SequenceKey> sequences;
  for (const int s : slices) sequences.insert(keys[s]);
  for (int s = 0; s < static_cast<int>(keys.size()); ++s) {
    if (sequences.contains(keys[s])) slices.insert(s);
  }
  return {slices.begin(), slices.end()};
}

bool ExpertBatch::InParts() const {
  return std::all_of(steps_->begin(), steps_->end(),
                     [](const WaitingStep& s) { return s.answer->in_parts(); });
}

ExpertBatch ExpertBatch::Split(std::span<const int> moved) {
  ExpertBatch apart(steps_, config_);
  apart.split_off_ = true;
  std::vector<Entry> staying;
  rows_ = 0;
  entry_of_slice_.clear();
  for (Entry& entry : entries_) {
    const bool moves =
        std::binary_search(moved.begin(), moved.end(), entry.slice);
    std::vector<Entry>& entries = moves ? apart.entries_ : staying;
    ExpertBatch& batch = moves ? apart : *this;
    if (entry.slice >= 0) {
      entry.slice = batch.slices();
      batch.entry_of_slice_.push_back(static_cast<int>(entries.size()));
      batch.rows_ += RowCount(*entry.rows);
    }
    entries.push_back(std::move(entry));
  }
  entries_ = std::move(staying);
  return apart;
}

void ExpertBatch::Fail(std::span<const int> slices,
                       const absl::Status& status) {
  for (const int slice : slices) {
    Entry& entry = entries_[entry_of_slice_[slice]];
    if (entry.status.ok()) entry.status = status;
  }
}

std::vector<TokenRequest> ExpertBatch::Requests() const {
  std::vector<TokenRequest> requests;
  for (const int i : entry_of_slice_) {
    const Entry& entry = entries_[i];
    const SequenceRows& rows = *entry.rows;
    if (!entry.status.ok()) continue;
    if (!rows.sample && rows.score_targets.empty()) continue;
    const SequenceStart& start = entry.sequence->start;
    requests.push_back({entry.slice, rows.score_targets, rows.unscored_rows,
                        start.score_alternatives, rows.sample, start.sampling,
                        start.top_logprobs, &entry.sequence->generated,
                        static_cast<std::uint64_t>(rows.first_position) +
                            static_cast<std::uint64_t>(RowCount(rows))});
  }
  return requests;
}

std::vector<ExpertBatch::Answer> ExpertBatch::Answers(
    std::vector<SliceOutcome> outcomes, absl::Duration now) {
  std::map<int, std::vector<SequenceOutput>> outputs;  // By step.
  for (std::size_t s = 0; s < steps_->size(); ++s) {
    // Nobody else answers an empty step.
    if (!split_off_ && (*steps_)[s].step.sequences.empty()) outputs[s];
  }
  for (const Entry& entry : entries_) {
    SliceOutcome outcome;
    if (entry.slice >= 0) {
      outcome = std::move(outcomes[entry.slice]);
    } else {
      const std::size_t layers = config_.num_sparse_layers();
      outcome.expert_use.resize(layers * config_.num_experts);
      outcome.off_family.resize(layers);
    }
    outputs[entry.step].push_back(Output(entry, std::move(outcome), now));
  }
  std::vector<Answer> answers;
  for (auto& [s, some] : outputs) {
    const WaitingStep& step = (*steps_)[s];
    std::optional<StageResult> result = step.answer->Add(std::move(some));
    if (result) answers.emplace_back(step.from, *std::move(result));
  }
  return answers;
}

SequenceOutput ExpertBatch::Output(const Entry& entry, SliceOutcome outcome,
                                   absl::Duration now) const {
  const SequenceRows& rows = *entry.rows;
  SequenceOutput output;
  output.sequence = rows.sequence;
  output.attempt = rows.attempt;
  output.position = rows.first_position + RowCount(rows) - 1;
  output.status =
      entry.status.ok() && !outcome.finite ? NotFinite() : entry.status;
  output.held_tokens = entry.held;
  if (rows.start && entry.sequence != nullptr) {
    output.held_expert_use = entry.sequence->held_expert_use;
    output.held_off_family = entry.sequence->held_off_family;
  }
  output.score_logprobs = std::move(outcome.score_logprobs);
  output.score_alternatives = std::move(outcome.score_alternatives);
  output.expert_use = std::move(outcome.expert_use);
  output.off_family = std::move(outcome.off_family);
  if (outcome.sampled) {
    if (entry.sequence->request != nullptr) entry.sequence->request->Token(now);
    output.sampled =
        TokenLogprob{outcome.sampled->token, outcome.sampled->logprob};
    output.alternatives = std::move(outcome.sampled->alternatives);
  }
  return output;
}

void ExpertBatch::Publish(std::span<const SliceOutcome> outcomes,
                          SequenceTable& table) const {
  for (std::size_t slice = 0; slice < outcomes.size(); ++slice) {
    const Entry& entry = entries_[entry_of_slice_[slice]];
    if (!entry.status.ok() || !outcomes[slice].finite) continue;
    table.Computed({(*steps_)[entry.step].from, entry.rows->sequence},
                   *entry.rows, outcomes[slice].use_by_block);
  }
}

void ExpertBatch::CountRouting(std::span<const SliceOutcome> outcomes,
                               const LanguageLabels& languages,
                               ExpertCounters& counters) const {
  const int experts = config_.num_experts;
  for (std::size_t slice = 0; slice < outcomes.size(); ++slice) {
    const SliceOutcome& outcome = outcomes[slice];
    const Entry& entry = entries_[entry_of_slice_[slice]];
    const SequenceStart& start = entry.sequence->start;
    const int language = languages.Index(start.language);
    for (int layer = 0; layer < outcome.layers; ++layer) {
      const auto use = counters.expert_tokens.Use({language, layer});
      for (int e = 0; e < experts; ++e) {
        use[e] += outcome.expert_use[layer * experts + e];
      }
      Count& family = counters.family_tokens.Use({language, layer})[0];
      Count& off_family = counters.off_family_tokens.Use({language, layer})[0];
      if (start.family < 0) continue;
      family += RowCount(*entry.rows);
      off_family += outcome.off_family[layer];
    }
  }
}

}  // namespace apollo
