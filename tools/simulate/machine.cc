#include "tools/simulate/machine.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace apollo::simulate {

void Machine::Run(Time work, int threads, EventQueue::Action done) {
  worked_ += work;
  if (cores_ == 0) {
    events_.After(work, std::move(done));
    return;
  }
  Settle();
  pieces_.push_back({static_cast<double>(work), threads, std::move(done)});
  threads_ += threads;
  Plan();
}

double Machine::Speed() const {
  return std::min(1.0, static_cast<double>(cores_) / threads_);
}

void Machine::Settle() {
  const double done =
      pieces_.empty() ? 0
                      : static_cast<double>(events_.now() - settled_) * Speed();
  for (Piece& piece : pieces_) piece.left -= done;
  settled_ = events_.now();
}

void Machine::Plan() {
  ++plan_;
  if (pieces_.empty()) return;
  double least = pieces_.front().left;
  for (const Piece& piece : pieces_) least = std::min(least, piece.left);
  const Time delay =
      static_cast<Time>(std::ceil(std::max(0.0, least) / Speed()));
  events_.After(delay, [this, plan = plan_] {
    if (plan == plan_) Finish();
  });
}

void Machine::Finish() {
  Settle();
  std::vector<EventQueue::Action> done;
  for (auto it = pieces_.begin(); it != pieces_.end();) {
    if (it->left > 0.5) {  // Less is rounding: times are whole nanoseconds.
      ++it;
      continue;
    }
    threads_ -= it->threads;
    done.push_back(std::move(it->done));
    it = pieces_.erase(it);
  }
  Plan();
  for (EventQueue::Action& action : done) action();
}

}  // namespace apollo::simulate
