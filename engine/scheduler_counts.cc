// The part of Scheduler that counts sequences and their rows.

#include <algorithm>
#include <cstdint>

#include "common/check.h"
#include "engine/scheduler.h"

namespace apollo {

void Scheduler::CountWaiting(const Sequence& sequence, int change) {
  by_sign_[1 + (sequence.priority > 0) - (sequence.priority < 0)] += change;
  const auto count = by_priority_.try_emplace(sequence.priority, 0).first;
  count->second += change;
  if (count->second == 0) by_priority_.erase(count);
}

int Scheduler::WaitingFrom(int priority) const {
  int waiting = 0;
  for (auto count = by_priority_.lower_bound(priority);
       count != by_priority_.end(); ++count) {
    waiting += count->second;
  }
  return waiting;
}

int Scheduler::QueuedRows(const Sequence& sequence) {
  return std::max(
      0, sequence.tokens - std::max(sequence.next_position, sequence.cached));
}

void Scheduler::CountRows(const Sequence& sequence, int change) {
  if (!IsRunning(sequence)) waiting_tokens_ += change * sequence.tokens;
  queued_rows_ += change * QueuedRows(sequence);
}

void Scheduler::CheckCounts() const {
  std::int64_t tokens = 0, rows = 0;
  for (const auto& [id, sequence] : sequences_) {
    if (!IsRunning(sequence)) tokens += sequence.tokens;
    rows += QueuedRows(sequence);
  }
  APOLLO_CHECK(tokens == waiting_tokens_);
  APOLLO_CHECK(rows == queued_rows_);
}

}  // namespace apollo
