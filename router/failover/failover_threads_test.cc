// Many sequences on workers that fail at any moment, with pauses and cancels
// from other threads: for ThreadSanitizer, and for the contract of the sinks.

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "router/failover/failover_backend.h"
#include "router/failover/scripted_pool.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

constexpr int kSequences = 60;
constexpr int kTokens = 12;

// Runs a sequence on a worker: each one gives up after a few tokens.
void Work(ScriptedRun& run, int tokens) {
  const GenerationRequest& request = run.request;
  run.Started(SequenceNumerics{"d", "e"});
  const int first = request.answer_tokens;
  for (int i = first; i < first + request.max_new_tokens; ++i) {
    if (run.IsCancelled()) return run.End(absl::CancelledError("cancelled"));
    if (i - first == tokens) {
      return run.End(
          WithEnd(absl::UnavailableError("stops"), SequenceEnd::kMoved));
    }
    run.Token(i, 100 + i);
  }
  run.End(GenerationFinished{FinishCause::kLength, {}, {}});
}

TEST(FailoverThreadsTest, EverySequenceSurvivesOrIsCancelledOnce) {
  prometheus::Registry registry;
  ScriptedPool pool({"a", "b", "c", "d"});
  Mutex mutex;
  std::vector<std::thread> workers;
  std::atomic<int> turn = 0;
  pool.Play([&](ScriptedRun& run) {
    // The pool keeps the run until the test has joined all workers.
    MutexLock lock(mutex);
    workers.emplace_back(
        [&run, tokens = 2 + turn++ % 5] { Work(run, tokens); });
  });
  ReissuePolicy::Limits limits;
  limits.patience = absl::Hours(1);  // However late a worker's thread is.
  limits.first_pause = limits.longest_pause = absl::Milliseconds(1);
  FailoverBackend backend(pool, limits, registry);
  backend.StartThread();
  std::vector<std::shared_ptr<RecordingSink>> sinks;
  std::vector<std::shared_ptr<GenerationCall>> calls;
  GenerationRequest request;
  request.prompt = {1};
  request.max_new_tokens = kTokens;
  for (int i = 0; i < kSequences; ++i) {
    sinks.push_back(std::make_shared<RecordingSink>());
    calls.push_back(backend.Start(request, sinks.back()));
  }
  std::thread controls([&calls] {
    for (int i = 0; i < kSequences; ++i) {
      calls[i]->SetPaused(true);
      if (i % 3 == 0) calls[i]->Cancel();
      calls[i]->SetPaused(false);
    }
  });
  std::string tokens;
  for (int i = 0; i < kTokens; ++i) {
    tokens += " " + std::to_string(i) + ":" + std::to_string(100 + i);
  }
  for (int i = 0; i < kSequences; ++i) {
    const std::string text = sinks[i]->Await();
    if (text.ends_with(" finished")) {
      EXPECT_TRUE(text.ends_with(tokens + " finished")) << text;
    } else {
      EXPECT_EQ(i % 3, 0) << text;
      EXPECT_TRUE(text.ends_with(" CANCELLED")) << text;
    }
  }
  controls.join();
  for (std::size_t i = 0;; ++i) {
    std::thread worker;
    {
      MutexLock lock(mutex);
      if (i == workers.size()) break;
      worker = std::move(workers[i]);
    }
    worker.join();
  }
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 1);
}

}  // namespace
}  // namespace apollo
