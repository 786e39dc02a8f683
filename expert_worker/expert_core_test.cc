#include "expert_worker/expert_core.h"

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <iterator>
#include <map>
#include <string>
#include <utility>

#include "common/fake_clock.h"
#include "model/weights/open_model.h"

namespace apollo {
namespace {

using absl::StatusCode;

const OpenModel& Model() {
  static const OpenModel* const model =
      new OpenModel(*OpenModelDirectory("tests/golden/published"));
  return *model;
}
const ModelConfig& Config() { return Model().config; }

class FakeLink final : public Link {
 public:
  void Send(Frame frame) override {
    if (closed) return;
    if (auto* r = std::get_if<Reach>(&frame.body)) {
      reach.push_back(std::move(r->experts));
    } else {
      frames.push_back(std::move(frame));
    }
  }
  void Close() override { closed = true; }
  std::deque<Frame> frames;  // All others.
  std::vector<std::set<int>> reach;
  bool closed = false;
};

class Counts final : public ExpertObserver {
 public:
  void OnBatch(int rows) override { batches.push_back(rows); }
  void OnRouted(const RoutedRows& routed) override {
    Cell& cell = cells[{std::string(routed.language), routed.layer}];
    cell.rows += routed.rows;
    if (routed.has_family) cell.family += routed.rows;
    cell.off_family += routed.off_family;
    cell.use.resize(routed.by_expert.size());
    for (std::size_t e = 0; e < routed.by_expert.size(); ++e) {
      cell.use[e] += routed.by_expert[e];
      uses += routed.by_expert[e];
    }
  }
  void OnRowsSent(int rows) override { sent += rows; }
  void OnRowsServed(int rows) override { served += rows; }
  void OnOpened(std::uint64_t sequence, int prompt_tokens) override {
    EXPECT_TRUE(life.emplace(sequence, absl::StrCat(prompt_tokens)).second);
    ++open;
  }
  void OnSampled(std::uint64_t sequence) override { life.at(sequence) += "+"; }
  void OnClosed(std::uint64_t sequence, absl::StatusCode code) override {
    absl::StrAppend(&life.at(sequence), " ", absl::StatusCodeToString(code));
    --open;
  }
  struct Cell {
    int rows = 0, family = 0, off_family = 0;
    std::vector<std::uint32_t> use;
  };
  std::map<std::pair<std::string, int>, Cell> cells;  // By language and layer.
  void OnPreemption() override { ++preemptions; }
  // By number: prompt tokens, a "+" for each token, how it was closed.
  std::map<std::uint64_t, std::string> life;
  std::vector<int> batches;
  std::uint64_t uses = 0;
  int sent = 0, served = 0, open = 0, preemptions = 0;
};

constexpr LinkId kDense = 1, kPeer = 2, kOtherDense = 3;
const std::set<int> kAll = {0, 1, 2, 3, 4, 5, 6};
const std::set<int> kLow = {0, 1, 2, 3}, kHigh = {4, 5, 6};

std::int64_t BlockBytes() {
  return KvCache::BlockBytes(
      {Config().num_heads, Config().num_kv_heads, Config().head_size},
      Config().num_sparse_layers(), 0);
}

// An expert worker's core with links to two dense workers, and one to a peer.
struct Worker {
  explicit Worker(const std::set<int>& experts, int blocks = 64,
                  int threads = 1)
      : pool(threads, ThreadPool::Split::kAlways) {
    core = std::make_unique<ExpertCore>(
        ExpertCore::Options(),
        *ExpertStage::Load(Config(), *Model().weights, experts,
                           {BlockBytes() * blocks}, pool, nullptr),
        counts, clock);
    core->LinkUp(kDense, {WorkerRole::kDense, "d", "m", "1", {}}, dense);
    core->LinkUp(kOtherDense, {WorkerRole::kDense, "f", "m", "1", {}}, other);
  }
  void AddPeer(const std::set<int>& experts) {
    core->LinkUp(kPeer, {WorkerRole::kExpert, "p", "m", "1", experts}, peer);
    Take({Reach{experts}, {}}, kPeer);
  }
  void Work() {
    while (core->HasWork()) core->Advance();
  }
  void Take(Frame frame, LinkId from = kDense) {
    core->LinkFrame(from, std::move(frame));
  }
  void Release(std::uint64_t sequence, std::uint32_t attempt = 1) {
    Take({ReleaseSequences{{{sequence, attempt}}}, {}});
  }
  // The oldest answer to a dense worker that was not taken yet.
  StageResult Result() { return ResultOf(*dense); }
  static StageResult ResultOf(FakeLink& link) {
    if (link.frames.empty()) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    auto result = std::get<StageResult>(link.frames.front().body);
    link.frames.pop_front();
    return result;
  }

  ThreadPool pool;
  Counts counts;
  FakeClock clock;
  std::shared_ptr<FakeLink> dense = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> peer = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> other = std::make_shared<FakeLink>();
  std::unique_ptr<ExpertCore> core;
};

// Two workers that share the experts.
struct Two {
  explicit Two(std::set<int> low_experts = kLow,
               std::set<int> high_experts = kHigh)
      : low(low_experts), high(high_experts) {
    low.AddPeer(high_experts);
    high.AddPeer(low_experts);
  }
  bool Deliver() {
    bool any = false;
    for (auto [from, to] : {std::pair(&low, &high), std::pair(&high, &low)}) {
      for (; !from->peer->frames.empty(); any = true) {
        to->Take(std::move(from->peer->frames.front()), kPeer);
        from->peer->frames.pop_front();
      }
    }
    return any;
  }
  void Work() {
    do {
      low.Work();
      high.Work();
    } while (Deliver() || low.core->HasWork() || high.core->HasWork());
  }
  Worker low, high;
};

SequenceRows RowsOf(std::uint64_t sequence, int first, int count,
                    bool sample = true) {
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

// A step with boundary activations that depend on sequence and position only.
Frame Step(std::uint64_t number, std::vector<SequenceRows> sequences) {
  std::vector<float> payload;
  for (const SequenceRows& rows : sequences) {
    for (int r = 0; r < static_cast<int>(rows.tokens.size()); ++r) {
      const double position = static_cast<double>(rows.first_position) + r;
      for (int i = 0; i < Config().hidden_size; ++i) {
        payload.push_back(static_cast<float>(
            std::sin(1.7 * static_cast<double>(rows.sequence) +
                     0.31 * position * (i + 1) + 0.77 * i)));
      }
    }
  }
  return {StageStep{number, std::move(sequences)},
          Rows::FromVector(std::move(payload), Config().hidden_size)};
}

Frame Copy(const Frame& frame) {
  return {frame.body, frame.payload.Slice(0, frame.payload.rows())};
}

template <typename... F>
std::vector<Frame> Frames(F... frames) {
  std::vector<Frame> result;
  (result.push_back(std::move(frames)), ...);
  return result;
}

// Equal to the last bit.
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

// What a worker with all experts answers to the frames alone.
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

// A division of the experts, and two sequences of one row: one that uses only
// experts of the first part, and one that uses others too.
struct Division {
  Division() {
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
    EXPECT_TRUE(remote != 0) << "the test data has only one kind";
  }
  std::uint64_t local = 0, remote = 0;
  std::set<int> here, there;
};

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

TEST(ExpertCoreTest, AnswersWhatWasAskedFor) {
  const auto results = Reference(SomeSteps());
  const auto& outputs = results[0].outputs;
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_TRUE(outputs[0].sampled && outputs[1].sampled && !outputs[2].sampled);
  EXPECT_EQ(outputs[0].alternatives.size(), 3u);
  EXPECT_EQ(outputs[0].position, 19);
  EXPECT_EQ(outputs[2].score_logprobs.size(), 3u);
  EXPECT_EQ(results[1].outputs[1].score_logprobs.size(), 8u);
  for (const float p : outputs[2].score_logprobs) EXPECT_LT(p, 0);
  // Two experts for each row and sparse layer; the pinned one for each row.
  std::uint32_t uses = 0;
  for (const auto n : outputs[0].expert_use) uses += n;
  EXPECT_EQ(uses, 20u * 2 * 2);
  ASSERT_EQ(outputs[1].expert_use.size(), 14u);
  EXPECT_EQ(outputs[1].expert_use[5], 17u);
  EXPECT_EQ(outputs[1].expert_use[12], 17u);
}

TEST(ExpertCoreTest, RowsThatAreNoNumbersFailTheirSequencesAlone) {
  const SequenceOutput healthy = ReferenceOf(RowsOf(3, 0, 5));
  for (const int threads : {1, 3}) {
    Worker worker(kAll, 64, threads);
    SequenceRows scored = RowsOf(1, 0, 9, false);
    scored.score_targets = {5, 6, 7};  // Of rows 6, 7 and 8.
    Frame step = Step(1, {scored, RowsOf(2, 0, 4), RowsOf(3, 0, 5)});
    for (const int row :
         {7, 9}) {  // In the middle of one, the next one's first.
      step.payload.Slice(row, 1).host()[0] = NAN;
    }
    worker.Take(std::move(step));
    worker.Work();
    const StageResult result = worker.Result();
    ASSERT_EQ(result.outputs.size(), 3u);
    EXPECT_EQ(result.outputs[0].status.code(), StatusCode::kInternal);
    EXPECT_EQ(result.outputs[1].status.code(), StatusCode::kInternal);
    EXPECT_FALSE(result.outputs[1].sampled.has_value());
    ExpectSame(result.outputs[2], healthy);
  }
}

TEST(ExpertCoreTest, SharedExpertsGiveTheSameResultBitForBit) {
  const auto expected = Reference(SomeSteps());
  Two two;
  int i = 0;
  for (const Frame& frame : SomeSteps()) {
    two.low.Take(Copy(frame));
    two.Work();
    ExpectSame(two.low.Result(), expected[i++]);
  }
  EXPECT_GT(two.low.counts.sent, 0);
  EXPECT_EQ(two.low.counts.sent, two.high.counts.served);
}

TEST(ExpertCoreTest, WorkersThatWaitForEachOtherServeEachOther) {
  const auto steps = SomeSteps();
  const auto expected = Reference(steps);
  Two two;
  two.low.Take(Copy(steps[0]));
  two.high.Take(Copy(steps[0]));
  two.low.Work();
  two.high.Work();
  // Both wait: nothing was delivered, nothing is left to do.
  for (Worker* worker : {&two.low, &two.high}) {
    ASSERT_FALSE(worker->peer->frames.empty());
    ASSERT_TRUE(worker->dense->frames.empty());
  }
  two.Work();
  ExpectSame(two.low.Result(), expected[0]);
  ExpectSame(two.high.Result(), expected[0]);
}

TEST(ExpertCoreTest, StepsOfSeveralDenseWorkersShareABatch) {
  Worker worker(kAll);
  worker.Take(Step(5, {RowsOf(1, 0, 3)}), kDense);
  worker.Take(Step(9, {Hybrid(RowsOf(1, 0, 4), 2)}), kOtherDense);
  worker.Take(Step(6, {RowsOf(1, 3, 2)}), kDense);
  worker.Work();
  EXPECT_EQ(worker.counts.batches, std::vector<int>{9});
  EXPECT_EQ(worker.core->sequences(), 2);
  const auto alone =
      Reference(Frames(Step(5, {RowsOf(1, 0, 3)}), Step(6, {RowsOf(1, 3, 2)})));
  ExpectSame(worker.Result(), alone[0]);
  ExpectSame(worker.Result(), alone[1]);
  ExpectSame(Worker::ResultOf(*worker.other).outputs.at(0),
             ReferenceOf(Hybrid(RowsOf(1, 0, 4), 2)));
}

TEST(ExpertCoreTest, ReleaseFreesTheBlocks) {
  Worker worker(kAll);
  const int free = worker.core->free_blocks();
  worker.Take(Step(1, {RowsOf(1, 0, 33), RowsOf(2, 0, 1)}));
  worker.Work();
  EXPECT_EQ(worker.core->free_blocks(), free - 4);
  worker.Release(1, 2);  // Not the attempt that is here.
  worker.Release(9);
  EXPECT_EQ(worker.core->free_blocks(), free - 4);
  worker.Release(1);
  EXPECT_EQ(worker.core->free_blocks(), free - 1);
  worker.Release(1);
  worker.Release(2);
  EXPECT_EQ(worker.core->free_blocks(), free);
  EXPECT_EQ(worker.core->sequences(), 0);
  EXPECT_EQ(worker.counts.open, 0);
}

TEST(ExpertCoreTest, ReleaseWhileTheBatchWaitsForAPeer) {
  const Frame step = Step(1, {Hybrid(RowsOf(1, 0, 20), 5), RowsOf(2, 0, 5)});
  Two two;
  Worker& low = two.low;
  const int free = low.core->free_blocks();
  low.Take(Copy(step));
  low.Work();
  ASSERT_FALSE(low.peer->frames.empty());
  low.Release(1);
  low.Release(1);
  EXPECT_LT(low.core->free_blocks(), free) << "blocks in use were given away";
  two.Work();
  ExpectSame(low.Result(), Reference(Frames(Copy(step)))[0]);
  EXPECT_EQ(low.core->free_blocks(), free - 1);
  EXPECT_EQ(low.core->sequences(), 1);
}

TEST(ExpertCoreTest, ReleaseBeforeTheStepBeginsCancelsIt) {
  Worker worker(kAll);
  const int free = worker.core->free_blocks();
  worker.Take(Step(1, {RowsOf(1, 0, 20), RowsOf(2, 0, 5)}));
  worker.Release(1);
  worker.Work();
  const StageResult result = worker.Result();
  EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kCancelled);
  ExpectSame(result.outputs.at(1), ReferenceOf(RowsOf(2, 0, 5)));
  EXPECT_EQ(worker.core->free_blocks(), free - 1);
}

TEST(ExpertCoreTest, ALostPeerFailsOnlyTheRowsThatNeedIt) {
  const auto [local, remote, here, there] = Division();
  Two two(here, there);
  Worker& low = two.low;
  low.Take(Step(1, {RowsOf(remote, 0, 1), RowsOf(local, 0, 1)}));
  low.Work();
  ASSERT_FALSE(low.peer->frames.empty());
  EXPECT_FALSE(low.core->HasWork());
  low.core->LinkDown(kPeer);
  low.Work();
  StageResult result = low.Result();
  EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
  EXPECT_FALSE(result.outputs[0].sampled.has_value());
  ExpectSame(result.outputs.at(1), ReferenceOf(RowsOf(local, 0, 1)));

  // Without a peer at all, the missing expert is named.
  SequenceRows again = RowsOf(remote, 0, 1);
  again.attempt = 2;
  low.Take(Step(2, {again}));
  low.Work();
  result = low.Result();
  EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
  EXPECT_NE(result.outputs[0].status.message().find("has expert"),
            absl::string_view::npos);

  // The peer is back: the next attempt succeeds.
  two.low.peer->frames.clear();
  low.AddPeer(there);
  again.attempt = 3;
  low.Take(Step(3, {again}));
  two.Work();
  ExpectSame(low.Result().outputs.at(0), ReferenceOf(RowsOf(remote, 0, 1)));
}

TEST(ExpertCoreTest, ALostDenseWorkerFreesAllItHad) {
  Two two;
  Worker& low = two.low;
  const int free = low.core->free_blocks();
  low.Take(Step(1, {Hybrid(RowsOf(1, 0, 20), 6), RowsOf(2, 0, 9)}));
  low.Take(Step(8, {RowsOf(2, 0, 9)}), kOtherDense);
  low.Work();
  ASSERT_FALSE(low.peer->frames.empty());
  low.Take(Step(2, {RowsOf(3, 0, 9)}));  // Waits for the batch.
  low.core->LinkDown(kDense);
  two.Work();
  EXPECT_TRUE(low.dense->frames.empty());
  ExpectSame(Worker::ResultOf(*low.other).outputs.at(0),
             ReferenceOf(RowsOf(2, 0, 9)));
  EXPECT_EQ(low.core->sequences(), 1);
  low.core->LinkDown(kOtherDense);
  EXPECT_EQ(low.core->free_blocks(), free);
  EXPECT_EQ(low.core->sequences(), 0);
}

TEST(ExpertCoreTest, ALaterAttemptReplacesTheEarlierOne) {
  Worker worker(kAll);
  const int free = worker.core->free_blocks();
  SequenceRows second = RowsOf(1, 0, 18);
  second.attempt = 2;
  // Both wait at once; the first holds other numbers, of which nothing may
  // stay.
  worker.Take(Step(1, {Hybrid(RowsOf(1, 0, 40), 3)}));
  worker.Take(Step(2, {second}));
  worker.Work();
  EXPECT_TRUE(worker.Result().outputs.at(0).status.ok());
  const StageResult result = worker.Result();
  EXPECT_EQ(result.outputs.at(0).attempt, 2u);
  ExpectSame(result.outputs[0], ReferenceOf(second));
  EXPECT_EQ(worker.core->sequences(), 1);
  EXPECT_EQ(worker.core->free_blocks(), free - 2);
  worker.Release(1, 1);  // Late.
  EXPECT_EQ(worker.core->sequences(), 1);
  worker.Release(1, 2);
  EXPECT_EQ(worker.core->free_blocks(), free);
}

TEST(ExpertCoreTest, AFullCacheTurnsAwayTheSequenceThatWasOpenedLast) {
  Worker worker(kAll, 3);
  worker.Take(Step(1, {RowsOf(1, 0, 32), RowsOf(2, 0, 20), RowsOf(3, 0, 5)}));
  worker.Work();
  const StageResult result = worker.Result();
  ExpectSame(result.outputs.at(0), ReferenceOf(RowsOf(1, 0, 32)));
  EXPECT_EQ(result.outputs.at(1).status.code(), StatusCode::kAborted);
  ExpectSame(result.outputs.at(2), ReferenceOf(RowsOf(3, 0, 5)));
  EXPECT_EQ(worker.counts.preemptions, 1);
  for (int s : {1, 2, 3}) worker.Release(s);
  EXPECT_EQ(worker.core->free_blocks(), 3);
  EXPECT_EQ(worker.core->sequences(), 0);
  worker.Take(Step(2, {RowsOf(2, 0, 48)}));
  worker.Work();
  EXPECT_TRUE(worker.Result().outputs.at(0).status.ok());
  // Alone and still too large: that cannot be helped.
  worker.Take(Step(3, {RowsOf(2, 48, 1)}));
  worker.Work();
  EXPECT_EQ(worker.Result().outputs.at(0).status.code(),
            StatusCode::kFailedPrecondition);
}

TEST(ExpertCoreTest, AnOlderSequenceTakesTheBlocksOfTheYoungest) {
  Worker worker(kAll, 3);
  worker.Take(Step(1, {RowsOf(1, 0, 16), RowsOf(2, 0, 20)}));
  worker.Work();
  worker.Result();
  // In one batch: what 2 had been given is taken back.
  worker.Take(Step(2, {RowsOf(2, 20, 1), RowsOf(1, 16, 1)}));
  worker.Take(Step(3, {RowsOf(2, 21, 1)}));
  worker.Work();
  StageResult result = worker.Result();
  EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kAborted);
  const auto reference = Reference(
      Frames(Step(1, {RowsOf(1, 0, 16)}), Step(2, {RowsOf(1, 16, 1)})));
  ExpectSame(result.outputs.at(1), reference[1].outputs.at(0));
  EXPECT_EQ(worker.Result().outputs.at(0).status.code(), StatusCode::kAborted);
  EXPECT_EQ(worker.core->free_blocks(), 1);
  EXPECT_EQ(worker.core->sequences(), 1);
  // Rows of that attempt stay refused, also from its start.
  worker.Take(Step(4, {RowsOf(2, 0, 10)}));
  worker.Work();
  EXPECT_EQ(worker.Result().outputs.at(0).status.code(), StatusCode::kAborted);
  // The next attempt is as if nothing had been.
  worker.Release(2, 1);
  worker.Release(1, 1);
  SequenceRows again = RowsOf(2, 0, 22);
  again.attempt = 2;
  again.start->prompt_tokens = 20;
  worker.Take(Step(5, {again}));
  worker.Work();
  const auto whole = Reference(
      Frames(Step(1, {RowsOf(2, 0, 20)}), Step(2, {RowsOf(2, 20, 2)})));
  result = worker.Result();
  ASSERT_TRUE(result.outputs.at(0).status.ok());
  EXPECT_EQ(result.outputs[0].sampled->token,
            whole[1].outputs.at(0).sampled->token);
  EXPECT_EQ(result.outputs[0].sampled->logprob,
            whole[1].outputs.at(0).sampled->logprob);
}

TEST(ExpertCoreTest, RowsAtAnotherPositionThanTheSequenceAreRefused) {
  Worker worker(kAll);
  worker.Take(Step(1, {RowsOf(1, 0, 4)}));
  worker.Work();
  EXPECT_TRUE(worker.Result().outputs.at(0).status.ok());
  SequenceRows other_attempt = RowsOf(1, 4, 1);
  other_attempt.attempt = 2;
  const std::vector<SequenceRows> wrong = {RowsOf(1, 3, 1), RowsOf(1, 5, 1),
                                           RowsOf(9, 4, 1), RowsOf(1, 0, 4),
                                           other_attempt};
  for (const SequenceRows& rows : wrong) {
    worker.Take(Step(2, {rows, RowsOf(100 + rows.sequence, 7, 1)}));
    worker.Work();
    for (const auto& output : worker.Result().outputs) {
      EXPECT_EQ(output.status.code(), StatusCode::kFailedPrecondition);
    }
  }
  EXPECT_FALSE(worker.dense->closed);
  // The sequence itself is unharmed.
  worker.Take(Step(3, {RowsOf(1, 4, 1)}));
  worker.Work();
  ExpectSame(worker.Result(), Reference(Frames(Step(1, {RowsOf(1, 0, 4)}),
                                               Step(3, {RowsOf(1, 4, 1)})))[1]);
}

TEST(ExpertCoreTest, ImpossibleFramesCloseTheLink) {
  std::vector<Frame> bad;
  const auto add = [&bad](auto change) {
    SequenceRows rows = RowsOf(1, 0, 3);
    change(rows);
    bad.push_back(Step(1, {RowsOf(2, 0, 2), rows}));
  };
  add([](SequenceRows& r) { r.tokens[1] = Config().vocab_size; });
  add([](SequenceRows& r) { r.tokens[2] = -1; });
  add([](SequenceRows& r) { r.score_targets = {Config().vocab_size}; });
  add([](SequenceRows& r) { r.score_targets = {1, 2, 3, 4}; });
  add([](SequenceRows& r) { r.tokens.clear(); });
  add([](SequenceRows& r) { r.start.reset(); });
  add([](SequenceRows& r) { r.first_position = 5; });
  add([](SequenceRows& r) { r.start->family = Config().num_experts; });
  add([](SequenceRows& r) { r.start->family = -2; });
  add([](SequenceRows& r) { r.start->hybrid = true; });
  add([](SequenceRows& r) { r.sequence = 2; });
  for (const int position : {-1, INT_MIN, Config().max_context - 2, INT_MAX}) {
    add([position](SequenceRows& r) {
      r.first_position = position;
      r.start.reset();
    });
  }
  for (const int change : {-1, 1}) {
    bad.push_back(Step(1, {RowsOf(1, 0, 3)}));
    bad.back().payload = Rows::Host(1, 3 * Config().hidden_size + change);
  }
  const Rows row = Rows::Host(1, Config().hidden_size);
  bad.push_back({Hello{}, {}});
  bad.push_back({StageResult{}, {}});
  bad.push_back({ExpertRows{1, Config().boundary - 1, 0}, row.Slice(0, 1)});
  bad.push_back({ExpertRows{1, Config().num_layers, 0}, row.Slice(0, 1)});
  bad.push_back({ExpertRows{1, Config().boundary, 0}, {}});
  bad.push_back(
      {ExpertRows{1, Config().boundary, 0}, Rows::FromVector({1, 2, 3}, 3)});

  Worker worker(kAll);
  const int free = worker.core->free_blocks();
  LinkId id = 100;
  for (const Frame& frame : bad) {
    auto link = std::make_shared<FakeLink>();
    worker.core->LinkUp(++id, {WorkerRole::kDense, "bad", "m", "1", {}}, link);
    worker.Take(Copy(frame), id);
    worker.Work();
    EXPECT_TRUE(link->closed) << "frame " << id - 101;
    EXPECT_TRUE(link->frames.empty()) << "frame " << id - 101;
    worker.core->LinkDown(id);
  }
  EXPECT_EQ(worker.core->free_blocks(), free);
  worker.Take(Copy(bad[0]), 999);  // Of a link that is not there.
  EXPECT_FALSE(worker.core->HasWork());
}

TEST(ExpertCoreTest, RowsOfAnExpertThatIsNotHereAreAnsweredSo) {
  Worker worker(kLow);
  for (const int expert : {4, 99, -1}) {
    worker.Take({ExpertRows{77, Config().boundary, expert},
                 Rows::Host(1, Config().hidden_size)},
                kOtherDense);
    ASSERT_EQ(worker.other->frames.size(), 1u);
    const auto& outputs = std::get<ExpertOutputs>(worker.other->frames[0].body);
    EXPECT_EQ(outputs.ticket, 77u);
    EXPECT_EQ(outputs.status.code(), StatusCode::kNotFound);
    worker.other->frames.clear();
  }
  EXPECT_FALSE(worker.other->closed);
}

TEST(ExpertCoreTest, WrongOutputsOfAPeerFailItsRowsAlone) {
  const auto [local, remote, here, there] = Division();
  for (const bool wrong_size : {true, false}) {
    Worker worker(here);
    worker.AddPeer(there);
    worker.Take(Step(1, {RowsOf(remote, 0, 1), RowsOf(local, 0, 1)}));
    worker.Work();
    const auto ask = [&] {
      return std::get<ExpertRows>(worker.peer->frames.front().body).ticket;
    };
    ASSERT_FALSE(worker.peer->frames.empty());
    worker.Take({ExpertOutputs{ask() + 1000, {}}, Rows::Host(1, 1)},
                kPeer);  // Unknown.
    EXPECT_FALSE(worker.peer->closed);
    // Another link answers in the peer's place: that one is closed.
    worker.Take(
        {ExpertOutputs{ask(), {}}, Copy(worker.peer->frames.front()).payload},
        kOtherDense);
    EXPECT_TRUE(worker.other->closed);
    EXPECT_FALSE(worker.core->HasWork());
    while (!worker.peer->frames.empty()) {
      const ExpertOutputs outputs = {
          ask(), wrong_size ? absl::OkStatus() : absl::NotFoundError("gone")};
      worker.peer->frames.pop_front();
      worker.Take({outputs, {}}, kPeer);
      worker.Work();
    }
    if (wrong_size) {
      EXPECT_TRUE(worker.peer->closed);
      worker.core->LinkDown(kPeer);
    } else {
      EXPECT_FALSE(worker.peer->closed);
    }
    worker.Work();
    const StageResult result = worker.Result();
    EXPECT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
    ExpectSame(result.outputs.at(1), ReferenceOf(RowsOf(local, 0, 1)));
  }
}

SequenceRows In(SequenceRows rows, const std::string& language, int family);

TEST(ExpertCoreTest, RowsThatFailedInAnEarlierLayerAreNotCounted) {
  const auto [local, remote, here, there] = Division();
  Worker worker(here);  // Nobody has the experts of `there`.
  worker.Take(Step(1, {In(RowsOf(remote, 0, 1), "de", 4),
                       In(RowsOf(local, 0, 1), "ar", 5)}));
  worker.Work();
  const StageResult result = worker.Result();
  ASSERT_EQ(result.outputs.at(0).status.code(), StatusCode::kUnavailable);
  ASSERT_TRUE(result.outputs.at(1).status.ok());
  const int last = Config().num_layers - 1;
  ASSERT_LT(Config().boundary, last);
  EXPECT_EQ(worker.counts.cells.count({"de", last}), 0u);
  EXPECT_EQ(worker.counts.cells.count({"ar", last}), 1u);
}

SequenceRows In(SequenceRows rows, const std::string& language, int family) {
  rows.start->language = language;
  rows.start->family = family;
  return rows;
}

// One batch of sequences of different languages, with and without a family.
TEST(ExpertCoreTest, CountsByLanguageAndLayer) {
  Worker worker(kAll);
  worker.Take(
      Step(1, {In(RowsOf(1, 0, 9), "de", 4), In(RowsOf(2, 0, 5), "ar", 5),
               RowsOf(3, 0, 3), In(RowsOf(4, 0, 6), "de", 4)}));
  worker.Work();
  const StageResult result = worker.Result();
  ASSERT_EQ(result.outputs.size(), 4u);
  // Sums of what the sequences' answers say.
  const std::string languages[] = {"de", "ar", "", "de"};
  const int layers = Config().num_sparse_layers();
  for (int layer = 0; layer < layers; ++layer) {
    std::map<std::string, std::vector<std::uint32_t>> use;
    std::map<std::string, int> off_family;
    for (int i = 0; i < 4; ++i) {
      const SequenceOutput& output = result.outputs[i];
      ASSERT_EQ(output.expert_use.size(), layers * 7u);
      ASSERT_EQ(output.off_family.size(), static_cast<std::size_t>(layers));
      use[languages[i]].resize(7);
      for (int e = 0; e < 7; ++e) {
        use[languages[i]][e] += output.expert_use[layer * 7 + e];
      }
      off_family[languages[i]] += static_cast<int>(output.off_family[layer]);
    }
    struct Expected {
      const char* language;
      int rows, family;
    };
    for (const auto& [language, rows, family] :
         {Expected{"de", 15, 15}, Expected{"ar", 5, 5}, Expected{"", 3, 0}}) {
      const Counts::Cell& cell =
          worker.counts.cells.at({language, Config().boundary + layer});
      EXPECT_EQ(cell.rows, rows);
      EXPECT_EQ(cell.family, family);
      EXPECT_EQ(cell.use, use[language]);
      EXPECT_EQ(cell.off_family, off_family[language]);
    }
  }
  EXPECT_EQ(worker.counts.cells.size(), 3u * layers);
}

// A row is off its family if its own top-k has not the family's expert: with
// top-k routing those are the rows that did not use it, and with hybrid
// routing, where every row uses it, those in which it replaced another.
TEST(ExpertCoreTest, OffFamilyIsTheGatesOwnChoice) {
  int off = 0, on = 0;
  const int first = Config().boundary;
  for (int family = 0; family < 7; ++family) {
    const int rows = 20;
    Worker topk(kAll), hybrid(kAll);
    topk.Take(Step(1, {In(RowsOf(1, 0, rows), "de", family)}));
    hybrid.Take(
        Step(1, {Hybrid(In(RowsOf(1, 0, rows), "de", family), family)}));
    topk.Work();
    hybrid.Work();
    const Counts::Cell& own = topk.counts.cells.at({"de", first});
    const Counts::Cell& pinned = hybrid.counts.cells.at({"de", first});
    EXPECT_EQ(own.off_family, rows - static_cast<int>(own.use[family]));
    EXPECT_EQ(pinned.use[family], static_cast<std::uint32_t>(rows));
    // Up to the first sparse layer's gate both compute the same.
    EXPECT_EQ(pinned.off_family, own.off_family);
    off += own.off_family;
    on += rows - own.off_family;
  }
  // The test has both kinds.
  EXPECT_GT(off, 0);
  EXPECT_GT(on, 0);
}

TEST(ExpertCoreTest, APeerThatDoesNotAnswerHoldsUpABatchForALimitedTime) {
  const Division division;
  Worker worker(division.here);
  worker.AddPeer(division.there);
  worker.Take(
      Step(1, {RowsOf(division.local, 0, 1), RowsOf(division.remote, 0, 1)}));
  worker.Work();
  ASSERT_FALSE(worker.peer->frames.empty());
  const absl::Duration limit = ExpertCore::Options().answer_timeout;
  worker.clock.now += limit;
  worker.core->Tick(worker.clock.now);
  EXPECT_FALSE(worker.peer->closed);
  EXPECT_TRUE(worker.dense->frames.empty());
  worker.clock.now += absl::Milliseconds(1);
  worker.core->Tick(worker.clock.now);
  EXPECT_TRUE(worker.peer->closed);
  EXPECT_FALSE(worker.dense->closed);
  worker.core->LinkDown(kPeer);
  worker.Work();
  const StageResult result = worker.Result();
  ASSERT_EQ(result.outputs.size(), 2u);
  ExpectSame(result.outputs[0], ReferenceOf(RowsOf(division.local, 0, 1)));
  EXPECT_EQ(result.outputs[1].status.code(), StatusCode::kUnavailable);
}

TEST(ExpertCoreTest, DenseWorkersLearnWhichExpertsAreInReach) {
  Worker worker(kLow);
  const std::vector<std::set<int>> alone = {kLow};
  EXPECT_EQ(worker.dense->reach, alone);
  EXPECT_EQ(worker.other->reach, alone);
  worker.AddPeer(kHigh);
  EXPECT_EQ(worker.dense->reach.back(), kAll);
  EXPECT_EQ(worker.other->reach.back(), kAll);
  EXPECT_EQ(worker.peer->reach, alone);  // What it has itself.
  worker.core->LinkDown(kPeer);
  EXPECT_EQ(worker.dense->reach.back(), kLow);
  worker.core->LinkDown(kOtherDense);
  EXPECT_EQ(worker.other->reach.back(), kLow);
}

TEST(ExpertCoreTest, APeerOffersNothingUntilItsEngineSaysSo) {
  Worker worker(kLow);
  worker.core->LinkUp(kPeer, {WorkerRole::kExpert, "p", "m", "1", kHigh},
                      worker.peer);
  EXPECT_EQ(worker.dense->reach.back(), kLow);
  worker.Take({Reach{kHigh}, {}}, kPeer);
  EXPECT_EQ(worker.dense->reach.back(), kAll);
  worker.Take({Reach{}, {}}, kPeer);  // It is about to stop.
  EXPECT_EQ(worker.dense->reach.back(), kLow);
}

TEST(ExpertCoreTest, ADrainingWorkerReachesNothingButGoesOn) {
  Worker worker(kAll);
  worker.Take(Step(1, {RowsOf(1, 0, 3)}));
  worker.core->Drain();
  EXPECT_EQ(worker.dense->reach.back(), std::set<int>());
  worker.AddPeer(kAll);
  EXPECT_EQ(worker.peer->reach.back(), std::set<int>());
  EXPECT_EQ(worker.dense->reach.back(), std::set<int>());
  worker.Work();
  ExpectSame(worker.Result().outputs.at(0), ReferenceOf(RowsOf(1, 0, 3)));
}

TEST(ExpertCoreTest, APeerThatLeavesIsKeptWhileSequencesMayNeedIt) {
  Two two;
  two.low.Take(Step(1, {RowsOf(5, 0, 3)}));
  two.Work();
  two.low.core->LinkLeaving(kPeer, true);
  EXPECT_EQ(two.low.dense->reach.back(), kLow);
  two.low.Take(Step(2, {RowsOf(6, 0, 3)}));
  two.low.core->Tick(two.low.clock.now);
  EXPECT_FALSE(two.low.peer->closed);
  two.Work();
  two.low.Take(Step(3, {RowsOf(5, 3, 1)}));
  two.Work();
  for (int i = 0; i < 3; ++i) {
    for (const SequenceOutput& output : two.low.Result().outputs) {
      EXPECT_TRUE(output.status.ok()) << output.status;
    }
  }
  two.low.Release(5);
  two.low.core->Tick(two.low.clock.now);
  EXPECT_TRUE(two.low.peer->closed);  // Sequence 6 began afterwards.
}

TEST(ExpertCoreTest, APeerThatDidNotAnswerIsNotAskedAgainInLaterLayers) {
  const Division division;
  Worker worker(division.here);
  worker.AddPeer(division.there);
  // Both processes dialled: a second link to the same one.
  const auto second = std::make_shared<FakeLink>();
  worker.core->LinkUp(kPeer + 100,
                      {WorkerRole::kExpert, "p", "m", "1", division.there},
                      second);
  worker.Take({Reach{division.there}, {}}, kPeer + 100);
  worker.Take(
      Step(1, {RowsOf(division.local, 0, 1), RowsOf(division.remote, 0, 1)}));
  worker.Work();
  const std::size_t asked = worker.peer->frames.size() + second->frames.size();
  ASSERT_GT(asked, 0u);
  worker.clock.now += ExpertCore::Options().answer_timeout * 2;
  worker.core->Tick(worker.clock.now);
  EXPECT_TRUE(worker.peer->closed);
  EXPECT_TRUE(second->closed);
  EXPECT_EQ(worker.dense->reach.back(), division.here);
  worker.core->LinkDown(kPeer);
  worker.core->LinkDown(kPeer + 100);
  // It is dialled again, its hello comes, and its engine still stands.
  const auto again = std::make_shared<FakeLink>();
  worker.core->LinkUp(
      kPeer + 200, {WorkerRole::kExpert, "p", "m", "1", division.there}, again);
  worker.Work();
  EXPECT_TRUE(again->frames.empty());
  EXPECT_EQ(worker.Result().outputs.size(), 2u);  // All layers are done.
}

TEST(ExpertCoreTest, APeerThatAnswersOwesNothing) {
  const Division division;
  Two two(division.here, division.there);
  two.low.Take(Step(1, {RowsOf(division.remote, 0, 1)}));
  two.Work();
  EXPECT_EQ(two.low.counts.sent > 0, true);
  two.low.clock.now += absl::Hours(1);
  two.low.core->Tick(two.low.clock.now);
  EXPECT_FALSE(two.low.peer->closed);
}

TEST(ExpertCoreTest, TellsHowSequencesBeginAndEnd) {
  Worker worker(kAll);
  worker.Take(
      Step(1, {RowsOf(1, 0, 5), RowsOf(2, 0, 3), RowsOf(3, 0, 4, false)}));
  worker.Work();
  worker.Take(Step(2, {RowsOf(1, 5, 1)}));
  worker.Work();
  worker.Release(1);
  SequenceRows again = RowsOf(2, 0, 4);
  again.attempt = 2;
  worker.Take(Step(3, {again}));
  worker.Work();
  worker.core->LinkDown(kDense);
  EXPECT_EQ(worker.counts.life,
            (std::map<std::uint64_t, std::string>{{1, "5++ OK"},
                                                  {2, "3+ ABORTED"},
                                                  {3, "4 UNAVAILABLE"},
                                                  {4, "4+ UNAVAILABLE"}}));
}

}  // namespace
}  // namespace apollo
