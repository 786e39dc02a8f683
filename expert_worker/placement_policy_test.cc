#include "expert_worker/placement_policy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>

namespace apollo {
namespace {

constexpr int kLayer = 9;
constexpr absl::Duration kNow = absl::Hours(1);

LayerExpert E(int expert) { return {kLayer, expert}; }

class PlacementPolicyTest : public testing::Test {
 protected:
  PlacementPolicyTest() {
    state_.now = kNow;
    state_.name = "w0";
    state_.first_layer = kLayer;
    state_.end_layer = kLayer + 1;
    state_.num_experts = 6;
    state_.demand = &demand_;
    Hold({0, 1});
    // Together they hold everything, so there are no orphans.
    state_.peers = {{"w1", {0, 1, 2, 3}}, {"w2", {0, 1, 4, 5}}};
  }
  void Hold(const std::set<int>& experts) {
    state_.resident.clear();
    for (const int e : experts) state_.resident.insert(E(e));
    state_.most_resident = static_cast<int>(experts.size());
  }
  // Count rows that came at a steady rate: about 51 s ago, rows have the same
  // share of both measures.
  void Absent(int expert, double rows) { Steady(expert, {rows, rows, 0}); }
  void Own(int expert, double rows, double guests = 0) {
    Steady(expert, {rows, 0, guests});
  }
  void Steady(int expert, ExpertDemand::Use rows) {
    const double grown = std::exp2(51.0 / 300);
    demand_.Add(E(expert),
                {grown * rows.own, grown * rows.absent, grown * rows.guests},
                kNow - absl::Seconds(51));
  }
  // The peers decide by the same policy.
  void PeersMove() {
    for (PlacementPeer& peer : state_.peers) {
      peer.moves = peer.takes_orphans = true;
      peer.most_resident = static_cast<int>(peer.resident.everywhere.size());
    }
  }
  // Makes this worker the first, or the last, of the holders of an expert.
  void Rank(int expert, bool first) {
    const auto rank = [expert](const std::string& name) {
      return HolderRank(name, E(expert));
    };
    for (int i = 0;; ++i) {
      state_.peers[0].name = "x" + std::to_string(i);
      state_.peers[1].name = "y" + std::to_string(i);
      const std::uint64_t own = rank(state_.name);
      bool fits = true;
      for (const PlacementPeer& peer : state_.peers) {
        fits = fits && (own > rank(peer.name)) == first;
      }
      if (fits) return;
    }
  }

  ExpertDemand demand_;
  PlacementState state_;
};

TEST_F(PlacementPolicyTest, LoadsTheExpertOfTheBusiestHolders) {
  Rank(0, /*first=*/false);
  Absent(3, 500);
  Absent(4, 900);
  Own(0, 50);
  Own(1, 5000);
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(4));
  EXPECT_EQ(move->drop, E(0));
  EXPECT_EQ(move->reason,
            "expert 4 of layer 9 loaded: 900 rows lately for each holder; "
            "expert 0 of layer 9 dropped: 25 rows for each other one");
}

// A restart is no reason to move anything: the rows of the holders that are
// left are not those of a surge.
TEST_F(PlacementPolicyTest, AHolderThatIsExpectedBackSharesTheLoad) {
  state_.most_resident = 3;  // There is room.
  state_.peers.push_back({"w3", {3}, /*stays=*/false});
  Absent(3, 150);
  ASSERT_TRUE(NextMove(state_).has_value());
  EXPECT_EQ(NextMove(state_)->load, E(3));
  state_.expected["w3"] = {3};
  EXPECT_FALSE(NextMove(state_).has_value());
  // But a surge is one.
  Absent(3, 100);
  EXPECT_TRUE(NextMove(state_).has_value());
}

// Nobody relies on it: what it holds may be gone for good.
TEST_F(PlacementPolicyTest, AHolderThatIsExpectedBackMakesNoCopyDispensable) {
  state_.peers = {{"w1", {1, 2, 3}}, {"w2", {1, 4, 5}}};
  Rank(1, /*first=*/false);
  state_.expected["w3"] = {0, 1};
  state_.most_resident = 1;  // One of 0 and 1 must go.
  Own(1, 500);
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->drop, E(1));
}

// An expert comes in all layers that ask for it, one after the other.
TEST_F(PlacementPolicyTest, AMoveTakesTheExpertInAllLayers) {
  Rank(0, /*first=*/false);
  Rank(1, /*first=*/false);
  state_.end_layer = kLayer + 3;
  state_.resident.clear();
  for (int layer = kLayer; layer < state_.end_layer; ++layer) {
    state_.resident.insert({layer, 0});
    state_.resident.insert({layer, 1});
  }
  state_.most_resident = static_cast<int>(state_.resident.size()) + 1;
  for (const int layer : {kLayer, kLayer + 2}) {
    demand_.Add({layer, 4}, {900, 900, 0}, kNow);
  }
  demand_.Add({kLayer + 1, 4}, {1, 1, 0}, kNow);
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(4));
  EXPECT_FALSE(move->drop.has_value());  // There is room for one.
  ASSERT_EQ(move->further.size(), 1u);
  EXPECT_EQ(move->further[0].load, (LayerExpert{kLayer + 2, 4}));
  ASSERT_TRUE(move->further[0].drop.has_value());
  EXPECT_TRUE(state_.resident.contains(*move->further[0].drop));
  EXPECT_NE(move->reason.find("; and in 1 more layers"), std::string::npos);
}

// A worker that has made its moves of a minute takes no part in the plan of a
// surge, and its peers do not wait for it.
TEST_F(PlacementPolicyTest, AWorkerWithoutFurtherMovesTakesNothing) {
  state_.most_resident = 3;
  Absent(3, 5000);
  EXPECT_TRUE(NextMove(state_).has_value());
  state_.moves_lately = PlacementRules().most_surge_moves;
  EXPECT_FALSE(NextMove(state_).has_value());
}

// The plan sees all experts of a large model, and needs little time for it: one
// look at all for each of them would take minutes.
TEST_F(PlacementPolicyTest, ManyLayersAndExperts) {
  constexpr int kLayers = 48, kExperts = 128;
  state_.first_layer = 0;
  state_.end_layer = kLayers;
  state_.num_experts = kExperts;
  state_.resident.clear();
  state_.peers.clear();
  std::set<int> odd, even;
  for (int e = 0; e < kExperts; ++e) (e % 2 == 0 ? even : odd).insert(e);
  state_.resident = LayerExperts(even).Each(0, kLayers);
  state_.most_resident = static_cast<int>(state_.resident.size());
  for (int w = 1; w < 8; ++w) {
    state_.peers.push_back({"w" + std::to_string(w), w % 2 == 0 ? even : odd,
                            true, true, state_.most_resident});
  }
  for (int layer = 0; layer < kLayers; ++layer) {
    for (int e = 0; e < kExperts; ++e) {
      demand_.Add({layer, e}, {1000, 1000, 0}, kNow);
    }
  }
  EXPECT_FALSE(NextMove(state_).has_value());
  demand_.Add({kLayers - 1, kExperts - 1}, {90000, 90000, 0}, kNow);
  state_.peers.clear();
  state_.peers.push_back({"w1", odd, true, false});
  state_.peers.push_back({"w2", even, true, false});
  state_.peers.push_back({"w3", even, true, false});
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, (LayerExpert{kLayers - 1, kExperts - 1}));
}

TEST_F(PlacementPolicyTest, WithRoomItOnlyLoads) {
  Absent(3, 500);
  state_.most_resident = 3;
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
  EXPECT_FALSE(move->drop.has_value());
}

TEST_F(PlacementPolicyTest, RestsBetweenMoves) {
  state_.most_resident = 3;
  const PlacementRules rules;
  Absent(3, rules.surge_rows - 1);
  state_.last_move = kNow - rules.between_moves + absl::Seconds(1);
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.last_move = kNow - rules.between_moves;
  EXPECT_TRUE(NextMove(state_).has_value());
}

TEST_F(PlacementPolicyTest, FewRowsMoveNothing) {
  state_.most_resident = 3;
  Absent(3, PlacementRules().least_rows - 1);
  EXPECT_FALSE(NextMove(state_).has_value());
}

TEST_F(PlacementPolicyTest, AnEquallyUsefulExpertIsNotExchanged) {
  Rank(0, /*first=*/false);
  Own(0, 1000);  // Of three holders, two would be left with 500 each.
  Own(1, 4000);
  Absent(3, 640);
  EXPECT_FALSE(NextMove(state_).has_value());
  Absent(3, 20);
  EXPECT_TRUE(NextMove(state_).has_value());
}

// One family surges: a minute ago it had as many rows as the resident expert.
TEST_F(PlacementPolicyTest, ASurgeMovesWithinSeconds) {
  Hold({0});
  Rank(0, /*first=*/false);
  const absl::Duration begin = kNow - absl::Minutes(20);
  for (absl::Duration at = begin; at < kNow; at += absl::Seconds(1)) {
    demand_.Add(E(0), {100, 0, 0}, at);
    demand_.Add(E(3), {20, 20, 0}, at);
  }
  state_.last_move = kNow - absl::Seconds(2);
  EXPECT_FALSE(NextMove(state_).has_value());
  absl::Duration now = kNow;
  for (; now < kNow + absl::Minutes(1) && !NextMove(state_);) {
    now += absl::Seconds(1);
    demand_.Add(E(0), {100, 0, 0}, now);
    demand_.Add(E(3), {400, 400, 0}, now);
    state_.now = now;
  }
  EXPECT_LE(now, kNow + absl::Seconds(5));
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
  EXPECT_EQ(move->drop, E(0));
  // Not all layers in the same moment, and not more than so many in a minute.
  state_.last_move = now;
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.last_move = now - absl::Seconds(2);
  state_.moves_lately = PlacementRules().most_surge_moves;
  EXPECT_FALSE(NextMove(state_).has_value());
}

// The holder takes all sequences of the family, so this worker has no row of
// them.
TEST_F(PlacementPolicyTest, ASurgeThatOnlyPeersSeeMovesAnExpert) {
  Hold({0, 1});
  Rank(0, /*first=*/false);
  Own(0, 100);
  Own(1, 9000);
  PeersMove();
  state_.last_move = kNow - absl::Seconds(2);
  state_.peers[1].own[E(3)] = {.lately = 3000, .recent = 100};
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.peers[1].own[E(3)].recent = 3000;
  state_.peers[1].moves = false;
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
  EXPECT_EQ(move->drop, E(0));
}

// The one that gives up least takes the replica; the others wait for it.
TEST_F(PlacementPolicyTest, OneWorkerTakesAReplica) {
  Rank(0, /*first=*/false);
  Own(0, 1000);  // Without this worker, 500 for each of two.
  Own(1, 9000);
  Absent(3, 1250);  // Or 625 for each of two holders.
  // The second peer has a copy of an expert that nobody uses.
  state_.peers[0].resident = {0, 1, 2, 3, 4, 5};
  state_.peers[1].resident = {0, 1, 2};
  for (int i = 0; HolderRank(state_.peers[1].name, E(2)) >
                  HolderRank(state_.peers[0].name, E(2));
       ++i) {
    state_.peers[1].name = "z" + std::to_string(i);
  }
  PeersMove();
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.peers[1].moves = false;
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
}

// The expert that is used steadily is not dropped in a lull.
TEST_F(PlacementPolicyTest, ALullIsNoSurgeOfOthers) {
  Hold({0});
  Rank(0, /*first=*/false);
  state_.peers[1].resident = {1, 2, 4, 5};  // Only w1 holds it, too.
  for (int second = 1200; second >= 60; --second) {
    demand_.Add(E(0), {100, 0, 0}, kNow - absl::Seconds(second));
  }
  demand_.Add(E(3), {700, 700, 0}, kNow);
  state_.last_move = kNow - absl::Seconds(2);
  EXPECT_FALSE(NextMove(state_).has_value());
  demand_.Add(E(3), {800, 800, 0}, kNow);
  EXPECT_TRUE(NextMove(state_).has_value());
}

// Peers of older releases report nothing, but send rows.
TEST_F(PlacementPolicyTest, RowsOfPeersKeepAnExpert) {
  Rank(0, /*first=*/false);
  Own(0, 0, /*guests=*/4000);
  Own(1, 6000);
  Absent(3, 2500);
  EXPECT_FALSE(NextMove(state_).has_value());
  Absent(3, 200);
  EXPECT_TRUE(NextMove(state_).has_value());
}

TEST_F(PlacementPolicyTest, TheLastHolderKeepsAnExpert) {
  for (PlacementPeer& peer : state_.peers) peer.resident = {2, 3, 4, 5};
  Absent(3, 1e6);
  EXPECT_FALSE(NextMove(state_).has_value());
  // A holder that goes does not count.
  Rank(0, /*first=*/false);
  state_.peers[0].resident = {0, 2, 3, 4, 5};
  state_.peers[0].stays = false;
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.peers[0].stays = true;
  ASSERT_TRUE(NextMove(state_).has_value());
  EXPECT_EQ(NextMove(state_)->drop, E(0));
}

TEST_F(PlacementPolicyTest, TheFirstHolderKeepsAnExpert) {
  Hold({0});
  Absent(3, 1e6);
  Rank(0, /*first=*/true);
  EXPECT_FALSE(NextMove(state_).has_value());
  Rank(0, /*first=*/false);
  EXPECT_TRUE(NextMove(state_).has_value());
}

TEST_F(PlacementPolicyTest, AnOrphanIsLoadedWithoutDemandOrRest) {
  state_.peers[0].resident = {0, 1, 2};
  state_.most_resident = 3;
  state_.last_move = kNow;
  state_.moves_lately = PlacementRules().most_surge_moves;
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_TRUE(move->orphan);
  EXPECT_EQ(move->load, E(3));
  EXPECT_FALSE(move->drop.has_value());
  EXPECT_EQ(move->reason, "expert 3 of layer 9 loaded: no worker held it");
  EXPECT_EQ(WithoutHolder(state_, {}, {}), E(3));
  EXPECT_FALSE(WithoutHolder(state_, {}, {E(3)}).has_value());
}

// A peer that was lost may be back in a moment. Nothing else takes the room
// until then.
TEST_F(PlacementPolicyTest, AnOrphanWaitsForTheReturnOfItsHolder) {
  Absent(2, 5000);
  state_.most_resident = 3;
  ASSERT_EQ(NextMove(state_)->load, E(2));
  state_.peers[0].resident = {0, 1, 2};
  state_.orphans_from = kNow + absl::Milliseconds(1);
  EXPECT_FALSE(NextMove(state_).has_value());
  EXPECT_FALSE(WithoutHolder(state_, {}, {}).has_value());
  state_.orphans_from = kNow;
  EXPECT_EQ(NextMove(state_)->load, E(3));
}

// Others than the one that has the room do nothing.
TEST_F(PlacementPolicyTest, AnOrphanGoesToTheMostRoom) {
  state_.peers[0].resident = {0, 1, 2};
  PeersMove();
  state_.most_resident = 3;
  state_.peers[0].most_resident = 5;
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.peers[0].loads_fail = true;
  EXPECT_EQ(NextMove(state_)->load, E(3));
  state_.loads_fail = true;
  EXPECT_FALSE(NextMove(state_).has_value());
  state_.peers[0].stays = false;
  state_.peers[1].resident = {0, 1, 2, 4, 5};
  EXPECT_EQ(NextMove(state_)->load, E(3));
}

// One of an older version shares in another way, and one with a fixed placement
// takes nothing.
TEST_F(PlacementPolicyTest, AnOrphanDoesNotWaitForWhoTakesNone) {
  state_.peers[0].resident = {0, 1, 2};
  PeersMove();
  state_.most_resident = 3;
  state_.peers[0].most_resident = 5;
  state_.peers[0].takes_orphans = false;
  EXPECT_EQ(NextMove(state_)->load, E(3));
}

// Without free room, a copy goes that another worker keeps; else nothing.
TEST_F(PlacementPolicyTest, AnOrphanTakesThePlaceOfACopy) {
  Rank(0, /*first=*/false);
  Rank(1, /*first=*/true);
  for (PlacementPeer& peer : state_.peers) peer.resident.everywhere.erase(1);
  state_.peers[0].resident.everywhere.erase(3);
  Rank(0, /*first=*/false);
  Own(0, 9000);
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
  EXPECT_EQ(move->drop, E(0));
  Rank(0, /*first=*/true);
  EXPECT_FALSE(NextMove(state_).has_value());
  // While a drop is not done, the next load would exceed the memory.
  Rank(0, /*first=*/false);
  state_.most_resident = 1;
  state_.last_move = kNow;
  EXPECT_FALSE(NextMove(state_).has_value());
}

// One that fails to load does not keep the worker from the others.
TEST_F(PlacementPolicyTest, AnOrphanThatFailsIsLeftOut) {
  state_.peers[0].resident = {0, 1};
  state_.most_resident = 4;
  EXPECT_EQ(NextMove(state_)->load, E(2));
  state_.failed = {E(2)};
  EXPECT_EQ(NextMove(state_)->load, E(3));
  state_.failed = {E(2), E(3)};
  EXPECT_FALSE(NextMove(state_).has_value());
}

TEST_F(PlacementPolicyTest, TooManyResidentsAreDropped) {
  Rank(1, /*first=*/false);
  Own(0, 10);
  state_.most_resident = 1;
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_FALSE(move->load.has_value());
  EXPECT_EQ(move->drop, E(1));
}

// The ranks are part of the protocol: workers of different versions compare
// them.
TEST(RendezvousTest, RanksNeverChange) {
  EXPECT_EQ(RendezvousRank("expert-worker-0", {22, 3}),
            RendezvousRank("expert-worker-0", {22, 3}));
  EXPECT_NE(RendezvousRank("expert-worker-0", {22, 3}),
            RendezvousRank("expert-worker-1", {22, 3}));
  EXPECT_EQ(RendezvousRank("", {0, 0}), 8922497616986557598u);
}

TEST(RendezvousTest, WorkersBeginWithDifferentExperts) {
  EXPECT_EQ(FirstExperts("a", 3, 7).size(), 3u);
  EXPECT_EQ(FirstExperts("a", 9, 7).size(), 7u);
  std::map<int, int> holders;
  for (int w = 0; w < 40; ++w) {
    for (const int e : FirstExperts("worker-" + std::to_string(w), 2, 8)) {
      ++holders[e];
    }
  }
  EXPECT_EQ(holders.size(), 8u);
}

}  // namespace
}  // namespace apollo
