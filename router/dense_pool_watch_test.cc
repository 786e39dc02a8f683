// What a pool does with the signs of life of its workers.

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "router/dense_pool_watch_fixture.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

TEST_F(DensePoolWatchTest, ASilentWorkerLosesItsSequencesToAnother) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  const bool a_first = sinks[0]->text() == "started by a";
  ASSERT_NE(sinks[0]->text(), sinks[1]->text());
  Pass(absl::Milliseconds(250), {&second});
  EXPECT_EQ(sinks[0]->finishes() + sinks[1]->finishes(), 0);
  Pass(absl::Milliseconds(150), {&second});
  const auto lost = sinks[a_first ? 0 : 1];
  EXPECT_EQ(lost->Await(), "started by a UNAVAILABLE");
  EXPECT_EQ(EndOf(lost->status()), SequenceEnd::kSilent);
  EXPECT_EQ(sinks[a_first ? 1 : 0]->text(), "started by b");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Start()->text(), "started by b");
  // It comes back with its next sign.
  Pass(absl::Milliseconds(100), {&first, &second});
  EXPECT_TRUE(Await([this] { return Start()->text() == "started by a"; }));
}

TEST_F(DensePoolWatchTest, WithoutAnotherItsSequencesWait) {
  Add("a");
  WatchedWorker& gpu = Add("gpu", "cuda");
  Watch();
  // The other one has other numerics.
  std::shared_ptr<RecordingSink> sink = Start();
  if (sink->text() != "started by a") sink = Start();
  ASSERT_EQ(sink->text(), "started by a");
  Pass(absl::Seconds(2), {&gpu});
  EXPECT_EQ(sink->finishes(), 0);
  Pass(absl::Seconds(9), {&gpu});
  pool_->Poll();
  EXPECT_EQ(sink->Await(), "started by a UNAVAILABLE");
}

TEST_F(DensePoolWatchTest, ASilentWorkerIsTheLastChoice) {
  Add("a");
  Watch();
  Pass(absl::Milliseconds(400), {});
  EXPECT_EQ(Start()->text(), "started by a");
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolWatchTest, WorkersAreCountedByTheirState) {
  WatchedWorker& first = Add("a");
  Add("b");
  Watch();
  pool_->Tick();
  EXPECT_EQ(pool_->counters().listed_workers, 2);
  EXPECT_EQ(pool_->counters().live_workers, 2);
  EXPECT_EQ(pool_->counters().silent_workers, 0);
  Pass(absl::Seconds(1), {&first});
  EXPECT_EQ(pool_->counters().live_workers, 2);
  EXPECT_EQ(pool_->counters().silent_workers, 1);
}

TEST_F(DensePoolWatchTest, ARouterThatDidNotRunBlamesNobody) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  const std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  // Whichever of its threads runs first.
  clock_.Pass(absl::Seconds(30));
  pool_->Tick();
  pool_->Poll();
  clock_.Pass(absl::Seconds(30));
  pool_->Poll();
  pool_->Tick();
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 0);
  Pass(absl::Milliseconds(400), {&first, &second});
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 0);
}

TEST_F(DensePoolWatchTest, AfterARouterDidNotRunTheFirstSignBlamesNobody) {
  WatchedWorker& worker = Add("a");
  Watch();
  clock_.Pass(absl::Seconds(30));
  Sign(worker, /*progress=*/false);  // From before that time.
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolWatchTest, AClosedConnectionCountsAtOnce) {
  WatchedWorker& first = Add("a");
  Watch();
  const auto sink = Start();
  first.Stop();
  EXPECT_EQ(sink->Await(), "started by a UNAVAILABLE");
  EXPECT_EQ(EndOf(sink->status()), SequenceEnd::kLost);
  EXPECT_TRUE(Await([this] { return !pool_->Ready(); }));
}

// The round of polls waits for the slowest worker. What another one has
// answered before it was lost says nothing any more.
TEST_F(DensePoolWatchTest, AnAnswerFromBeforeALossIsOld) {
  WatchedWorker& lost = Add("a");
  WatchedWorker& slow = Add("b");
  Watch();
  const int before = lost.polls();
  slow.Hold(true);
  std::thread poll([this] { pool_->Poll(); });
  EXPECT_TRUE(Await([&lost, before] { return lost.polls() > before; }));
  for (int i = 0; i < 5; ++i) Sign(lost);  // They follow its answer.
  pool_->Suspect(slow.address);
  lost.Stop();
  EXPECT_TRUE(Await([this] { return !pool_->Ready(); }));
  // The poll of the slow one fails, so that it stays suspect.
  slow.Refuse(true);
  slow.Hold(false);
  poll.join();
  EXPECT_FALSE(pool_->Ready());
}

// Its signs say whether a worker lives.
TEST_F(DensePoolWatchTest, AWorkerThatGivesSignsMayMissAPoll) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.Refuse(true);
  pool_->Poll();
  EXPECT_TRUE(pool_->Ready());
  EXPECT_EQ(Start()->text(), "started by a");
}

// The round waits for the slowest worker.
TEST_F(DensePoolWatchTest, AWorkerThatMissedAPollGetsLessTimeForTheNext) {
  constexpr auto kBetween = std::chrono::seconds(1);
  WatchedWorker& worker = Add("a");
  Watch();
  EXPECT_GT(worker.limit(), kBetween);
  worker.Refuse(true);
  pool_->Poll();
  EXPECT_GT(worker.limit(), kBetween);
  // A poll with little time may not reach a worker on a busy machine; it is
  // missed then, too.
  for (int i = 1; i < 9; ++i) {
    worker.ForgetLimit();
    pool_->Poll();
    EXPECT_LT(worker.limit(), kBetween) << i;
  }
  pool_->Poll();
  EXPECT_GT(worker.limit(), kBetween);  // It may only be slow.
  worker.Refuse(false);
  worker.ForgetLimit();
  pool_->Poll();
  EXPECT_LT(worker.limit(), kBetween);
  // Once it has answered one. Five are too few to get more time otherwise.
  for (int i = 0; i < 5 && worker.limit() < kBetween; ++i) pool_->Poll();
  EXPECT_GT(worker.limit(), kBetween);
}

TEST_F(DensePoolWatchTest, ASilentWorkerGetsLessTimeForAPoll) {
  WatchedWorker& worker = Add("a");
  Watch();
  Pass(absl::Milliseconds(400), {});
  worker.ForgetLimit();
  // The poll may have too little time to reach it on a busy machine.
  for (int i = 0; i < 5 && worker.limit().count() == 0; ++i) pool_->Poll();
  EXPECT_GT(worker.limit().count(), 0);
  EXPECT_LT(worker.limit(), std::chrono::seconds(1));
}

// Data may be lost only on the way to it. The round of polls is not over, but
// the other worker has answered.
TEST_F(DensePoolWatchTest, AWorkerThatGivesSignsButAnswersNoPollIsSilent) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  const std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  const bool a_first = sinks[0]->text() == "started by a";
  ASSERT_NE(sinks[0]->text(), sinks[1]->text());
  first.Hold(true);
  std::thread round = PollUntilOneAnswers();
  Pass(absl::Milliseconds(250), {&first, &second});
  EXPECT_EQ(sinks[0]->finishes() + sinks[1]->finishes(), 0);
  const auto lost = sinks[a_first ? 0 : 1];
  Pass(absl::Milliseconds(400), {&first, &second});
  EXPECT_TRUE(Await([&lost] { return lost->finishes() > 0; }));
  EXPECT_EQ(lost->text(), "started by a UNAVAILABLE");
  EXPECT_EQ(EndOf(lost->status()), SequenceEnd::kSilent);
  EXPECT_EQ(sinks[a_first ? 1 : 0]->text(), "started by b");
  // Its signs alone do not bring it back.
  Pass(absl::Milliseconds(100), {&first, &second});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Start()->text(), "started by b");
  first.Hold(false);
  round.join();
  EXPECT_TRUE(Await([this] {
    pool_->Poll();
    // One sequence each.
    return Start()->text() != Start()->text();
  }));
}

TEST_F(DensePoolWatchTest, ARouterThatDidNotRunTakesNoPollAsUnanswered) {
  WatchedWorker& first = Add("a");
  Add("b");
  Watch();
  const std::vector<std::shared_ptr<RecordingSink>> sinks = {Start(), Start()};
  first.Hold(true);
  std::thread round = PollUntilOneAnswers();
  clock_.Pass(absl::Seconds(30));
  pool_->Tick();
  for (const auto& sink : sinks) EXPECT_EQ(sink->finishes(), 0);
  first.Hold(false);
  round.join();
}

// It may be the sign of another process, which serves another model.
TEST_F(DensePoolWatchTest, ASignAfterANewWatchWaitsForAPoll) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.EndWatches();
  EXPECT_TRUE(Await([this] { return !pool_->Ready(); }));
  clock_.Pass(absl::Seconds(1));
  pool_->Tick();
  ASSERT_TRUE(Await([&worker] { return worker.Watched(); }));
  Sign(worker);
  EXPECT_FALSE(pool_->Ready());
  pool_->Poll();
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolWatchTest, ANewerReleaseInTheSamePlaceIsWatched) {
  WatchedWorker& worker = Add("a");
  worker.SetKnowsWatch(false);
  pool_ = std::make_unique<DensePool>(ModelFingerprint{"config", "tokenizer"},
                                      options_, clock_);
  pool_->SetMembers({worker.address});
  pool_->Poll();
  pool_->Tick();
  EXPECT_TRUE(Await([&worker] { return worker.watch_calls() == 1; }));
  worker.SetKnowsWatch(true);
  // Again and again, because the first watch may end only now.
  EXPECT_TRUE(Await([this, &worker] {
    for (const bool ready : {false, true}) {
      worker.SetReady(ready);
      pool_->Poll();
    }
    clock_.Pass(absl::Seconds(1));
    pool_->Tick();
    return worker.Watched();
  }));
}

TEST_F(DensePoolWatchTest, ASuspectGetsNothingUntilItsNextSign) {
  WatchedWorker& first = Add("a");
  Watch();
  pool_->Suspect(first.address);
  EXPECT_FALSE(pool_->Ready());
  pool_->Suspect("nobody");
  Sign(first);
  EXPECT_TRUE(Await([this] { return pool_->Ready(); }));
}

TEST_F(DensePoolWatchTest, AvoidedWorkersAreNotChosen) {
  WatchedWorker& first = Add("a");
  WatchedWorker& second = Add("b");
  Watch();
  std::string chosen;
  const auto choose = [&chosen](const std::string& name) { chosen = name; };
  GenerationRequest request;
  request.prompt = {1};
  auto sink = std::make_shared<RecordingSink>();
  for (int i = 0; i < 3; ++i) {
    sink = std::make_shared<RecordingSink>();
    calls_.push_back(
        pool_->StartElsewhere(request, sink, {first.address}, choose));
    EXPECT_EQ(chosen, second.address);
    EXPECT_TRUE(sink->AwaitPart("started by b"));
  }
  chosen.clear();
  sink = std::make_shared<RecordingSink>();
  EXPECT_EQ(pool_->StartElsewhere(request, sink,
                                  {first.address, second.address}, choose),
            nullptr);
  EXPECT_EQ(chosen, "");
  EXPECT_EQ(sink->Await(), " UNAVAILABLE");
}

}  // namespace
}  // namespace apollo
