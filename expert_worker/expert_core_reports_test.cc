// The descriptions that a worker sends to its neighbours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "expert_worker/core_fixture.h"
#include "link/worker_info.h"

namespace apollo {
namespace {

INSTANTIATE_EXPERT_CORE_TEST();

constexpr absl::Duration kTick = absl::Milliseconds(250);
constexpr LinkId kKeeper = 9, kLate = 10;

// Adds a neighbour that keeps the placement of the last description.
std::shared_ptr<FakeLink> AddKeeper(Worker& worker, LinkId id = kKeeper) {
  auto link = std::make_shared<FakeLink>();
  WorkerInfo info = {WorkerRole::kDense, "k", "m", "1", {}};
  info.keeps_placement = true;
  worker.core->LinkUp(id, info, link);
  return link;
}

// Returns the number of descriptions that contain the placement.
std::int64_t Placements(const FakeLink& link) {
  return std::count_if(
      link.infos.begin(), link.infos.end(),
      [](const WorkerInfo& info) { return !info.same_placement; });
}

// The load changes with every tick, the placement with every report.
TEST_P(ExpertCoreTest, ThePlacementIsSentWithItsReportsOnly) {
  Worker worker(kAll);
  const auto keeper = AddKeeper(worker);
  worker.dense->infos.clear();
  constexpr int kTicks = 80;  // 20 s, or four reports.
  for (int tick = 0; tick < kTicks; ++tick) {
    worker.clock.now += kTick;
    worker.Take(Step(static_cast<std::uint64_t>(tick) + 1,
                     {RowsOf(1, tick, 1, /*sample=*/false)}));
    worker.core->Tick(worker.clock.now);
    worker.Work();
  }
  EXPECT_EQ(std::ssize(worker.dense->infos), kTicks);
  EXPECT_EQ(Placements(*worker.dense), kTicks);
  EXPECT_EQ(std::ssize(keeper->infos), 1 + kTicks);
  EXPECT_EQ(Placements(*keeper), 1 + 4);
  for (const WorkerInfo& info : keeper->infos) {
    EXPECT_EQ(info.placement.experts.empty(), info.same_placement);
  }
  EXPECT_EQ(keeper->infos.back().revision, worker.dense->infos.back().revision);
  // One that comes later gets it at once.
  const auto late = AddKeeper(worker, kLate);
  EXPECT_EQ(Placements(*late), 1);
  EXPECT_FALSE(late->infos.back().placement.experts.empty());
}

// Nothing changes: the same placement is sent once in 30 s.
TEST_P(ExpertCoreTest, AnIdleWorkerRepeatsItsPlacementSlowly) {
  Worker worker(kAll);
  const auto keeper = AddKeeper(worker);
  for (int tick = 0; tick < 4 * 95; ++tick) {
    worker.clock.now += kTick;
    worker.core->Tick(worker.clock.now);
  }
  EXPECT_EQ(std::ssize(keeper->infos), 1 + 3);
  EXPECT_EQ(Placements(*keeper), 1 + 3);
}

}  // namespace
}  // namespace apollo
