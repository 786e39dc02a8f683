// Sequences that begin behind what others have computed, on a real stage.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "expert_worker/core_fixture.h"
#include "sequence/block_hash.h"

namespace apollo {
namespace {

using absl::StatusCode;

INSTANTIATE_EXPERT_CORE_TEST();

// Rows with the hashes of their blocks. Content depends on the number of the
// sequence and on the position only (Step), and so do the hashes: sequences of
// one number from two dense workers share.
SequenceRows Hashed(SequenceRows rows) {
  const int end = rows.first_position + static_cast<int>(rows.tokens.size());
  for (int b = rows.start ? 0 : rows.first_position / kHashedTokens;
       b < end / kHashedTokens; ++b) {
    rows.block_hashes.push_back({{static_cast<std::uint8_t>(rows.sequence),
                                  static_cast<std::uint8_t>(b + 1)}});
  }
  return rows;
}

// The rows of a sequence from a position on, as the first ones of an attempt.
SequenceRows Behind(std::uint64_t sequence, int first, int count,
                    std::uint32_t attempt = 1) {
  SequenceRows rows = RowsOf(sequence, first, count);
  rows.attempt = attempt;
  rows.start = SequenceStart{-1, false, {}, first + count, 3};
  return Hashed(std::move(rows));
}

// Expects the same token and alternatives, and that all rows of the sequence
// were counted, here or when they were computed.
void ExpectContinued(SequenceOutput part, const SequenceOutput& whole) {
  ASSERT_EQ(part.held_expert_use.size(), part.expert_use.size());
  for (std::size_t i = 0; i < part.expert_use.size(); ++i) {
    part.expert_use[i] += part.held_expert_use[i];
  }
  ASSERT_EQ(part.held_off_family.size(), part.off_family.size());
  for (std::size_t i = 0; i < part.off_family.size(); ++i) {
    part.off_family[i] += part.held_off_family[i];
  }
  ExpectSame(part, whole);
}

TEST_P(ExpertCoreTest, AnswersDoNotDependOnWhatIsHeld) {
  const SequenceOutput whole = ReferenceOf(RowsOf(1, 0, 40));
  Worker worker(kAll);
  EXPECT_TRUE(worker.dense->infos.back().keeps_prefixes);
  worker.Take(Step(1, {Hashed(RowsOf(1, 0, 40))}));
  worker.Work();
  ExpectSame(worker.Result().outputs.at(0), whole);
  worker.Release(1);
  for (const int first : {32, 16}) {
    const std::int64_t rows = worker.Counters().rows;
    worker.Take(Step(2, {Behind(1, first, 40 - first)}), kOtherDense);
    worker.Work();
    ExpectContinued(worker.other->Take<StageResult>().outputs.at(0), whole);
    EXPECT_EQ(worker.Counters().rows - rows, 40 - first);
    worker.Take({ReleaseSequences{{{1, 1}}}, {}}, kOtherDense);
  }
  EXPECT_EQ(worker.Counters().prefix_hits, 48);
  EXPECT_EQ(worker.Counters().prefix_queries, 120);
}

TEST_P(ExpertCoreTest, RowsOfAnswersAreHeldToo) {
  std::vector<Frame> frames = Frames(Step(1, {RowsOf(1, 0, 30)}));
  for (int p = 30; p < 34; ++p) frames.push_back(Step(p, {RowsOf(1, p, 1)}));
  const auto reference = Reference(frames);
  Worker worker(kAll);
  worker.Take(Step(1, {Hashed(RowsOf(1, 0, 30))}));
  for (int p = 30; p < 33; ++p) worker.Take(Step(p, {Hashed(RowsOf(1, p, 1))}));
  worker.Work();
  worker.dense->frames.clear();
  // In use by both at once.
  worker.Take(Step(9, {Behind(1, 32, 2)}), kOtherDense);
  worker.Take(Step(10, {Hashed(RowsOf(1, 33, 1))}));
  worker.Work();
  const SequenceOutput& last = reference.back().outputs.at(0);
  const SequenceOutput own = worker.Result().outputs.at(0);
  ExpectSame(own, last);
  const SequenceOutput other = worker.other->Take<StageResult>().outputs.at(0);
  EXPECT_EQ(other.sampled->token, last.sampled->token);
  EXPECT_EQ(other.sampled->logprob, last.sampled->logprob);
}

TEST_P(ExpertCoreTest, ASequenceBehindBlocksThatAreGoneBeginsAgain) {
  const SequenceOutput whole = ReferenceOf(RowsOf(1, 0, 40));
  Worker worker(kAll, 4);
  worker.Take(Step(1, {Hashed(RowsOf(1, 0, 40))}));
  worker.Work();
  worker.dense->frames.clear();
  worker.Release(1);
  worker.Take(Step(2, {RowsOf(2, 0, 40)}));  // Takes one of its blocks.
  worker.Work();
  worker.dense->frames.clear();
  worker.Release(2);
  worker.Take(Step(3, {Behind(1, 32, 6, 2)}));
  worker.Take(Step(4, {Hashed(RowsOf(1, 38, 2))}));
  worker.Work();
  const SequenceOutput missed = worker.Result().outputs.at(0);
  EXPECT_EQ(missed.status.code(), StatusCode::kNotFound);
  EXPECT_EQ(missed.held_tokens, 16);
  worker.dense->frames.clear();
  EXPECT_EQ(worker.core->free_blocks(), 4);
  worker.Release(1, 2);
  worker.Take(Step(5, {Behind(1, 16, 24, 3)}));
  worker.Work();
  ExpectContinued(worker.Result().outputs.at(0), whole);
  EXPECT_EQ(worker.Counters().prefix_misses, 1);
}

TEST_P(ExpertCoreTest, RowsThatAPeerFailedAreNotHeld) {
  Two two;
  Worker& low = two.low;
  low.Take(Step(1, {Hashed(Hybrid(RowsOf(1, 0, 40), 5))}));
  low.Work();
  ASSERT_FALSE(low.peer->frames.empty());
  low.core->LinkDown(kPeer);
  low.Work();
  ASSERT_FALSE(low.Result().outputs.at(0).status.ok());
  low.Release(1);
  SequenceRows again = Behind(1, 32, 8, 2);
  again.start->family = 5;
  again.start->hybrid = true;
  low.Take(Step(2, {again}));
  low.Work();
  const SequenceOutput missed = low.Result().outputs.at(0);
  EXPECT_EQ(missed.status.code(), StatusCode::kNotFound);
  EXPECT_EQ(missed.held_tokens, 0);
}

TEST_P(ExpertCoreTest, WithoutPrefixCachingNothingIsHeld) {
  ExpertCore::Options options;
  options.prefix_caching = false;
  Worker worker(kAll, 64, 1, options);
  EXPECT_FALSE(worker.dense->infos.back().keeps_prefixes);
  worker.Take(Step(1, {Hashed(RowsOf(1, 0, 40))}));
  worker.Take(Step(2, {Behind(1, 32, 8)}), kOtherDense);
  worker.Work();
  EXPECT_TRUE(worker.Result().outputs.at(0).status.ok());
  EXPECT_EQ(worker.other->Take<StageResult>().outputs.at(0).status.code(),
            StatusCode::kNotFound);
}

TEST_P(ExpertCoreTest, RowsWithOtherHashesThanBlocksEndTheLink) {
  SequenceRows uneven = Behind(1, 32, 8);
  uneven.first_position = 30;
  SequenceRows few = Behind(1, 32, 8);
  few.block_hashes.pop_back();
  SequenceRows none = Behind(1, 32, 8);
  none.block_hashes.clear();
  SequenceRows many = RowsOf(1, 0, 20);
  many.block_hashes.resize(2);
  for (const SequenceRows& rows : {uneven, few, none, many}) {
    Worker worker(kAll);
    worker.Take(Step(1, {rows}));
    EXPECT_TRUE(worker.dense->closed);
  }
}

}  // namespace
}  // namespace apollo
