// Steps, batches and their answers.
#include <gtest/gtest.h>

#include <climits>
#include <cmath>
#include <string>
#include <utility>

#include "expert_worker/core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

INSTANTIATE_EXPERT_CORE_TEST();

TEST_P(ExpertCoreTest, AnswersTheRequestedOutputs) {
  const auto results = Reference(SomeSteps());
  const auto& outputs = results[0].outputs;
  ASSERT_EQ(outputs.size(), 3u);
  EXPECT_TRUE(outputs[0].sampled && outputs[1].sampled && !outputs[2].sampled);
  EXPECT_EQ(outputs[0].alternatives.size(), 3u);
  EXPECT_EQ(outputs[0].position, 19);
  EXPECT_EQ(outputs[2].score_logprobs.size(), 3u);
  EXPECT_EQ(results[1].outputs[1].score_logprobs.size(), 8u);
  for (const float p : outputs[2].score_logprobs) EXPECT_LT(p, 0);
  // Two experts per row and sparse layer; the pinned one for each row.
  std::uint32_t uses = 0;
  for (const auto n : outputs[0].expert_use) uses += n;
  EXPECT_EQ(uses, 20u * 2 * 2);
  ASSERT_EQ(outputs[1].expert_use.size(), 14u);
  EXPECT_EQ(outputs[1].expert_use[5], 17u);
  EXPECT_EQ(outputs[1].expert_use[12], 17u);
}

TEST_P(ExpertCoreTest, NonFiniteRowsFailTheirSequencesAlone) {
  const SequenceOutput healthy = ReferenceOf(RowsOf(3, 0, 5));
  for (const int threads : {1, 3}) {
    Worker worker(kAll, 64, threads);
    SequenceRows scored = RowsOf(1, 0, 9, false);
    scored.score_targets = {5, 6, 7};  // Of rows 6, 7 and 8.
    Frame step = Step(1, {scored, RowsOf(2, 0, 4), RowsOf(3, 0, 5)});
    for (const int row :
         {7, 9}) {  // In the middle of a sequence; the first row of the next.
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

TEST_P(ExpertCoreTest, StepsOfSeveralDenseWorkersShareABatch) {
  Worker worker(kAll);
  worker.Take(Step(5, {RowsOf(1, 0, 3)}), kDense);
  worker.Take(Step(9, {Hybrid(RowsOf(1, 0, 4), 2)}), kOtherDense);
  worker.Take(Step(6, {RowsOf(1, 3, 2)}), kDense);
  worker.Work();
  EXPECT_EQ(worker.Counters().batches, 1);
  EXPECT_EQ(worker.Counters().rows, 9);
  EXPECT_EQ(worker.core->sequences(), 2);
  const auto alone =
      Reference(Frames(Step(5, {RowsOf(1, 0, 3)}), Step(6, {RowsOf(1, 3, 2)})));
  ExpectSame(worker.Result(), alone[0]);
  ExpectSame(worker.Result(), alone[1]);
  ExpectSame(worker.other->Take<StageResult>().outputs.at(0),
             ReferenceOf(Hybrid(RowsOf(1, 0, 4), 2)));
}

TEST_P(ExpertCoreTest, RowsAtAWrongPositionAreRefused) {
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

TEST_P(ExpertCoreTest, InvalidFramesCloseTheLink) {
  std::vector<Frame> bad;
  const auto add = [&bad](auto change) {
    SequenceRows rows = RowsOf(1, 0, 3);
    change(rows);
    bad.push_back(Step(1, {RowsOf(2, 0, 2), rows}));
  };
  add([](SequenceRows& r) { r.tokens[1] = TestConfig().vocab_size; });
  add([](SequenceRows& r) { r.tokens[2] = -1; });
  add([](SequenceRows& r) { r.score_targets = {TestConfig().vocab_size}; });
  add([](SequenceRows& r) { r.score_targets = {1, 2, 3, 4}; });
  add([](SequenceRows& r) {
    r.score_targets = {1, 2, 3};
    r.unscored_rows = 1;
  });
  add([](SequenceRows& r) { r.unscored_rows = -1; });
  add([](SequenceRows& r) { r.start->score_alternatives = 21; });
  add([](SequenceRows& r) { r.start->score_alternatives = -1; });
  add([](SequenceRows& r) { r.start->top_logprobs = 21; });
  add([](SequenceRows& r) {
    r.start->sampling.logit_bias = {{TestConfig().vocab_size, 1}};
  });
  add([](SequenceRows& r) { r.tokens.clear(); });
  add([](SequenceRows& r) { r.start.reset(); });
  add([](SequenceRows& r) { r.first_position = 5; });
  add([](SequenceRows& r) { r.start->family = TestConfig().num_experts; });
  add([](SequenceRows& r) { r.start->family = -2; });
  add([](SequenceRows& r) { r.start->hybrid = true; });
  add([](SequenceRows& r) { r.sequence = 2; });
  for (const int position :
       {-1, INT_MIN, TestConfig().max_context - 2, INT_MAX}) {
    add([position](SequenceRows& r) {
      r.first_position = position;
      r.start.reset();
    });
  }
  for (const int change : {-1, 1}) {
    bad.push_back(Step(1, {RowsOf(1, 0, 3)}));
    bad.back().payload = Rows::Host(1, 3 * TestConfig().hidden_size + change);
  }
  const Rows row = Rows::Host(1, TestConfig().hidden_size);
  bad.push_back({Reach{}, {}});
  bad.push_back({StageResult{}, {}});
  bad.push_back({ExpertRows{1, TestConfig().boundary - 1, 0}, row.Slice(0, 1)});
  bad.push_back({ExpertRows{1, TestConfig().num_layers, 0}, row.Slice(0, 1)});
  bad.push_back({ExpertRows{1, TestConfig().boundary, 0}, {}});
  bad.push_back({ExpertRows{1, TestConfig().boundary, 0},
                 Rows::FromVector({1, 2, 3}, 3)});

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
  worker.Take(Copy(bad[0]), 999);  // From an unknown link.
  EXPECT_FALSE(worker.core->HasWork());
}

TEST_P(ExpertCoreTest, DenseWorkersLearnTheExpertsInReach) {
  Worker worker(kLow);
  const std::vector<std::set<int>> alone = {kLow};
  EXPECT_EQ(worker.dense->reach, alone);
  EXPECT_EQ(worker.other->reach, alone);
  worker.AddPeer(kHigh);
  EXPECT_EQ(worker.dense->reach.back(), kAll);
  EXPECT_EQ(worker.other->reach.back(), kAll);
  EXPECT_EQ(worker.peer->infos.back().resident.everywhere, kLow);
  worker.core->LinkDown(kPeer);
  EXPECT_EQ(worker.dense->reach.back(), kLow);
  worker.core->LinkDown(kOtherDense);
  EXPECT_EQ(worker.other->reach.back(), kLow);
}

TEST_P(ExpertCoreTest, ALostDenseWorkerFreesAllItHad) {
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
  ExpectSame(low.other->Take<StageResult>().outputs.at(0),
             ReferenceOf(RowsOf(2, 0, 9)));
  EXPECT_EQ(low.core->sequences(), 1);
  low.core->LinkDown(kOtherDense);
  EXPECT_EQ(low.core->free_blocks(), free);
  EXPECT_EQ(low.core->sequences(), 0);
}

}  // namespace
}  // namespace apollo
