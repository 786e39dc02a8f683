// The batches of an expert worker on their way through the layers.
#include <algorithm>
#include <set>
#include <utility>

#include "expert_worker/expert_core.h"

namespace apollo {

ExpertCore::Next ExpertCore::NextOfBatches() const {
  bool all_late = true;
  for (const auto& batch : batches_) {
    const Piece piece = NextOf(*batch);
    if (piece != Piece::kNone) return {piece, batch.get()};
    all_late = all_late && IsLate(*batch);
  }
  // Those whose answers come soon are not joined by others: fewer and larger
  // batches cost less.
  if (!all_late || batches_.size() >= kMostBatches || waiting_.empty()) {
    return {};
  }
  const bool any =
      batches_.empty() ||
      waiting_.HasFree([this](LinkId from, const SequenceRows& rows) {
        return MustWait(from, rows);
      });
  return any ? Next{Piece::kBegin} : Next{};
}

ExpertCore::Piece ExpertCore::NextOf(const RunningBatch& batch) const {
  if (batch.away.empty()) {
    return batch.layer < stage_->config().num_layers ? Piece::kLayer
                                                     : Piece::kFinish;
  }
  const bool answered = std::all_of(batch.away.begin(), batch.away.end(),
                                    [this](const RunningBatch::Away& away) {
                                      return exchange_.Answered(away.ticket);
                                    });
  if (answered) return Piece::kResume;
  return LateSlices(batch).empty() ? Piece::kNone : Piece::kSplit;
}

bool ExpertCore::IsLate(const RunningBatch& batch) const {
  return std::any_of(batch.away.begin(), batch.away.end(),
                     [this](const RunningBatch::Away& away) {
                       return exchange_.IsLate(away.ticket);
                     });
}

std::vector<int> ExpertCore::LateSlices(const RunningBatch& batch) const {
  if (!stage_->CanSplit() || batches_.size() >= kMostBatches ||
      !batch.rows.InParts()) {
    return {};
  }
  std::set<int> slices;
  for (const RunningBatch::Away& away : batch.away) {
    if (exchange_.Answered(away.ticket)) continue;
    if (!exchange_.IsLate(away.ticket)) return {};
    slices.insert(away.slices.begin(), away.slices.end());
  }
  std::vector<int> late = batch.rows.WithOtherRows(std::move(slices));
  if (static_cast<int>(late.size()) == batch.rows.slices()) return {};
  return late;
}

void ExpertCore::BeginBatch() {
  const ModelConfig& config = stage_->config();
  std::vector<WaitingStep> steps =
      waiting_.TakeBatch([this](LinkId from, const SequenceRows& rows) {
        return MustWait(from, rows);
      });
  RunningBatch& batch = *batches_.emplace_back(std::make_unique<RunningBatch>(
      RunningBatch{ExpertBatch(std::move(steps), sequences_, config), nullptr,
                   config.boundary}));
  batch.begun = clock_.Now();
  sequences_.BeginUse(batch.rows.InUse());
  ++counters_.batches;
  counters_.batch_rows.Observe(batch.rows.rows());
  counters_.rows += batch.rows.rows();
  if (batch.rows.rows() > 0) {
    batch.step = stage_->Begin(batch.rows.TakeSlices());
  } else {
    batch.layer = config.num_layers;
  }
}

void ExpertCore::RunLayer(RunningBatch& batch) {
  at_work_ = true;
  const int layer = batch.layer;
  stage_->RunLayer(
      *batch.step, layer, TakeGuests(layer),
      [this, &batch](std::vector<AbsentRows> absent) {
        SendAway(batch, std::move(absent));
      },
      [this, &batch](std::vector<Rows> outputs) {
        at_work_ = false;
        AnswerGuests(std::move(outputs));
        if (batch.away.empty()) ++batch.layer;
      });
}

void ExpertCore::SendAway(RunningBatch& batch, std::vector<AbsentRows> absent) {
  batch.sent_away = clock_.Now();
  for (AbsentRows& rows : absent) {
    std::vector<int> slices = std::move(rows.slices);
    const int expert = rows.expert;
    const int count = rows.rows.rows();
    PeerExchange::Ticket ticket =
        exchange_.Dispatch(batch.layer, std::move(rows));
    if (exchange_.IsAway(ticket)) {
      const int layer = batch.layer - stage_->config().boundary;
      counters_.rows_away.Use({layer})[expert] += count;
    }
    batch.away.push_back({std::move(ticket), std::move(slices)});
  }
}

std::optional<Rows> ExpertCore::Combine(RunningBatch& batch,
                                        RunningBatch::Away away) {
  if (sequences_.traces()) {
    const std::vector<SequenceKey> all = batch.rows.InUse();
    std::vector<SequenceKey> keys;
    for (const int slice : away.slices) keys.push_back(all[slice]);
    sequences_.NoteCame(keys, batch.sent_away);
  }
  absl::StatusOr<Rows> rows = exchange_.Combine(std::move(away.ticket));
  if (rows.ok()) return *std::move(rows);
  batch.rows.Fail(away.slices, rows.status());
  return std::nullopt;
}

void ExpertCore::Resume(RunningBatch& batch) {
  std::vector<std::optional<Rows>> outputs;
  for (RunningBatch::Away& away : std::exchange(batch.away, {})) {
    outputs.push_back(Combine(batch, std::move(away)));
  }
  at_work_ = true;
  stage_->Resume(*batch.step, std::move(outputs), [this, &batch] {
    at_work_ = false;
    ++batch.layer;
  });
}

void ExpertCore::Split(RunningBatch& batch) {
  const std::vector<int> moved = LateSlices(batch);
  const int layer = batch.layer;
  std::vector<AbsentOutput> outputs;
  std::vector<RunningBatch::Away> missing;
  for (RunningBatch::Away& away : std::exchange(batch.away, {})) {
    AbsentOutput& output = outputs.emplace_back();
    output.missing = !exchange_.Answered(away.ticket);
    if (!output.missing) {
      output.rows = Combine(batch, std::move(away));
      continue;
    }
    for (int& slice : away.slices) {
      slice = static_cast<int>(
          std::lower_bound(moved.begin(), moved.end(), slice) - moved.begin());
    }
    missing.push_back(std::move(away));
  }
  at_work_ = true;
  std::unique_ptr<ExpertStep> step =
      stage_->Split(*batch.step, moved, std::move(outputs), [this, &batch] {
        at_work_ = false;
        ++batch.layer;
      });
  ++counters_.batches_split;
  // It counts as older: it is behind.
  batches_.insert(batches_.begin(),
                  std::make_unique<RunningBatch>(RunningBatch{
                      batch.rows.Split(moved), std::move(step), layer,
                      std::move(missing), batch.begun, batch.sent_away}));
}

void ExpertCore::FinishBatch(RunningBatch& batch) {
  if (!batch.step) return AnswerBatch(batch, {});
  at_work_ = true;
  stage_->Finish(*batch.step, batch.rows.Requests(),
                 [this, &batch](std::vector<SliceOutcome> outcomes) {
                   at_work_ = false;
                   AnswerBatch(batch, std::move(outcomes));
                 });
}

void ExpertCore::AnswerBatch(RunningBatch& batch,
                             std::vector<SliceOutcome> outcomes) {
  batch.rows.CountRouting(outcomes, options_.languages, counters_);
  control_.CountOwn(outcomes, clock_.Now());
  const std::vector<SequenceKey> used = batch.rows.InUse();
  sequences_.NoteComputed(used, batch.begun);
  batch.step.reset();
  batch.rows.Publish(outcomes, sequences_);
  std::vector<ExpertBatch::Answer> answers =
      batch.rows.Answers(std::move(outcomes), clock_.Now());
  counters_.batch_seconds.Observe(
      absl::ToDoubleSeconds(clock_.Now() - batch.begun));
  std::erase_if(batches_,
                [&batch](const auto& other) { return other.get() == &batch; });
  for (auto& [to, result] : answers) {
    const auto neighbour = neighbours_.find(to);
    if (neighbour == neighbours_.end()) continue;
    neighbour->second.link->Send({std::move(result), {}});
  }
  sequences_.EndUse(used);
}

}  // namespace apollo
