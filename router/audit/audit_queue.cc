#include "router/audit/audit_log.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <iterator>
#include <utility>

#include "common/log.h"
#include "common/retry_hint.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

absl::Status Refusal() {
  absl::Status error = absl::UnavailableError(
      "the router cannot write its audit log; try again, or at another router");
  SetRetryHint(AuditLog::kRetryAfter, error);
  return error;
}

void Tell(const std::vector<AuditLog::Written>& calls,
          const absl::Status& status) {
  for (const AuditLog::Written& done : calls) done(status);
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(
    const AuditFile::Options& options, const Clock& clock) {
  if (options.path.empty()) return nullptr;
  absl::StatusOr<std::unique_ptr<AuditFile>> file = AuditFile::Open(options);
  if (!file.ok()) {
    return absl::Status(file.status().code(),
                        absl::StrCat("--audit_log: ", file.status().message()));
  }
  const auto dropped = static_cast<std::size_t>((*file)->dropped_bytes());
  return std::make_unique<AuditLog>(*std::move(file), clock, dropped);
}

AuditLog::AuditLog(std::unique_ptr<AuditSink> sink, const Clock& clock,
                   std::size_t dropped_bytes, std::size_t most_kept)
    : sink_(std::move(sink)), clock_(clock), most_kept_(most_kept) {
  queue_.push_back({AuditOpenedLine(dropped_bytes, absl::Now()), nullptr});
  thread_ = std::thread([this] { Run(); });
}

AuditLog::~AuditLog() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void AuditLog::WriteFirst(const AuditEntry& entry, Written done) {
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

void AuditLog::Write(const AuditEntry& entry, bool ran) {
  MutexLock lock(mutex_);
  if (queue_.size() >= (ran ? most_kept_ : most_kept_ / 2)) {
    ++lost_;
    ++counters_.lost;
    return;
  }
  queue_.push_back({AuditLine(entry, absl::Now()), nullptr});
  changed_.notify_all();
}

void AuditLog::Tick() {
  Calls refused;
  {
    MutexLock lock(mutex_);
    if (busy_ && clock_.Now() - busy_since_ >= kPatience) {
      refused = Fail(absl::DeadlineExceededError(absl::StrCat(
          "a write takes longer than ", absl::FormatDuration(kPatience))));
    } else if (counters_.failing != 0 && !busy_) {
      probing_ = true;
      changed_.notify_all();
    }
  }
  Tell(refused, Refusal());
}

void AuditLog::LetGo() {
  Calls refused;
  {
    MutexLock lock(mutex_);
    refused = Refuse();
  }
  Tell(refused, Refusal());
  MutexLock lock(mutex_);
  while (telling_calls_) changed_.wait(mutex_);
}

void AuditLog::Flush() {
  MutexLock lock(mutex_);
  while (busy_ || Due()) changed_.wait(mutex_);
}

bool AuditLog::Due() const {
  return counters_.failing != 0 ? probing_ : !queue_.empty();
}

void AuditLog::Run() {
  for (bool more = true; more;) {
    std::string text;
    bool stopping = false;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !Due()) changed_.wait(mutex_);
      stopping = stopping_;
      text = TakeBatch();
    }
    const absl::Status status =
        text.empty() ? absl::OkStatus() : sink_->Append(text);
    Calls calls;
    {
      MutexLock lock(mutex_);
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
    changed_.notify_all();
  }
}

std::string AuditLog::TakeBatch() {
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

AuditLog::Calls AuditLog::EndBatch(const absl::Status& status) {
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

AuditLog::Calls AuditLog::Fail(const absl::Status& reason) {
  if (counters_.failing == 0) {
    counters_.failing = 1;
    LogError("audit_failed", {{"reason", std::string(reason.message())}});
  }
  return Refuse();
}

AuditLog::Calls AuditLog::Refuse() {
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
