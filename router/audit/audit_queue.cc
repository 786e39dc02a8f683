#include "router/audit/audit_queue.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <chrono>
#include <condition_variable>
#include <iterator>
#include <utility>

#include "common/log.h"
#include "common/retry_hint.h"

namespace apollo {
namespace {

absl::Status Refusal() {
  absl::Status error = absl::UnavailableError(
      "the router cannot write its audit log; try again, or at another router");
  SetRetryHint(AuditQueue::kRetryAfter, error);
  return error;
}

void Tell(const std::vector<AuditQueue::Written>& calls,
          const absl::Status& status) {
  for (const AuditQueue::Written& done : calls) done(status);
}

}  // namespace

AuditQueue::AuditQueue(std::unique_ptr<AuditSink> sink, const Clock& clock,
                       std::size_t dropped_bytes, std::size_t most_kept)
    : sink_(std::move(sink)), clock_(clock), most_kept_(most_kept) {
  queue_.push_back({AuditOpenedLine(dropped_bytes, absl::Now()), nullptr});
}

void AuditQueue::WriteFirst(const AuditEntry& entry, Written done) {
  {
    MutexLock lock(mutex_);
    if (counters_.failing == 0) {
      queue_.push_back({AuditLine(entry, absl::Now()), std::move(done)});
      changed_.notify_all();
      return;
    }
    ++refused_;
    ++counters_.refused;
  }
  done(Refusal());
}

void AuditQueue::Write(const AuditEntry& entry, bool ran) {
  MutexLock lock(mutex_);
  Push(AuditLine(entry, absl::Now()), ran ? most_kept_ : most_kept_ / 2);
}

void AuditQueue::WriteRefused(const AuditEntry& entry) {
  MutexLock lock(mutex_);
  const absl::Duration now = clock_.Now();
  // While the log fails, the windows count on.
  if (counters_.failing == 0) Push(refused_calls_.TakeOver(now));
  if (refused_calls_.HasEntry(entry.caller.name, entry.code, now)) {
    Push(AuditLine(entry, absl::Now()), most_kept_ / 2);
  } else {
    ++counters_.counted;
  }
}

void AuditQueue::Push(std::string text, std::size_t most) {
  // A write that fails brings its lines back.
  if (queue_.size() + writing_.size() >= most) {
    ++lost_;
    ++counters_.lost;
    return;
  }
  queue_.push_back({std::move(text), nullptr});
  changed_.notify_all();
}

void AuditQueue::Push(const std::vector<RefusedCalls::Summary>& summaries) {
  for (const RefusedCalls::Summary& summary : summaries) {
    Push(AuditRefusedLine(summary, absl::Now()), most_kept_);
  }
}

void AuditQueue::Tick() {
  Calls refused;
  {
    MutexLock lock(mutex_);
    if (busy_ && clock_.Now() - busy_since_ >= kPatience) {
      refused = Fail(absl::DeadlineExceededError(absl::StrCat(
          "a write takes longer than ", absl::FormatDuration(kPatience))));
    } else if (counters_.failing == 0) {
      Push(refused_calls_.TakeOver(clock_.Now()));
    } else if (!busy_) {
      probing_ = true;
      changed_.notify_all();
    }
  }
  Tell(refused, Refusal());
}

void AuditQueue::LetGo() {
  Calls refused;
  {
    MutexLock lock(mutex_);
    refused = Refuse();
  }
  Tell(refused, Refusal());
  MutexLock lock(mutex_);
  while (telling_calls_) changed_.wait(mutex_);
}

void AuditQueue::Flush() {
  MutexLock lock(mutex_);
  while (busy_ || Due()) changed_.wait(mutex_);
}

bool AuditQueue::Due() const {
  return counters_.failing != 0 ? probing_ : !queue_.empty();
}

void AuditQueue::Serve() {
  for (bool more = true; more;) {
    bool stopping = false;
    const std::string text = AwaitBatch(stopping);
    const absl::Status status =
        text.empty() ? absl::OkStatus() : sink_->Append(text);
    Calls calls;
    {
      MutexLock lock(mutex_);
      if (abandoned_) return;
      calls = EndBatch(status);
      telling_calls_ = true;
      more = !stopping || (status.ok() && !queue_.empty());
      if (!more && !queue_.empty()) {
        LogError("audit_entries_lost",
                 {{"entries", static_cast<std::int64_t>(queue_.size())}});
      }
    }
    Tell(calls, status.ok() ? absl::OkStatus() : Refusal());
    calls.clear();  // They may hold what is destroyed after LetGo.
    MutexLock lock(mutex_);
    telling_calls_ = false;
    stopped_ = !more;
    changed_.notify_all();
  }
}

bool AuditQueue::Stop(absl::Duration patience) {
  const auto end =
      std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(patience);
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
  while (!stopped_) {
    if (changed_.wait_until(mutex_, end) == std::cv_status::no_timeout) {
      continue;
    }
    if (stopped_) return true;
    abandoned_ = true;
    LogError("audit_entries_lost",
             {{"entries",
               static_cast<std::int64_t>(queue_.size() + writing_.size())}});
    return false;
  }
  return true;
}

std::string AuditQueue::AwaitBatch(bool& stopping) {
  MutexLock lock(mutex_);
  while (!stopping_ && !Due()) changed_.wait(mutex_);
  if (abandoned_) return "";
  stopping = stopping_;
  if (stopping) Push(refused_calls_.TakeAll(clock_.Now()));
  return TakeBatch();
}

std::string AuditQueue::TakeBatch() {
  busy_ = true;
  busy_since_ = clock_.Now();
  probing_ = false;
  writing_ = std::exchange(queue_, {});
  std::string text;
  for (const Line& line : writing_) text += line.text;
  telling_ = counters_.failing != 0 || lost_ > 0;
  if (telling_) {
    refused_told_ = refused_;
    lost_told_ = lost_;
    text += AuditResumedLine(refused_told_, lost_told_, absl::Now());
  }
  return text;
}

AuditQueue::Calls AuditQueue::EndBatch(const absl::Status& status) {
  busy_ = false;
  changed_.notify_all();
  if (!status.ok()) {
    Calls refused = Fail(status);
    std::erase_if(writing_, [](const Line& line) { return line.text.empty(); });
    queue_.insert(queue_.begin(), std::make_move_iterator(writing_.begin()),
                  std::make_move_iterator(writing_.end()));
    writing_.clear();
    return refused;
  }
  counters_.written += std::ssize(writing_) + (telling_ ? 1 : 0);
  Calls calls;
  for (Line& line : writing_) {
    if (line.done != nullptr) calls.push_back(std::move(line.done));
  }
  writing_.clear();
  if (!telling_) return calls;
  if (counters_.failing != 0) {
    counters_.failing = 0;
    LogInfo("audit_recovered",
            {{"refused_calls", refused_told_}, {"lost_entries", lost_told_}});
  }
  refused_ -= refused_told_;
  lost_ -= lost_told_;
  return calls;
}

AuditQueue::Calls AuditQueue::Fail(const absl::Status& reason) {
  if (counters_.failing == 0) {
    counters_.failing = 1;
    LogError("audit_failed", {{"reason", std::string(reason.message())}});
  }
  return Refuse();
}

AuditQueue::Calls AuditQueue::Refuse() {
  Calls refused;
  for (std::deque<Line>* lines : {&writing_, &queue_}) {
    for (Line& line : *lines) {
      if (line.done == nullptr) continue;
      refused.push_back(std::exchange(line.done, nullptr));
      line.text.clear();
    }
  }
  std::erase_if(queue_, [](const Line& line) { return line.text.empty(); });
  refused_ += std::ssize(refused);
  counters_.refused += std::ssize(refused);
  return refused;
}

}  // namespace apollo
