#include "tools/simulate/expert_node.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace apollo::simulate {

ExpertNode::ExpertNode(int index, const Scenario& scenario, EventQueue& events,
                       Machine& machine, Board& board, Network& network,
                       Stats& stats)
    : index_(index),
      scenario_(scenario),
      events_(events),
      machine_(machine),
      board_(board),
      network_(network),
      stats_(stats),
      random_(scenario.seed, 1000 + static_cast<std::uint64_t>(index)),
      loads_(board, scenario.expert.count),
      use_(scenario.model.experts),
      order_(scenario.model.experts) {
  std::iota(order_.begin(), order_.end(), 0);
}

void ExpertNode::Start(std::set<int> experts) {
  base_ = resident_ = std::move(experts);
  up_ = true;
  Report();
}

void ExpertNode::Stop() {
  up_ = at_work_ = guests_turn_ = loading_ = false;
  ++life_;
  waiting_.clear();
  guests_.clear();
  served_.clear();
  batch_.reset();
  sequences_.clear();
}

void ExpertNode::Report() {
  if (!up_) return;
  Board::Report report;
  report.up = true;
  report.resident = resident_;
  report.running_sequences = static_cast<int>(sequences_.size());
  report.queued_rows = 0;
  for (const StepPart& part : waiting_) report.queued_rows += part.rows();
  for (const Guests& guests : guests_) report.queued_rows += guests.rows;
  board_.Take(index_, std::move(report));
}

void ExpertNode::TakeStep(StepPart part) {
  for (const RowSlice& slice : part.slices) {
    sequences_[slice.sequence] = slice.attempt;
  }
  waiting_.push_back(std::move(part));
  Advance();
}

void ExpertNode::TakeRelease(std::uint64_t sequence) {
  sequences_.erase(sequence);
}

void ExpertNode::TakeGuests(Guests guests) {
  guests_.push_back(guests);
  Advance();
}

void ExpertNode::Work(Time work, void (ExpertNode::*then)()) {
  at_work_ = true;
  worked_ += work;
  machine_.Run(work, scenario_.times.threads, [this, life = life_, then] {
    if (life != life_) return;
    at_work_ = false;
    (this->*then)();
  });
}

void ExpertNode::Advance() {
  if (at_work_) return;
  if (batch_ == nullptr && !waiting_.empty()) BeginBatch();
  const bool batch_can_run = batch_ != nullptr && batch_->away.empty();
  if (!guests_.empty() && (guests_turn_ || !batch_can_run)) {
    RunGuests();
  } else if (batch_can_run) {
    guests_turn_ = true;
    if (batch_->layer == scenario_.model.sparse_layers) {
      int sampled = 0;
      for (const StepPart& part : batch_->parts) {
        for (const RowSlice& slice : part.slices) sampled += slice.samples;
      }
      Work(scenario_.times.head.Of(sampled), &ExpertNode::FinishBatch);
    } else {
      Work(scenario_.times.attention.Of(batch_->rows), &ExpertNode::RunLayer);
    }
  }
}

void ExpertNode::BeginBatch() {
  batch_ = std::make_unique<Batch>();
  ++batches_;
  while (!waiting_.empty() && batch_->rows < scenario_.expert.max_batch_rows) {
    batch_->rows += waiting_.front().rows();
    batch_->parts.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  ++stats_.batches;
  stats_.batch_rows += batch_->rows;
  stats_.expert_rows += batch_->rows;
}

void ExpertNode::Draw(int family, std::vector<int>& rows_of) {
  const int experts = scenario_.model.experts;
  int left = scenario_.model.experts_per_token;
  int first = 0;  // The experts before it in order_ are chosen.
  if (family >= 0) {
    const bool own =
        scenario_.model.hybrid || random_.Uniform() < scenario_.model.affinity;
    const auto it = std::find(order_.begin(), order_.end(), family);
    std::iter_swap(it, order_.begin());
    first = 1;
    if (own || experts == left) {
      ++rows_of[family];
      --left;
    }
  }
  for (; left > 0; --left, ++first) {
    const int chosen = random_.Between(first, experts - 1);
    std::swap(order_[first], order_[chosen]);
    ++rows_of[order_[first]];
  }
}

void ExpertNode::Route(Batch& batch) {
  const int experts = scenario_.model.experts;
  std::vector<int> rows_of(experts);
  batch.rows_of.assign(experts, 0);
  for (StepPart& part : batch.parts) {
    for (RowSlice& slice : part.slices) {
      if (slice.failed) continue;
      std::fill(rows_of.begin(), rows_of.end(), 0);
      for (int r = 0; r < slice.rows; ++r) Draw(slice.family, rows_of);
      for (int e = 0; e < experts; ++e) {
        if (rows_of[e] == 0) continue;
        use_[e] += rows_of[e];
        stats_.choices += rows_of[e];
        batch.rows_of[e] += rows_of[e];
        slice.failed = slice.failed ||
                       (!resident_.contains(e) && !board_.IsHeld(e, index_));
      }
    }
  }
}

void ExpertNode::RunLayer() {
  Route(*batch_);
  for (int e = 0; e < scenario_.model.experts; ++e) {
    if (batch_->rows_of[e] == 0 || resident_.contains(e)) continue;
    SendAway(e, std::exchange(batch_->rows_of[e], 0));
  }
  Work(ExpertTime(batch_->layer, batch_->rows_of), &ExpertNode::RunExperts);
}

void ExpertNode::SendAway(int expert, int rows) {
  const int holder = loads_.Holder(expert, index_);
  if (holder < 0) return;  // The slices have failed.
  stats_.guest_choices += rows;
  batch_->away.push_back({expert, rows, holder, loads_.Give(holder, 0, rows)});
  network_.SendGuests(holder, {index_, batches_, batch_->layer, expert, rows});
}

Time ExpertNode::ExpertTime(int layer, std::vector<int> rows_of) {
  int taken = 0;
  for (auto it = guests_.begin();
       it != guests_.end() && taken < scenario_.expert.max_batch_rows;) {
    if (it->layer != layer) {
      ++it;
      continue;
    }
    taken += it->rows;
    rows_of[it->expert] += it->rows;
    use_[it->expert] += it->rows / 2.0;
    served_.push_back(*it);
    it = guests_.erase(it);
  }
  Time time = 0;
  for (const int rows : rows_of) time += scenario_.times.expert.Of(rows);
  return time;
}

void ExpertNode::AnswerGuests() {
  for (const Guests& guests : std::exchange(served_, {})) {
    network_.SendOutputs(index_, guests);
  }
}

// The resident experts of the layer have run.
void ExpertNode::RunExperts() {
  AnswerGuests();
  batch_->computed = true;
  if (batch_->away.empty()) EndLayer();
  Advance();
}

void ExpertNode::EndLayer() {
  batch_->computed = false;
  ++batch_->layer;
}

void ExpertNode::TakeOutputs(const Guests& guests) {
  if (batch_ == nullptr || guests.batch != batches_) return;
  std::vector<Away>& away = batch_->away;
  const auto it = std::find_if(away.begin(), away.end(), [&](const Away& a) {
    return a.expert == guests.expert && guests.layer == batch_->layer;
  });
  if (it == away.end()) return;
  loads_.TakeBack(it->peer, it->given, 0, it->rows);
  away.erase(it);
  if (away.empty() && batch_->computed) EndLayer();
  Advance();
}

void ExpertNode::LosePeer(int peer) {
  if (batch_ == nullptr) return;
  const std::vector<Away> away = std::exchange(batch_->away, {});
  for (const Away& rows : away) {
    if (rows.peer != peer) {
      batch_->away.push_back(rows);
    } else if (board_.IsHeld(rows.expert, index_)) {
      SendAway(rows.expert, rows.rows);
    } else {  // Nobody knows here which slices had these rows.
      for (StepPart& part : batch_->parts) {
        for (RowSlice& slice : part.slices) slice.failed = true;
      }
    }
  }
  if (!away.empty() && batch_->away.empty() && batch_->computed) EndLayer();
  Advance();
}

void ExpertNode::FinishBatch() {
  for (StepPart& part : batch_->parts) {
    network_.SendResult(index_, std::move(part));
  }
  batch_.reset();
  Advance();
}

void ExpertNode::RunGuests() {
  guests_turn_ = false;
  Work(ExpertTime(guests_.front().layer,
                  std::vector<int>(scenario_.model.experts)),
       &ExpertNode::GuestsDone);
}

void ExpertNode::GuestsDone() {
  AnswerGuests();
  Advance();
}

void ExpertNode::Load(int expert, int drop) {
  loading_ = true;
  ++stats_.loads;
  events_.After(FromSeconds(scenario_.expert.standby_load_seconds),
                [this, life = life_, expert, drop] {
                  if (life != life_) return;
                  loading_ = false;
                  resident_.insert(expert);
                  Report();
                  if (drop < 0 || !board_.IsHeld(drop, index_)) return;
                  resident_.erase(drop);
                  Report();
                });
}

std::vector<double> ExpertNode::TakeUse() {
  return std::exchange(use_, std::vector<double>(use_.size()));
}

}  // namespace apollo::simulate
