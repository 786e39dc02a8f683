#include "tools/simulate/expert_node.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "common/rendezvous.h"
#include "expert_worker/dispatch_policy.h"
#include "expert_worker/placement_policy.h"

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
      residence_(
          index, scenario, events, board, stats,
          {[this] { Report(); }, [this](LayerExpert which) { Came(which); }}),
      loads_(board, scenario.expert.count),
      order_(scenario.model.experts) {
  std::iota(order_.begin(), order_.end(), 0);
}

void ExpertNode::Start(const std::set<int>& experts) {
  residence_.Start(experts);
  most_resident_ = static_cast<int>(residence_.resident().size()) +
                   scenario_.expert.room * scenario_.model.sparse_layers;
  demand_ = ExpertDemand();
  last_move_ = events_.now();
  orphans_from_ =
      last_move_ + absl::ToInt64Nanoseconds(PlacementRules().between_moves);
  up_ = true;
  Report();
}

void ExpertNode::Stop() {
  up_ = at_work_ = guests_turn_ = false;
  ++life_;
  residence_.Stop();
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
  report.resident =
      LayerExperts::Of(residence_.resident(), 0, scenario_.model.sparse_layers);
  report.running_sequences = static_cast<int>(sequences_.size());
  report.queued_rows = 0;
  for (const StepPart& part : waiting_) report.queued_rows += part.rows();
  for (const Guests& guests : guests_) report.queued_rows += guests.rows;
  ReportUse(report);
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
        stats_.choices += rows_of[e];
        batch.rows_of[e] += rows_of[e];
        slice.failed = slice.failed || !Reaches({batch.layer, e});
      }
    }
  }
}

bool ExpertNode::Reaches(LayerExpert which) const {
  return residence_.BytesToLoad(which) || board_.IsHeld(which, index_);
}

void ExpertNode::Count(LayerExpert which, const ExpertDemand::Use& rows) {
  if (scenario_.expert.placement != Scenario::Placement::kAuto) return;
  demand_.Add(which, rows, absl::Nanoseconds(events_.now()));
}

void ExpertNode::RunLayer() {
  Route(*batch_);
  for (int e = 0; e < scenario_.model.experts; ++e) {
    const int rows = batch_->rows_of[e];
    if (rows == 0) continue;
    const LayerExpert which = {batch_->layer, e};
    const bool resident = residence_.resident().contains(which);
    Count(which, {.own = 1.0 * rows, .absent = resident ? 0.0 : rows});
    if (residence_.Has(which)) {
      residence_.Use(which);
    } else {
      SendAway(e, std::exchange(batch_->rows_of[e], 0));
    }
  }
  Work(ExpertTime(batch_->layer, batch_->rows_of), &ExpertNode::RunExperts);
}

void ExpertNode::SendAway(int expert, int rows) {
  const LayerExpert which = {batch_->layer, expert};
  const int holder = loads_.Holder(
      which, index_, RendezvousScore(board_.report(index_).name, 0));
  RowsToPlace question;
  question.rows = rows;
  question.bytes_per_row = 4 * scenario_.model.hidden;
  if (holder >= 0) question.rows_before = loads_.Load(holder);
  question.bytes_to_load = residence_.BytesToLoad(which);
  switch (PlaceRows(question)) {
    case RowsPlace::kPeer:
      stats_.guest_choices += rows;
      batch_->away.push_back(
          {expert, rows, holder, loads_.Give(holder, 0, rows)});
      return network_.SendGuests(
          holder, {index_, batches_, batch_->layer, expert, rows});
    case RowsPlace::kHere:
      batch_->away.push_back({expert, rows, index_, 0});
      return residence_.Has(which) ? Came(which) : residence_.Want(which);
    case RowsPlace::kNowhere:
      return;  // The slices have failed.
  }
}

void ExpertNode::Came(LayerExpert which) {
  if (batch_ == nullptr || batch_->layer != which.layer) return;
  for (const Away& away : batch_->away) {
    if (away.peer != index_ || away.expert != which.expert) continue;
    guests_.push_back({index_, batches_, which.layer, which.expert, away.rows});
  }
  Advance();
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
    const LayerExpert which = {layer, it->expert};
    if (it->from != index_) Count(which, {.guests = 1.0 * it->rows});
    residence_.Use(which);
    served_.push_back(*it);
    it = guests_.erase(it);
  }
  Time time = 0;
  for (const int rows : rows_of) time += scenario_.times.expert.Of(rows);
  return time;
}

void ExpertNode::AnswerGuests() {
  for (const Guests& guests : std::exchange(served_, {})) {
    if (guests.from == index_) {
      TakeOutputs(guests);
    } else {
      network_.SendOutputs(index_, guests);
    }
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
  if (it->peer != index_) loads_.TakeBack(it->peer, it->given, 0, it->rows);
  away.erase(it);
  if (away.empty() && batch_->computed) EndLayer();
  Advance();
}

void ExpertNode::LosePeer(int peer) {
  if (orphans_from_ <= events_.now()) {
    orphans_from_ = events_.now() +
                    absl::ToInt64Nanoseconds(PlacementRules().takes_over_after);
  }
  if (batch_ == nullptr) return;
  const std::vector<Away> away = std::exchange(batch_->away, {});
  for (const Away& rows : away) {
    if (rows.peer != peer) {
      batch_->away.push_back(rows);
    } else if (Reaches({batch_->layer, rows.expert})) {
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

void ExpertNode::ReportUse(Board::Report& report) const {
  if (scenario_.expert.placement != Scenario::Placement::kAuto) return;
  report.most_resident = most_resident_;
  const absl::Duration now = absl::Nanoseconds(events_.now());
  for (int layer = 0; layer < scenario_.model.sparse_layers; ++layer) {
    for (int e = 0; e < scenario_.model.experts; ++e) {
      const LayerExpert which = {layer, e};
      const double lately = demand_.At(which, now).own;
      if (lately < 0.5) continue;
      report.own[which] = {lately, demand_.Recent(which, now).own};
    }
  }
}

PlacementState ExpertNode::StateOfPlacement() const {
  PlacementState state;
  state.now = absl::Nanoseconds(events_.now());
  state.last_move = absl::Nanoseconds(last_move_);
  state.moves_lately = static_cast<int>(moves_.size());
  state.name = board_.report(index_).name;
  state.end_layer = scenario_.model.sparse_layers;
  state.num_experts = scenario_.model.experts;
  state.resident = residence_.resident();
  state.most_resident = most_resident_;
  for (int w = 0; w < scenario_.expert.count; ++w) {
    const Board::Report& peer = board_.report(w);
    if (w == index_ || !peer.up) continue;
    state.peers.push_back({peer.name, peer.resident, /*stays=*/true,
                           /*moves=*/true, peer.most_resident, peer.own});
    state.peers.back().takes_orphans = true;
  }
  state.demand = &demand_;
  state.own = board_.report(index_).own;
  state.orphans_from = absl::Nanoseconds(orphans_from_);
  return state;
}

void ExpertNode::Decide() {
  if (!up_ || residence_.loading()) return;
  const Time now = events_.now();
  while (!moves_.empty() && now - moves_.front() >= FromSeconds(60)) {
    moves_.pop_front();
  }
  const std::optional<PlacementMove> move = NextMove(StateOfPlacement());
  if (!move) return;
  last_move_ = now;
  if (!move->orphan) moves_.push_back(now);
  ++stats_.moves;
  residence_.Make(*move);
}

}  // namespace apollo::simulate
