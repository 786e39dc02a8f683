#pragma once

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "router/worker_pool.h"
#include "sequence/generation.h"
#include "sequence/sequence_end.h"

namespace apollo {

// A sequence that a ScriptedPool has started. The test emits its events.
struct ScriptedRun {
  std::string worker;
  GenerationRequest request;
  std::shared_ptr<GenerationSink> sink;  // Null once it has ended.
  Mutex mutex;
  bool cancelled ABSL_GUARDED_BY(mutex) = false;
  bool paused ABSL_GUARDED_BY(mutex) = false;

  void Started(std::optional<SequenceNumerics> numerics = std::nullopt) {
    sink->OnStarted({worker, "expert", 0, std::move(numerics)});
  }
  void Token(int index, std::int32_t token) {
    sink->OnToken({index, token, -1, {}, {}});
  }
  void End(absl::StatusOr<GenerationFinished> finished) {
    const std::shared_ptr<GenerationSink> to = std::move(sink);
    to->OnFinished(std::move(finished));
  }
  bool IsCancelled() {
    MutexLock lock(mutex);
    return cancelled;
  }
  bool IsPaused() {
    MutexLock lock(mutex);
    return paused;
  }
};

// A pool for tests: each sequence starts on the first worker that is up and not
// avoided. Thread-safe.
class ScriptedPool final : public WorkerPool {
 public:
  explicit ScriptedPool(std::vector<std::string> workers)
      : workers_(std::move(workers)) {}
  ~ScriptedPool() override {
    for (const auto& run : runs_) run->sink = nullptr;
  }

  void SetUp(const std::string& worker, bool up) {
    MutexLock lock(mutex_);
    if (up) {
      down_.erase(worker);
    } else {
      down_.insert(worker);
    }
  }
  // Sets the end of sequences without a worker.
  void SetEndWithoutWorker(SequenceEnd end) { nobody_ = end; }
  // Is called with each run within StartElsewhere, after it was recorded.
  void Play(std::function<void(ScriptedRun&)> script) {
    script_ = std::move(script);
  }
  // Returns the run that was started as number `index`.
  ScriptedRun& run(std::size_t index) {
    MutexLock lock(mutex_);
    return *runs_.at(index);
  }
  std::size_t runs() {
    MutexLock lock(mutex_);
    return runs_.size();
  }
  std::set<std::string> suspects() {
    MutexLock lock(mutex_);
    return suspects_;
  }

  std::unique_ptr<GenerationCall> StartElsewhere(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink,
      const std::set<std::string>& avoid,
      const std::function<void(const std::string&)>& chosen) override {
    std::shared_ptr<ScriptedRun> run;
    {
      MutexLock lock(mutex_);
      for (const std::string& worker : workers_) {
        if (down_.contains(worker) || avoid.contains(worker)) continue;
        run = std::make_shared<ScriptedRun>();
        run->worker = worker;
        break;
      }
    }
    if (run == nullptr) {
      sink->OnFinished(
          WithEnd(absl::UnavailableError("no dense worker is ready"), nobody_));
      return nullptr;
    }
    run->request = std::move(request);
    run->sink = std::move(sink);
    chosen(run->worker);
    {
      MutexLock lock(mutex_);
      runs_.push_back(run);
    }
    if (script_) script_(*run);
    return std::make_unique<Call>(run);
  }
  void Suspect(const std::string& worker) override {
    MutexLock lock(mutex_);
    suspects_.insert(worker);
  }

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request,
      std::shared_ptr<GenerationSink> sink) override {
    return StartElsewhere(std::move(request), std::move(sink), {},
                          [](const std::string&) {});
  }
  bool Ready() override { return true; }
  std::string ModelHash() override { return "scripted"; }
  void CollectRouting(
      absl::Duration /*window*/,
      std::function<void(std::vector<WorkerRouting>)> done) override {
    done({});
  }
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override {
    done({});
  }

 private:
  class Call final : public GenerationCall {
   public:
    explicit Call(std::shared_ptr<ScriptedRun> run) : run_(std::move(run)) {}
    void Cancel() override {
      MutexLock lock(run_->mutex);
      run_->cancelled = true;
    }
    void SetPaused(bool paused) override {
      MutexLock lock(run_->mutex);
      run_->paused = paused;
    }

   private:
    const std::shared_ptr<ScriptedRun> run_;
  };

  const std::vector<std::string> workers_;
  std::function<void(ScriptedRun&)> script_;
  SequenceEnd nobody_ = SequenceEnd::kAnswered;
  Mutex mutex_;
  std::set<std::string> down_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> suspects_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<ScriptedRun>> runs_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace apollo
