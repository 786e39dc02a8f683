// Clusters with random demands: the moves of all workers together.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/placement_policy.h"

namespace apollo {
namespace {

// Workers that decide by themselves, at the same time, on descriptions of the
// others that are some seconds old, and whose loads take time.
class RandomCluster {
 public:
  static constexpr int kLayers = 2;

  explicit RandomCluster(std::mt19937& random) : random_(random) {
    experts_ = 3 + Random(6);
    const int workers = 3 + Random(8);
    const int each =
        std::max(1 + Random(experts_), (experts_ + workers - 1) / workers);
    workers_.resize(static_cast<std::size_t>(workers));
    int next = 0;
    for (Worker& worker : workers_) {
      worker.name = "w" + std::to_string(Random(1000000));
      for (int i = 0; i < each; ++i, ++next) {
        for (int l = 0; l < kLayers; ++l) {
          worker.resident.insert({l, next % experts_});
        }
      }
      worker.most = static_cast<int>(worker.resident.size());
      for (int l = 0; l < kLayers; ++l) {
        for (int e = 0; e < experts_; ++e) {
          worker.rate[{l, e}] = Random(100);
        }
      }
    }
    Publish();
  }

  // Multiplies the rows of one expert.
  void Surge(double factor) {
    const int expert = Random(experts_);
    for (Worker& worker : workers_) {
      for (int l = 0; l < kLayers; ++l) worker.rate[{l, expert}] *= factor;
    }
  }
  // One second. Each rate varies by this share.
  void Run(double noise) {
    now_ += absl::Seconds(1);
    for (Worker& worker : workers_) {
      for (const auto& [which, rate] : worker.rate) {
        const double rows = rate * (1 + noise * (Random(2001) - 1000) / 1000.0);
        worker.demand.Add(
            which, {rows, worker.resident.contains(which) ? 0 : rows, 0}, now_);
      }
    }
    for (std::size_t w = 0; w < workers_.size(); ++w) Step(w);
    Publish();
    for (int l = 0; l < kLayers; ++l) {
      for (int e = 0; e < experts_; ++e) {
        EXPECT_GE(Holders({l, e}), 1) << "layer " << l << " expert " << e;
      }
    }
  }
  // The moves since the last call.
  int TakeMoves() { return std::exchange(moves_, 0); }
  // Moves of one worker in any minute, at most.
  int most_in_a_minute() const { return most_in_a_minute_; }
  // The largest load of a holder, in rows per second.
  double Peak() const {
    double peak = 0;
    for (const auto& [which, rate] : workers_[0].rate) {
      double sum = 0;
      for (const Worker& worker : workers_) sum += worker.rate.at(which);
      peak = std::max(peak, sum / Holders(which));
    }
    return peak;
  }

 private:
  struct Worker {
    std::string name;
    std::set<LayerExpert> resident;
    int most = 0;
    std::map<LayerExpert, double> rate;
    ExpertDemand demand;
    absl::Duration last_move;
    std::vector<absl::Duration> moved;
    PlacementMove move;  // In progress until `loaded`.
    absl::Duration loaded;
    bool moving = false;
    std::deque<PlacementPeer> said;  // The newest last.
  };

  int Random(int below) {
    return static_cast<int>(random_() % static_cast<unsigned>(below));
  }
  int Holders(LayerExpert which) const {
    int holders = 0;
    for (const Worker& w : workers_) holders += w.resident.contains(which);
    return holders;
  }
  void Publish() {
    for (Worker& worker : workers_) {
      PlacementPeer peer = {worker.name,
                            LayerExperts::Of(worker.resident, 0, kLayers)};
      peer.moves = true;
      peer.most_resident = worker.most;
      for (const auto& [which, rate] : worker.rate) {
        peer.own[which] = {worker.demand.At(which, now_).own,
                           worker.demand.Recent(which, now_).own};
      }
      worker.said.push_back(std::move(peer));
      if (worker.said.size() > 3) worker.said.pop_front();
    }
  }
  std::vector<PlacementPeer> PeersOf(std::size_t index) {
    std::vector<PlacementPeer> peers;
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      const std::deque<PlacementPeer>& said = workers_[w].said;
      if (w == index) continue;
      peers.push_back(said[said.size() - 1 -
                           static_cast<std::size_t>(
                               Random(static_cast<int>(said.size())))]);
    }
    return peers;
  }
  void Step(std::size_t index) {
    Worker& worker = workers_[index];
    const std::vector<PlacementPeer> peers = PeersOf(index);
    if (worker.moving && now_ >= worker.loaded) {
      worker.moving = false;
      worker.resident.insert(*worker.move.load);
      if (worker.move.drop) worker.resident.erase(*worker.move.drop);
      if (!worker.move.further.empty()) {
        const PlacementSwap next = worker.move.further.front();
        worker.move.load = next.load;
        worker.move.drop = next.drop;
        worker.move.further.erase(worker.move.further.begin());
        worker.moving = true;
        worker.loaded = now_ + absl::Seconds(Random(4));
      }
    }
    if (worker.moving) return;
    PlacementState state;
    state.now = now_;
    state.last_move = worker.last_move;
    for (const absl::Duration at : worker.moved) {
      state.moves_lately += now_ - at < absl::Minutes(1) ? 1 : 0;
    }
    most_in_a_minute_ = std::max(most_in_a_minute_, state.moves_lately);
    state.name = worker.name;
    state.end_layer = kLayers;
    state.num_experts = experts_;
    state.resident = worker.resident;
    state.most_resident = worker.most;
    state.peers = peers;
    state.demand = &worker.demand;
    std::optional<PlacementMove> move = NextMove(state);
    if (!move) return;
    ASSERT_TRUE(move->load.has_value());
    ++moves_;
    worker.moved.push_back(now_);
    worker.last_move = now_;
    worker.move = *std::move(move);
    worker.moving = true;
    worker.loaded = now_ + absl::Seconds(Random(4));
  }

  std::mt19937& random_;
  int experts_ = 0;
  std::vector<Worker> workers_;
  absl::Duration now_ = absl::Hours(1);
  int moves_ = 0;
  int most_in_a_minute_ = 0;
};

// No expert is lost, whoever decides when: Run checks it. A constant demand
// brings the moves to an end, and a surge of a family is levelled.
TEST(PlacementRandomTest, ConstantDemandEndsTheMoves) {
  std::mt19937 random(5);
  for (int run = 0; run < 8; ++run) {
    SCOPED_TRACE(run);
    RandomCluster cluster(random);
    for (int second = 0; second < 500; ++second) cluster.Run(0);
    cluster.TakeMoves();
    for (int second = 0; second < 200; ++second) cluster.Run(0);
    EXPECT_EQ(cluster.TakeMoves(), 0);
    cluster.Surge(10);
    const double before = cluster.Peak();
    for (int second = 0; second < 500; ++second) cluster.Run(0);
    EXPECT_LE(cluster.Peak(), before);
    cluster.TakeMoves();
    for (int second = 0; second < 200; ++second) cluster.Run(0);
    EXPECT_EQ(cluster.TakeMoves(), 0);
    EXPECT_LE(cluster.most_in_a_minute(), PlacementRules().most_surge_moves);
  }
}

// A demand that varies moves little: the hysteresis is wider.
TEST(PlacementRandomTest, NoiseMovesLittle) {
  std::mt19937 random(6);
  int moves = 0;
  constexpr int kRuns = 6;
  for (int run = 0; run < kRuns; ++run) {
    SCOPED_TRACE(run);
    RandomCluster cluster(random);
    for (int second = 0; second < 600; ++second) cluster.Run(0.5);
    cluster.TakeMoves();
    for (int second = 0; second < 600; ++second) cluster.Run(0.5);
    moves += cluster.TakeMoves();
  }
  // In ten minutes of a whole cluster.
  EXPECT_LE(moves, kRuns);
}

}  // namespace
}  // namespace apollo
