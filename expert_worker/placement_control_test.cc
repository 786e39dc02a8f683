#include "expert_worker/placement_control.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/placement_control_fixture.h"

namespace apollo {
namespace {

TEST_F(PlacementControlTest, AReportHasAllExpertsOfALargeModel) {
  std::map<LayerExpert, int> rows;
  for (int layer = 0; layer < kLayers; ++layer) {
    for (int e = 0; e < kExperts; ++e) rows[{layer, e}] = 10;
  }
  Use(rows);
  const PlacementReport report = control_->Report(clock_.now);
  ASSERT_EQ(report.experts.size(),
            static_cast<std::size_t>(kLayers) * kExperts);
  EXPECT_EQ(report.experts.back().layer, kLayers - 1);
  EXPECT_EQ(report.experts.back().expert, kExperts - 1);
  EXPECT_EQ(report.experts.back().own_rows, 10);
}

// No rest between the layers of an expert: the second load begins as soon as
// the first has ended.
TEST_F(PlacementControlTest, TheLayersOfAMoveFollowEachOther) {
  clock_.now += absl::Seconds(2);
  Use({{{3, 70}, 5000}, {{47, 70}, 5000}});
  Decide();
  ASSERT_EQ(loads_, (std::vector<LayerExpert>{{3, 70}}));
  EndLoad(/*well=*/true);
  control_->Decide({peer_}, clock_.now);
  Work();
  ASSERT_EQ(loads_.size(), 2u);
  EXPECT_EQ(loads_[1], (LayerExpert{47, 70}));
  EndLoad(/*well=*/true);
  EXPECT_TRUE(residence_->resident().Has(3, 70));
  EXPECT_TRUE(residence_->resident().Has(47, 70));
}

// A load that fails is tried again after its pause, however often the worker
// could move in a surge, and its peers do not wait for it.
TEST_F(PlacementControlTest, AFailedLoadIsNotTriedAgainEachSecond) {
  clock_.now += absl::Seconds(2);
  Use({{{3, 70}, 50000}});
  Decide();
  EXPECT_TRUE(report_.moves);
  ASSERT_EQ(loads_.size(), 1u);
  EndLoad(/*well=*/false);
  for (int second = 0; second < 25; ++second) {
    clock_.now += absl::Seconds(1);
    Use({{{3, 70}, 50000}});
    Decide();
    EXPECT_EQ(loads_.size(), 1u) << second;
    EXPECT_FALSE(report_.moves) << second;
  }
  clock_.now += absl::Seconds(10);
  Work();
  EXPECT_EQ(loads_.size(), 2u);
}

// Nor does it keep the worker from what only it loads: an expert that nobody
// holds.
TEST_F(PlacementControlTest, AnExpertWithoutHolderIsLoadedBesideOneThatFails) {
  clock_.now += absl::Seconds(2);
  Use({{{3, 70}, 50000}});
  Decide();
  ASSERT_EQ(loads_.size(), 1u);
  EndLoad(/*well=*/false);
  peer_.resident.everywhere.erase(5);  // Its holder is lost.
  bool loaded = false;
  for (int tick = 0; tick < 4 * 300 && !loaded; ++tick) {
    clock_.now += absl::Milliseconds(250);
    const std::size_t before = loads_.size();
    Work();  // A busy worker advances between two ticks.
    if (loads_.size() > before) EndLoad(/*well=*/false);
    Use({{{3, 70}, 5000}});
    Decide();
    loaded = loads_.back().expert == 5;
  }
  EXPECT_TRUE(loaded) << loads_.size();
}

// Peers do not leave a move of a surge to a worker that has made its own.
TEST_F(PlacementControlTest, AWorkerThatRestsSaysSo) {
  EXPECT_TRUE(control_->Report(clock_.now).moves);
  const int most = PlacementRules().most_surge_moves;
  for (int move = 0; move < most; ++move) {
    clock_.now += absl::Seconds(1);
    Use({{{move, 2 + move}, 5000}});
    Decide();
    EndLoad(/*well=*/true);
  }
  EXPECT_EQ(static_cast<int>(loads_.size()), most);
  EXPECT_FALSE(control_->Report(clock_.now).moves);
  clock_.now += absl::Seconds(10);
  EXPECT_FALSE(control_->Report(clock_.now).moves);
  clock_.now += absl::Seconds(60);
  EXPECT_TRUE(control_->Report(clock_.now).moves);
}

// A move is one move, however long its layers take: peers leave it to the
// worker until its last layer is here.
TEST_F(PlacementControlTest, AWorkerBetweenTwoLayersOfItsLastMoveSaysSo) {
  const int most = PlacementRules().most_surge_moves;
  for (int move = 0; move < most; ++move) {
    clock_.now += absl::Seconds(1);
    std::map<LayerExpert, int> rows = {{{move, 2 + move}, 5000}};
    if (move == most - 1) rows[{47, 2 + move}] = 5000;
    Use(rows);
    Decide();
    EndLoad(/*well=*/true);
  }
  clock_.now += absl::Seconds(6);
  EXPECT_TRUE(control_->Report(clock_.now).moves);
  Decide();
  ASSERT_EQ(static_cast<int>(loads_.size()), most + 1);
  EXPECT_EQ(loads_.back(), (LayerExpert{47, 1 + most}));
  EXPECT_TRUE(control_->Report(clock_.now).moves);
  EndLoad(/*well=*/true);
  EXPECT_FALSE(control_->Report(clock_.now).moves);
}

// The layers still to come give way, without a rest.
TEST_F(PlacementControlTest, AMoveGivesWayToAnExpertWithoutHolder) {
  clock_.now += PlacementRules().between_moves;
  std::map<LayerExpert, int> rows;
  for (int layer = 0; layer < kLayers; ++layer) rows[{layer, 70}] = 50000;
  Use(rows);
  Decide();
  ASSERT_EQ(loads_.size(), 1u);
  EndLoad(/*well=*/true);
  Decide();
  ASSERT_EQ(loads_.size(), 2u);
  EXPECT_EQ(loads_.back().expert, 70);
  EndLoad(/*well=*/true);
  peer_.resident.everywhere.erase(5);  // Its holder is lost.
  Decide();
  ASSERT_EQ(loads_.size(), 3u);
  EXPECT_EQ(loads_.back().expert, 5);
}

// An expert that loses its holder while it moves here comes with the move.
TEST_F(PlacementControlTest, AMoveGoesOnForItsOwnExpert) {
  constexpr int kLast = kLayers - 1;
  clock_.now += PlacementRules().between_moves;
  Use({{{0, 70}, 5000}, {{kLast, 70}, 5000}});
  Decide();
  ASSERT_EQ(loads_, (std::vector<LayerExpert>{{0, 70}}));
  EndLoad(/*well=*/true);
  peer_.resident.everywhere.erase(70);
  for (int layer = 0; layer < kLast; ++layer) {
    peer_.resident.in_layer[layer] = {70};
  }
  Decide();
  ASSERT_EQ(loads_.size(), 2u);
  EXPECT_EQ(loads_.back(), (LayerExpert{kLast, 70}));
}

// Its layers follow each other as fast as they load, and not before their
// holder had time to come back.
TEST_F(PlacementControlTest, AnExpertOfALostPeerIsTakenOverAsAWhole) {
  PlacementPeer lost = peer_;
  lost.name = "w2";
  peer_.resident.everywhere.erase(5);
  clock_.now += 2 * PlacementRules().between_moves;
  report_ = control_->Report(clock_.now);
  control_->Decide({peer_, lost}, clock_.now);
  const absl::Duration lost_at = clock_.now + absl::Milliseconds(250);
  for (clock_.now = lost_at;
       clock_.now < lost_at + PlacementRules().takes_over_after;
       clock_.now += absl::Milliseconds(250)) {
    Decide();
    ASSERT_TRUE(loads_.empty()) << clock_.now - lost_at;
  }
  for (int layer = 0; layer < kLayers; ++layer) {
    Decide();
    ASSERT_EQ(loads_.size(), static_cast<std::size_t>(layer) + 1);
    Decide();  // Nothing else while it loads.
    EndLoad(/*well=*/true);
    EXPECT_TRUE(residence_->resident().Has(layer, 5)) << layer;
    clock_.now += absl::Milliseconds(1);
  }
  Decide();
  EXPECT_EQ(loads_.size(), static_cast<std::size_t>(kLayers));
  EXPECT_TRUE(report_.takes_orphans);
  EXPECT_TRUE(report_.moves);  // These are no moves of a surge.
}

// Fault 1: one that has just started takes nothing for 30 s, so the others must
// not leave it anything.
TEST_F(PlacementControlTest, AWorkerThatHasJustStartedTakesNoOrphansYet) {
  peer_.resident.everywhere.erase(5);
  Decide();
  ASSERT_TRUE(loads_.empty());
  EXPECT_FALSE(report_.takes_orphans);
  clock_.now += PlacementRules().between_moves;
  Decide();
  EXPECT_FALSE(loads_.empty());
  EXPECT_TRUE(report_.takes_orphans);
}

// Fault 2: one that cannot take over for want of room lets others do it.
TEST_F(PlacementControlTest, AWorkerWithTooManyResidentsLeavesOrphansToOthers) {
  PlacementControl::Options options;
  options.automatic = true;
  options.most_resident = kLayers;  // It has begun with twice as many.
  control_ = std::make_unique<PlacementControl>(options, "w0", stage_.config(),
                                                *residence_, clock_.now);
  peer_.resident.everywhere.erase(5);
  Decide();
  EXPECT_FALSE(report_.loads_fail);
  for (int second = 0; second < 120; ++second) {
    clock_.now += absl::Seconds(1);
    Decide();
    ASSERT_TRUE(loads_.empty());
  }
  EXPECT_TRUE(report_.loads_fail);
}

// Fault 3: what a move still has to load, and nobody holds any more, may be the
// share of another worker, which loads it, too.
TEST_F(PlacementControlTest, AMoveDoesNotLoadTheShareOfAnother) {
  PlacementPeer other = peer_, holder = peer_;
  other.name = "w2";
  other.resident = {0, 1};
  other.takes_orphans = true;
  other.most_resident = 100 * kLayers;  // It has more room.
  peer_.resident.everywhere.erase(70);
  holder.name = "w3";
  clock_.now += PlacementRules().between_moves;
  const auto decide = [&](std::vector<PlacementPeer> peers) {
    report_ = control_->Report(clock_.now);
    control_->Decide(std::move(peers), clock_.now);
    Work();
  };
  Use({{{0, 70}, 5000}, {{1, 70}, 5000}});
  decide({peer_, other, holder});
  ASSERT_EQ(loads_, (std::vector<LayerExpert>{{0, 70}}));
  EndLoad(/*well=*/true);
  for (int i = 0; i < 40; ++i) {
    clock_.now += absl::Milliseconds(250);
    decide({peer_, other});
  }
  EXPECT_EQ(loads_.size(), 1u);
}

// Fault 4.
TEST_F(PlacementControlTest, APeerThatComesAndGoesDoesNotDelayATakeover) {
  PlacementPeer flapping = peer_;
  flapping.name = "w2";
  flapping.resident = {};
  clock_.now += 2 * PlacementRules().between_moves;
  for (int i = 0; i < 80 && loads_.empty(); ++i) {
    if (i == 1) peer_.resident.everywhere.erase(5);
    std::vector<PlacementPeer> peers = {peer_};
    if (i % 8 != 1) peers.push_back(flapping);
    report_ = control_->Report(clock_.now);
    control_->Decide(peers, clock_.now);
    Work();
    clock_.now += absl::Milliseconds(250);
  }
  EXPECT_FALSE(loads_.empty());
}

// Kills the mutant of LoadsFail without kLongLoad.
TEST_F(PlacementControlTest, ALoadThatTakesLongIsReported) {
  clock_.now += PlacementRules().between_moves;
  peer_.resident.everywhere.erase(5);
  Decide();
  ASSERT_EQ(loads_.size(), 1u);
  clock_.now += absl::Seconds(30);
  EXPECT_FALSE(control_->Report(clock_.now).loads_fail);
  clock_.now += absl::Milliseconds(1);
  EXPECT_TRUE(control_->Report(clock_.now).loads_fail);
  EndLoad(/*well=*/true);
  EXPECT_FALSE(control_->Report(clock_.now).loads_fail);
}

// What its holder brings back is not loaded.
TEST_F(PlacementControlTest, AnExpertThatIsBackIsNotTakenOverFurther) {
  clock_.now += PlacementRules().between_moves;
  peer_.resident.everywhere.erase(5);
  Decide();
  ASSERT_EQ(loads_.size(), 1u);
  EndLoad(/*well=*/true);
  peer_.resident.everywhere.insert(5);
  Decide();
  EXPECT_EQ(loads_.size(), 1u);
}

// A worker whose loads fail says so: others come before it.
TEST_F(PlacementControlTest, AnOrphanThatFailsIsReported) {
  clock_.now += PlacementRules().between_moves;
  peer_.resident.everywhere.erase(5);
  Decide();
  EXPECT_FALSE(report_.loads_fail);
  ASSERT_EQ(loads_.size(), 1u);
  EndLoad(/*well=*/false);
  Decide();
  EXPECT_TRUE(report_.loads_fail);
  ASSERT_EQ(loads_.size(), 2u);  // There is no other: it tries the next layer.
  EXPECT_EQ(loads_.back(), (LayerExpert{1, 5}));
}

// A peer of an older version may have another order of the holders in each
// layer. Then only what is later in both orders may be relied on.
TEST_F(PlacementControlTest, DropsAgreeWithOlderVersions) {
  constexpr LayerExpert kWhich = {5, 1};
  int by_one = 0, by_both = 0;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "p" + std::to_string(i);
    const bool later = HolderRank(name, kWhich) > HolderRank("w0", kWhich);
    const bool later_in_layer =
        RendezvousRank(name, kWhich) > RendezvousRank("w0", kWhich);
    PlacementPeer peer = peer_;
    peer.name = name;
    EXPECT_EQ(control_->Dispensable(kWhich, std::span(&peer, 1)), later);
    peer.ranks_by_layer = true;
    EXPECT_EQ(control_->Dispensable(kWhich, std::span(&peer, 1)),
              later && later_in_layer);
    by_one += later ? 1 : 0;
    by_both += later && later_in_layer ? 1 : 0;
  }
  EXPECT_GT(by_one, by_both);
  EXPECT_GT(by_both, 0);
  EXPECT_TRUE(control_->Report(clock_.now).ranks_by_expert);
}

}  // namespace
}  // namespace apollo
