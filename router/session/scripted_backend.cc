#include "router/session/scripted_backend.h"

#include <chrono>
#include <utility>

namespace apollo {

class ScriptedBackend::Handle final : public GenerationCall {
 public:
  Handle(ScriptedBackend& backend, std::shared_ptr<ScriptedSequence> sequence)
      : backend_(backend), sequence_(std::move(sequence)) {
    MutexLock lock(backend_.mutex_);
    ++backend_.handles_;
  }
  ~Handle() override {
    MutexLock lock(backend_.mutex_);
    if (--backend_.handles_ == 0) backend_.changed_.notify_all();
  }
  void Cancel() override { sequence_->Cancel(); }
  void SetPaused(bool paused) override { sequence_->SetPaused(paused); }

 private:
  ScriptedBackend& backend_;
  const std::shared_ptr<ScriptedSequence> sequence_;
};

void ScriptedSequence::Started(int cached_tokens) {
  if (const auto to = sink()) {
    to->OnStarted({"dense-0", "expert-0", cached_tokens});
  }
}

void ScriptedSequence::Say(const std::string& text) {
  const auto ids = tokenizer_.Encode(text, SpecialText::kPlain);
  ASSERT_TRUE(ids.ok()) << ids.status();
  for (const TokenId id : *ids) Token({0, id, -1, {}, {}});
}

void ScriptedSequence::Token(GeneratedToken token) {
  token.index = next_index_++;
  if (const auto to = sink()) to->OnToken(token);
}

void ScriptedSequence::TokenAt(int index, std::int32_t token) {
  if (const auto to = sink()) to->OnToken({index, token, -1, {}, {}});
}

void ScriptedSequence::Prompt(const PromptLogprobs& prompt) {
  if (const auto to = sink()) to->OnPrompt(prompt);
}

void ScriptedSequence::Finish(absl::StatusOr<GenerationFinished> finished) {
  std::shared_ptr<GenerationSink> to;
  {
    MutexLock lock(mutex_);
    to = std::move(sink_);
    sink_ = nullptr;
  }
  if (to != nullptr) to->OnFinished(std::move(finished));
}

void ScriptedSequence::DropSink() {
  std::shared_ptr<GenerationSink> dropped;
  MutexLock lock(mutex_);
  dropped.swap(sink_);
  // `dropped` is destroyed after `lock`: see the order above.
}

std::shared_ptr<GenerationSink> ScriptedSequence::sink() {
  MutexLock lock(mutex_);
  return sink_;
}

void ScriptedSequence::AwaitCancel() {
  MutexLock lock(mutex_);
  while (!cancelled_) changed_.wait(mutex_);
}

bool ScriptedSequence::cancelled() {
  MutexLock lock(mutex_);
  return cancelled_;
}

void ScriptedSequence::OnCancel(std::function<void()> action) {
  MutexLock lock(mutex_);
  on_cancel_ = std::move(action);
}

void ScriptedSequence::Cancel() {
  std::function<void()> action;
  {
    MutexLock lock(mutex_);
    cancelled_ = true;
    action = on_cancel_;
  }
  changed_.notify_all();
  if (action) action();
}

void ScriptedSequence::SetPaused(bool paused) {
  MutexLock lock(mutex_);
  paused_ = paused;
}

bool ScriptedSequence::paused() {
  MutexLock lock(mutex_);
  return paused_;
}

ScriptedBackend::~ScriptedBackend() {
  Join();
  for (const auto& sequence : sequences()) sequence->DropSink();
}

void ScriptedBackend::Play(Script script, Where where) {
  MutexLock lock(mutex_);
  script_ = std::move(script);
  where_ = where;
}

void ScriptedBackend::Join() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

bool ScriptedBackend::AwaitNoHandles() {
  const auto forever =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  MutexLock lock(mutex_);
  while (handles_ > 0) {
    if (changed_.wait_until(mutex_, forever) == std::cv_status::timeout) {
      return handles_ == 0;
    }
  }
  return true;
}

bool ScriptedBackend::AwaitSequences(std::size_t count) {
  const auto forever =
      std::chrono::steady_clock::now() + std::chrono::seconds(30);
  MutexLock lock(mutex_);
  while (sequences_.size() < count) {
    if (changed_.wait_until(mutex_, forever) == std::cv_status::timeout) {
      return sequences_.size() >= count;
    }
  }
  return true;
}

std::vector<std::shared_ptr<ScriptedSequence>> ScriptedBackend::sequences() {
  MutexLock lock(mutex_);
  return sequences_;
}

std::unique_ptr<GenerationCall> ScriptedBackend::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  auto sequence = std::make_shared<ScriptedSequence>(
      tokenizer_, std::move(request), std::move(sink));
  Script here;
  {
    MutexLock lock(mutex_);
    sequences_.push_back(sequence);
    changed_.notify_all();
    if (where_ == Where::kCaller) {
      here = script_;
    } else {
      threads_.emplace_back(
          [script = script_, sequence] { script(*sequence); });
    }
  }
  if (here) here(*sequence);
  return std::make_unique<Handle>(*this, std::move(sequence));
}

void ScriptedBackend::CollectRouting(
    absl::Duration window,
    std::function<void(std::vector<WorkerRouting>)> done) {
  std::vector<WorkerRouting> routing;
  {
    MutexLock lock(mutex_);
    routing_window_ = window;
    routing = routing_;
  }
  done(std::move(routing));
}

void ScriptedBackend::SetRouting(std::vector<WorkerRouting> routing) {
  MutexLock lock(mutex_);
  routing_ = std::move(routing);
}

absl::Duration ScriptedBackend::routing_window() {
  MutexLock lock(mutex_);
  return routing_window_;
}

void ScriptedBackend::CollectStatus(
    std::function<void(std::vector<ProcessStatus>)> done) {
  std::vector<ProcessStatus> status;
  {
    MutexLock lock(mutex_);
    status = status_;
  }
  done(std::move(status));
}

void ScriptedBackend::SetStatus(std::vector<ProcessStatus> status) {
  MutexLock lock(mutex_);
  status_ = std::move(status);
}

}  // namespace apollo
