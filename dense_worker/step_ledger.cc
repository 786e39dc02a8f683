#include "dense_worker/step_ledger.h"

#include <algorithm>

#include "common/check.h"

namespace apollo {
namespace {

// The time for which the times of a worker's answers are remembered.
constexpr absl::Duration kRemembered = absl::Seconds(5);

}  // namespace

std::uint64_t StepLedger::Open(std::vector<Part> parts) {
  const std::uint64_t number = next_step_++;
  Step& step = steps_[number];
  int first_row = 0;
  for (Part& part : parts) {
    const bool added =
        step.owed
            .insert({part.worker,
                     {std::move(part.asked), part.rows, part.replayed}})
            .second;
    APOLLO_CHECK(added);
    outgoing_[part.worker].push_back(
        {{StageStep{number, std::move(part.sequences)}, {}},
         number,
         false,
         first_row,
         part.rows});
    first_row += part.rows;
  }
  return number;
}

void StepLedger::Computed(std::uint64_t number, const Rows& boundary) {
  Step& step = steps_.at(number);
  step.computed = true;
  std::vector<LinkId> workers;
  for (auto& [worker, queue] : outgoing_) {
    for (Outgoing& out : queue) {
      if (out.step != number) continue;
      out.frame.payload = boundary.Slice(out.first_row, out.rows);
      out.ready = true;
      workers.push_back(worker);
    }
  }
  // All of its workers may have gone.
  if (step.owed.empty()) steps_.erase(number);
  for (const LinkId worker : workers) Flush(worker);
}

void StepLedger::SendBehind(LinkId worker, Frame frame) {
  outgoing_[worker].push_back({std::move(frame)});
  Flush(worker);
}

void StepLedger::Flush(LinkId worker) {
  std::deque<Outgoing>& queue = outgoing_.at(worker);
  while (!queue.empty() && queue.front().ready) {
    Outgoing out = std::move(queue.front());
    queue.pop_front();
    if (out.step != 0) {
      Owed& owed = steps_.at(out.step).owed.at(worker);
      owed.sent = true;
      owed.sent_at = clock_.Now();
      answers_.Asked(worker);
    }
    send_(worker, std::move(out.frame));
  }
  if (queue.empty()) outgoing_.erase(worker);
}

StepLedger::Owed* StepLedger::FindSent(LinkId worker, std::uint64_t number) {
  const auto step = steps_.find(number);
  if (step == steps_.end()) return nullptr;
  const auto owed = step->second.owed.find(worker);
  return owed == step->second.owed.end() || !owed->second.sent ? nullptr
                                                               : &owed->second;
}

std::optional<StepLedger::Asked> StepLedger::TakeAnswer(LinkId worker,
                                                        std::uint64_t number) {
  Owed* const owed = FindSent(worker, number);
  if (owed == nullptr) return std::nullopt;
  answers_.Answered(worker);
  Took(worker, *owed);
  if (answer_seconds_ != nullptr) {
    answer_seconds_->Observe(
        absl::ToDoubleSeconds(clock_.Now() - owed->sent_at));
  }
  Asked asked = std::move(owed->asked);
  const auto step = steps_.find(number);
  step->second.owed.erase(worker);
  if (step->second.owed.empty()) steps_.erase(step);
  return asked;
}

std::optional<StepLedger::Asked> StepLedger::TakePart(
    LinkId worker, std::uint64_t number,
    std::span<const SequenceOutput> outputs) {
  Owed* const owed = FindSent(worker, number);
  if (owed == nullptr) return std::nullopt;
  Took(worker, *owed);
  owed->partly_answered = true;
  Asked asked;
  for (const SequenceOutput& output : outputs) {
    auto node = owed->asked.extract({output.sequence, output.attempt});
    if (node.empty()) continue;
    owed->rows -= node.mapped().rows;
    owed->replayed -= node.mapped().replayed;
    asked.insert(std::move(node));
  }
  return asked;
}

void StepLedger::Took(LinkId worker, const Owed& owed) {
  // Replays are large, and late rows are the fault of another worker.
  if (owed.replayed > 0 || owed.partly_answered) return;
  const absl::Duration now = clock_.Now();
  // Those of links without work say nothing about the work of today.
  times_.ForgetOlder(now - kRemembered);
  times_.Took(worker, now - owed.sent_at, now);
}

bool StepLedger::IsLate(LinkId worker, const Owed& owed,
                        absl::Duration now) const {
  if (!owed.sent) return false;
  if (owed.partly_answered) return true;
  const absl::Duration limit = times_.LateAfter(worker);
  return times_.UsualOf(worker) > limit || now - owed.sent_at > limit;
}

void StepLedger::Forget(LinkId worker) {
  answers_.Forget(worker);
  times_.Forget(worker);
  outgoing_.erase(worker);
  for (auto it = steps_.begin(); it != steps_.end();) {
    Step& step = it->second;
    step.owed.erase(worker);
    const bool over = step.computed && step.owed.empty();
    it = over ? steps_.erase(it) : std::next(it);
  }
}

std::vector<LinkId> StepLedger::SilentFor(absl::Duration lease,
                                          absl::Duration limit,
                                          absl::Duration now) const {
  std::vector<LinkId> silent = answers_.UnheardFor(lease, now);
  const std::vector<LinkId> still = answers_.SilentFor(limit, now);
  silent.insert(silent.end(), still.begin(), still.end());
  return silent;
}

std::map<LinkId, int> StepLedger::ReplayedInFlight() const {
  std::map<LinkId, int> rows;
  for (const auto& [number, step] : steps_) {
    for (const auto& [worker, owed] : step.owed) {
      if (owed.replayed > 0) rows[worker] += owed.replayed;
    }
  }
  return rows;
}

std::map<LinkId, int> StepLedger::LateRows() const {
  const absl::Duration now = clock_.Now();
  std::map<LinkId, int> rows;
  for (const auto& [number, step] : steps_) {
    for (const auto& [worker, owed] : step.owed) {
      if (owed.rows > owed.replayed && IsLate(worker, owed, now)) {
        rows[worker] += owed.rows - owed.replayed;
      }
    }
  }
  return rows;
}

int StepLedger::InFlight(const std::function<bool(LinkId)>& except) const {
  const absl::Duration now = clock_.Now();
  return static_cast<int>(
      std::count_if(steps_.begin(), steps_.end(), [&](const auto& entry) {
        const Step& step = entry.second;
        return !step.computed ||
               std::any_of(
                   step.owed.begin(), step.owed.end(), [&](const auto& owed) {
                     return owed.second.replayed == 0 && !except(owed.first) &&
                            !IsLate(owed.first, owed.second, now);
                   });
      }));
}

}  // namespace apollo
