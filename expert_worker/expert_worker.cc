#include "expert_worker/expert_worker.h"

#include <set>
#include <utility>
#include <variant>

namespace apollo {

constexpr absl::Duration kStuck = absl::Seconds(30);
// Well below half of the shortest lease: see LookWatch.
constexpr absl::Duration kTick = absl::Milliseconds(50);
// Every fifth tick reports the load.
constexpr int kTicksOfAReport = 5;

ExpertWorker::ExpertWorker(ExpertCore::Options options,
                           std::unique_ptr<ExpertStage> stage,
                           std::function<std::uint64_t()> inside,
                           const Clock& clock,
                           std::unique_ptr<ExpertLoader> loader)
    : clock_(clock),
      loader_(std::move(loader)),
      thread_([this] { return core_.HasWork(); },
              [this] {
                core_.Advance();
                Worked();
              }),
      looks_(options.lease, options.answer_timeout),
      core_(WithLoads(std::move(options)), Connected(std::move(stage)), clock),
      progress_(std::move(inside)),
      watch_(kStuck, clock),
      ticker_(kTick,
              [this] { Tick(/*report=*/ticks_++ % kTicksOfAReport == 0); }),
      reports_(ProgressReporter::kInterval, [this] { progress_.Report(); }) {
  if (loader_ != nullptr) {
    loads_.emplace(
        *loader_,
        [this](LayerExpert which,
               absl::StatusOr<std::unique_ptr<ExpertWeights>> weights) {
          thread_.Post([this, which, weights = std::move(weights)]() mutable {
            core_.Loaded(which, std::move(weights));
            Worked();
          });
        });
  }
  Publish();
  thread_.Start();
}

ExpertCore::Options ExpertWorker::WithLoads(ExpertCore::Options options) {
  if (loader_ == nullptr) return options;
  options.residence.bytes = [this](LayerExpert which) {
    return loader_->Bytes(which);
  };
  options.residence.load = [this](LayerExpert which) { loads_->Load(which); };
  return options;
}

std::unique_ptr<ExpertStage> ExpertWorker::Connected(
    std::unique_ptr<ExpertStage> stage) {
  // May be called after the thread has stopped, which drops the event.
  stage->SetPost(
      [this, post = thread_.poster()](absl::AnyInvocable<void()> event) {
        return post([this, event = std::move(event)]() mutable {
          event();
          Worked();
        });
      });
  return stage;
}

ExpertWorker::~ExpertWorker() { thread_.Stop(); }

void ExpertWorker::Tick() { Tick(/*report=*/true); }

void ExpertWorker::Tick(bool report) {
  thread_.Post([this, report, now = clock_.Now()] {
    core_.Tick(now, report, looks_.Look(now));
    Worked();
    Publish();  // Experts have come or gone, perhaps.
  });
}

void ExpertWorker::Worked() {
  if (!core_.AtWork()) progress_.Advanced();
  PublishLoad();
}

void ExpertWorker::PublishLoad() {
  sequences_.store(core_.sequences(), std::memory_order_relaxed);
}

void ExpertWorker::Publish() {
  PublishLoad();
  peers_run_.store(core_.PeersRun(), std::memory_order_relaxed);
  peers_take_over_.store(core_.PeersTakeOver(), std::memory_order_relaxed);
  covered_.store(core_.ReachesAll(), std::memory_order_relaxed);
}

void ExpertWorker::OnLinkUp(LinkId id, const WorkerInfo& peer,
                            std::shared_ptr<Link> link) {
  thread_.Post([this, id, peer, link = std::move(link)]() mutable {
    links_.Opened(id, peer);
    progress_.Add(id, link);
    core_.LinkUp(id, peer, std::move(link));
    Publish();
  });
}

void ExpertWorker::OnLinkFrame(LinkId id, Frame frame) {
  // A peer's description asks for no work.
  const bool info = std::holds_alternative<WorkerInfo>(frame.body);
  if (!info && !std::holds_alternative<Progress>(frame.body)) {
    last_frame_nanos_.store(absl::ToInt64Nanoseconds(clock_.Now()),
                            std::memory_order_relaxed);
  }
  thread_.Post([this, id, info, frame = std::move(frame)]() mutable {
    core_.LinkFrame(id, std::move(frame));
    if (info) {
      Publish();
    } else {
      PublishLoad();
    }
  });
}

void ExpertWorker::OnLinkPiece(LinkId id) {
  thread_.Post([this, id] { core_.LinkPiece(id); });
}

void ExpertWorker::OnLinkLeaving(LinkId id, bool leaving) {
  thread_.Post([this, id, leaving] {
    links_.Leaving(id, leaving);
    core_.LinkLeaving(id, leaving);
    Publish();
  });
}

void ExpertWorker::OnLinkWritable(LinkId /*id*/) {
  thread_.Post([] {});  // Work that waited for room may continue.
}

void ExpertWorker::OnLinkDown(LinkId id, absl::Status status) {
  thread_.Post([this, id, status = std::move(status)] {
    links_.Closed(id, status);
    progress_.Remove(id);
    core_.LinkDown(id);
    Publish();
  });
}

void ExpertWorker::TakePlacement(Placement placement) {
  thread_.Post([this, placement = std::move(placement)]() mutable {
    core_.TakePlacement(std::move(placement));
  });
}

void ExpertWorker::Drain(bool hand_over) {
  thread_.Post([this, hand_over] {
    core_.Drain(hand_over);
    Publish();
    if (told_nanos_.load(std::memory_order_relaxed) >= 0) return;  // Again.
    told_nanos_.store(absl::ToInt64Nanoseconds(clock_.Now()),
                      std::memory_order_release);
  });
}

absl::Duration ExpertWorker::ToldFor() const {
  const std::int64_t told = told_nanos_.load(std::memory_order_acquire);
  return told < 0 ? absl::ZeroDuration()
                  : clock_.Now() - absl::Nanoseconds(told);
}

absl::Duration ExpertWorker::QuietFor() const {
  return clock_.Now() -
         absl::Nanoseconds(last_frame_nanos_.load(std::memory_order_relaxed));
}

bool ExpertWorker::Alive() const { return watch_.Moves(progress_.progress()); }

bool ExpertWorker::Ready() const {
  const bool moves = Alive();
  return moves && covered_.load(std::memory_order_relaxed);
}

}  // namespace apollo
