#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/clock.h"
#include "common/engine_thread.h"
#include "common/mutex.h"
#include "common/progress_watch.h"
#include "common/ticker.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/dense_counters.h"
#include "dense_worker/routing_log.h"
#include "engine/dense_stage.h"
#include "link/link_session.h"
#include "sequence/generation.h"
#include "sequence/prefix_hash.h"

namespace apollo {

// A running dense worker: a DenseCore in a thread of its own, fed by links and
// by callers that start sequences. Thread-safe.
class DenseWorker final : public LinkEvents, public GenerationBackend {
 public:
  // `routing` and `clock` must outlive the worker. `inside`, if given, returns
  // a number that changes while the stage is inside a piece of work; any
  // thread.
  DenseWorker(DenseCore::Options options, std::unique_ptr<DenseStage> stage,
              RoutingLog& routing,
              std::function<std::uint64_t()> inside = nullptr,
              const Clock& clock = Clock::Real());
  // All links must have ended. Finishes running sequences with UNAVAILABLE.
  ~DenseWorker() override;

  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;

  void OnLinkUp(LinkId id, const WorkerInfo& peer,
                std::shared_ptr<Link> link) override;
  void OnLinkFrame(LinkId id, Frame frame) override;
  void OnLinkPiece(LinkId id) override;
  void OnLinkLeaving(LinkId id, bool leaving) override;
  void OnLinkDown(LinkId id, absl::Status status) override;
  void OnLinkWritable(LinkId id) override;

  // Gives all sequences up because the process is about to stop: each ends with
  // UNAVAILABLE and SequenceEnd::kMoved, for its router to continue it
  // elsewhere, and so do later ones. The worker is not ready any more. Returns
  // at once; the sequences end soon. Any thread, any number of times.
  void HandOver();

  // Returns true if live expert workers have every expert and the engine makes
  // progress: a long step that does is not stuck.
  bool Ready() const;
  // Returns false if the engine has made no progress for half a minute: then it
  // hangs, and the process should be started again. A worker without work, or
  // that is not ready because of others, is alive. Any thread.
  bool Alive() const;

  // Returns a number that changes several times a second unless the engine or
  // its stage hangs: with every step that the stage completes, as `inside`
  // does, and, while no step is in the stage, with every tick of the engine's
  // thread.
  std::uint64_t progress() const;

  // Returns the prefixes in the cache as of about a second ago; null without
  // prefix caching. Any thread.
  std::shared_ptr<const CachedPrefixes> prefixes() const;
  // Returns the rows of prompts that are not computed yet. Any thread.
  std::int64_t queued_rows() const {
    return queued_rows_.load(std::memory_order_relaxed);
  }

  // Lets time-outs and pauses end that are due. The worker does so by itself,
  // several times a second; tests may do it when it suits them.
  void Tick();

  // Valid during the lifetime of the worker.
  const DenseCounters& counters() const;

  // Sequences in progress.
  int sequences() const { return sequences_.load(std::memory_order_relaxed); }

 private:
  // Update what other threads read; the second one costs more. Run in the
  // engine's thread.
  void Publish();
  void PublishQueue(absl::Duration now) ABSL_LOCKS_EXCLUDED(prefixes_mutex_);

  const Clock& clock_;
  // Shared with the calls, which may outlive the worker.
  struct Engine;
  const std::shared_ptr<Engine> engine_;
  std::atomic<SequenceId> next_sequence_{1};
  std::atomic<int> sequences_{0};
  std::atomic<std::int64_t> queued_rows_{0};
  mutable Mutex prefixes_mutex_;
  std::shared_ptr<const CachedPrefixes> prefixes_
      ABSL_GUARDED_BY(prefixes_mutex_);
  std::atomic<bool> covered_{false};
  std::atomic<bool> handed_over_{false};
  std::atomic<std::uint64_t> steps_computed_{0};
  std::atomic<std::uint64_t> idle_ticks_{0};
  const std::function<std::uint64_t()> inside_;
  mutable ProgressWatch watch_;
  Ticker ticker_;
};

}  // namespace apollo
