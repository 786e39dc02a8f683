#pragma once

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "common/thread_pool.h"
#include "engine/testing/later.h"
#include "expert_worker/expert_core.h"
#include "expert_worker/expert_counters.h"
#include "link/fake_link.h"
#include "model/language/language_labels.h"
#include "model/weights/open_model.h"
#include "serving/metrics.h"

// The shared fixture of the tests of the expert worker's core: cores of a tiny
// model whose links end in the test.
namespace apollo {

const ModelConfig& TestConfig();

constexpr LinkId kDense = 1, kPeer = 2, kOtherDense = 3;
inline const std::set<int> kAll = {0, 1, 2, 3, 4, 5, 6};
inline const std::set<int> kLow = {0, 1, 2, 3}, kHigh = {4, 5, 6};

// The language labels under which workers in tests count.
const LanguageLabels& TestLabels();

// Returns the number of rows of a language that used each expert in a layer;
// empty if there were no rows.
std::vector<std::int64_t> ExpertUse(const ExpertCounters& counters,
                                    const std::string& language, int layer);
// FamilyRows returns the number of rows with a family, OffFamilyRows the number
// of those for which its expert was not chosen. There must have been rows.
std::int64_t FamilyRows(const ExpertCounters& counters,
                        const std::string& language, int layer);
std::int64_t OffFamilyRows(const ExpertCounters& counters,
                           const std::string& language, int layer);

// The bytes that the core believes an expert of one layer to have: as in a real
// model, so that few rows rather travel than wait for a load.
inline constexpr std::int64_t kExpertBytes = 20'000'000;

// Tests of a core run over a synchronous stage and over one whose results
// arrive later.
class ExpertCoreTest : public testing::TestWithParam<bool> {
 protected:
  ExpertCoreTest() { asynchronous_stages = GetParam(); }

 public:
  static inline bool asynchronous_stages = false;  // For new workers.
};

#define INSTANTIATE_EXPERT_CORE_TEST()         \
  INSTANTIATE_TEST_SUITE_P(                    \
      Stages, ExpertCoreTest, testing::Bool(), \
      [](const auto& info) { return info.param ? "Later" : "AtOnce"; })

// A core with links to two dense workers and to one peer.
struct Worker {
  // The core's loads, if its options ask for any, come from the model.
  explicit Worker(const std::set<int>& experts, int blocks = 64,
                  int threads = 1, ExpertCore::Options options = {});
  void AddPeer(const std::set<int>& experts);
  // Runs the core until it has no work or waits for others. Loads end only when
  // there is nothing else to do, and not at all with `hold_loads`.
  void Work();
  // Ends a load that the core has begun: with the weights, or with an error.
  void FinishLoad(const absl::Status& status = absl::OkStatus());
  void Take(Frame frame, LinkId from = kDense) {
    core->LinkFrame(from, std::move(frame));
  }
  void Release(std::uint64_t sequence, std::uint32_t attempt = 1) {
    Take({ReleaseSequences{{{sequence, attempt}}}, {}});
  }
  const ExpertCounters& Counters() const { return core->counters(); }
  // Returns true if the request metrics contain the line.
  bool HasMetric(const std::string& line) const;
  // Takes the oldest answer to the dense worker that was not taken yet.
  StageResult Result() { return dense->Take<StageResult>(); }

  ThreadPool pool;
  FakeClock clock;
  prometheus::Registry registry;
  RequestMetrics requests{registry};
  std::shared_ptr<FakeLink> dense = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> peer = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> other = std::make_shared<FakeLink>();
  Later later;  // Pending completions of the stage.
  std::deque<LayerExpert> loads;
  bool hold_loads = false;
  std::unique_ptr<ExpertCore> core;
};

// Two workers with different experts, linked as peers.
struct Two {
  explicit Two(const std::set<int>& low_experts = kLow,
               const std::set<int>& high_experts = kHigh, int low_blocks = 64);
  // Delivers the frames in flight. Returns false if there are none.
  bool Deliver();
  // Runs both workers until no work is left.
  void Work();
  Worker low, high;
};

// Returns the description that a peer with these experts sends once its engine
// runs.
Frame PeerInfo(const std::set<int>& experts, std::uint64_t revision = 1,
               bool draining = false);

SequenceRows RowsOf(std::uint64_t sequence, int first, int count,
                    bool sample = true);
SequenceRows Hybrid(SequenceRows rows, int family);
SequenceRows In(SequenceRows rows, const std::string& language, int family);

// A step with boundary activations that depend on sequence and position only.
Frame Step(std::uint64_t number, std::vector<SequenceRows> sequences);

// Rows from a peer, with numbers that depend on the ticket only.
Frame Guests(std::uint64_t ticket, int layer, int expert, int rows);

template <typename... F>
std::vector<Frame> Frames(F... frames) {
  std::vector<Frame> result;
  (result.push_back(std::move(frames)), ...);
  return result;
}

// Expects equality to the last bit.
void ExpectSame(const SequenceOutput& a, const SequenceOutput& b);
void ExpectSame(const StageResult& a, const StageResult& b);

// Adds a part of an answer to those that came before. Returns true if it is
// whole. Then its outputs are in the order of `expected`.
bool AddPart(StageResult part, const StageResult& expected, StageResult& whole);

// Returns the answers of a worker with all experts that gets only these frames.
std::vector<StageResult> Reference(const std::vector<Frame>& frames);
SequenceOutput ReferenceOf(const SequenceRows& rows);

// A split of the experts into two sets, and two sequences of one row: one that
// uses experts of the first set only, and one that also uses others.
struct Division {
  Division();
  std::uint64_t local = 0, remote = 0;
  std::set<int> here, there;
};

// Returns three steps with prompts, decoding and scores.
std::vector<Frame> SomeSteps();

}  // namespace apollo
