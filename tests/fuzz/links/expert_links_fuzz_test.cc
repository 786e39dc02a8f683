// Any messages from two dense workers and a peer to the core of an expert
// worker, among links that end, loads, completions and the time that passes:
// once all links have ended, nothing runs, and all of the cache is free.
//
// The input is a byte that chooses the stage, and a series of actions.

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "expert_worker/core_fixture.h"
#include "link/fake_link.h"
#include "tests/fuzz/links/script.h"

namespace apollo {
namespace {

constexpr int kBlocks = 8;
constexpr int kMostActions = 200;
constexpr int kMostPieces = 10'000;

enum Action : std::uint8_t {
  kMessage0,  // Followed by a LinkMessage after its size.
  kMessage1,
  kMessage2,
  kEnd0,
  kEnd1,
  kEnd2,
  kWork,     // Until nothing is left to do.
  kPiece,    // One piece.
  kDeliver,  // The oldest completion.
  kLoaded,
  kNotLoaded,
  kTime,  // Followed by a byte.
  kDrain,
  kActions
};

ExpertCore::Options Options() {
  ExpertCore::Options options;
  options.self.name = "self";
  options.residence.standby_bytes = 2 * kExpertBytes;
  return options;
}

class Play {
 public:
  Play() : worker_(kLow, kBlocks, 1, Options()) {
    worker_.hold_loads = true;
    worker_.core->LinkDown(kDense);
    worker_.core->LinkDown(kOtherDense);
    for (int i = 0; i < 3; ++i) Connect(i);
  }

  void Do(Script& script, int action) {
    switch (action) {
      case kMessage0:
      case kMessage1:
      case kMessage2:
        Message(action - kMessage0, script.Text());
        break;
      case kEnd0:
      case kEnd1:
      case kEnd2:
        Reconnect(action - kEnd0);
        break;
      case kWork:
        worker_.Work();
        break;
      case kPiece:
        if (worker_.core->HasWork()) worker_.core->Advance();
        break;
      case kDeliver:
        if (!worker_.later.empty()) worker_.later.Deliver();
        break;
      case kLoaded:
      case kNotLoaded:
        if (worker_.loads.empty()) break;
        worker_.FinishLoad(action == kLoaded
                               ? absl::OkStatus()
                               : absl::NotFoundError("no such file"));
        break;
      case kTime:
        worker_.clock.now += absl::Milliseconds(50 * script.Number());
        worker_.core->Tick(worker_.clock.now);
        break;
      default:
        worker_.core->Drain(/*hand_over=*/true);
    }
    for (int i = 0; i < 3; ++i) {
      if (ends_[i].link->closed) Reconnect(i);
    }
  }

  void End() {
    for (const Far& far : ends_) worker_.core->LinkDown(far.id);
    worker_.hold_loads = false;
    for (int i = 0; i < kMostPieces && !Idle(); ++i) worker_.Work();
    APOLLO_CHECK(Idle());
    APOLLO_CHECK(worker_.core->sequences() == 0);
    APOLLO_CHECK(worker_.core->free_blocks() == kBlocks);
  }

 private:
  // The far end of a link.
  struct Far {
    LinkId id = 0;
    std::shared_ptr<FakeLink> link;
    FrameSource frames;
  };

  bool Idle() const {
    return !worker_.core->HasWork() && !worker_.core->AtWork() &&
           worker_.later.empty() && worker_.loads.empty();
  }

  void Connect(int i) {
    ends_[i] = {++last_id_, std::make_shared<FakeLink>(), {}};
    WorkerInfo info;
    info.role = i == 2 ? WorkerRole::kExpert : WorkerRole::kDense;
    info.name = "far" + std::to_string(i);
    info.instance = last_id_;
    if (i == 2) info.resident = kHigh;
    worker_.core->LinkUp(ends_[i].id, info, ends_[i].link);
  }

  void Reconnect(int i) {
    worker_.core->LinkDown(ends_[i].id);
    Connect(i);
  }

  void Message(int i, const std::string& bytes) {
    auto frame = ends_[i].frames.Add(bytes);
    if (!frame.ok()) return Reconnect(i);
    if (frame->has_value()) {
      worker_.core->LinkFrame(ends_[i].id, **std::move(frame));
    }
  }

  Worker worker_;
  LinkId last_id_ = 100;
  std::array<Far, 3> ends_;
};

void Try(const std::uint8_t* data, std::size_t size) {
  SetLogLevel(LogLevel::kError);
  Script script(data, size);
  ExpertCoreTest::asynchronous_stages = script.Number() % 2 == 1;
  Play play;
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
