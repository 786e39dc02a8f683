#include "expert_worker/core_fixture.h"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "engine/cpu/cpu_expert_loader.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "engine/testing/async_expert_stage.h"
#include "model/language/families.h"

namespace apollo {
namespace {

const OpenModel& Model() {
  static const OpenModel* const model =
      new OpenModel(*OpenModelDirectory("tests/golden/published"));
  return *model;
}

std::unique_ptr<ExpertStage> LoadStage(const std::set<int>& experts, int blocks,
                                       ThreadPool& pool, Later& later) {
  const ModelConfig& config = TestConfig();
  const std::int64_t block_bytes =
      static_cast<std::int64_t>(KvCache::BlockBytes(
          {config.num_heads, config.num_kv_heads, config.head_size},
          config.num_sparse_layers(), 0));
  std::unique_ptr<ExpertStage> stage = *CpuExpertStage::Load(
      config, *Model().weights, experts, {block_bytes * blocks}, pool, nullptr);
  if (ExpertCoreTest::asynchronous_stages) {
    stage = std::make_unique<AsyncExpertStage>(std::move(stage), later);
  }
  return stage;
}

}  // namespace

const ModelConfig& TestConfig() { return Model().config; }

const LanguageLabels& TestLabels() {
  static const auto* const labels = new LanguageLabels(FamilyTable::Paper());
  return *labels;
}

std::vector<std::int64_t> ExpertUse(const ExpertCounters& counters,
                                    const std::string& language, int layer) {
  const std::span<const Count> use = counters.expert_tokens.Row(
      {TestLabels().Index(language), layer - TestConfig().boundary});
  return {use.begin(), use.end()};
}

std::int64_t FamilyRows(const ExpertCounters& counters,
                        const std::string& language, int layer) {
  return counters.family_tokens.Row(
      {TestLabels().Index(language), layer - TestConfig().boundary})[0];
}

std::int64_t OffFamilyRows(const ExpertCounters& counters,
                           const std::string& language, int layer) {
  return counters.off_family_tokens.Row(
      {TestLabels().Index(language), layer - TestConfig().boundary})[0];
}

Worker::Worker(const std::set<int>& experts, int blocks, int threads,
               ExpertCore::Options options)
    : pool(threads, ThreadPool::Split::kAlways) {
  options.residence.bytes = [](LayerExpert) { return kExpertBytes; };
  options.residence.load = [this](LayerExpert which) {
    loads.push_back(which);
  };
  options.languages = TestLabels();
  options.requests = &requests;
  core = std::make_unique<ExpertCore>(
      options, LoadStage(experts, blocks, pool, later), clock);
  core->LinkUp(kDense, {WorkerRole::kDense, "d", "m", "1", {}}, dense);
  core->LinkUp(kOtherDense, {WorkerRole::kDense, "f", "m", "1", {}}, other);
}

void Worker::AddPeer(const std::set<int>& experts) {
  core->LinkUp(kPeer, {WorkerRole::kExpert, "p", "m", "1", experts}, peer);
  Take(PeerInfo(experts), kPeer);
}

bool Worker::HasMetric(const std::string& line) const {
  const std::string text =
      prometheus::TextSerializer().Serialize(registry.Collect());
  return text.find("\n" + line + "\n") != std::string::npos;
}

void Worker::Work() {
  const auto may_load = [this] { return !loads.empty() && !hold_loads; };
  while (core->HasWork() || !later.empty() || may_load()) {
    if (core->HasWork()) {
      core->Advance();
    } else if (!later.empty()) {
      later.Deliver();
    } else {
      FinishLoad();
    }
  }
}

void Worker::FinishLoad(const absl::Status& status) {
  const LayerExpert which = loads.front();
  loads.pop_front();
  if (!status.ok()) return core->Loaded(which, status);
  CpuExpertLoader loader(TestConfig(), *Model().weights);
  core->Loaded(which, loader.Load(which));
}

Two::Two(const std::set<int>& low_experts, const std::set<int>& high_experts,
         int low_blocks)
    : low(low_experts, low_blocks), high(high_experts) {
  low.AddPeer(high_experts);
  high.AddPeer(low_experts);
}

bool Two::Deliver() {
  bool any = false;
  for (auto [from, to] : {std::pair(&low, &high), std::pair(&high, &low)}) {
    for (; !from->peer->frames.empty(); any = true) {
      to->Take(std::move(from->peer->frames.front()), kPeer);
      from->peer->frames.pop_front();
    }
  }
  return any;
}

void Two::Work() {
  do {
    low.Work();
    high.Work();
  } while (Deliver() || low.core->HasWork() || high.core->HasWork());
}

Frame PeerInfo(const std::set<int>& experts, std::uint64_t revision,
               bool draining) {
  WorkerInfo info = {WorkerRole::kExpert, "p", "m", "1", experts};
  info.ready = true;
  info.revision = revision;
  info.draining = draining;
  return {info};
}

SequenceRows RowsOf(std::uint64_t sequence, int first, int count, bool sample) {
  SequenceRows rows;
  rows.sequence = sequence;
  rows.attempt = 1;
  rows.first_position = first;
  for (int i = 0; i < count; ++i) {
    rows.tokens.push_back(static_cast<int>(sequence + 7 * (first + i)) % 256);
  }
  if (first == 0) rows.start = SequenceStart{-1, false, {}, count, 3};
  rows.sample = sample;
  return rows;
}

SequenceRows Hybrid(SequenceRows rows, int family) {
  rows.start->family = family;
  rows.start->hybrid = true;
  return rows;
}

SequenceRows In(SequenceRows rows, const std::string& language, int family) {
  rows.start->language = language;
  rows.start->family = family;
  return rows;
}

Frame Step(std::uint64_t number, std::vector<SequenceRows> sequences) {
  std::vector<float> payload;
  for (const SequenceRows& rows : sequences) {
    for (int r = 0; r < static_cast<int>(rows.tokens.size()); ++r) {
      const double position = static_cast<double>(rows.first_position) + r;
      for (int i = 0; i < TestConfig().hidden_size; ++i) {
        payload.push_back(static_cast<float>(
            std::sin(1.7 * static_cast<double>(rows.sequence) +
                     0.31 * position * (i + 1) + 0.77 * i)));
      }
    }
  }
  return {StageStep{number, std::move(sequences)},
          Rows::FromVector(std::move(payload), TestConfig().hidden_size)};
}

Frame Guests(std::uint64_t ticket, int layer, int expert, int rows) {
  Rows numbers = Rows::Host(rows, TestConfig().hidden_size);
  for (std::size_t i = 0; i < numbers.numbers(); ++i) {
    numbers.host()[i] = static_cast<float>(
        std::sin(static_cast<double>(ticket) + 0.7 * static_cast<double>(i)));
  }
  return {ExpertRows{ticket, layer, expert}, std::move(numbers)};
}

void ExpectSame(const SequenceOutput& a, const SequenceOutput& b) {
  EXPECT_EQ(a.sequence, b.sequence);
  EXPECT_EQ(a.position, b.position);
  EXPECT_EQ(a.status, b.status);
  ASSERT_EQ(a.sampled.has_value(), b.sampled.has_value());
  if (a.sampled) {
    EXPECT_EQ(a.sampled->token, b.sampled->token);
    EXPECT_EQ(a.sampled->logprob, b.sampled->logprob);
  }
  ASSERT_EQ(a.alternatives.size(), b.alternatives.size());
  for (std::size_t i = 0; i < a.alternatives.size(); ++i) {
    EXPECT_EQ(a.alternatives[i].token, b.alternatives[i].token);
    EXPECT_EQ(a.alternatives[i].logprob, b.alternatives[i].logprob);
  }
  EXPECT_EQ(a.score_logprobs, b.score_logprobs);
  EXPECT_EQ(a.expert_use, b.expert_use);
  EXPECT_EQ(a.off_family, b.off_family);
}

void ExpectSame(const StageResult& a, const StageResult& b) {
  EXPECT_EQ(a.step, b.step);
  ASSERT_EQ(a.outputs.size(), b.outputs.size());
  for (std::size_t i = 0; i < a.outputs.size(); ++i) {
    ExpectSame(a.outputs[i], b.outputs[i]);
  }
}

bool AddPart(StageResult part, const StageResult& expected,
             StageResult& whole) {
  whole.step = part.step;
  for (SequenceOutput& output : part.outputs) {
    whole.outputs.push_back(std::move(output));
  }
  if (part.more) return false;
  const auto place = [&expected](const SequenceOutput& output) {
    return std::find_if(expected.outputs.begin(), expected.outputs.end(),
                        [&output](const SequenceOutput& other) {
                          return other.sequence == output.sequence;
                        });
  };
  std::sort(whole.outputs.begin(), whole.outputs.end(),
            [&place](const SequenceOutput& a, const SequenceOutput& b) {
              return place(a) < place(b);
            });
  return true;
}

std::vector<StageResult> Reference(const std::vector<Frame>& frames) {
  Worker worker(kAll);
  std::vector<StageResult> results;
  for (const Frame& frame : frames) {
    worker.Take(Copy(frame));
    worker.Work();
    results.push_back(worker.Result());
    for (const SequenceOutput& output : results.back().outputs) {
      EXPECT_TRUE(output.status.ok()) << output.status;
    }
  }
  return results;
}

SequenceOutput ReferenceOf(const SequenceRows& rows) {
  return Reference(Frames(Step(1, {rows})))[0].outputs.at(0);
}

Division::Division() {
  std::vector<SequenceRows> rows;
  for (int s = 1; s <= 60; ++s) rows.push_back(RowsOf(s, 0, 1));
  const auto results = Reference(Frames(Step(1, rows)));
  for (const SequenceOutput& o : results[0].outputs) {
    std::set<int> used;
    for (std::size_t i = 0; i < o.expert_use.size(); ++i) {
      if (o.expert_use[i] > 0) used.insert(static_cast<int>(i % kAll.size()));
    }
    if (local == 0) {
      local = o.sequence;
      here = used;
    } else if (!std::includes(here.begin(), here.end(), used.begin(),
                              used.end())) {
      remote = o.sequence;
    }
  }
  std::set_difference(kAll.begin(), kAll.end(), here.begin(), here.end(),
                      std::inserter(there, there.end()));
  EXPECT_TRUE(remote != 0) << "the test data has sequences of one kind only";
}

std::vector<Frame> SomeSteps() {
  SequenceRows scored = RowsOf(3, 0, 9, false);
  scored.score_targets = {5, 6, 7};
  SequenceRows rest = RowsOf(3, 9, 8, false);
  rest.score_targets = {1, 2, 3, 4, 5, 6, 7, 8};
  return Frames(
      Step(1, {RowsOf(1, 0, 20), Hybrid(RowsOf(2, 0, 17), 5), scored}),
      Step(2, {RowsOf(2, 17, 1), rest, RowsOf(1, 20, 1)}),
      Step(3, {RowsOf(1, 21, 1), RowsOf(4, 0, 1)}));
}

}  // namespace apollo
