#include "dense_worker/dense_worker.h"

#include <absl/time/time.h>

#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "dense_worker/dense_sequence.h"

namespace apollo {
namespace {

constexpr absl::Duration kStuck = absl::Seconds(30);
// At most the shortest pause of a held sequence.
constexpr absl::Duration kTick = DenseSequence::kFirstPause;
// Limit on requests that the engine's thread has not seen yet. Beyond it, new
// ones are refused.
constexpr std::size_t kMaxUnseenBytes = std::size_t{64} << 20;

}  // namespace

struct DenseWorker::Engine {
  Engine(DenseCore::Options options, std::unique_ptr<DenseStage> stage,
         RoutingLog& routing, std::function<void()> publish)
      : core(std::in_place, std::move(options), std::move(stage), routing),
        thread([this] { return core->HasWork(); },
               [this, publish] {
                 core->Advance();
                 publish();
               }) {}

  // Reset by the thread that stops the engine, after the engine's thread has
  // ended.
  std::optional<DenseCore> core;
  std::atomic<std::uint64_t> progress{0};  // Written by the engine's thread.
  EngineThread thread;
};

namespace {

class Call final : public GenerationCall {
 public:
  using Post = std::function<void(std::function<void(DenseCore&)>)>;

  Call(Post post, SequenceId id) : post_(std::move(post)), id_(id) {}
  void Cancel() override {
    post_([id = id_](DenseCore& core) { core.Cancel(id); });
  }
  void SetPaused(bool paused) override {
    post_([id = id_, paused](DenseCore& core) { core.SetPaused(id, paused); });
  }

 private:
  const Post post_;
  const SequenceId id_;
};

}  // namespace

DenseWorker::DenseWorker(DenseCore::Options options,
                         std::unique_ptr<DenseStage> stage, RoutingLog& routing,
                         std::function<std::uint64_t()> inside)
    : engine_(std::make_shared<Engine>(std::move(options), std::move(stage),
                                       routing, [this] { Publish(); })),
      inside_(std::move(inside)),
      watch_(kStuck),
      ticker_(kTick, [engine = engine_] {
        engine->thread.Post([engine = engine.get(), now = Clock::Real().Now()] {
          engine->core->Tick(now);
          engine->progress.fetch_add(1, std::memory_order_relaxed);
        });
      }) {
  engine_->thread.Start();
}

DenseWorker::~DenseWorker() {
  engine_->thread.Stop();
  engine_->core.reset();
}

std::uint64_t DenseWorker::progress() const {
  return engine_->progress.load(std::memory_order_relaxed) +
         (inside_ ? inside_() : 0);
}

const DenseCounters& DenseWorker::counters() const {
  return engine_->core->counters();
}

void DenseWorker::Publish() {
  sequences_.store(engine_->core->sequences(), std::memory_order_relaxed);
  covered_.store(engine_->core->AllExpertsLive(), std::memory_order_relaxed);
}

std::unique_ptr<GenerationCall> DenseWorker::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  if (engine_->thread.waiting_bytes() >= kMaxUnseenBytes) {
    sink->OnFinished(
        absl::ResourceExhaustedError("too many requests are waiting for the "
                                     "dense worker's engine; try again"));
    return std::make_unique<Call>([](const auto&) {}, 0);  // It has ended.
  }
  const std::size_t bytes =
      sizeof(request) + request.prompt.size() * sizeof(request.prompt[0]);
  const SequenceId id = next_sequence_.fetch_add(1, std::memory_order_relaxed);
  const bool posted = engine_->thread.Post(
      [this, id, request = std::move(request), sink]() mutable {
        engine_->core->Submit(id, std::move(request), std::move(sink));
        Publish();
      },
      bytes);
  if (!posted) {
    sink->OnFinished(
        absl::UnavailableError("the dense worker is shutting down"));
  }
  return std::make_unique<Call>(
      [engine = engine_](std::function<void(DenseCore&)> event) {
        // A stopped engine drops this: it has finished every sequence itself.
        engine->thread.Post([engine = engine.get(), event = std::move(event)] {
          event(*engine->core);
        });
      },
      id);
}

void DenseWorker::OnLinkUp(LinkId id, const WorkerInfo& peer,
                           std::shared_ptr<Link> link) {
  engine_->thread.Post([this, id, peer, link = std::move(link)]() mutable {
    LogInfo("link_opened",
            {{"peer", peer.name},
             {"experts", static_cast<int>(peer.resident.everywhere.size())}});
    engine_->core->LinkUp(id, peer, std::move(link));
    Publish();
  });
}

void DenseWorker::OnLinkFrame(LinkId id, Frame frame) {
  engine_->thread.Post([this, id, frame = std::move(frame)]() mutable {
    engine_->core->LinkFrame(id, std::move(frame));
    Publish();
  });
}

void DenseWorker::OnLinkLeaving(LinkId id, bool leaving) {
  engine_->thread.Post([this, id, leaving] {
    LogInfo(leaving ? "peer_unlisted" : "peer_relisted", {});
    engine_->core->LinkLeaving(id, leaving);
    Publish();
  });
}

void DenseWorker::OnLinkWritable(LinkId id) {
  engine_->thread.Post([this, id] { engine_->core->LinkWritable(id); });
}

void DenseWorker::OnLinkDown(LinkId id, absl::Status status) {
  engine_->thread.Post([this, id, status = std::move(status)] {
    LogInfo("link_closed", {{"reason", std::string(status.message())}});
    engine_->core->LinkDown(id);
    Publish();
  });
}

bool DenseWorker::Ready() const {
  const bool moves = watch_.Moves(progress());
  return covered_.load(std::memory_order_relaxed) &&
         (moves || engine_->thread.Responsive(kStuck));
}

}  // namespace apollo
