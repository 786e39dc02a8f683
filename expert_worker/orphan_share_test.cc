#include "expert_worker/orphan_share.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/placement_policy.h"

namespace apollo {
namespace {

constexpr absl::Duration kNow = absl::Hours(1);
constexpr int kLayers = 6, kExperts = 5;

// A worker and its peers after the loss of one that alone held experts 0 and 1.
class OrphanShareTest : public testing::Test {
 protected:
  OrphanShareTest() {
    state_.now = kNow;
    state_.name = "a";
    state_.end_layer = kLayers;
    state_.num_experts = kExperts;
    state_.demand = &demand_;
    state_.resident = LayerExperts({2, 3, 4}).Each(0, kLayers);
    state_.most_resident = 3 * kLayers;
    AddPeer("b");
    AddPeer("c");
  }
  void AddPeer(const std::string& name) {
    PlacementPeer peer = {name, {2, 3, 4}};
    peer.takes_orphans = true;
    peer.most_resident = 3 * kLayers;
    state_.peers.push_back(std::move(peer));
  }
  std::vector<LayerExpert> Share() const {
    const PlacementRules rules;
    return OrphanShare(
        state_, PlacementPlan(state_, rules, PlacementPlan::Measure::kLately));
  }

  ExpertDemand demand_;
  PlacementState state_;
};

// Returns these layers of an expert.
std::vector<LayerExpert> Layers(int expert, int first, int end) {
  std::vector<LayerExpert> which;
  for (int layer = first; layer < end; ++layer)
    which.push_back({layer, expert});
  return which;
}

TEST_F(OrphanShareTest, AnExpertGoesAsAWholeToTheMostRoom) {
  state_.most_resident += kLayers + 2;
  state_.peers[0].most_resident += kLayers + 1;
  EXPECT_EQ(Share(), Layers(0, 0, kLayers));  // And "b" has the other one.
  state_.peers[0].most_resident += 2;
  EXPECT_EQ(Share(), Layers(1, 0, kLayers));
  // Alone it takes what fits.
  state_.peers.clear();
  std::vector<LayerExpert> both = Layers(0, 0, kLayers);
  both.push_back({0, 1});
  both.push_back({1, 1});
  EXPECT_EQ(Share(), both);
}

TEST_F(OrphanShareTest, WhatDoesNotFitGoesToTheNextOne) {
  state_.peers[0].resident = {1, 2, 3, 4};
  state_.peers[0].most_resident += kLayers + 4;
  state_.most_resident += 3;
  EXPECT_EQ(Share(), Layers(0, 4, kLayers));
}

// A worker that has the first layers goes on, though another one has more room
// now.
TEST_F(OrphanShareTest, WhoHasBegunGoesOn) {
  state_.peers[0].resident.everywhere.insert(1);
  state_.most_resident += kLayers;
  state_.peers[1].most_resident += kLayers - 1;
  ASSERT_EQ(Share(), Layers(0, 0, kLayers));
  state_.resident.insert({0, 0});
  state_.resident.insert({1, 0});
  EXPECT_EQ(Share(), Layers(0, 2, kLayers));
}

TEST_F(OrphanShareTest, WithoutRoomCopiesMakeRoom) {
  // Of each copy one of three workers is the first holder, and keeps it.
  std::size_t sum = 0;
  for (const std::string name : {"a", "b", "c"}) {
    state_.name = name;
    state_.peers.clear();
    for (const char* other : {"a", "b", "c"}) {
      if (other != name) AddPeer(other);
    }
    sum += Share().size();
  }
  EXPECT_EQ(sum, 2u * kLayers);
  for (PlacementPeer& peer : state_.peers) peer.resident = {};
  EXPECT_TRUE(Share().empty());
}

// The cases of a worker that has said that it stops, and is expected back. All
// can compute what it holds meanwhile.
class ExpectedBackTest : public OrphanShareTest {
 protected:
  ExpectedBackTest() {
    state_.stands_by = true;
    for (PlacementPeer& peer : state_.peers) peer.reaches = {0, 1, 2, 3, 4};
    state_.expected["x"] = {0, 1};
  }
};

TEST_F(ExpectedBackTest, ItsExpertsTakeOnlyFreeRoom) {
  EXPECT_TRUE(Share().empty());
  state_.most_resident += kLayers + 2;
  std::vector<LayerExpert> fits = Layers(0, 0, kLayers);
  fits.push_back({0, 1});
  fits.push_back({1, 1});
  EXPECT_EQ(Share(), fits);
  // Also while it is still there.
  PlacementPeer stops = {"x", {0, 1}, /*stays=*/false};
  state_.peers.push_back(stops);
  EXPECT_EQ(Share(), fits);
}

// Room that is free is for what is lost first.
TEST_F(ExpectedBackTest, WhatIsLostComesFirst) {
  state_.expected["x"] = {0};
  state_.most_resident += kLayers;
  EXPECT_EQ(Share(), Layers(1, 0, kLayers));
}

// If some worker cannot compute an expert without a holder, requests would
// fail.
TEST_F(ExpectedBackTest, ExpertsWithoutAStandbyDoNotWait) {
  const auto sum = [this] {
    std::size_t experts = 0;
    for (const std::string name : {"a", "b", "c"}) {
      state_.name = name;
      const std::vector<PlacementPeer> peers = std::exchange(state_.peers, {});
      for (const char* other : {"a", "b", "c"}) {
        if (other == name) continue;
        AddPeer(other);
        state_.peers.back().reaches = peers[state_.peers.size() - 1].reaches;
      }
      experts += Share().size();
    }
    return experts;
  };
  EXPECT_EQ(sum(), 0u);
  state_.stands_by = false;
  EXPECT_EQ(sum(), 2u * kLayers);
  state_.stands_by = true;
  state_.peers[1].reaches = {0, 2, 3, 4};
  EXPECT_EQ(sum(), 1u * kLayers);
}

// Workers that take over what a lost one held, in random order, on descriptions
// of each other of any age since the loss.
class RandomTakeover {
 public:
  // With `waits` the holder of expert 1 has said that it stops, and is expected
  // back.
  RandomTakeover(std::mt19937& random, bool waits)
      : random_(random), waits_(waits) {
    workers_.resize(static_cast<std::size_t>(2 + Random(6)));
    for (Worker& worker : workers_) {
      worker.name = "w" + std::to_string(Random(1000000));
      for (int e = 2; e < kExperts; ++e) {
        for (int l = 0; l < kLayers; ++l) {
          if (Random(3) == 0) worker.resident.insert({l, e});
        }
      }
      worker.most = static_cast<int>(worker.resident.size()) + Random(8);
      worker.fails = Random(6) == 0;
      worker.said = {worker.resident};
    }
    for (const LayerExpert which : Held()) was_held_.insert(which);
  }

  // Lets one worker after the other decide until none has anything to do.
  void Run() {
    for (int step = 0; step < 60; ++step) {
      Decide(static_cast<std::size_t>(Random(std::ssize(workers_))),
             /*old=*/true);
    }
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t w = 0; w < workers_.size(); ++w) {
        moved = Decide(w, /*old=*/false) || moved;
      }
    }
  }
  void ExpectWell() const {
    for (const auto& [which, loads] : loads_) {
      EXPECT_EQ(loads, 1) << which.layer << " " << which.expert;
    }
    const std::set<LayerExpert> held = Held();
    for (const LayerExpert which : was_held_) EXPECT_TRUE(held.contains(which));
    if (held.size() == kLayers * kExperts) return;
    // What is left did not fit anywhere.
    std::size_t most = 0, resident = 0;
    bool only_waiting = waits_;
    for (const Worker& worker : workers_) {
      most += static_cast<std::size_t>(worker.most);
      resident += worker.resident.size();
    }
    for (int l = 0; l < kLayers; ++l) {
      for (int e = 0; e < kExperts; ++e) {
        only_waiting = only_waiting && (e == 1 || held.contains({l, e}));
      }
    }
    EXPECT_EQ(only_waiting ? resident : held.size(), most);
  }

 private:
  struct Worker {
    std::string name;
    std::set<LayerExpert> resident;
    int most = 0;
    bool fails = false;
    std::vector<std::set<LayerExpert>> said;
  };

  int Random(std::ptrdiff_t below) {
    return static_cast<int>(random_() % static_cast<unsigned>(below));
  }
  std::set<LayerExpert> Held() const {
    std::set<LayerExpert> held;
    for (const Worker& worker : workers_) {
      held.insert(worker.resident.begin(), worker.resident.end());
    }
    return held;
  }
  void Say(Worker& worker) { worker.said.push_back(worker.resident); }
  PlacementState StateOf(std::size_t index, const ExpertDemand& demand,
                         bool old) {
    const Worker& worker = workers_[index];
    PlacementState state;
    state.now = kNow;
    state.last_move = kNow;
    state.name = worker.name;
    state.end_layer = kLayers;
    state.num_experts = kExperts;
    state.resident = worker.resident;
    state.most_resident = worker.most;
    state.loads_fail = worker.fails;
    state.demand = &demand;
    state.stands_by = true;
    if (waits_) state.expected["stops"] = {1};
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      if (w == index) continue;
      const Worker& other = workers_[w];
      const std::size_t age =
          old ? static_cast<std::size_t>(Random(std::ssize(other.said))) : 0;
      PlacementPeer peer = {
          other.name, LayerExperts::Of(other.said[other.said.size() - 1 - age],
                                       0, kLayers)};
      peer.takes_orphans = true;
      peer.reaches = {0, 1, 2, 3, 4};
      peer.most_resident = other.most;
      peer.loads_fail = other.fails;
      state.peers.push_back(std::move(peer));
    }
    return state;
  }
  // Returns true if the worker has made a move.
  bool Decide(std::size_t index, bool old) {
    // Demand varies, but moves nothing: it is low.
    ExpertDemand demand;
    for (int l = 0; l < kLayers; ++l) {
      for (int e = 0; e < kExperts; ++e) {
        demand.Add({l, e}, {1.0 * Random(50), 0, 0}, kNow);
      }
    }
    const auto move = NextMove(StateOf(index, demand, old));
    if (!move || !move->load) return false;
    EXPECT_TRUE(move->orphan);
    Worker& worker = workers_[index];
    ++loads_[*move->load];
    worker.resident.insert(*move->load);
    Say(worker);
    if (move->drop) {
      EXPECT_FALSE(waits_ && move->load->expert == 1);
      worker.resident.erase(*move->drop);
      Say(worker);
    }
    EXPECT_LE(static_cast<int>(worker.resident.size()), worker.most);
    return true;
  }

  std::mt19937& random_;
  const bool waits_;
  std::vector<Worker> workers_;
  std::set<LayerExpert> was_held_;
  std::map<LayerExpert, int> loads_;
};

// Each orphan is loaded once, as far as there is room, no copy that was the
// last one goes, and the memory stays within its bound.
TEST(OrphanShareRandomTest, NoTwoWorkersLoadTheSame) {
  std::mt19937 random(7);
  for (int run = 0; run < 60; ++run) {
    SCOPED_TRACE(run);
    RandomTakeover takeover(random, /*waits=*/run % 2 == 1);
    takeover.Run();
    takeover.ExpectWell();
  }
}

}  // namespace
}  // namespace apollo
