#include "dense_worker/dense_worker.h"

#include <absl/time/time.h>

#include <optional>
#include <utility>

#include "common/retry_hint.h"
#include "dense_worker/dense_sequence.h"
#include "link/look_watch.h"
#include "sequence/sequence_end.h"
#include "worker/link_log.h"

namespace apollo {
namespace {

constexpr absl::Duration kStuck = absl::Seconds(30);
// At most the shortest pause of a held sequence.
constexpr absl::Duration kTick = DenseSequence::kFirstPause;
// Limit on requests that the engine's thread has not seen yet. Beyond it, new
// ones are refused.
constexpr std::size_t kMaxUnseenBytes = std::size_t{64} << 20;
// The engine's thread takes requests between two steps, and then all of them.
constexpr absl::Duration kUnseenRetry = absl::Seconds(1);

absl::Status Moved() {
  return WithEnd(
      absl::UnavailableError("the dense worker is about to stop; try again"),
      SequenceEnd::kMoved);
}

}  // namespace

struct DenseWorker::Engine {
  Engine(DenseCore::Options options, std::unique_ptr<DenseStage> stage,
         RoutingLog& routing, const Clock& clock,
         const std::function<void()>& publish)
      : looks(options.lease, options.answer_timeout),
        thread([this] { return core->HasWork(); },
               [this, publish] {
                 core->Advance();
                 publish();
               }) {
    // May be called after the thread has stopped, which drops the event.
    stage->SetPost(
        [post = thread.poster(), publish](absl::AnyInvocable<void()> event) {
          return post([publish, event = std::move(event)]() mutable {
            event();
            publish();
          });
        });
    core.emplace(std::move(options), std::move(stage), routing, clock);
  }

  AttentionWatch looks;  // Of the engine's thread.
  LinkLog links;         // The same.
  EngineThread thread;
  // Reset by the thread that stops the engine, after the engine's thread has
  // ended.
  std::optional<DenseCore> core;
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
                         std::function<std::uint64_t()> inside,
                         const Clock& clock)
    : clock_(clock),
      engine_(std::make_shared<Engine>(std::move(options), std::move(stage),
                                       routing, clock, [this] { Publish(); })),
      inside_(std::move(inside)),
      watch_(kStuck, clock),
      ticker_(kTick, [this] { Tick(); }) {
  engine_->thread.Start();
}

DenseWorker::~DenseWorker() {
  engine_->thread.Stop();
  engine_->core.reset();
}

void DenseWorker::Tick() {
  engine_->thread.Post([this, now = clock_.Now()] {
    engine_->core->Tick(now, engine_->looks.Look(now));
    PublishQueue(now);
    // A stage that hangs does not keep the engine from its ticks.
    if (!engine_->core->AtWork()) {
      idle_ticks_.fetch_add(1, std::memory_order_relaxed);
    }
  });
}

std::uint64_t DenseWorker::progress() const {
  return idle_ticks_.load(std::memory_order_relaxed) +
         steps_computed_.load(std::memory_order_relaxed) +
         (inside_ ? inside_() : 0);
}

const DenseCounters& DenseWorker::counters() const {
  return engine_->core->counters();
}

void DenseWorker::Publish() {
  sequences_.store(engine_->core->sequences(), std::memory_order_relaxed);
  covered_.store(engine_->core->AllExpertsLive(), std::memory_order_relaxed);
  steps_computed_.store(engine_->core->steps_computed(),
                        std::memory_order_relaxed);
}

void DenseWorker::PublishQueue(absl::Duration now) {
  queued_rows_.store(engine_->core->queued_rows(), std::memory_order_relaxed);
  auto hashes = engine_->core->PrefixNews(now);
  if (!hashes) return;
  auto news = std::make_shared<const CachedPrefixes>(
      MakeCachedPrefixes(*std::move(hashes)));
  MutexLock lock(prefixes_mutex_);
  prefixes_ = std::move(news);
}

std::shared_ptr<const CachedPrefixes> DenseWorker::prefixes() const {
  MutexLock lock(prefixes_mutex_);
  return prefixes_;
}

std::unique_ptr<GenerationCall> DenseWorker::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  if (engine_->thread.waiting_bytes() >= kMaxUnseenBytes) {
    absl::Status refused = absl::ResourceExhaustedError(
        "too many requests are waiting for the dense worker's engine; try "
        "again");
    SetRetryHint(kUnseenRetry, refused);
    sink->OnFinished(std::move(refused));
    return std::make_unique<Call>([](const auto&) {}, 0);  // It has ended.
  }
  const std::size_t bytes =
      sizeof(request) + request.prompt.size() * sizeof(request.prompt[0]);
  const SequenceId id = next_sequence_.fetch_add(1, std::memory_order_relaxed);
  const bool posted = engine_->thread.Post(
      [this, id, request = std::move(request), sink]() mutable {
        if (handed_over_.load(std::memory_order_relaxed)) {
          sink->OnFinished(Moved());
          return;
        }
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
    engine_->links.Opened(id, peer);
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

void DenseWorker::OnLinkPiece(LinkId id) {
  engine_->thread.Post([this, id] { engine_->core->LinkPiece(id); });
}

void DenseWorker::OnLinkLeaving(LinkId id, bool leaving) {
  engine_->thread.Post([this, id, leaving] {
    engine_->links.Leaving(id, leaving);
    engine_->core->LinkLeaving(id, leaving);
    Publish();
  });
}

void DenseWorker::OnLinkWritable(LinkId id) {
  engine_->thread.Post([this, id] { engine_->core->LinkWritable(id); });
}

void DenseWorker::OnLinkDown(LinkId id, absl::Status status) {
  engine_->thread.Post([this, id, status = std::move(status)] {
    engine_->links.Closed(id, status);
    engine_->core->LinkDown(id);
    Publish();
  });
}

void DenseWorker::HandOver() {
  handed_over_.store(true, std::memory_order_relaxed);
  engine_->thread.Post([this] {
    engine_->core->EndAll(Moved());
    Publish();
  });
}

bool DenseWorker::Alive() const { return watch_.Moves(progress()); }

bool DenseWorker::Ready() const {
  if (handed_over_.load(std::memory_order_relaxed)) return false;
  const bool moves = Alive();
  return moves && covered_.load(std::memory_order_relaxed);
}

}  // namespace apollo
