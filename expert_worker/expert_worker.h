#pragma once

#include <absl/time/time.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"
#include "common/engine_thread.h"
#include "common/progress_watch.h"
#include "common/ticker.h"
#include "engine/expert_stage.h"
#include "expert_worker/expert_core.h"
#include "expert_worker/expert_counters.h"
#include "expert_worker/load_thread.h"
#include "expert_worker/progress_reporter.h"
#include "link/link_session.h"
#include "link/look_watch.h"
#include "worker/link_log.h"

namespace apollo {

// A running expert worker: an ExpertCore in a thread of its own, fed by links.
// Thread-safe.
class ExpertWorker final : public LinkEvents {
 public:
  // The options' `requests` and `clock` must outlive the worker. `inside`, if
  // given, returns a number that changes while the stage is inside a piece of
  // work; any thread. `loader` loads further experts for the stage; without it
  // the stage keeps those that it has.
  ExpertWorker(ExpertCore::Options options, std::unique_ptr<ExpertStage> stage,
               std::function<std::uint64_t()> inside = nullptr,
               const Clock& clock = Clock::Real(),
               std::unique_ptr<ExpertLoader> loader = nullptr);
  // All links must have ended.
  ~ExpertWorker() override;

  void OnLinkUp(LinkId id, const WorkerInfo& peer,
                std::shared_ptr<Link> link) override;
  void OnLinkFrame(LinkId id, Frame frame) override;
  void OnLinkPiece(LinkId id) override;
  void OnLinkLeaving(LinkId id, bool leaving) override;
  void OnLinkDown(LinkId id, absl::Status status) override;
  void OnLinkWritable(LinkId id) override;

  // Takes a new placement file.
  void TakePlacement(Placement placement);

  // Accepts no new sequences from now on. Current ones may finish, or, with
  // `hand_over`, should move to other workers; peers are served as before.
  void Drain(bool hand_over);
  // Returns the time since the last frame with rows to compute or sequences to
  // release.
  absl::Duration QuietFor() const;
  // Returns the time since Drain has told the neighbours; 0 before that, which
  // may be a while after Drain has returned.
  absl::Duration ToldFor() const;
  // After that: see ExpertCore::PeersTakeOver.
  bool PeersTakeOver() const {
    return peers_take_over_.load(std::memory_order_relaxed);
  }
  // Returns true if some linked expert worker has reported sequences.
  bool PeersRun() const { return peers_run_.load(std::memory_order_relaxed); }

  // Returns true if every expert of the model is resident here or on a linked
  // peer, and the engine makes progress: a long piece of work that does is not
  // stuck.
  bool Ready() const;
  // Returns false if the engine has made no progress for half a minute: then it
  // hangs, and the process should be started again. A worker without work, or
  // that is not ready because of others, is alive. Any thread.
  bool Alive() const;

  // Returns a number that changes several times a second unless the engine or
  // its stage hangs: with every piece of work that the stage completes, as
  // `inside` does, and, while the stage is idle, with every tick of the
  // engine's thread.
  std::uint64_t progress() const { return progress_.progress(); }

  // Lets time-outs end that are due. The worker does so by itself, several
  // times a second; tests may do it when it suits them.
  void Tick();

  // Valid during the lifetime of the worker.
  const ExpertCounters& counters() const { return core_.counters(); }

  // Sequences in progress.
  int sequences() const { return sequences_.load(std::memory_order_relaxed); }

 private:
  // Tells the stage how to post its events.
  std::unique_ptr<ExpertStage> Connected(std::unique_ptr<ExpertStage> stage);
  // Lets the core load experts, if there is a loader.
  ExpertCore::Options WithLoads(ExpertCore::Options options);
  // Updates the values that other threads read and that change all the time,
  // and notes progress unless the stage is at work: only the stage itself can
  // make any then. Runs in the engine's thread.
  void Worked();
  // Update the values that other threads read: all of them, or those that
  // change all the time. Run in the engine's thread.
  void Publish();
  void PublishLoad();

  void Tick(bool report);

  const Clock& clock_;
  const std::unique_ptr<ExpertLoader> loader_;  // May be null.
  EngineThread thread_;   // Stopped before the core and its stage go.
  AttentionWatch looks_;  // Of the engine's thread.
  LinkLog links_;         // The same.
  ExpertCore core_;
  ProgressReporter progress_;
  mutable ProgressWatch watch_;
  std::atomic<int> sequences_{0};
  std::atomic<bool> covered_{false};
  std::atomic<bool> peers_run_{false};
  std::atomic<bool> peers_take_over_{false};
  std::atomic<std::int64_t> told_nanos_{-1};  // When Drain told; -1: not yet.
  std::atomic<std::int64_t> last_frame_nanos_{0};
  std::optional<LoadThread> loads_;
  unsigned ticks_ = 0;  // Of the ticker's thread.
  Ticker ticker_;
  Ticker reports_;
};

}  // namespace apollo
