#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "model/tokenizer/tokenizer.h"
#include "router/backend.h"
#include "sequence/generation.h"

namespace apollo {

// A sequence of a ScriptedBackend, controlled by a script. All methods may be
// called from any thread, the events by one thread at a time; Finish may
// interrupt them. Keeps its sink until Finish.
class ScriptedSequence {
 public:
  ScriptedSequence(const Tokenizer& tokenizer, GenerationRequest request,
                   std::shared_ptr<GenerationSink> sink)
      : request(std::move(request)),
        tokenizer_(tokenizer),
        sink_(std::move(sink)) {}

  void Started(int cached_tokens = 0);
  // Emits one token for each byte of the text.
  void Say(const std::string& text);
  void Token(GeneratedToken token);  // Fills in the index.
  void TokenAt(int index, std::int32_t token);
  void Prompt(const PromptLogprobs& prompt);
  void Finish(absl::StatusOr<GenerationFinished> finished);
  void Finish(FinishCause cause) { Finish(GenerationFinished{cause, {}, {}}); }
  // Destroys the sink, which hears nothing of it. A sink and the calls of its
  // session own each other until one of them ends.
  void DropSink();

  void AwaitCancel();
  bool cancelled();
  // Sets an additional action of Cancel. Call it before Cancel can be called.
  void OnCancel(std::function<void()> action);
  void Cancel();
  void SetPaused(bool paused);
  bool paused();

  const GenerationRequest request;

 private:
  std::shared_ptr<GenerationSink> sink();

  const Tokenizer& tokenizer_;
  int next_index_ = 0;
  Mutex mutex_;
  std::shared_ptr<GenerationSink> sink_ ABSL_GUARDED_BY(mutex_);
  CondVar changed_;
  std::function<void()> on_cancel_ ABSL_GUARDED_BY(mutex_);
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
};

// A stand-in for a cluster whose sequences follow a script.
class ScriptedBackend final : public RouterBackend {
 public:
  using Script = std::function<void(ScriptedSequence&)>;
  enum class Where { kThread, kCaller };

  explicit ScriptedBackend(const Tokenizer& tokenizer)
      : tokenizer_(tokenizer) {}
  // Waits for all scripts, and drops the sinks of unfinished sequences.
  ~ScriptedBackend() override;

  // Sets the script of later sequences, which runs on a thread of its own or
  // within Start.
  void Play(Script script, Where where = Where::kThread);
  // Waits for all scripts to return.
  void Join();
  // Waits until `count` sequences have been started; returns false after half a
  // minute.
  bool AwaitSequences(std::size_t count);
  // Waits until all calls that Start returned have been destroyed; returns
  // false after half a minute.
  bool AwaitNoHandles();
  // Returns all sequences started so far.
  std::vector<std::shared_ptr<ScriptedSequence>> sequences();

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override { return true; }
  std::string ModelHash() override { return "scripted"; }
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override;
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override;

  // Sets the answer of CollectRouting.
  void SetRouting(std::vector<WorkerRouting> routing);
  // Sets the answer of CollectStatus.
  void SetStatus(std::vector<ProcessStatus> status);
  // Returns the window of the last CollectRouting.
  absl::Duration routing_window();

 private:
  class Handle;

  const Tokenizer& tokenizer_;
  Mutex mutex_;
  CondVar changed_;
  int handles_ ABSL_GUARDED_BY(mutex_) = 0;
  Script script_ ABSL_GUARDED_BY(mutex_);
  std::vector<WorkerRouting> routing_ ABSL_GUARDED_BY(mutex_);
  std::vector<ProcessStatus> status_ ABSL_GUARDED_BY(mutex_);
  absl::Duration routing_window_ ABSL_GUARDED_BY(mutex_);
  Where where_ ABSL_GUARDED_BY(mutex_) = Where::kThread;
  std::vector<std::shared_ptr<ScriptedSequence>> sequences_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
