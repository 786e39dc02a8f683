// Experts that come and go, and rows that change their place.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

INSTANTIATE_EXPERT_CORE_TEST();

constexpr LinkId kSecondPeer = 9;

ExpertCore::Options StandbyFor(int experts) {
  ExpertCore::Options options;
  options.residence.standby_bytes = experts * kExpertBytes;
  return options;
}

// Adds a second peer, and returns its link.
// The peer of the fixture, "p", is before "r" for a worker without a name.
std::shared_ptr<FakeLink> AddSecond(Worker& worker,
                                    const std::set<int>& experts) {
  auto link = std::make_shared<FakeLink>();
  worker.core->LinkUp(kSecondPeer,
                      {WorkerRole::kExpert, "r", "m", "1", experts}, link);
  WorkerInfo info = std::get<WorkerInfo>(PeerInfo(experts).body);
  info.name = "r";
  worker.Take({info}, kSecondPeer);
  return link;
}

// A worker that has taken a row for experts that both of its peers have, and a
// worker that computes for either peer.
struct TwoHolders {
  TwoHolders() {
    server.AddPeer(division.here);
    worker.AddPeer(division.there);
    second = AddSecond(worker, division.there);
    worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  }
  const Division division;
  Worker worker{division.here};
  Worker server{division.there};
  std::shared_ptr<FakeLink> second;
};

// Lets `server` compute the rows on a link of `worker`, and delivers the
// outputs.
void Serve(Worker& server, Worker& worker, FakeLink& link, LinkId id) {
  while (!link.frames.empty()) {
    server.Take(std::move(link.frames.front()), kPeer);
    link.frames.pop_front();
    server.Work();
    for (; !server.peer->frames.empty(); server.peer->frames.pop_front()) {
      worker.Take(std::move(server.peer->frames.front()), id);
    }
    worker.Work();
  }
}

TEST_P(ExpertCoreTest, StandbyExpertsReplaceEveryPeer) {
  for (const int room : {1, 2, 20}) {
    Worker worker(kLow, 64, 1, StandbyFor(room));
    EXPECT_EQ(worker.dense->reach.back(), kAll);
    EXPECT_EQ(worker.dense->infos.back().resident, kLow);
    const auto expected = Reference(SomeSteps());
    int i = 0;
    for (const Frame& frame : SomeSteps()) {
      worker.Take(Copy(frame));
      worker.Work();
      ExpectSame(worker.Result(), expected[i++]);
      EXPECT_LE(worker.Counters().standby_bytes, room * kExpertBytes);
    }
    EXPECT_GT(worker.Counters().rows_on_standby, 0);
    EXPECT_EQ(worker.Counters().standby_evictions > 0, room < 20);
    EXPECT_EQ(worker.core->resident(), kLow);
    EXPECT_EQ(worker.Counters().rows_sent, 0);
  }
}

TEST_P(ExpertCoreTest, WithoutRoomForAnExpertNoneStandsBy) {
  ExpertCore::Options options;
  options.residence.standby_bytes = kExpertBytes - 1;
  Worker worker(kLow, 64, 1, options);
  EXPECT_EQ(worker.dense->reach.back(), kLow);
}

TEST_P(ExpertCoreTest, AnExpertOnStandbyLeavesWhenUnused) {
  const Division division;
  Worker worker(division.here, 64, 1, StandbyFor(20));
  worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  worker.Work();
  EXPECT_GT(worker.Counters().standby_experts, 0);
  worker.clock.now += ExpertResidence::Options().unused_for;
  worker.Work();
  EXPECT_GT(worker.Counters().standby_experts, 0);
  worker.clock.now += absl::Milliseconds(1);
  worker.Work();
  EXPECT_EQ(worker.Counters().standby_experts, 0);
  EXPECT_EQ(worker.Counters().standby_bytes, 0);
}

TEST_P(ExpertCoreTest, GuestsAreServedWhileABatchWaitsForALoad) {
  const Division division;
  Worker worker(division.here, 64, 1, StandbyFor(20));
  worker.AddPeer({});
  worker.hold_loads = true;
  worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  worker.Work();
  ASSERT_FALSE(worker.loads.empty());
  EXPECT_TRUE(worker.dense->frames.empty());
  EXPECT_FALSE(worker.core->AtWork());
  worker.Take(Guests(7, TestConfig().boundary, *division.here.begin(), 3),
              kPeer);
  worker.Work();
  EXPECT_EQ(worker.peer->Take<ExpertOutputs>().ticket, 7u);
  worker.hold_loads = false;
  worker.Work();
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
}

TEST_P(ExpertCoreTest, ALoadThatFailsFailsOnlyTheRowsThatNeedIt) {
  const Division division;
  Worker worker(division.here, 64, 1, StandbyFor(20));
  worker.hold_loads = true;
  worker.Take(
      Step(1, {RowsOf(division.local, 0, 1), RowsOf(division.remote, 0, 1)}));
  worker.Work();
  while (!worker.loads.empty()) {
    worker.FinishLoad(absl::NotFoundError("no such tensor"));
    worker.Work();
  }
  const StageResult result = worker.Result();
  ExpectSame(result.outputs.at(0), ReferenceOf(RowsOf(division.local, 0, 1)));
  EXPECT_EQ(result.outputs.at(1).status.code(), StatusCode::kUnavailable);
}

TEST_P(ExpertCoreTest, ALoadThatHangsGivesItsRowsToAPeer) {
  const Division division;
  Worker worker(division.here, 64, 1, StandbyFor(20));
  Worker server(division.there);
  server.AddPeer(division.here);
  worker.hold_loads = true;
  worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  worker.Work();
  ASSERT_FALSE(worker.loads.empty());
  worker.AddPeer(division.there);
  worker.clock.now += ExpertCore::Options().answer_timeout;
  worker.core->Tick(worker.clock.now);
  EXPECT_TRUE(worker.peer->frames.empty());
  worker.clock.now += absl::Milliseconds(1);
  worker.core->Tick(worker.clock.now);
  ASSERT_FALSE(worker.peer->frames.empty());
  Serve(server, worker, *worker.peer, kPeer);
  ASSERT_FALSE(worker.dense->frames.empty());
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
  // The same expert again: its load is still under way.
  worker.Take(Step(2, {RowsOf(division.remote, 1, 1)}));
  worker.Work();
  Serve(server, worker, *worker.peer, kPeer);
  EXPECT_FALSE(worker.dense->frames.empty());
  worker.hold_loads = false;
  worker.Work();
}

TEST_P(ExpertCoreTest, RowsOfALostPeerGoToTheSecondHolder) {
  TwoHolders holders;
  auto& [division, worker, server, second] = holders;
  worker.Work();
  ASSERT_FALSE(worker.peer->frames.empty());
  EXPECT_TRUE(second->frames.empty());
  worker.core->LinkDown(kPeer);
  worker.Work();
  EXPECT_FALSE(second->frames.empty());
  Serve(server, worker, *second, kSecondPeer);
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
  EXPECT_GT(worker.Counters().rows_resent, 0);
}

TEST_P(ExpertCoreTest, RowsOfASilentPeerGoToTheSecondHolder) {
  TwoHolders holders;
  auto& [division, worker, server, second] = holders;
  worker.Work();
  worker.clock.now += ExpertCore::Options().silent_after;
  worker.core->Tick(worker.clock.now);
  EXPECT_TRUE(second->frames.empty());
  worker.clock.now += absl::Milliseconds(1);
  worker.core->Tick(worker.clock.now);
  EXPECT_FALSE(second->frames.empty());
  EXPECT_FALSE(worker.peer->closed);
  const Frame late = std::move(worker.peer->frames.front());
  worker.peer->frames.clear();
  Serve(server, worker, *second, kSecondPeer);
  // The first answers late: wrong numbers would be noticed.
  worker.Take({ExpertOutputs{std::get<ExpertRows>(late.body).ticket, {}},
               Rows::Host(late.payload.rows(), late.payload.width())},
              kPeer);
  worker.Work();
  Serve(server, worker, *second, kSecondPeer);
  // Later layers may have gone to the first again: it has given a sign of life.
  Serve(server, worker, *worker.peer, kPeer);
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
}

TEST_P(ExpertCoreTest, ASilentPeerMayAnswerFirstAfterAll) {
  TwoHolders holders;
  auto& [division, worker, server, second] = holders;
  worker.Work();
  worker.clock.now += ExpertCore::Options().silent_after * 1.1;
  worker.core->Tick(worker.clock.now);
  ASSERT_FALSE(second->frames.empty());
  const Frame again = std::move(second->frames.front());
  second->frames.clear();
  Serve(server, worker, *worker.peer, kPeer);
  // The second answers what is known: wrong numbers would be noticed.
  worker.Take({ExpertOutputs{std::get<ExpertRows>(again.body).ticket, {}},
               Rows::Host(again.payload.rows(), again.payload.width())},
              kSecondPeer);
  worker.Work();
  Serve(server, worker, *second, kSecondPeer);
  Serve(server, worker, *worker.peer, kPeer);
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
}

TEST_P(ExpertCoreTest, RowsOfASilentPeerAreComputedHereOnStandby) {
  const Division division;
  Worker worker(division.here, 64, 1, StandbyFor(1));
  worker.AddPeer(division.there);
  worker.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  worker.Work();
  if (worker.loads.empty() && worker.dense->frames.empty()) {
    ASSERT_FALSE(worker.peer->frames.empty());
    worker.clock.now += ExpertCore::Options().silent_after * 1.1;
    worker.core->Tick(worker.clock.now);
    worker.Work();
  }
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
}

TEST_P(ExpertCoreTest, AHolderWithoutTheExpertIsAskedOnce) {
  TwoHolders holders;
  auto& [division, worker, server, second] = holders;
  while (worker.Work(), worker.dense->frames.empty()) {
    ASSERT_FALSE(worker.peer->frames.empty() && second->frames.empty());
    while (!worker.peer->frames.empty()) {
      const auto asked = worker.peer->Take<ExpertRows>();
      worker.Take({ExpertOutputs{asked.ticket, absl::NotFoundError("gone")}},
                  kPeer);
    }
    Serve(server, worker, *second, kSecondPeer);
  }
  ExpectSame(worker.Result().outputs.at(0),
             ReferenceOf(RowsOf(division.remote, 0, 1)));
  EXPECT_FALSE(worker.peer->closed);
}

Placement FileOf(const LayerExperts& own) { return {{"w", own}}; }

ExpertCore::Options Named(ExpertCore::Options options = {}) {
  options.self.name = "w";
  return options;
}

TEST_P(ExpertCoreTest, APlacementFileMovesExpertsDuringAStep) {
  const auto expected = Reference(SomeSteps());
  Worker worker(kLow, 64, 1, Named());
  Worker high(kAll);
  high.AddPeer(kLow);
  worker.AddPeer(kAll);
  LayerExperts target = {0, 5};
  target.in_layer[TestConfig().num_layers - 1] = {6};
  int i = 0;
  for (const Frame& frame : SomeSteps()) {
    worker.Take(Copy(frame));
    worker.core->Advance();
    if (i == 0) worker.core->TakePlacement(FileOf(target));
    while (worker.Work(), worker.dense->frames.empty()) {
      ASSERT_FALSE(worker.peer->frames.empty());
      Serve(high, worker, *worker.peer, kPeer);
    }
    ExpectSame(worker.Result(), expected[i++]);
  }
  EXPECT_EQ(worker.core->resident(), target);
  EXPECT_EQ(worker.dense->infos.back().resident, target);
  for (const PlacedExpert& placed :
       worker.dense->infos.back().placement.experts) {
    if (placed.hold == ExpertHold::kAbsent) continue;
    EXPECT_EQ(placed.hold, ExpertHold::kFile);
    EXPECT_TRUE(target.Has(placed.layer, placed.expert));
  }
}

TEST_P(ExpertCoreTest, AnExpertThatNobodyElseKeepsIsNotDropped) {
  Worker worker(kLow, 64, 1, Named());
  worker.core->TakePlacement(FileOf({0, 5}));
  worker.Work();
  EXPECT_EQ(worker.core->resident(), (LayerExperts{0, 1, 2, 3, 5}));
  // The file says that the peer keeps some of them.
  Placement file = FileOf({0, 5});
  file["p"] = {1, 2};
  worker.AddPeer({1, 2, 3});
  worker.core->TakePlacement(file);
  worker.Work();
  EXPECT_FALSE(worker.core->resident().Has(TestConfig().boundary, 1));
  EXPECT_FALSE(worker.core->resident().Has(TestConfig().boundary, 2));
  EXPECT_TRUE(worker.core->resident().Has(TestConfig().boundary, 0));
}

TEST_P(ExpertCoreTest, ExpertsOfAPeerThatStopsAreTakenOverBeforeItLeaves) {
  ExpertCore::Options options = Named();
  options.residence.standby_bytes = kExpertBytes;
  options.placement.automatic = true;
  options.placement.most_resident =
      static_cast<int>(kAll.size()) * TestConfig().num_sparse_layers();
  Worker worker(kLow, 64, 1, options);
  worker.AddPeer(kHigh);
  worker.clock.now += PlacementRules().between_moves;
  worker.core->Tick(worker.clock.now);
  worker.Work();
  EXPECT_EQ(worker.core->resident(), kLow);
  worker.Take(PeerInfo(kHigh, 2, /*draining=*/true), kPeer);
  for (int load = 0; load < 100; ++load) {
    worker.clock.now += absl::Milliseconds(50);
    worker.core->Tick(worker.clock.now);
    worker.Work();
  }
  EXPECT_EQ(worker.core->resident(), kAll);
}

TEST_P(ExpertCoreTest, AWorkerThatStopsWaitsForPeersWithRoom) {
  Worker worker(kHigh);
  worker.AddPeer(kLow);
  WorkerInfo taker = std::get<WorkerInfo>(PeerInfo(kLow, 2).body);
  taker.placement.takes_orphans = true;
  taker.placement.most_resident =
      static_cast<int>(kAll.size()) * TestConfig().num_sparse_layers();
  worker.Take({taker}, kPeer);
  EXPECT_FALSE(worker.core->PeersTakeOver());  // It stays.
  worker.core->Drain(/*hand_over=*/true);
  EXPECT_TRUE(worker.core->PeersTakeOver());
  taker.resident = kAll;
  ++taker.revision;
  worker.Take({taker}, kPeer);
  EXPECT_FALSE(worker.core->PeersTakeOver());
}

TEST_P(ExpertCoreTest, UseMovesExperts) {
  ExpertCore::Options options = Named();
  options.placement.automatic = true;
  options.placement.most_resident =
      static_cast<int>(kAll.size()) * TestConfig().num_sparse_layers();
  options.placement.rules.least_rows = 1;
  Worker worker(kLow, 64, 1, options);
  Worker high(kAll);
  high.AddPeer(kLow);
  worker.AddPeer(kAll);
  worker.Take(Copy(SomeSteps()[0]));
  while (worker.Work(), worker.dense->frames.empty()) {
    Serve(high, worker, *worker.peer, kPeer);
  }
  worker.core->Tick(worker.clock.now);
  EXPECT_EQ(worker.core->resident(), kLow);
  worker.clock.now += PlacementRules().between_moves;
  worker.core->Tick(worker.clock.now);  // Reports the rows.
  worker.clock.now += absl::Seconds(1);
  worker.core->Tick(worker.clock.now);
  worker.Work();
  EXPECT_NE(worker.core->resident(), kLow);
  EXPECT_EQ(worker.Counters().moves, 1);
  const PlacementReport& report = worker.dense->infos.back().placement;
  EXPECT_NE(report.last_move.find("loaded: "), std::string::npos);
}

}  // namespace
}  // namespace apollo
