// Any messages from two expert workers to the core of a dense worker, among
// sequences that begin, pause and are cancelled, links that end and the time
// that passes: each sequence ends once, with its tokens in order.
//
// The input is a byte that chooses the stage, and a series of actions.

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/log.h"
#include "dense_worker/dense_core_fixture.h"
#include "tests/fuzz/links/script.h"

namespace apollo {
namespace {

constexpr int kBlocks = 16;
constexpr int kMostActions = 200;

enum Action : std::uint8_t {
  kMessage0,  // Followed by a LinkMessage after its size.
  kMessage1,
  kEnd0,
  kEnd1,
  kAnswer0,  // A right one to the oldest step, with the token that follows.
  kAnswer1,
  kReady0,  // A right description.
  kReady1,
  kRoom0,  // Whether the link has room follows.
  kRoom1,
  kSubmit,  // Followed by four bytes: see Request.
  kCancel,  // Followed by the sequence.
  kPause,   // The same.
  kResume,
  kStep,
  kDeliver,  // The oldest completion.
  kTime,     // Followed by a byte.
  kActions
};

class StrictSink final : public GenerationSink {
 public:
  explicit StrictSink(int first) : next_(first) {}
  void OnStarted(const GenerationStarted& /*started*/) override {
    APOLLO_CHECK(!started_ && !finished_);
    started_ = true;
  }
  void OnPrompt(const PromptLogprobs& prompt) override {
    APOLLO_CHECK(started_ && !finished_ && prompt.index == prompt_);
    prompt_ += static_cast<int>(prompt.tokens.size());
  }
  void OnToken(const GeneratedToken& token) override {
    APOLLO_CHECK(started_ && !finished_ && token.index == next_++);
  }
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override {
    APOLLO_CHECK(!finished_ && (started_ || !finished.ok()));
    finished_ = true;
  }
  bool finished() const { return finished_; }

 private:
  int next_;
  int prompt_ = 1;
  bool started_ = false, finished_ = false;
};

class Play {
 public:
  explicit Play(bool later)
      : routing_(TinyConfig(), LanguageLabels(FamilyTable::Paper()), clock_) {
    std::unique_ptr<DenseStage> stage =
        std::make_unique<FakeDenseStage>(TinyConfig(), kBlocks);
    if (later) {
      stage = std::make_unique<AsyncDenseStage>(std::move(stage), later_);
    }
    DenseCore::Options options;
    options.name = "d";
    core_ = std::make_unique<DenseCore>(options, std::move(stage), routing_,
                                        clock_);
    for (int i = 0; i < 2; ++i) Connect(i);
  }

  void Do(Script& script, int action) {
    switch (action) {
      case kSubmit:
        Submit(script);
        break;
      case kCancel:
        core_->Cancel(script.Number());
        break;
      case kPause:
      case kResume:
        core_->SetPaused(script.Number(), action == kPause);
        break;
      case kStep:
        if (core_->HasWork()) core_->Advance();
        break;
      case kDeliver:
        if (!later_.empty()) later_.Deliver();
        break;
      case kTime:
        clock_.now += absl::Milliseconds(50 * script.Number());
        core_->Tick(clock_.now);
        break;
      default:
        DoOnLink(script, action & ~1, action & 1);
    }
    for (int i = 0; i < 2; ++i) {
      if (ends_[i].link->closed) Reconnect(i);
    }
  }

  void End() {
    core_->EndAll(absl::UnavailableError("the end"));
    APOLLO_CHECK(core_->sequences() == 0);
    while (!later_.empty()) later_.Deliver();
    core_.reset();
    for (const auto& sink : sinks_) APOLLO_CHECK(sink->finished());
  }

 private:
  // The far end of a link.
  struct Far {
    LinkId id = 0;
    std::uint64_t revision = 0;
    std::shared_ptr<FakeLink> link;
    FrameSource frames;
  };

  WorkerInfo Info(int i) {
    WorkerInfo info;
    info.role = WorkerRole::kExpert;
    info.name = "e" + std::to_string(i);
    info.instance = ends_[i].id;
    info.resident = info.reaches = kAll;
    info.ready = ends_[i].revision > 0;
    info.revision = ends_[i].revision++;
    return info;
  }

  void Connect(int i) {
    ends_[i] = {++last_id_, 0, std::make_shared<FakeLink>(), {}};
    core_->LinkUp(ends_[i].id, Info(i), ends_[i].link);
  }

  void Reconnect(int i) {
    core_->LinkDown(ends_[i].id);
    Connect(i);
  }

  void DoOnLink(Script& script, int action, int i) {
    Far& far = ends_[i];
    switch (action) {
      case kMessage0: {
        auto frame = far.frames.Add(script.Text());
        if (!frame.ok()) return Reconnect(i);
        if (frame->has_value()) core_->LinkFrame(far.id, **std::move(frame));
        return;
      }
      case kEnd0:
        return Reconnect(i);
      case kAnswer0: {
        far.link->KeepOnly<StageStep>();
        if (far.link->frames.empty()) return;
        const StageStep step = far.link->Take<StageStep>();
        core_->LinkFrame(far.id, {Answer(step, script.Number())});
        return;
      }
      case kReady0:
        core_->LinkFrame(far.id, {Info(i)});
        return;
      default:
        far.link->room = script.Number() % 2 == 1;
        if (far.link->room) core_->LinkWritable(far.id);
    }
  }

  void Submit(Script& script) {
    GenerationRequest request =
        Request(1 + script.Number() % 64, 1 + script.Number() % 16);
    request.priority = script.Number() % 3;
    const int kind = script.Number() % 8;
    if (kind == 1) request.score_tokens = std::ssize(request.prompt) / 2;
    if (kind == 2) request.prompt_logprobs = 0;
    if (kind == 3) request.answer_tokens = std::ssize(request.prompt) / 2;
    if (kind == 4) request.family = 3;
    if (kind == 5) request.deadline = clock_.now + absl::Seconds(1);
    sinks_.push_back(std::make_shared<StrictSink>(request.answer_tokens));
    core_->Submit(sinks_.size() - 1, std::move(request), sinks_.back());
  }

  FakeClock clock_;
  RoutingLog routing_;
  Later later_;
  LinkId last_id_ = 100;
  std::array<Far, 2> ends_;
  std::vector<std::shared_ptr<StrictSink>> sinks_;
  std::unique_ptr<DenseCore> core_;
};

void Try(const std::uint8_t* data, std::size_t size) {
  SetLogLevel(LogLevel::kError);
  Script script(data, size);
  Play play(script.Number() % 2 == 1);
  for (int i = 0; i < kMostActions; ++i) {
    const auto action = script.Byte();
    if (!action) break;
    play.Do(script, *action % kActions);
  }
  play.End();
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  GTEST_FLAG_SET(break_on_failure, true);
  apollo::Try(data, size);
  return 0;
}
