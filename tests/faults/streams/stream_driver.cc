#include "tests/faults/streams/stream_driver.h"

#include <absl/time/clock.h>

#include <utility>

#include "tests/faults/cluster/eventually.h"

namespace apollo {
namespace {

// As a client that honours a refusal, only sooner.
constexpr absl::Duration kPauseAfterFailure = absl::Milliseconds(20);

}  // namespace

StreamDriver::StreamDriver(StreamClient& client, std::vector<StreamPlan> plans,
                           Options options)
    : client_(client), options_(options) {
  for (StreamPlan& plan : plans) {
    slots_.push_back(std::make_unique<Slot>());
    slots_.back()->plan = std::move(plan);
  }
  {
    MutexLock lock(mutex_);
    running_ = static_cast<int>(slots_.size());
  }
  for (const auto& slot : slots_) {
    slot->thread = std::thread([this, &slot = *slot] { Run(slot); });
  }
}

StreamDriver::~StreamDriver() {
  for (const auto& slot : slots_) slot->cancellation.Cancel();
  Join();
}

void StreamDriver::Join() {
  {
    MutexLock lock(mutex_);
    finishing_ = true;
  }
  for (const auto& slot : slots_) {
    if (slot->thread.joinable()) slot->thread.join();
  }
}

void StreamDriver::Run(Slot& slot) {
  for (int round = 1; RunOnce(slot); ++round) {
    if (options_.rounds > 0 && round >= options_.rounds) break;
  }
  MutexLock lock(mutex_);
  slot.ended = true;
  --running_;
  changed_.notify_all();
}

bool StreamDriver::RunOnce(Slot& slot) {
  Transcript transcript(slot.plan.slot, slot.plan.choices, Now());
  std::int64_t counted = 0;
  client_.Run(
      slot.plan, Now() + options_.deadline, slot.cancellation,
      [&](const Transcript& so_far) {
        const std::int64_t tokens = so_far.tokens();
        MutexLock lock(mutex_);
        tokens_ += tokens - counted;
        slot.tokens += tokens - counted;
        counted = tokens;
        changed_.notify_all();
      },
      transcript);
  const bool ok = transcript.status && transcript.status->ok();
  if (!ok && options_.repeat_failed) absl::SleepFor(kPauseAfterFailure);
  MutexLock lock(mutex_);
  transcripts_.push_back(std::move(transcript));
  return !finishing_ && !slot.cancellation.cancelled() &&
         (ok || options_.repeat_failed);
}

bool StreamDriver::WaitForTokens(std::int64_t more, absl::Duration limit) {
  const auto end =
      std::chrono::steady_clock::now() + absl::ToChronoMicroseconds(limit);
  MutexLock lock(mutex_);
  const std::int64_t wanted = tokens_ + more;
  while (tokens_ < wanted) {
    if (running_ == 0) return false;
    if (changed_.wait_until(mutex_, end) == std::cv_status::timeout) {
      return false;
    }
  }
  return true;
}

bool StreamDriver::WaitForEach(const std::set<int>& slots,
                               absl::Duration limit) {
  const auto end =
      std::chrono::steady_clock::now() + absl::ToChronoMicroseconds(limit);
  MutexLock lock(mutex_);
  std::vector<std::pair<const Slot*, std::int64_t>> before;
  for (const auto& slot : slots_) {
    if (slots.empty() || slots.contains(slot->plan.slot)) {
      before.emplace_back(slot.get(), slot->tokens);
    }
  }
  for (;;) {
    bool all = true;
    for (const auto& [slot, tokens] : before) {
      if (slot->tokens > tokens) continue;
      if (slot->ended) return false;
      all = false;
    }
    if (all) return true;
    if (changed_.wait_until(mutex_, end) == std::cv_status::timeout) {
      return false;
    }
  }
}

void StreamDriver::Cancel(int slot) {
  for (const auto& other : slots_) {
    if (other->plan.slot == slot) other->cancellation.Cancel();
  }
}

std::vector<Transcript> StreamDriver::Finish() {
  Join();
  MutexLock lock(mutex_);
  return std::exchange(transcripts_, {});
}

bool StreamDriver::ended() {
  MutexLock lock(mutex_);
  return running_ == 0;
}

}  // namespace apollo
