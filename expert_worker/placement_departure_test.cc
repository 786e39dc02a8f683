// What a worker does when a peer is about to stop.
#include <gtest/gtest.h>

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/placement_control_fixture.h"
#include "expert_worker/placement_rank.h"

namespace apollo {
namespace {

// A peer, "w2", that alone holds expert 5 and is about to stop. All workers
// have a standby.
class PlannedDepartureTest : public PlacementControlTest {
 protected:
  static constexpr LayerExpert kFirst = {0, 5};

  PlannedDepartureTest() {
    // The first holder of what this worker may drop for it.
    while (HolderRank(peer_.name, {0, 0}) < HolderRank("w0", {0, 0})) {
      peer_.name += "x";
    }
    peer_.reaches = peer_.resident;
    peer_.resident.everywhere.erase(5);
    stops_.name = "w2";
    stops_.resident = {5};
  }
  void Begin(int room, bool standby = true) {
    ExpertResidence::Options residence;
    residence.bytes = [](LayerExpert) { return 1; };
    residence.load = [this](LayerExpert which) { loads_.push_back(which); };
    residence.standby_bytes = standby ? 1 : 0;
    control_.reset();
    residence_ =
        std::make_unique<ExpertResidence>(residence, stage_, counters_, clock_);
    PlacementControl::Options options;
    options.automatic = true;
    options.most_resident = 2 * kLayers + room;
    control_ = std::make_unique<PlacementControl>(
        options, "w0", stage_.config(), *residence_, clock_.now);
    clock_.now += 2 * options.rules.between_moves;
    DecideAmong({peer_, stops_});
    ASSERT_TRUE(loads_.empty());
  }
  void DecideAmong(std::vector<PlacementPeer> peers) {
    report_ = control_->Report(clock_.now);
    control_->Decide(std::move(peers), clock_.now);
    Work();
  }
  // Decides until a load begins, for at most this time. Returns when.
  absl::Duration UntilLoad(const std::vector<PlacementPeer>& peers,
                           absl::Duration most) {
    const absl::Duration begin = clock_.now;
    for (; clock_.now <= begin + most; clock_.now += absl::Seconds(1)) {
      DecideAmong(peers);
      if (!loads_.empty()) break;
    }
    return clock_.now - begin;
  }
  void Stop() {
    clock_.now += absl::Milliseconds(250);  // The next decision is due.
    control_->PeerStops(stops_.name, stops_.resident, clock_.now);
    stops_.stays = false;
  }

  PlacementPeer stops_;
};

TEST_F(PlannedDepartureTest, WithRoomItsExpertsAreTakenOverBeforeItLeaves) {
  Begin(/*room=*/kLayers);
  Stop();
  DecideAmong({peer_, stops_});
  EXPECT_EQ(loads_, std::vector{kFirst});
  EXPECT_EQ(control_->Report(clock_.now).last_move,
            "expert 5 of layer 0 loaded: its holder stops");
  // And all its layers, one after the other, while it is there or not.
  for (int layer = 1; layer < kLayers; ++layer) {
    EndLoad(/*well=*/true);
    DecideAmong(layer < 9 ? std::vector{peer_, stops_} : std::vector{peer_});
    ASSERT_EQ(loads_.back(), (LayerExpert{layer, 5}));
  }
}

// As in a rolling restart.
TEST_F(PlannedDepartureTest, WithoutRoomNothingMovesUntilItIsBack) {
  Begin(/*room=*/0);
  Stop();
  const absl::Duration grace = PlacementRules().restart_grace;
  UntilLoad({peer_, stops_}, absl::Seconds(10));
  UntilLoad({peer_}, grace - absl::Seconds(1));
  ASSERT_TRUE(loads_.empty());
  stops_.stays = true;
  UntilLoad({peer_, stops_}, 2 * grace);
  EXPECT_TRUE(loads_.empty());
  EXPECT_EQ(residence_->resident(), LayerExperts({0, 1}));
}

// As a worker that is not needed any more.
TEST_F(PlannedDepartureTest, IfItStaysAwayItIsLost) {
  Begin(/*room=*/0);
  Stop();
  UntilLoad({peer_, stops_}, absl::Seconds(10));
  ASSERT_TRUE(loads_.empty());
  EXPECT_EQ(UntilLoad({peer_}, absl::Minutes(10)),
            PlacementRules().restart_grace);
  EXPECT_EQ(loads_, std::vector{kFirst});
  // A copy has made room.
  EndLoad(/*well=*/true);
  EXPECT_EQ(std::ssize(residence_->resident().Each(0, kLayers)), 2 * kLayers);
}

// One that is lost without a word meanwhile is nothing to wait for.
TEST_F(PlannedDepartureTest, ALossMeanwhileIsALoss) {
  PlacementPeer lost = stops_;
  lost.name = "w3";
  lost.resident = {6};
  Begin(/*room=*/0);
  peer_.resident.everywhere.erase(6);
  clock_.now += absl::Seconds(1);
  DecideAmong({peer_, stops_, lost});
  ASSERT_TRUE(loads_.empty());
  Stop();
  EXPECT_EQ(UntilLoad({peer_}, absl::Minutes(10)),
            PlacementRules().takes_over_after);
  EXPECT_EQ(loads_, (std::vector<LayerExpert>{{0, 6}}));
}

// Its experts must be somewhere at once: nobody can compute them otherwise.
TEST_F(PlannedDepartureTest, WithoutAStandbyCopiesMakeRoomAtOnce) {
  Begin(/*room=*/0, /*standby=*/false);
  Stop();
  EXPECT_EQ(UntilLoad({peer_, stops_}, absl::Seconds(10)),
            absl::ZeroDuration());
  EXPECT_EQ(loads_, std::vector{kFirst});
}

// While an expert loads, nothing is decided. The worker may be gone when that
// has ended.
TEST_F(PlannedDepartureTest, ADepartureDuringALoadIsNotALoss) {
  Begin(/*room=*/1);
  peer_.resident.everywhere.erase(7);  // One layer fits.
  peer_.resident.in_layer.clear();
  for (int layer = 1; layer < kLayers; ++layer) {
    peer_.resident.in_layer[layer].insert(7);
  }
  EXPECT_LT(UntilLoad({peer_, stops_}, absl::Seconds(10)), absl::Seconds(10));
  ASSERT_EQ(loads_, (std::vector<LayerExpert>{{0, 7}}));
  Stop();
  clock_.now += absl::Seconds(5);
  DecideAmong({peer_, stops_});  // Does nothing.
  EndLoad(/*well=*/true);
  loads_.clear();
  UntilLoad({peer_}, PlacementRules().restart_grace - absl::Seconds(1));
  EXPECT_TRUE(loads_.empty());
}

// What the worker that stops waits for.
TEST_F(PlannedDepartureTest, PeersWithRoomTakeOver) {
  Begin(/*room=*/0);
  PlacementPeer taker;
  taker.name = "w4";
  taker.resident = {0};  // And nobody else has 1.
  taker.takes_orphans = true;
  taker.most_resident = 2 * kLayers;
  const auto waits = [&] {
    return control_->PeersTakeOver(std::span(&taker, 1));
  };
  EXPECT_TRUE(waits());
  for (bool PlacementPeer::*flag :
       {&PlacementPeer::silent, &PlacementPeer::loads_fail}) {
    taker.*flag = true;
    EXPECT_FALSE(waits());
    taker.*flag = false;
  }
  for (bool PlacementPeer::*flag :
       {&PlacementPeer::stays, &PlacementPeer::takes_orphans}) {
    taker.*flag = false;
    EXPECT_FALSE(waits());
    taker.*flag = true;
  }
  taker.most_resident = kLayers;  // It is full.
  EXPECT_FALSE(waits());
  taker.most_resident = 3 * kLayers;
  taker.resident = {0, 1};  // It has all.
  EXPECT_FALSE(waits());
}

}  // namespace
}  // namespace apollo
