#include "tools/simulate/dense_node.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/rendezvous.h"
#include "engine/cache_size.h"

namespace apollo::simulate {

DenseNode::DenseNode(int index, const Scenario& scenario, EventQueue& events,
                     Machine& machine, const Board& board, Network& network,
                     Client& client, Stats& stats)
    : index_(index),
      scenario_(scenario),
      events_(events),
      machine_(machine),
      board_(board),
      network_(network),
      client_(client),
      stats_(stats),
      blocks_(BlocksFor(scenario.dense.cache_tokens)),
      scheduler_(scenario.dense.scheduler, blocks_),
      on_worker_(scenario.expert.count),
      loads_(board, scenario.expert.count) {}

std::optional<int> DenseNode::Place(Sequence& sequence, int rows) {
  // As ExpertDirectory::TakesSequences. A standby reaches every expert.
  if (scenario_.expert.standby == 0 && !board_.HoldAll()) return std::nullopt;
  std::vector<int> suitable;
  std::vector<PinningCandidate> candidates;
  const int family = sequence.request.family;
  for (int w = 0; w < scenario_.expert.count; ++w) {
    const Board::Report& report = board_.report(w);
    if (!report.up) continue;
    suitable.push_back(w);
    candidates.push_back(
        {.busy = false,
         .resident_layers = family < 0 ? 0 : board_.ResidentLayers(w, family),
         .load = loads_.Load(w, on_worker_[w]),
         .sequences = on_worker_[w],
         .tie_break = RendezvousScore(report.name, sequence.request.id)});
  }
  const auto best =
      ChoosePinned(scenario_.expert.pinning, family >= 0, candidates);
  if (!best) return std::nullopt;
  const int worker = suitable[*best];
  ++on_worker_[worker];
  sequence.worker = worker;
  sequence.given_rows = rows;
  sequence.given = loads_.Give(worker, 1, rows);
  ++stats_.placed;
  stats_.placed_resident += candidates[*best].resident_layers > 0;
  return worker;
}

void DenseNode::Leave(const Sequence& sequence) {
  --on_worker_[sequence.worker];
  loads_.TakeBack(sequence.worker, sequence.given, 1, sequence.given_rows);
}

void DenseNode::Submit(const Request& request) {
  Sequence sequence;
  sequence.request = request;
  if (scheduler_.waiting() >= scenario_.dense.max_waiting ||
      !Place(sequence, request.prompt)) {
    ++stats_.refused;
    client_.OnEnd(request, index_, false);
    return;
  }
  sequences_.emplace(request.id, sequence);
  scheduler_.Add(request.id, request.prompt, request.prompt + request.answer);
  Advance();
}

void DenseNode::Advance() {
  if (at_work_ || !scheduler_.HasWork() ||
      static_cast<int>(steps_.size()) >= scenario_.dense.steps_in_flight) {
    return;
  }
  auto step = std::make_unique<Scheduler::Step>(scheduler_.NextStep());
  for (const SequenceId id : step->preempted) {
    Sequence& sequence = sequences_.at(id);
    network_.SendRelease(index_, sequence.worker, id);
    ++sequence.attempt;
    sequence.sent = 0;
    sequence.awaits = false;
  }
  if (step->slices.empty()) return;
  int rows = 0;
  for (const Scheduler::Slice& slice : step->slices) {
    Sequence& sequence = sequences_.at(slice.sequence);
    rows += slice.rows;
    const int end = slice.first_position + slice.rows;
    const int known =
        std::min(slice.rows, sequence.computed - slice.first_position);
    stats_.preempted_rows += std::max(0, known);
    sequence.computed = std::max(sequence.computed, end);
  }
  stats_.dense_rows += rows;
  ++stats_.dense_steps;
  at_work_ = true;
  const Time work = scenario_.times.dense.Of(rows);
  worked_ += work;
  steps_[next_step_];
  machine_.Run(work, scenario_.times.threads,
               [this, step = std::move(step)] { FinishStep(*step); });
}

void DenseNode::FinishStep(const Scheduler::Step& step) {
  at_work_ = false;
  const std::uint64_t number = next_step_++;
  std::map<int, StepPart> parts;
  for (const Scheduler::Slice& slice : step.slices) {
    const auto it = sequences_.find(slice.sequence);
    if (it == sequences_.end()) continue;  // It has failed meanwhile.
    Sequence& sequence = it->second;
    sequence.sent = slice.first_position + slice.rows;
    sequence.awaits = slice.ends_prompt;
    StepPart& part = parts[sequence.worker];
    part.dense = index_;
    part.step = number;
    part.slices.push_back({slice.sequence, sequence.attempt,
                           sequence.request.family, slice.rows,
                           slice.ends_prompt});
  }
  if (parts.empty()) steps_.erase(number);
  for (auto& [worker, part] : parts) {
    steps_[number].parts[worker] = 1;
    network_.SendStep(worker, std::move(part));
  }
  Advance();
}

void DenseNode::Answered(std::uint64_t step, int worker) {
  const auto it = steps_.find(step);
  if (it == steps_.end()) return;
  it->second.parts.erase(worker);
  if (it->second.parts.empty()) steps_.erase(it);
}

void DenseNode::TakeResult(int worker, const StepPart& part) {
  for (const RowSlice& slice : part.slices) TakeSlice(slice);
  Answered(part.step, worker);
  Advance();
}

void DenseNode::TakeSlice(const RowSlice& slice) {
  const auto it = sequences_.find(slice.sequence);
  if (it == sequences_.end() || it->second.attempt != slice.attempt) return;
  if (slice.failed) return End(slice.sequence, false);
  if (!slice.samples) return;
  Sequence& sequence = it->second;
  sequence.awaits = false;
  client_.OnToken(sequence.request, sequence.tokens++);
  if (sequence.tokens == sequence.request.answer) {
    End(slice.sequence, true);
  } else {
    scheduler_.TokenArrived(slice.sequence);
  }
}

void DenseNode::End(std::uint64_t id, bool ok) {
  const Sequence& sequence = sequences_.at(id);
  Leave(sequence);
  network_.SendRelease(index_, sequence.worker, id);
  Forget(id, ok);
}

void DenseNode::Forget(std::uint64_t id, bool ok) {
  const auto node = sequences_.extract(id);
  scheduler_.Remove(id);
  ++(ok ? stats_.finished : stats_.failed);
  client_.OnEnd(node.mapped().request, index_, ok);
}

void DenseNode::LoseWorker(int worker) {
  std::vector<std::uint64_t> lost;
  for (const auto& [id, sequence] : sequences_) {
    if (sequence.worker == worker) lost.push_back(id);
  }
  std::sort(lost.begin(), lost.end());
  for (const std::uint64_t id : lost) Move(id);
  for (auto it = steps_.begin(); it != steps_.end();) {
    const bool was_there = it->second.parts.erase(worker) > 0;
    it = was_there && it->second.parts.empty() ? steps_.erase(it) : ++it;
  }
  Advance();
}

void DenseNode::Move(std::uint64_t id) {
  Sequence& sequence = sequences_.at(id);
  Leave(sequence);
  ++sequence.attempt;
  if (!Place(sequence, sequence.sent)) {
    return Forget(id, false);
  }
  ++stats_.moved;
  if (sequence.sent == 0) return;
  stats_.replayed_rows += sequence.sent;
  StepPart part;
  part.dense = index_;
  part.slices.push_back({id, sequence.attempt, sequence.request.family,
                         sequence.sent, sequence.awaits});
  network_.SendStep(sequence.worker, std::move(part));
}

}  // namespace apollo::simulate
