// What a pool knows after the loss of a worker, which may be back.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "router/dense_pool_watch_fixture.h"
#include "sequence/recording_sink.h"
#include "sequence/sequence_end.h"

namespace apollo {
namespace {

class DensePoolLossTest : public DensePoolWatchTest {};

// Its connection has ended, but the worker may be there.
TEST_F(DensePoolLossTest, AfterALossAPollDecides) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.Refuse(true);
  worker.EndWatches();
  ASSERT_TRUE(Await([this] { return !pool_->Ready(); }));
  EXPECT_EQ(EndWithoutWorker(), SequenceEnd::kUndecided);
  pool_->Poll();
  EXPECT_EQ(EndWithoutWorker(), SequenceEnd::kAnswered);
  worker.Refuse(false);
  pool_->Poll();
  EXPECT_EQ(Start()->text(), "started by a");
  // The same without an end of the watch.
  pool_->Suspect(worker.address);
  EXPECT_EQ(EndWithoutWorker(), SequenceEnd::kUndecided);
  pool_->Poll();
  EXPECT_EQ(Start()->text(), "started by a");
}

TEST_F(DensePoolLossTest, APollAskedBeforeALossDecidesNothing) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.Refuse(true);
  worker.Hold(true);
  const int polls = worker.polls();
  std::thread before([this] { pool_->Poll(); });
  ASSERT_TRUE(Await([&] { return worker.polls() > polls; }));
  worker.EndWatches();
  ASSERT_TRUE(Await([this] { return !pool_->Ready(); }));
  worker.Hold(false);
  before.join();
  EXPECT_EQ(EndWithoutWorker(), SequenceEnd::kUndecided);
}

// The poll may hang.
TEST_F(DensePoolLossTest, NothingIsUndecidedForLongerThanALease) {
  WatchedWorker& worker = Add("a");
  Watch();
  worker.EndWatches();
  ASSERT_TRUE(Await([this] { return !pool_->Ready(); }));
  clock_.Pass(options_.lease - absl::Milliseconds(1));
  EXPECT_EQ(EndWithoutWorker(), SequenceEnd::kUndecided);
  clock_.Pass(absl::Milliseconds(1));
  EXPECT_EQ(EndWithoutWorker(), SequenceEnd::kAnswered);
}

// Such as one whose machine is off: it must not make the return of the others
// unknown for longer than a lease.
TEST_F(DensePoolLossTest, AWorkerThatDoesNotAnswerDelaysNoReturn) {
  WatchedWorker& back = Add("back");
  WatchedWorker& off = Add("off");
  Watch();
  off.Hold(true);
  off.EndWatches();
  back.EndWatches();
  ASSERT_TRUE(Await([this] { return !pool_->Ready(); }));
  std::thread round = PollUntilOneAnswers();  // Lasts until `off` answers.
  EXPECT_TRUE(Await([this] { return pool_->Ready(); }));
  off.Hold(false);
  round.join();
}

TEST_F(DensePoolLossTest, ALossIsFollowedByAPollAtOnce) {
  WatchedWorker& worker = Add("a");
  options_.poll_interval = absl::Hours(1);
  Watch();
  int polls = worker.polls();
  pool_->StartPolling();
  ASSERT_TRUE(Await([&] { return worker.polls() > polls; }));
  polls = worker.polls();
  worker.EndWatches();
  EXPECT_TRUE(Await([&] { return worker.polls() > polls; }));
  ASSERT_TRUE(Await([this] { return pool_->Ready(); }));
}

}  // namespace
}  // namespace apollo
