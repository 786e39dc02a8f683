#include "expert_worker/placement_policy.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

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
  void Absent(int expert, double rows) {
    demand_.Add(E(expert), {rows, rows, 0}, kNow);
  }
  void Own(int expert, double rows, double guests = 0) {
    demand_.Add(E(expert), {rows, 0, guests}, kNow);
  }
  // Makes this worker the first, or the last, of the holders of an expert.
  void Rank(int expert, bool first) {
    const auto rank = [expert](const std::string& name) {
      return RendezvousRank(name, E(expert));
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

TEST_F(PlacementPolicyTest, LoadsTheExpertSentAwayMostForTheLeastUsed) {
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
            "expert 4 of layer 9 loaded: 900 rows lately needed it; expert 0 "
            "of layer 9 dropped: 50 rows");
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
  Own(0, 1000);
  Own(1, 1000);
  Absent(3, 1400);
  EXPECT_FALSE(NextMove(state_).has_value());
  Absent(3, 200);
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
  EXPECT_LE(now, kNow + absl::Seconds(10));
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
  EXPECT_EQ(move->drop, E(0));
  // Not all layers in the same moment.
  state_.last_move = now;
  EXPECT_FALSE(NextMove(state_).has_value());
}

// The expert that is used steadily is not dropped in a lull.
TEST_F(PlacementPolicyTest, ALullIsNoSurgeOfOthers) {
  Hold({0});
  Rank(0, /*first=*/false);
  for (int second = 1200; second >= 60; --second) {
    demand_.Add(E(0), {100, 0, 0}, kNow - absl::Seconds(second));
  }
  Absent(3, 1000);
  state_.last_move = kNow - absl::Seconds(2);
  EXPECT_FALSE(NextMove(state_).has_value());
  Absent(3, 1500);
  EXPECT_TRUE(NextMove(state_).has_value());
}

TEST_F(PlacementPolicyTest, RowsOfPeersKeepAnExpert) {
  Rank(0, /*first=*/false);
  Own(0, 0, /*guests=*/4000);
  Own(1, 3000);
  Absent(3, 2000);
  EXPECT_FALSE(NextMove(state_).has_value());
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

TEST_F(PlacementPolicyTest, AnOrphanIsLoadedByTheFirstWorkerWithoutDemand) {
  state_.peers[0].resident = {0, 1, 2};
  state_.most_resident = 3;
  Rank(3, /*first=*/false);
  EXPECT_FALSE(NextMove(state_).has_value());
  Rank(3, /*first=*/true);
  const auto move = NextMove(state_);
  ASSERT_TRUE(move.has_value());
  EXPECT_EQ(move->load, E(3));
  EXPECT_EQ(move->reason, "expert 3 of layer 9 loaded: no worker held it");
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

// Workers that see the descriptions of the others one round late, and decide in
// any order, never lose the last copy of an expert.
TEST(PlacementRandomTest, NoExpertIsLostWhoeverDecidesWhen) {
  constexpr int kWorkers = 4, kExperts = 6, kLayers = 2;
  std::mt19937 random(5);
  for (int run = 0; run < 20; ++run) {
    std::vector<std::set<LayerExpert>> held(kWorkers);
    std::vector<ExpertDemand> demand(kWorkers);
    for (int w = 0; w < kWorkers; ++w) {
      for (int l = 0; l < kLayers; ++l) {
        for (const int e :
             {w % kExperts, (w + 1) % kExperts, (w + 3) % kExperts}) {
          held[w].insert({l, e});
        }
      }
    }
    for (int round = 0; round < 60; ++round) {
      const absl::Duration now = absl::Minutes(round + 1);
      const auto seen = held;  // All decide at the same time.
      for (int w = 0; w < kWorkers; ++w) {
        for (int i = 0; i < 3; ++i) {
          const LayerExpert which = {static_cast<int>(random() % kLayers),
                                     static_cast<int>(random() % kExperts)};
          const double rows = static_cast<double>(random() % 3000);
          demand[w].Add(which, {rows, seen[w].contains(which) ? 0 : rows, 0},
                        now);
        }
        PlacementState state;
        state.now = now;
        state.name = "w" + std::to_string(w);
        state.end_layer = kLayers;
        state.num_experts = kExperts;
        state.resident = held[w];
        state.most_resident = 3 * kLayers;
        state.demand = &demand[w];
        for (int p = 0; p < kWorkers; ++p) {
          if (p == w) continue;
          state.peers.push_back(
              {"w" + std::to_string(p), LayerExperts::Of(seen[p], 0, kLayers)});
        }
        const auto move = NextMove(state);
        if (!move) continue;
        if (move->load) held[w].insert(*move->load);
        if (move->drop) held[w].erase(*move->drop);
        EXPECT_LE(held[w].size(), 3u * kLayers);
      }
      for (int l = 0; l < kLayers; ++l) {
        for (int e = 0; e < kExperts; ++e) {
          int holders = 0;
          for (const auto& h : held) holders += h.contains({l, e}) ? 1 : 0;
          EXPECT_GE(holders, 1) << "run " << run << " round " << round;
        }
      }
    }
  }
}

}  // namespace
}  // namespace apollo
