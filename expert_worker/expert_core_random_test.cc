// Several cores over links that delay, reorder between links and break, with
// loads that take any time, and placements that change: every step ends, with
// the bits of a worker that holds everything.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "expert_worker/core_fixture.h"

namespace apollo {
namespace {

INSTANTIATE_EXPERT_CORE_TEST();

constexpr int kWorkers = 3;

class Mesh {
 public:
  explicit Mesh(std::uint32_t seed) : random_(seed) {
    for (int w = 0; w < kWorkers; ++w) {
      ExpertCore::Options options;
      options.self.name = Name(w);
      options.self.instance = w + 1;
      options.residence.standby_bytes = (1 + Draw(3)) * kExpertBytes;
      workers_.push_back(
          std::make_unique<Worker>(SomeExperts(), 64, 1, options));
    }
    for (int w = 0; w < kWorkers; ++w) {
      for (int p = 0; p < w; ++p) Connect(w, p);
    }
  }

  Worker& worker(int w) { return *workers_[w]; }

  // Does one random thing.
  void Step() {
    const int w = Draw(kWorkers);
    Worker& worker = *workers_[w];
    switch (Draw(12)) {
      case 0:
      case 1:
      case 2:
        return Deliver(w, Other(w));
      case 3:
        if (!worker.later.empty()) worker.later.Deliver();
        return;
      case 4:
        if (!worker.loads.empty()) worker.FinishLoad();
        return;
      case 5:
        worker.clock.now += absl::Milliseconds(Draw(200));
        return worker.core->Tick(worker.clock.now);
      case 6:
        if (Draw(10) == 0) Break(w, Other(w));
        return;
      case 7:
        if (Draw(20) == 0) Move();
        return;
      default:
        if (worker.core->HasWork()) worker.core->Advance();
    }
  }

 private:
  static std::string Name(int w) { return "w" + std::to_string(w); }
  int Draw(int below) { return static_cast<int>(random_() % below); }
  int Other(int w) { return (w + 1 + Draw(kWorkers - 1)) % kWorkers; }
  // Links have new numbers after each loss.
  LinkId Id(int w, int p) { return 100 + 10 * epoch_[Pair(w, p)] + p; }
  static std::pair<int, int> Pair(int w, int p) { return std::minmax(w, p); }

  std::set<int> SomeExperts() {
    std::set<int> experts;
    for (const int e : kAll) {
      if (Draw(3) == 0) experts.insert(e);
    }
    return experts;
  }

  void Connect(int w, int p) {
    for (auto [from, to] : {std::pair(w, p), std::pair(p, w)}) {
      auto link = std::make_shared<FakeLink>();
      links_[{from, to}] = link;
      told_[{from, to}] = 0;
      WorkerInfo info;
      info.role = WorkerRole::kExpert;
      info.name = Name(to);
      info.instance = to + 1;
      workers_[from]->core->LinkUp(Id(from, to), info, link);
    }
  }

  void Break(int w, int p) {
    workers_[w]->core->LinkDown(Id(w, p));
    workers_[p]->core->LinkDown(Id(p, w));
    ++epoch_[Pair(w, p)];
    Connect(w, p);
  }

  // Delivers the next description or frame that `from` has sent.
  void Deliver(int from, int to) {
    FakeLink& link = *links_[{from, to}];
    if (link.closed) return Break(from, to);
    std::size_t& told = told_[{from, to}];
    if (told < link.infos.size() && (link.frames.empty() || Draw(2) == 0)) {
      const WorkerInfo info = link.infos[told++];
      workers_[to]->Take({info}, Id(to, from));
    } else if (!link.frames.empty()) {
      Frame frame = std::move(link.frames.front());
      link.frames.pop_front();
      workers_[to]->Take(std::move(frame), Id(to, from));
    }
  }

  void Move() {
    Placement placement;
    for (int w = 0; w < kWorkers; ++w) placement[Name(w)] = SomeExperts();
    for (auto& worker : workers_) worker->core->TakePlacement(placement);
  }

  std::mt19937 random_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::map<std::pair<int, int>, int> epoch_;
  std::map<std::pair<int, int>, std::shared_ptr<FakeLink>> links_;
  std::map<std::pair<int, int>, std::size_t> told_;
};

TEST_P(ExpertCoreTest, EveryStepEndsWhateverTheOrder) {
  const auto expected = Reference(SomeSteps());
  std::int64_t away = 0, again = 0, standby = 0, moves = 0, splits = 0;
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Mesh mesh(seed);
    std::vector<int> answered(kWorkers);
    std::vector<StageResult> parts(kWorkers);
    for (int w = 0; w < kWorkers; ++w)
      mesh.worker(w).Take(Copy(SomeSteps()[0]));
    int steps = 0;
    int left = kWorkers;
    for (; left > 0 && steps < 400'000; ++steps) {
      mesh.Step();
      for (int w = 0; w < kWorkers; ++w) {
        Worker& worker = mesh.worker(w);
        while (!worker.dense->frames.empty()) {
          if (!AddPart(worker.Result(), expected[answered[w]], parts[w])) {
            continue;
          }
          ExpectSame(std::exchange(parts[w], {}), expected[answered[w]++]);
          if (answered[w] == static_cast<int>(expected.size())) {
            --left;
          } else {
            worker.Take(Copy(SomeSteps()[answered[w]]));
          }
        }
      }
    }
    ASSERT_EQ(left, 0) << "no progress";
    for (int w = 0; w < kWorkers; ++w) {
      const ExpertCounters& counters = mesh.worker(w).Counters();
      away += counters.rows_sent;
      again += counters.rows_resent;
      standby += counters.rows_on_standby;
      moves += counters.moves;
      splits += counters.batches_split;
    }
  }
  // Otherwise the test tests less than it says.
  EXPECT_GT(away, 0);
  EXPECT_GT(again, 0);
  EXPECT_GT(standby, 0);
  EXPECT_GT(moves, 0);
  EXPECT_GT(splits, 0);
}

}  // namespace
}  // namespace apollo
