// Experts of peers, and rows from peers.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "expert_worker/core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

INSTANTIATE_EXPERT_CORE_TEST();

TEST_P(ExpertCoreTest, SharedExpertsGiveTheSameResultBitForBit) {
  const auto expected = Reference(SomeSteps());
  Two two;
  int i = 0;
  for (const Frame& frame : SomeSteps()) {
    two.low.Take(Copy(frame));
    two.Work();
    ExpectSame(two.low.Result(), expected[i++]);
  }
  EXPECT_GT(two.low.Counters().rows_sent, 0);
  EXPECT_EQ(two.low.Counters().rows_sent, two.high.Counters().rows_served);
}

TEST_P(ExpertCoreTest, WorkersThatWaitForEachOtherServeEachOther) {
  const auto steps = SomeSteps();
  const auto expected = Reference(steps);
  Two two;
  two.low.Take(Copy(steps[0]));
  two.high.Take(Copy(steps[0]));
  two.low.Work();
  two.high.Work();
  // Both wait: nothing was delivered, and no work is left.
  for (Worker* worker : {&two.low, &two.high}) {
    ASSERT_FALSE(worker->peer->frames.empty());
    ASSERT_TRUE(worker->dense->frames.empty());
  }
  two.Work();
  ExpectSame(two.low.Result(), expected[0]);
  ExpectSame(two.high.Result(), expected[0]);
}

TEST_P(ExpertCoreTest, ALostPeerFailsOnlyTheRowsThatNeedIt) {
  const auto [local, remote, here, there] = Division();
  Two two(here, there);
  Worker& low = two.low;
  low.Take(Step(1, {RowsOf(remote, 0, 1), RowsOf(local, 0, 1)}));
  low.Work();
  ASSERT_FALSE(low.peer->frames.empty());
  EXPECT_FALSE(low.core->HasWork());
  low.core->LinkDown(kPeer);
  low.Work();
  StageResult result = low.Result();
  EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
  EXPECT_FALSE(result.outputs[0].sampled.has_value());
  ExpectSame(result.outputs.at(1), ReferenceOf(RowsOf(local, 0, 1)));

  // Without any peer, the missing expert is named.
  SequenceRows again = RowsOf(remote, 0, 1);
  again.attempt = 2;
  low.Take(Step(2, {again}));
  low.Work();
  result = low.Result();
  EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
  EXPECT_NE(result.outputs[0].status.message().find("has expert"),
            absl::string_view::npos);

  // The peer is back: the next attempt succeeds.
  two.low.peer->frames.clear();
  low.AddPeer(there);
  again.attempt = 3;
  low.Take(Step(3, {again}));
  two.Work();
  ExpectSame(low.Result().outputs.at(0), ReferenceOf(RowsOf(remote, 0, 1)));
}

TEST_P(ExpertCoreTest, RowsForANonresidentExpertAreAnsweredWithAnError) {
  Worker worker(kLow);
  for (const int expert : {4, 99, -1}) {
    worker.Take({ExpertRows{77, TestConfig().boundary, expert},
                 Rows::Host(1, TestConfig().hidden_size)},
                kOtherDense);
    ASSERT_EQ(worker.other->frames.size(), 1u);
    const auto& outputs = std::get<ExpertOutputs>(worker.other->frames[0].body);
    EXPECT_EQ(outputs.ticket, 77u);
    EXPECT_EQ(outputs.status.code(), StatusCode::kNotFound);
    worker.other->frames.clear();
  }
  EXPECT_FALSE(worker.other->closed);
}

TEST_P(ExpertCoreTest, WrongOutputsOfAPeerFailItsRowsAlone) {
  const auto [local, remote, here, there] = Division();
  for (const bool wrong_size : {true, false}) {
    Worker worker(here);
    worker.AddPeer(there);
    worker.Take(Step(1, {RowsOf(remote, 0, 1), RowsOf(local, 0, 1)}));
    worker.Work();
    const auto ask = [&] {
      return std::get<ExpertRows>(worker.peer->frames.front().body).ticket;
    };
    ASSERT_FALSE(worker.peer->frames.empty());
    worker.Take({ExpertOutputs{ask() + 1000, {}}, Rows::Host(1, 1)},
                kPeer);  // Unknown.
    EXPECT_FALSE(worker.peer->closed);
    // Another link answers instead of the peer: that link is closed.
    worker.Take(
        {ExpertOutputs{ask(), {}}, Copy(worker.peer->frames.front()).payload},
        kOtherDense);
    EXPECT_TRUE(worker.other->closed);
    EXPECT_FALSE(worker.core->HasWork());
    while (!worker.peer->frames.empty()) {
      const ExpertOutputs outputs = {
          ask(), wrong_size ? absl::OkStatus() : absl::NotFoundError("gone")};
      worker.peer->frames.pop_front();
      worker.Take({outputs, {}}, kPeer);
      worker.Work();
    }
    if (wrong_size) {
      EXPECT_TRUE(worker.peer->closed);
      worker.core->LinkDown(kPeer);
    } else {
      EXPECT_FALSE(worker.peer->closed);
    }
    worker.Work();
    const StageResult result = worker.Result();
    EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
    ExpectSame(result.outputs.at(1), ReferenceOf(RowsOf(local, 0, 1)));
  }
}

TEST_P(ExpertCoreTest, APeerOffersNothingUntilItsEngineIsReady) {
  Worker worker(kLow);
  worker.core->LinkUp(kPeer, {WorkerRole::kExpert, "p", "m", "1", kHigh},
                      worker.peer);
  EXPECT_EQ(worker.dense->reach.back(), kLow);
  worker.Take(PeerInfo(kHigh), kPeer);
  EXPECT_EQ(worker.dense->reach.back(), kAll);
  worker.Take(PeerInfo(kHigh, 2, /*draining=*/true), kPeer);
  EXPECT_EQ(worker.dense->reach.back(), kLow);
  worker.Take(PeerInfo(kHigh, 1), kPeer);  // An old revision.
  EXPECT_EQ(worker.dense->reach.back(), kLow);
}

TEST_P(ExpertCoreTest, ReportsItsLoadWhenThatChanges) {
  Worker worker(kAll);
  const std::size_t told = worker.dense->infos.size();
  worker.core->Tick(worker.clock.now);
  EXPECT_EQ(worker.dense->infos.size(), told);
  worker.Take(Step(1, {RowsOf(1, 0, 3), RowsOf(2, 0, 4)}));
  worker.core->Tick(worker.clock.now);
  ASSERT_EQ(worker.dense->infos.size(), told + 1);
  EXPECT_EQ(worker.dense->infos.back().queued_rows, 7);
  worker.Work();
  worker.core->Tick(worker.clock.now);
  const WorkerInfo& info = worker.dense->infos.back();
  EXPECT_EQ(info.queued_rows, 0);
  EXPECT_EQ(info.running_sequences, 2);
  EXPECT_GT(info.revision, worker.dense->infos.front().revision);
  EXPECT_TRUE(info.ready);
}

// Those who sent the work count it until they hear of a report.
TEST_P(ExpertCoreTest, ReportsEqualLoadAfterNewWork) {
  Worker worker(kAll);
  worker.Take(Step(1, {RowsOf(1, 0, 3)}));
  worker.Work();
  worker.core->Tick(worker.clock.now);
  const std::size_t told = worker.dense->infos.size();
  const std::uint64_t revision = worker.dense->infos.back().revision;
  worker.core->Tick(worker.clock.now);
  EXPECT_EQ(worker.dense->infos.size(), told);
  worker.Take(Step(2, {RowsOf(1, 3, 1)}));
  worker.Work();
  worker.core->Tick(worker.clock.now);
  ASSERT_EQ(worker.dense->infos.size(), told + 1);
  EXPECT_EQ(worker.dense->infos.back().running_sequences, 1);
  EXPECT_EQ(worker.dense->infos.back().queued_rows, 0);
  EXPECT_GT(worker.dense->infos.back().revision, revision);
}

// Otherwise two busy workers would answer each other endlessly.
TEST_P(ExpertCoreTest, ADescriptionOfAPeerIsNotAnsweredWithTheLoad) {
  Worker worker(kAll);
  worker.AddPeer(kHigh);
  worker.core->Tick(worker.clock.now);
  const std::size_t told = worker.peer->infos.size();
  worker.Take(Step(1, {RowsOf(1, 0, 3)}));
  for (int i = 0; i < 10; ++i) {
    WorkerInfo news = std::get<WorkerInfo>(PeerInfo(kHigh, 10 + i).body);
    news.queued_rows = i;
    worker.Take({news}, kPeer);
  }
  EXPECT_EQ(worker.peer->infos.size(), told);
  worker.core->Tick(worker.clock.now);
  ASSERT_EQ(worker.peer->infos.size(), told + 1);
  EXPECT_EQ(worker.peer->infos.back().queued_rows, 3);
}

TEST_P(ExpertCoreTest, ExpertsOfPeersInSomeLayersAreInReachThere) {
  Worker worker(kLow);
  worker.AddPeer(kHigh);
  EXPECT_TRUE(worker.core->ReachesAll());
  const int layer = TestConfig().num_layers - 1;
  WorkerInfo half = std::get<WorkerInfo>(PeerInfo({4, 5}, 50).body);
  half.resident.in_layer[layer] = {6};
  worker.Take({half}, kPeer);
  const LayerExperts& reaches = worker.dense->infos.back().reaches;
  EXPECT_EQ(reaches.everywhere, (std::set<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(reaches.Has(layer, 6));
  EXPECT_FALSE(reaches.Has(layer - 1, 6));
  EXPECT_FALSE(worker.core->ReachesAll());
}

TEST_P(ExpertCoreTest, ADrainingWorkerContinuesWithoutNewSequences) {
  Worker worker(kAll);
  worker.Take(Step(1, {RowsOf(1, 0, 3)}));
  worker.core->Drain(/*hand_over=*/false);
  EXPECT_EQ(worker.dense->reach.back(), std::set<int>());
  EXPECT_FALSE(worker.dense->infos.back().hand_over);
  EXPECT_EQ(worker.other->reach.back(), std::set<int>());
  worker.Work();
  ExpectSame(worker.Result().outputs.at(0), ReferenceOf(RowsOf(1, 0, 3)));
}

// Sequences of its peers may need it; without it they would all fail.
TEST_P(ExpertCoreTest, ADrainingWorkerServesItsPeers) {
  const auto steps = SomeSteps();
  const auto expected = Reference(steps);
  Two two;
  two.low.Take(Copy(steps[0]));
  two.Work();
  ExpectSame(two.low.Result(), expected[0]);
  two.high.core->Drain(/*hand_over=*/true);
  EXPECT_TRUE(two.high.peer->infos.back().draining);
  EXPECT_TRUE(two.high.peer->infos.back().hand_over);
  two.low.Take({two.high.peer->infos.back()}, kPeer);
  EXPECT_EQ(two.low.dense->reach.back(), kLow);  // For new sequences.
  two.low.Take(Copy(steps[1]));
  two.Work();
  ExpectSame(two.low.Result(), expected[1]);
  // A peer that is linked later is served, too.
  two.high.core->LinkUp(kPeer + 1, {WorkerRole::kExpert, "q", "m", "1", kLow},
                        two.high.other);
  EXPECT_EQ(two.high.other->infos.back().resident.everywhere, kHigh);
  EXPECT_TRUE(two.high.other->infos.back().draining);
}

// The state that the progress reporter uses.
TEST_P(ExpertCoreTest, AWorkerThatWaitsForAPeerIsNotAtWork) {
  const Division division;
  Worker worker(division.here);
  worker.AddPeer(division.there);
  worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  EXPECT_FALSE(worker.core->AtWork());
  worker.core->Advance();  // Begins the batch.
  worker.core->Advance();  // Its first layer.
  EXPECT_EQ(worker.core->AtWork(), asynchronous_stages);
  worker.Work();
  ASSERT_FALSE(worker.peer->frames.empty());
  EXPECT_TRUE(worker.dense->frames.empty());
  EXPECT_FALSE(worker.core->AtWork());
  worker.core->LinkDown(kPeer);
  worker.Work();
  worker.Result();
  EXPECT_FALSE(worker.core->AtWork());
}

TEST_P(ExpertCoreTest, APeerThatDoesNotAnswerDelaysABatchForALimitedTime) {
  const Division division;
  Worker worker(division.here);
  worker.AddPeer(division.there);
  worker.Take(
      Step(1, {RowsOf(division.local, 0, 1), RowsOf(division.remote, 0, 1)}));
  worker.Work();
  ASSERT_FALSE(worker.peer->frames.empty());
  const absl::Duration limit = ExpertCore::Options().answer_timeout;
  worker.clock.now += limit;
  worker.core->Tick(worker.clock.now);
  EXPECT_FALSE(worker.peer->closed);
  EXPECT_TRUE(worker.dense->frames.empty());
  worker.clock.now += absl::Milliseconds(1);
  worker.core->Tick(worker.clock.now, true, {.timeout = false});
  EXPECT_FALSE(worker.peer->closed);
  // Looks that are late for the lease are not too late for this.
  worker.core->Tick(worker.clock.now, true, {.lease = false});
  EXPECT_TRUE(worker.peer->closed);
  EXPECT_FALSE(worker.dense->closed);
  worker.core->LinkDown(kPeer);
  worker.Work();
  const StageResult result = worker.Result();
  ASSERT_EQ(result.outputs.size(), 2u);
  ExpectSame(result.outputs[0], ReferenceOf(RowsOf(division.local, 0, 1)));
  EXPECT_EQ(result.outputs[1].status.code(), StatusCode::kUnavailable);
}

TEST_P(ExpertCoreTest, APeerThatMakesProgressIsNotGivenUp) {
  const Division division;
  Worker worker(division.here);
  worker.AddPeer(division.there);
  worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  worker.Work();
  ASSERT_FALSE(worker.peer->frames.empty());
  const absl::Duration limit = ExpertCore::Options().answer_timeout;
  for (int i = 0; i < 10; ++i) {
    worker.clock.now += limit;
    worker.core->Tick(worker.clock.now);
    EXPECT_FALSE(worker.peer->closed);
    worker.Take({Progress{}, {}}, kPeer);
  }
  worker.clock.now += limit * 1.1;
  worker.core->Tick(worker.clock.now);
  EXPECT_TRUE(worker.peer->closed);
}

TEST_P(ExpertCoreTest, APeerThatLeavesIsKeptWhileSequencesMayNeedIt) {
  Two two;
  two.low.Take(Step(1, {RowsOf(5, 0, 3)}));
  two.Work();
  two.low.core->LinkLeaving(kPeer, true);
  EXPECT_EQ(two.low.dense->reach.back(), kLow);
  two.low.Take(Step(2, {RowsOf(6, 0, 3)}));
  two.low.core->Tick(two.low.clock.now);
  EXPECT_FALSE(two.low.peer->closed);
  two.Work();
  two.low.Take(Step(3, {RowsOf(5, 3, 1)}));
  two.Work();
  for (int i = 0; i < 3; ++i) {
    for (const SequenceOutput& output : two.low.Result().outputs) {
      EXPECT_TRUE(output.status.ok()) << output.status;
    }
  }
  two.low.Release(5);
  two.low.core->Tick(two.low.clock.now);
  EXPECT_TRUE(two.low.peer->closed);  // Sequence 6 began afterwards.
}

TEST_P(ExpertCoreTest, APeerThatDidNotAnswerIsNotAskedAgainInLaterLayers) {
  const Division division;
  Worker worker(division.here);
  worker.AddPeer(division.there);
  // Both processes dialled each other: a second link to the same peer.
  const auto second = std::make_shared<FakeLink>();
  worker.core->LinkUp(kPeer + 100,
                      {WorkerRole::kExpert, "p", "m", "1", division.there},
                      second);
  worker.Take(PeerInfo(division.there), kPeer + 100);
  worker.Take(
      Step(1, {RowsOf(division.local, 0, 1), RowsOf(division.remote, 0, 1)}));
  worker.Work();
  const std::size_t asked = worker.peer->frames.size() + second->frames.size();
  ASSERT_GT(asked, 0u);
  worker.clock.now += ExpertCore::Options().answer_timeout * 2;
  worker.core->Tick(worker.clock.now);
  EXPECT_TRUE(worker.peer->closed);
  EXPECT_TRUE(second->closed);
  EXPECT_EQ(worker.dense->reach.back(), division.here);
  worker.core->LinkDown(kPeer);
  worker.core->LinkDown(kPeer + 100);
  // It is redialled and its hello comes, but its engine is still stuck.
  const auto again = std::make_shared<FakeLink>();
  worker.core->LinkUp(
      kPeer + 200, {WorkerRole::kExpert, "p", "m", "1", division.there}, again);
  worker.Work();
  EXPECT_TRUE(again->frames.empty());
  EXPECT_EQ(worker.Result().outputs.size(), 2u);  // All layers are done.
}

TEST_P(ExpertCoreTest, APeerThatAnswersOwesNothing) {
  const Division division;
  Two two(division.here, division.there);
  two.low.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  two.Work();
  EXPECT_EQ(two.low.Counters().rows_sent > 0, true);
  two.low.clock.now += absl::Hours(1);
  two.low.core->Tick(two.low.clock.now);
  EXPECT_FALSE(two.low.peer->closed);
}

// Rows of peers wait for a piece of work: the event only queues them.
TEST_P(ExpertCoreTest, GuestsAreComputedBetweenEvents) {
  Worker worker(kAll);
  worker.AddPeer(kAll);
  const int layer = TestConfig().boundary;
  worker.Take(Guests(5, layer, 2, 3), kPeer);
  EXPECT_TRUE(worker.peer->frames.empty());
  EXPECT_EQ(worker.Counters().rows_served, 0);
  ASSERT_TRUE(worker.core->HasWork());
  worker.Work();
  std::vector<float> outputs;
  EXPECT_EQ(worker.peer->Take<ExpertOutputs>(&outputs).ticket, 5u);
  EXPECT_EQ(outputs.size(), 3u * TestConfig().hidden_size);
  EXPECT_EQ(worker.Counters().rows_served, 3);
}

// The outputs are the same alone, with other guests, and with the rows of a
// batch.
TEST_P(ExpertCoreTest, GuestsAreMergedWithTheBatch) {
  const int layer = TestConfig().boundary;
  std::map<std::uint64_t, std::vector<float>> alone;
  for (const std::uint64_t ticket : {1, 2, 3}) {
    Worker worker(kAll);
    worker.AddPeer(kAll);
    worker.Take(Guests(ticket, layer, ticket == 3 ? 4 : 2, 3), kPeer);
    worker.Work();
    worker.peer->Take<ExpertOutputs>(&alone[ticket]);
  }
  Worker worker(kAll);
  worker.AddPeer(kAll);
  worker.Take(Step(1, {RowsOf(1, 0, 20)}));
  worker.core->Advance();  // Begins the batch.
  for (const std::uint64_t ticket : {1, 2, 3}) {
    worker.Take(Guests(ticket, layer, ticket == 3 ? 4 : 2, 3), kPeer);
  }
  worker.core->Advance();  // One layer, including all guests.
  while (!worker.later.empty()) worker.later.Deliver();
  ASSERT_EQ(worker.peer->frames.size(), 3u);
  for (const std::uint64_t ticket : {1, 2, 3}) {
    std::vector<float> outputs;
    EXPECT_EQ(worker.peer->Take<ExpertOutputs>(&outputs).ticket, ticket);
    EXPECT_TRUE(outputs == alone[ticket]) << ticket;
  }
  worker.Work();
  ExpectSame(worker.Result().outputs.at(0), ReferenceOf(RowsOf(1, 0, 20)));
}

TEST_P(ExpertCoreTest, NeitherGuestsNorTheBatchWaitForever) {
  Worker worker(kAll);
  worker.AddPeer(kAll);
  const int last = TestConfig().num_layers - 1;
  ASSERT_LT(TestConfig().boundary, last);
  const auto piece = [&worker] {
    worker.core->Advance();
    while (!worker.later.empty()) worker.later.Deliver();
  };
  worker.Take(Step(1, {RowsOf(1, 0, 3)}));
  piece();  // Begins the batch, whose next layer is not the guests'.
  // Each piece of the batch is followed by one of guests, although more guests
  // keep arriving.
  std::uint64_t ticket = 0;
  int pieces = 0;
  while (worker.dense->frames.empty()) {
    ASSERT_LT(++pieces, 20);
    worker.Take(Guests(++ticket, last, 1, 600), kPeer);
    worker.Take(Guests(++ticket, last, 2, 600), kPeer);
    piece();
    // Guests need not wait for their layer of the batch.
    if (pieces == 1) {
      EXPECT_EQ(worker.Counters().rows_served, 600);
    }
  }
  EXPECT_GE(worker.Counters().rows_served, 600);
  ExpectSame(worker.Result().outputs.at(0), ReferenceOf(RowsOf(1, 0, 3)));
  // A piece has at most 512 rows, or those of a single guest.
  const std::int64_t before = worker.Counters().rows_served;
  piece();
  EXPECT_EQ(worker.Counters().rows_served, before + 600);
}

TEST_P(ExpertCoreTest, AGuestOfALostPeerIsNotComputed) {
  Worker worker(kAll);
  worker.AddPeer(kAll);
  worker.Take(Guests(1, TestConfig().boundary, 2, 3), kPeer);
  worker.core->LinkDown(kPeer);
  EXPECT_FALSE(worker.core->HasWork());
  worker.Work();
  EXPECT_EQ(worker.Counters().rows_served, 0);
}

// Frames that are not computed yet count as unhandled, which slows down a peer
// that sends too much.
TEST_P(ExpertCoreTest, FramesAreHandledWhenTheirRowsAre) {
  Worker worker(kAll);
  worker.AddPeer(kAll);
  const auto with_receipt = [](Frame frame) {
    frame.receipt = std::make_shared<int>();
    const std::weak_ptr<void> receipt = frame.receipt;
    return std::pair(std::move(frame), receipt);
  };
  auto [step, step_receipt] = with_receipt(Step(1, {RowsOf(1, 0, 3)}));
  auto [guests, guests_receipt] =
      with_receipt(Guests(5, TestConfig().boundary, 2, 3));
  worker.Take(std::move(step));
  worker.Take(std::move(guests), kPeer);
  EXPECT_FALSE(step_receipt.expired());
  EXPECT_FALSE(guests_receipt.expired());
  worker.Work();
  EXPECT_TRUE(step_receipt.expired());
  EXPECT_TRUE(guests_receipt.expired());
}

// All orders in which results and frames can arrive.
TEST_P(ExpertCoreTest, TwoWorkersFinishInAnyOrder) {
  const auto steps = SomeSteps();
  const auto expected = Reference(steps);
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    Two two;
    for (Worker* worker : {&two.low, &two.high}) {
      for (const Frame& step : steps) worker->Take(Copy(step));
    }
    for (;;) {
      std::vector<std::function<void()>> events;
      for (auto [from, to] :
           {std::pair(&two.low, &two.high), std::pair(&two.high, &two.low)}) {
        if (from->core->HasWork()) {
          events.push_back([from = from] { from->core->Advance(); });
        }
        if (!from->later.empty()) {
          events.push_back([from = from] { from->later.Deliver(); });
        }
        if (!from->peer->frames.empty()) {
          events.push_back([from = from, to = to] {
            Frame frame = std::move(from->peer->frames.front());
            from->peer->frames.pop_front();
            to->Take(std::move(frame), kPeer);
          });
        }
      }
      if (events.empty()) break;
      events[random() % events.size()]();
    }
    for (Worker* worker : {&two.low, &two.high}) {
      for (const StageResult& result : expected) {
        ExpectSame(worker->Result(), result);
      }
    }
  }
}

}  // namespace
}  // namespace apollo
