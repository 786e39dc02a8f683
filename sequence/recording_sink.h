#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <string>

#include "common/mutex.h"
#include "sequence/generation.h"

namespace apollo {

// A sink for tests that records a sequence's events as text and shows
// violations of the GenerationSink contract. Thread-safe.
class RecordingSink final : public GenerationSink {
 public:
  void OnStarted(const GenerationStarted& started) override {
    Add(absl::StrCat("started by ", started.dense_worker));
  }
  void OnPrompt(const PromptLogprobs& prompt) override {
    int position = prompt.index;
    for (const PromptLogprobs::Token& token : prompt.tokens) {
      Add(absl::StrCat(" prompt ", position++, ":", token.token, "=",
                       token.logprob, "/", token.alternatives.size()));
    }
  }
  void OnToken(const GeneratedToken& token) override {
    Add(absl::StrCat(" ", token.index, ":", token.token));
  }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    MutexLock lock(mutex_);
    text_ += finished.ok()
                 ? " finished"
                 : " " + absl::StatusCodeToString(finished.status().code());
    status_ = finished.status();
    ++finishes_;
    changed_.notify_all();
  }

  // Waits until the sequence has finished and returns all events. Relies on the
  // test's own timeout.
  std::string Await() {
    MutexLock lock(mutex_);
    while (finishes_ == 0) changed_.wait(mutex_);
    return text_;
  }
  // Waits until the events contain `part`. Returns false if the sequence ends
  // first.
  bool AwaitPart(const std::string& part) {
    MutexLock lock(mutex_);
    while (text_.find(part) == std::string::npos) {
      if (finishes_ > 0) return false;
      changed_.wait(mutex_);
    }
    return true;
  }
  std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }
  absl::Status status() {
    MutexLock lock(mutex_);
    return status_;
  }
  // Must be 1, with no event after it.
  int finishes() {
    MutexLock lock(mutex_);
    return finishes_;
  }

 private:
  void Add(const std::string& event) {
    MutexLock lock(mutex_);
    text_ += finishes_ > 0 ? event + " after the end" : event;
    changed_.notify_all();
  }

  Mutex mutex_;
  CondVar changed_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  int finishes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace apollo
