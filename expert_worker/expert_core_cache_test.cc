// The cache: ownership, eviction and release of blocks.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "expert_worker/core_fixture.h"

namespace apollo {
namespace {

using absl::StatusCode;

INSTANTIATE_EXPERT_CORE_TEST();

TEST_P(ExpertCoreTest, ReleaseFreesTheBlocks) {
  Worker worker(kAll);
  const int free = worker.core->free_blocks();
  worker.Take(Step(1, {RowsOf(1, 0, 33), RowsOf(2, 0, 1)}));
  worker.Work();
  EXPECT_EQ(worker.core->free_blocks(), free - 4);
  worker.Release(1, 2);  // Another attempt.
  worker.Release(9);
  EXPECT_EQ(worker.core->free_blocks(), free - 4);
  worker.Release(1);
  EXPECT_EQ(worker.core->free_blocks(), free - 1);
  worker.Release(1);
  worker.Release(2);
  EXPECT_EQ(worker.core->free_blocks(), free);
  EXPECT_EQ(worker.core->sequences(), 0);
  EXPECT_EQ(worker.Counters().running, 0);
}

TEST_P(ExpertCoreTest, ReleaseWhileTheBatchWaitsForAPeer) {
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

TEST_P(ExpertCoreTest, ReleaseBeforeTheStepBeginsCancelsIt) {
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

TEST_P(ExpertCoreTest, ALaterAttemptReplacesTheEarlierOne) {
  Worker worker(kAll);
  const int free = worker.core->free_blocks();
  SequenceRows second = RowsOf(1, 0, 18);
  second.attempt = 2;
  // Both wait at the same time. The first has other numbers, which must not
  // remain.
  worker.Take(Step(1, {Hybrid(RowsOf(1, 0, 40), 3)}));
  worker.Take(Step(2, {second}));
  worker.Work();
  EXPECT_TRUE(worker.Result().outputs.at(0).status.ok());
  const StageResult result = worker.Result();
  EXPECT_EQ(result.outputs.at(0).attempt, 2u);
  ExpectSame(result.outputs[0], ReferenceOf(second));
  EXPECT_EQ(worker.core->sequences(), 1);
  EXPECT_EQ(worker.core->free_blocks(), free - 2);
  worker.Release(1, 1);  // Too late.
  EXPECT_EQ(worker.core->sequences(), 1);
  worker.Release(1, 2);
  EXPECT_EQ(worker.core->free_blocks(), free);
}

TEST_P(ExpertCoreTest, AFullCacheEvictsTheSequenceThatWasOpenedLast) {
  Worker worker(kAll, 3);
  worker.Take(Step(1, {RowsOf(1, 0, 32), RowsOf(2, 0, 20), RowsOf(3, 0, 5)}));
  worker.Work();
  const StageResult result = worker.Result();
  ExpectSame(result.outputs.at(0), ReferenceOf(RowsOf(1, 0, 32)));
  EXPECT_EQ(result.outputs.at(1).status.code(), StatusCode::kAborted);
  ExpectSame(result.outputs.at(2), ReferenceOf(RowsOf(3, 0, 5)));
  EXPECT_EQ(worker.Counters().preemptions, 1);
  for (int s : {1, 2, 3}) worker.Release(s);
  EXPECT_EQ(worker.core->free_blocks(), 3);
  EXPECT_EQ(worker.core->sequences(), 0);
  worker.Take(Step(2, {RowsOf(2, 0, 48)}));
  worker.Work();
  EXPECT_TRUE(worker.Result().outputs.at(0).status.ok());
  // A single sequence that is too large can never run.
  worker.Take(Step(3, {RowsOf(2, 48, 1)}));
  worker.Work();
  EXPECT_EQ(worker.Result().outputs.at(0).status.code(),
            StatusCode::kFailedPrecondition);
}

TEST_P(ExpertCoreTest, AnOlderSequenceTakesTheBlocksOfTheYoungest) {
  Worker worker(kAll, 3);
  worker.Take(Step(1, {RowsOf(1, 0, 16), RowsOf(2, 0, 20)}));
  worker.Work();
  worker.Result();
  // In one batch: the blocks of 2 are taken back.
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
  // Rows of that attempt remain refused, even from its start.
  worker.Take(Step(4, {RowsOf(2, 0, 10)}));
  worker.Work();
  EXPECT_EQ(worker.Result().outputs.at(0).status.code(), StatusCode::kAborted);
  // The next attempt gives the same result.
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

TEST_P(ExpertCoreTest, SequencesCountAsRequests) {
  Worker worker(kAll);
  worker.Take(
      Step(1, {RowsOf(1, 0, 5), RowsOf(2, 0, 3), RowsOf(3, 0, 4, false)}));
  worker.Work();
  EXPECT_TRUE(worker.HasMetric("apollo_num_requests_running 3"));
  worker.clock.now += absl::Seconds(4);
  worker.Take(Step(2, {RowsOf(1, 5, 1)}));
  worker.Work();
  worker.Release(1);
  SequenceRows again = RowsOf(2, 0, 4);
  again.attempt = 2;
  worker.Take(Step(3, {again}));
  worker.Work();
  worker.core->LinkDown(kDense);
  EXPECT_EQ(worker.Counters().sequences, 4);
  EXPECT_EQ(worker.Counters().running, 0);
  for (const char* line :
       {"apollo_requests_total{code=\"OK\",method=\"Sequence\"} 1",
        "apollo_requests_total{code=\"ABORTED\",method=\"Sequence\"} 1",
        "apollo_requests_total{code=\"UNAVAILABLE\",method=\"Sequence\"} 2",
        "apollo_num_requests_running 0",
        // Sequences 1, 2, 3, and 2 again.
        "apollo_prompt_tokens_total 16", "apollo_generation_tokens_total 4",
        "apollo_time_to_first_token_seconds_count 3",
        "apollo_inter_token_latency_seconds_count 1",
        "apollo_inter_token_latency_seconds_sum 4",
        "apollo_e2e_request_latency_seconds_count{method=\"Sequence\"} 4",
        "apollo_e2e_request_latency_seconds_sum{method=\"Sequence\"} 12"}) {
    EXPECT_TRUE(worker.HasMetric(line)) << line;
  }
}

}  // namespace
}  // namespace apollo
