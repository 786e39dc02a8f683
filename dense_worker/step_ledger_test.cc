#include "dense_worker/step_ledger.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <string>

#include "common/fake_clock.h"
#include "common/rows_testing.h"
#include "serving/buckets.h"
#include "serving/counters.h"

namespace apollo {
namespace {

constexpr LinkId kFirst = 1, kSecond = 2;
constexpr auto kNobody = [](LinkId) { return false; };

// Rows 0, 1, 2... of one number each.
Rows Boundary(int rows) {
  std::vector<float> numbers;
  for (int r = 0; r < rows; ++r) numbers.push_back(static_cast<float>(r));
  return Rows::FromVector(numbers, 1);
}

class StepLedgerTest : public testing::Test {
 protected:
  // Returns a part with one sequence of that many rows.
  static StepLedger::Part Part(LinkId worker, int rows) {
    StepLedger::Part part;
    part.worker = worker;
    part.sequences.resize(1);
    part.sequences[0].sequence = 70 + worker;
    part.sequences[0].attempt = 4;
    part.rows = rows;
    part.asked[{70 + worker, 4}] = {"de", true};
    return part;
  }
  void SendRelease(LinkId worker) {
    ledger_.SendBehind(worker, {ReleaseSequences{}, {}});
  }
  // Takes the sent frames: the worker, then a step with its rows, or "release".
  std::string Sent() { return std::exchange(sent_, {}); }

  FakeClock clock_;
  std::string sent_;
  Distribution answer_seconds_{kStepSeconds};
  StepLedger ledger_{
      [this](LinkId worker, Frame frame) {
        absl::StrAppend(&sent_, worker, ":");
        if (const auto* step = std::get_if<StageStep>(&frame.body)) {
          absl::StrAppend(&sent_, step->step, "/",
                          step->sequences.at(0).sequence);
          for (const float x : Numbers(frame.payload)) {
            absl::StrAppend(&sent_, ",", x);
          }
        } else {
          sent_ += "release";
        }
        sent_ += " ";
      },
      clock_, &answer_seconds_};
};

TEST_F(StepLedgerTest, EachWorkerGetsItsRowsOfAStepOnceItIsComputed) {
  const std::uint64_t step = ledger_.Open({Part(kFirst, 2), Part(kSecond, 1)});
  EXPECT_EQ(Sent(), "");
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  ledger_.Computed(step, Boundary(3));
  EXPECT_EQ(Sent(), "1:1/71,0,1 2:1/72,2 ");
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
}

TEST_F(StepLedgerTest, TheTimeOfAnAnswerIsThatSinceItsStepWasSent) {
  const std::uint64_t step = ledger_.Open({Part(kFirst, 1), Part(kSecond, 1)});
  clock_.now += absl::Seconds(5);  // The stage computes.
  ledger_.Computed(step, Boundary(2));
  clock_.now += absl::Milliseconds(250);
  ASSERT_TRUE(ledger_.TakeAnswer(kFirst, step).has_value());
  EXPECT_EQ(answer_seconds_.count(), 1);
  EXPECT_EQ(answer_seconds_.sum(), 0.25);
  ledger_.Forget(kSecond);  // No answer.
  EXPECT_EQ(answer_seconds_.count(), 1);
}

TEST_F(StepLedgerTest, StepsLeaveInOrderWhateverTheOrderTheyAreComputedIn) {
  const std::uint64_t a = ledger_.Open({Part(kFirst, 1)});
  const std::uint64_t b = ledger_.Open({Part(kFirst, 2)});
  const std::uint64_t c = ledger_.Open({Part(kSecond, 1)});
  ledger_.Computed(b, Boundary(2));
  EXPECT_EQ(Sent(), "");
  // No earlier frame for that worker is pending.
  ledger_.Computed(c, Boundary(1));
  EXPECT_EQ(Sent(), "2:3/72,0 ");
  ledger_.Computed(a, Boundary(1));
  EXPECT_EQ(Sent(), "1:1/71,0 1:2/71,0,1 ");
}

TEST_F(StepLedgerTest, AFrameAfterAStepWaitsForIt) {
  const std::uint64_t step = ledger_.Open({Part(kFirst, 1)});
  SendRelease(kFirst);
  SendRelease(kSecond);
  EXPECT_EQ(Sent(), "2:release ");
  ledger_.Computed(step, Boundary(1));
  EXPECT_EQ(Sent(), "1:1/71,0 1:release ");
}

TEST_F(StepLedgerTest, AnAnswerIsTakenOnceAndOnlyFromTheAskedWorker) {
  const std::uint64_t step = ledger_.Open({Part(kFirst, 1), Part(kSecond, 1)});
  EXPECT_FALSE(ledger_.TakeAnswer(kFirst, step));  // It was not sent yet.
  ledger_.Computed(step, Boundary(2));
  EXPECT_FALSE(ledger_.TakeAnswer(3, step));
  EXPECT_FALSE(ledger_.TakeAnswer(kFirst, step + 1));
  const auto asked = ledger_.TakeAnswer(kFirst, step);
  ASSERT_TRUE(asked);
  ASSERT_EQ(asked->size(), 1u);
  EXPECT_EQ(asked->begin()->first, std::pair(SequenceId(71), 4u));
  EXPECT_EQ(asked->begin()->second.language, "de");
  EXPECT_TRUE(asked->begin()->second.has_family);
  EXPECT_FALSE(ledger_.TakeAnswer(kFirst, step));
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  EXPECT_TRUE(ledger_.TakeAnswer(kSecond, step));
  EXPECT_EQ(ledger_.InFlight(kNobody), 0);
  EXPECT_FALSE(ledger_.TakeAnswer(kSecond, step));
}

TEST_F(StepLedgerTest, StepsThatOnlyExemptWorkersOweDoNotCount) {
  const auto first = [](LinkId worker) { return worker == kFirst; };
  const std::uint64_t mixed = ledger_.Open({Part(kFirst, 1), Part(kSecond, 1)});
  const std::uint64_t alone = ledger_.Open({Part(kFirst, 1)});
  EXPECT_EQ(ledger_.InFlight(first), 2);  // The stage computes both.
  ledger_.Computed(mixed, Boundary(2));
  ledger_.Computed(alone, Boundary(1));
  EXPECT_EQ(ledger_.InFlight(kNobody), 2);
  EXPECT_EQ(ledger_.InFlight(first), 1);
  ledger_.TakeAnswer(kSecond, mixed);
  EXPECT_EQ(ledger_.InFlight(first), 0);
}

TEST_F(StepLedgerTest, ARemovedWorkerGetsAndOwesNothing) {
  const std::uint64_t a = ledger_.Open({Part(kFirst, 1), Part(kSecond, 1)});
  const std::uint64_t b = ledger_.Open({Part(kFirst, 1)});
  const std::uint64_t c = ledger_.Open({Part(kFirst, 1)});
  ledger_.Computed(b, Boundary(1));
  SendRelease(kFirst);
  ledger_.Forget(kFirst);
  EXPECT_EQ(ledger_.InFlight(kNobody), 2);  // Steps that are being computed.
  ledger_.Computed(a, Boundary(2));
  EXPECT_EQ(Sent(), "2:1/72,1 ");
  ledger_.Computed(c, Boundary(1));
  EXPECT_EQ(Sent(), "");
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  ledger_.TakeAnswer(kSecond, a);
  EXPECT_EQ(ledger_.InFlight(kNobody), 0);
}

TEST_F(StepLedgerTest, AReplayIsNotAStepInFlightOnceItIsComputed) {
  StepLedger::Part replay = Part(kFirst, 3);
  replay.replayed = 2;
  const std::uint64_t step = ledger_.Open({replay, Part(kSecond, 1)});
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  EXPECT_EQ(ledger_.ReplayedInFlight(), (std::map<LinkId, int>{{kFirst, 2}}));
  ledger_.Computed(step, Boundary(4));
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  ledger_.TakeAnswer(kSecond, step);
  EXPECT_EQ(ledger_.InFlight(kNobody), 0);
  EXPECT_EQ(ledger_.ReplayedInFlight(), (std::map<LinkId, int>{{kFirst, 2}}));
  ledger_.TakeAnswer(kFirst, step);
  EXPECT_TRUE(ledger_.ReplayedInFlight().empty());
}

TEST_F(StepLedgerTest, StepsThatLackLatePartsOnlyAreNotInFlight) {
  const auto ask = [&](std::vector<StepLedger::Part> parts, int rows) {
    const std::uint64_t step = ledger_.Open(std::move(parts));
    ledger_.Computed(step, Boundary(rows));
    return step;
  };
  std::uint64_t step = ask({Part(kFirst, 1), Part(kSecond, 2)}, 3);
  clock_.now += absl::Milliseconds(1);
  ledger_.TakeAnswer(kFirst, step);
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  clock_.now += absl::Milliseconds(3);
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
  EXPECT_TRUE(ledger_.LateRows().empty());
  clock_.now += absl::Milliseconds(1);  // 2 x 1 ms + 2 ms have passed.
  EXPECT_EQ(ledger_.InFlight(kNobody), 0);
  EXPECT_EQ(ledger_.LateRows(), (std::map<LinkId, int>{{kSecond, 2}}));
  ledger_.TakeAnswer(kSecond, step);
  EXPECT_TRUE(ledger_.LateRows().empty());
  // Now it is known to be slow.
  step = ledger_.Open({Part(kSecond, 2)});
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);  // The stage computes it.
  ledger_.Computed(step, Boundary(2));
  EXPECT_EQ(ledger_.InFlight(kNobody), 0);
  ask({Part(kFirst, 1)}, 1);
  EXPECT_EQ(ledger_.InFlight(kNobody), 1);
}

TEST_F(StepLedgerTest, AnAnswerCanComeInParts) {
  StepLedger::Part part = Part(kFirst, 2);
  part.sequences.push_back(part.sequences[0]);
  part.asked[{99, 4}] = {"fr", false, 1};
  const std::uint64_t step = ledger_.Open({part});
  ledger_.Computed(step, Boundary(2));
  std::vector<SequenceOutput> outputs(2);
  outputs[0].sequence = 99;
  outputs[0].attempt = 4;
  outputs[1].sequence = 5;  // Was not asked for.
  EXPECT_FALSE(ledger_.TakePart(kSecond, step, outputs));
  const auto asked = ledger_.TakePart(kFirst, step, outputs);
  ASSERT_TRUE(asked);
  ASSERT_EQ(asked->size(), 1u);
  EXPECT_EQ(asked->begin()->first, std::pair(SequenceId(99), 4u));
  // The rest waits for another worker.
  EXPECT_EQ(ledger_.InFlight(kNobody), 0);
  EXPECT_EQ(ledger_.LateRows(), (std::map<LinkId, int>{{kFirst, 1}}));
  const auto rest = ledger_.TakeAnswer(kFirst, step);
  ASSERT_TRUE(rest);
  ASSERT_EQ(rest->size(), 1u);
  EXPECT_EQ(rest->begin()->first, std::pair(SequenceId(71), 4u));
}

TEST_F(StepLedgerTest, SilenceCountsFromTheTimeOfAStep) {
  using Links = std::vector<LinkId>;
  constexpr absl::Duration kLimit = absl::Seconds(1);
  const auto silent = [&](absl::Duration passed) {
    clock_.now += passed;
    return ledger_.StillFor(kLimit, clock_.now);
  };
  const std::uint64_t step = ledger_.Open({Part(kFirst, 1)});
  EXPECT_EQ(silent(kLimit * 5), Links());  // The stage is still computing.
  ledger_.Computed(step, Boundary(1));
  EXPECT_EQ(silent(kLimit), Links());
  EXPECT_EQ(silent(kLimit * 0.1), Links{kFirst});
  ledger_.Heard(kFirst, {Progress{}});
  EXPECT_EQ(silent(kLimit), Links());
  EXPECT_EQ(silent(kLimit * 0.1), Links{kFirst});
  ledger_.TakeAnswer(kFirst, step);
  EXPECT_EQ(silent(kLimit * 5), Links());
  ledger_.Computed(ledger_.Open({Part(kFirst, 1)}), Boundary(1));
  ledger_.StopWatching(kFirst);
  EXPECT_EQ(silent(kLimit * 5), Links());
}

}  // namespace
}  // namespace apollo
