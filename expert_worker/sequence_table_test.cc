#include "expert_worker/sequence_table.h"

#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/fake_clock.h"
#include "engine/block_use.h"
#include "expert_worker/expert_counters.h"
#include "serving/metrics.h"
#include "tracing/recording_tracer.h"
#include "tracing/trace_context.h"

namespace apollo {
namespace {

using absl::StatusCode;

constexpr LinkId kDense = 1, kOther = 2;

SequenceRows RowsOf(std::uint64_t sequence, std::uint32_t attempt, int first,
                    int count) {
  SequenceRows rows;
  rows.sequence = sequence;
  rows.attempt = attempt;
  rows.first_position = first;
  rows.tokens.assign(count, 7);
  if (first == 0) rows.start = SequenceStart{-1, false, {}, count, 0};
  return rows;
}

class SequenceTableTest : public testing::Test {
 protected:
  StatusCode Admit(const SequenceRows& rows, LinkId from = kDense) {
    return table_.Admit(from, rows).code();
  }
  // Returns the number of sequences that were closed with a code.
  int Closed(const std::string& code) const {
    for (const prometheus::MetricFamily& family : registry_.Collect()) {
      if (family.name != "apollo_requests_total") continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        EXPECT_EQ(metric.label.at(1).value, "Sequence");
        if (metric.label.at(0).value == code) {
          return static_cast<int>(metric.counter.value);
        }
      }
    }
    return 0;
  }
  BlockPool blocks_{4};  // 64 tokens.
  FakeClock clock_;
  prometheus::Registry registry_;
  RequestMetrics requests_{registry_};
  ExpertCounters counters_;
  RecordingTracer tracer_;
  SequenceTable table_{blocks_, counters_, clock_, &requests_, &tracer_};
};

TEST_F(SequenceTableTest, ATracedSequenceIsASpanWithTheWorkInIt) {
  const auto dense = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  SequenceRows rows = RowsOf(5, 2, 0, 10);
  rows.start->request_id = "follow-me";
  rows.start->trace = dense;
  const absl::Duration begun = clock_.now;
  ASSERT_EQ(Admit(rows), StatusCode::kOk);
  ASSERT_EQ(Admit(RowsOf(6, 1, 0, 10)), StatusCode::kOk);
  const std::vector<SequenceKey> keys = {{kDense, 5}, {kDense, 6}, {kDense, 5}};
  clock_.now += absl::Seconds(2);
  // Two experts of a layer at the same time.
  table_.NoteCame(keys, begun + absl::Seconds(1));
  table_.NoteCame(keys, begun + absl::Seconds(1));
  table_.NoteComputed(keys, begun);
  testing::internal::CaptureStderr();
  table_.Release(kDense, {{{5, 2}, {6, 1}}});
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                "\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\""),
            std::string::npos);

  const std::vector<Span> spans = tracer_.spans();
  ASSERT_EQ(spans.size(), 1u);
  const Span& span = spans[0];
  EXPECT_EQ(span.context.trace_id, dense->trace_id);
  EXPECT_EQ(span.parent, dense->span_id);
  EXPECT_EQ(span.begun, begun);
  EXPECT_EQ(span.ended, begun + absl::Seconds(2));
  ASSERT_EQ(span.events.size(), 1u);
  EXPECT_EQ(span.events[0].name, "first_rows_computed");
  for (const SpanAttribute& expected :
       {SpanAttribute("apollo.request_id", "follow-me"),
        SpanAttribute("apollo.attempt", 2),
        SpanAttribute("apollo.positions", 10),
        SpanAttribute("apollo.batches", 1),
        SpanAttribute("apollo.batch_seconds", 2.0),
        SpanAttribute("apollo.expert_rows.waits", 2),
        SpanAttribute("apollo.expert_rows.wait_seconds", 1.0)}) {
    const SpanAttribute* found = FindAttribute(span, expected.name);
    ASSERT_NE(found, nullptr) << expected.name;
    EXPECT_TRUE(*found == expected) << expected.name;
  }
}

TEST_F(SequenceTableTest, ALostSequenceIsASpanToo) {
  SequenceRows rows = RowsOf(5, 1, 0, 10);
  rows.start->trace = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  ASSERT_EQ(Admit(rows), StatusCode::kOk);
  table_.DropLink(kDense);
  ASSERT_EQ(tracer_.spans().size(), 1u);
  EXPECT_EQ(tracer_.spans()[0].code, StatusCode::kUnavailable);
}

TEST_F(SequenceTableTest, TheEndOfASequenceIsLoggedWithItsRequest) {
  testing::internal::CaptureStderr();
  SequenceRows rows = RowsOf(5, 1, 0, 10);
  rows.start->request_id = "follow-me";
  EXPECT_EQ(Admit(rows), StatusCode::kOk);
  table_.Release(kDense, {{{5, 1}}});
  // A flood is held back.
  for (std::uint64_t i = 10; i < 110; ++i) {
    EXPECT_EQ(Admit(RowsOf(i, 1, 0, 1)), StatusCode::kOk);
    table_.Release(kDense, {{{i, 1}}});
  }
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("\"event\":\"sequence_closed\",\"request_id\":"
                     "\"follow-me\",\"code\":\"OK\""),
            std::string::npos)
      << log;
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), LogBudget::kLines);
}

TEST_F(SequenceTableTest, OpensExtendsAndReleases) {
  EXPECT_EQ(Admit(RowsOf(5, 1, 0, 10)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(5, 1, 10, 7)), StatusCode::kOk);
  EXPECT_EQ(blocks_.available(), 2);
  const SequenceTable::Sequence* sequence = table_.Find({kDense, 5}, 1);
  ASSERT_NE(sequence, nullptr);
  EXPECT_EQ(sequence->blocks.size(), 2u);
  EXPECT_EQ(table_.Find({kDense, 5}, 2), nullptr);
  EXPECT_EQ(table_.Find({kOther, 5}, 1), nullptr);
  table_.Release(kDense, {{{5, 2}, {6, 1}}});
  EXPECT_EQ(table_.size(), 1);
  table_.Release(kDense, {{{5, 1}}});
  EXPECT_EQ(table_.size(), 0);
  EXPECT_EQ(blocks_.available(), 4);
  EXPECT_EQ(counters_.sequences, 1);
  EXPECT_EQ(counters_.running, 0);
  EXPECT_EQ(Closed("OK"), 1);
}

TEST_F(SequenceTableTest, WithoutRequestMetricsOnlySequencesAreCounted) {
  SequenceTable table(blocks_, counters_, clock_, /*requests=*/nullptr);
  EXPECT_TRUE(table.Admit(kDense, RowsOf(5, 1, 0, 10)).ok());
  EXPECT_EQ(table.Find({kDense, 5}, 1)->request, nullptr);
  table.DropLink(kDense);
  EXPECT_EQ(counters_.sequences, 1);
  EXPECT_EQ(Closed("UNAVAILABLE"), 0);
}

TEST_F(SequenceTableTest, RowsMustContinueTheirAttempt) {
  EXPECT_EQ(Admit(RowsOf(5, 2, 0, 3)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(5, 2, 0, 3)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(RowsOf(5, 1, 0, 3)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(RowsOf(5, 2, 2, 3)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(RowsOf(5, 2, 4, 3)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(RowsOf(5, 3, 3, 3)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(RowsOf(5, 2, 3, 3), kOther), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(RowsOf(5, 2, 3, 3)), StatusCode::kOk);
  // A later attempt replaces the earlier one.
  EXPECT_EQ(Admit(RowsOf(5, 3, 0, 3)), StatusCode::kOk);
  EXPECT_EQ(table_.Find({kDense, 5}, 3)->opened, 2u);
  EXPECT_EQ(counters_.sequences, 2);
  EXPECT_EQ(counters_.running, 1);
  EXPECT_EQ(Closed("ABORTED"), 1);
}

TEST_F(SequenceTableTest, TheYoungestIsEvictedAndStaysOut) {
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 32)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 32), kOther), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 1)), StatusCode::kAborted);
  EXPECT_EQ(Admit(RowsOf(1, 1, 32, 1)), StatusCode::kOk);
  EXPECT_EQ(table_.Find({kOther, 1}, 1), nullptr);
  EXPECT_EQ(table_.Find({kDense, 2}, 1), nullptr);
  EXPECT_EQ(counters_.sequences, 3);
  EXPECT_EQ(counters_.running, 1);
  EXPECT_EQ(counters_.preemptions, 2);
  EXPECT_EQ(Closed("ABORTED"), 2);
  // Until it is released, that attempt is refused; the next one is accepted.
  EXPECT_EQ(Admit(RowsOf(1, 1, 32, 1), kOther), StatusCode::kAborted);
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 1), kOther), StatusCode::kAborted);
  EXPECT_EQ(Admit(RowsOf(1, 2, 0, 1), kOther), StatusCode::kOk);
}

TEST_F(SequenceTableTest, TheReleaseOfAnEarlierAttemptReadmitsNothing) {
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 64)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 2, 0, 1)), StatusCode::kAborted);  // Evicted.
  table_.Release(kDense, {{{2, 1}}});
  table_.Release(kDense, {{{1, 1}}});
  EXPECT_EQ(Admit(RowsOf(2, 2, 0, 1)), StatusCode::kAborted);
  EXPECT_EQ(Admit(RowsOf(2, 3, 0, 1)), StatusCode::kOk);
}

TEST_F(SequenceTableTest, MoreThanTheWholeCacheIsRefused) {
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 64)), StatusCode::kOk);
  const absl::Status status = table_.Admit(kDense, RowsOf(1, 1, 64, 1));
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("holds 64"), absl::string_view::npos)
      << status;
}

TEST_F(SequenceTableTest, ASequenceInUseIsNotEvicted) {
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 16)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 32)), StatusCode::kOk);
  const std::vector<SequenceKey> used = {{kDense, 2}};
  table_.BeginUse(used);
  // The first is older, but gets no room from the second now.
  EXPECT_EQ(Admit(RowsOf(3, 1, 0, 16)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(1, 1, 16, 32)), StatusCode::kAborted);
  EXPECT_NE(table_.Find({kDense, 2}, 1), nullptr);
  table_.EndUse(used);
}

TEST_F(SequenceTableTest, OlderRowsWaitForTheBlocksOfYoungerOnesInUse) {
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 16)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 32)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(3, 1, 0, 16)), StatusCode::kOk);
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 1, 16, 32)));
  const std::vector<SequenceKey> used = {{kDense, 2}};
  table_.BeginUse(used);
  EXPECT_TRUE(table_.MustWait(kDense, RowsOf(1, 1, 16, 32)));
  // The block of the third is enough; nobody is younger; there are not so many
  // blocks; it is another attempt, or a new one.
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 1, 16, 16)));
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(3, 1, 16, 16)));
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 1, 16, 64)));
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 2, 16, 32)));
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 2, 0, 64)));
  table_.EndUse(used);
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 1, 16, 32)));
  EXPECT_EQ(Admit(RowsOf(1, 1, 16, 32)), StatusCode::kOk);
}

TEST_F(SequenceTableTest, BlocksInUseAreKept) {
  EXPECT_EQ(Admit(RowsOf(1, 1, 0, 16)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 16)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 16), kOther), StatusCode::kOk);
  // The first has rows in two steps.
  const std::vector<SequenceKey> used = {{kDense, 1}, {kDense, 1}, {kOther, 2}};
  table_.BeginUse(used);
  table_.Release(kDense, {{{1, 1}}});
  table_.Release(kDense, {{{1, 1}}});
  table_.DropLink(kOther);
  EXPECT_EQ(table_.size(), 3);
  EXPECT_EQ(blocks_.available(), 1);
  EXPECT_NE(table_.Find({kDense, 1}, 1), nullptr);
  table_.EndUse(std::span(used).subspan(1));
  EXPECT_TRUE(table_.InUse({kDense, 1}));
  EXPECT_EQ(table_.size(), 2);
  table_.EndUse(std::span(used).first(1));
  EXPECT_FALSE(table_.InUse({kDense, 1}));
  EXPECT_EQ(table_.size(), 1);
  EXPECT_EQ(blocks_.available(), 3);
  EXPECT_EQ(table_.Find({kDense, 1}, 1), nullptr);
  EXPECT_NE(table_.Find({kDense, 2}, 1), nullptr);
  EXPECT_EQ(counters_.sequences, 3);
  EXPECT_EQ(counters_.running, 1);
  EXPECT_EQ(Closed("OK"), 1);
  EXPECT_EQ(Closed("UNAVAILABLE"), 1);
}

// Tests of blocks that sequences share.
class SharedBlocksTest : public SequenceTableTest {
 protected:
  // Rows of a sequence whose block i has the hash i + 1.
  static SequenceRows Hashed(std::uint64_t sequence, std::uint32_t attempt,
                             int first, int count, bool start = false) {
    SequenceRows rows = RowsOf(sequence, attempt, first, count);
    if (start && !rows.start) {
      rows.start = SequenceStart{-1, false, {}, first + count, 0};
    }
    const int end = (first + count) / kBlockTokens;
    for (int b = rows.start ? 0 : first / kBlockTokens; b < end; ++b) {
      rows.block_hashes.push_back({{static_cast<std::uint8_t>(b + 1)}});
    }
    return rows;
  }
  // Two experts in one layer: the second one gets as many rows as the number of
  // the block says.
  static std::vector<BlockUse> UseOf(const SequenceRows& rows) {
    std::vector<BlockUse> use =
        UnusedBlocks(rows.first_position, static_cast<int>(rows.tokens.size()),
                     /*layers=*/1, /*experts=*/2);
    for (std::size_t b = 0; b < use.size(); ++b) {
      use[b].by_expert[1] = static_cast<std::uint8_t>(b + 1);
      use[b].off_family[0] = 1;
    }
    return use;
  }
  // Admits rows and computes them.
  StatusCode Compute(const SequenceRows& rows, LinkId from = kDense) {
    const StatusCode code = Admit(rows, from);
    if (code == StatusCode::kOk) {
      table_.Computed({from, rows.sequence}, rows, UseOf(rows));
    }
    return code;
  }
  const SequenceTable::Sequence& Of(std::uint64_t sequence,
                                    std::uint32_t attempt,
                                    LinkId from = kDense) {
    return *table_.Find({from, sequence}, attempt);
  }
  void Release(std::uint64_t sequence, std::uint32_t attempt,
               LinkId from = kDense) {
    table_.Release(from, {{{sequence, attempt}}});
  }
};

TEST_F(SharedBlocksTest, ASequenceBeginsBehindBlocksOfAnother) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 40)), StatusCode::kOk);
  const BlockTable first = Of(1, 1).blocks;
  ASSERT_EQ(Admit(Hashed(2, 1, 32, 8, /*start=*/true), kOther),
            StatusCode::kOk);
  const SequenceTable::Sequence& second = Of(2, 1, kOther);
  EXPECT_EQ(second.blocks.size(), 3u);
  EXPECT_TRUE(
      std::equal(first.begin(), first.begin() + 2, second.blocks.begin()));
  EXPECT_NE(second.blocks[2], first[2]);
  EXPECT_EQ(second.next_position, 40);
  EXPECT_EQ(second.held_expert_use, (std::vector<std::uint32_t>{0, 3}));
  EXPECT_EQ(blocks_.available(), 0);
  EXPECT_EQ(counters_.prefix_queries, 80);
  EXPECT_EQ(counters_.prefix_hits, 32);
  // The blocks stay until the last user has gone, and then for others.
  Release(1, 1);
  EXPECT_EQ(blocks_.available(), 1);
  Release(2, 1);
  table_.DropLink(kOther);
  EXPECT_EQ(blocks_.available(), 4);
  EXPECT_EQ(Admit(Hashed(3, 1, 32, 8, true)), StatusCode::kOk);
}

TEST_F(SharedBlocksTest, RowsBehindBlocksThatAreNotHereAreRefused) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 20)), StatusCode::kOk);
  EXPECT_EQ(Admit(Hashed(2, 1, 32, 8, true)), StatusCode::kNotFound);
  EXPECT_EQ(table_.HeldTokens({kDense, 2}), 16);
  EXPECT_EQ(table_.size(), 1);
  EXPECT_EQ(counters_.prefix_misses, 1);
  // Later rows, too: their answers may come first.
  EXPECT_EQ(Admit(Hashed(2, 1, 40, 1)), StatusCode::kNotFound);
  EXPECT_EQ(table_.HeldTokens({kDense, 2}), 16);
  EXPECT_EQ(Admit(Hashed(2, 2, 16, 24, true)), StatusCode::kOk);
  EXPECT_EQ(table_.HeldTokens({kDense, 2}), 0);
  // The release of the old attempt does nothing to the new one.
  Release(2, 1);
  EXPECT_EQ(table_.size(), 2);
}

TEST_F(SharedBlocksTest, ARefusedSequenceIsForgottenWithItsReleaseOrItsLink) {
  EXPECT_EQ(Admit(Hashed(2, 1, 32, 8, true)), StatusCode::kNotFound);
  Release(2, 1);
  EXPECT_EQ(Admit(Hashed(2, 1, 40, 1)), StatusCode::kFailedPrecondition);
  EXPECT_EQ(Admit(Hashed(3, 1, 32, 8, true)), StatusCode::kNotFound);
  table_.DropLink(kDense);
  EXPECT_EQ(Admit(Hashed(3, 1, 40, 1)), StatusCode::kFailedPrecondition);
}

TEST_F(SharedBlocksTest, BlocksAreEvictedForOthersFromTheEnd) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 48)), StatusCode::kOk);
  Release(1, 1);
  EXPECT_EQ(blocks_.available(), 4);
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 32)), StatusCode::kOk);  // Without hashes.
  EXPECT_EQ(Admit(Hashed(3, 1, 48, 1, true)), StatusCode::kNotFound);
  EXPECT_EQ(table_.HeldTokens({kDense, 3}), 32);
  // Those that a sequence begins behind are not evicted for its own rows.
  EXPECT_EQ(Admit(Hashed(3, 2, 32, 1, true)), StatusCode::kAborted);
  Release(2, 1);
  EXPECT_EQ(Admit(Hashed(3, 3, 32, 1, true)), StatusCode::kOk);
}

TEST_F(SharedBlocksTest, TwoThatComputeTheSameBlockEndWithOneOfThem) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 32)), StatusCode::kOk);
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 32), kOther), StatusCode::kOk);
  EXPECT_EQ(Of(1, 1).blocks, Of(1, 1, kOther).blocks);
  EXPECT_EQ(blocks_.available(), 2);
}

TEST_F(SharedBlocksTest, RowsBehindAFailureAreNotShared) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 16)), StatusCode::kOk);
  ASSERT_EQ(Admit(Hashed(1, 1, 16, 8)), StatusCode::kOk);  // Fails.
  ASSERT_EQ(Compute(Hashed(1, 1, 24, 24)), StatusCode::kOk);
  Release(1, 1);
  EXPECT_EQ(Admit(Hashed(2, 1, 32, 1, true)), StatusCode::kNotFound);
  EXPECT_EQ(table_.HeldTokens({kDense, 2}), 16);
}

TEST_F(SharedBlocksTest, TheUseOfABlockIsThatOfAllItsRows) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 10)), StatusCode::kOk);
  ASSERT_EQ(Compute(Hashed(1, 1, 10, 1)), StatusCode::kOk);
  ASSERT_EQ(Compute(Hashed(1, 1, 11, 30)), StatusCode::kOk);
  ASSERT_EQ(Admit(Hashed(2, 1, 32, 1, true)), StatusCode::kOk);
  // 1 for each part of the first block, and 2 for the second one.
  EXPECT_EQ(Of(2, 1).held_expert_use, (std::vector<std::uint32_t>{0, 5}));
}

// Without a family, with one whose expert is free, and with a pinned one.
TEST_F(SharedBlocksTest, RowsOffTheFamilyAreThoseOfTheSequencesOwn) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 32)), StatusCode::kOk);
  const auto off_family = [this](std::uint64_t sequence, int family,
                                 bool hybrid) {
    SequenceRows rows = Hashed(sequence, 1, 16, 1, true);
    rows.start->family = family;
    rows.start->hybrid = hybrid;
    EXPECT_EQ(Admit(rows), StatusCode::kOk);
    const std::uint32_t count = Of(sequence, 1).held_off_family.at(0);
    Release(sequence, 1);
    return count;
  };
  EXPECT_EQ(off_family(2, -1, false), 0u);
  EXPECT_EQ(off_family(3, 0, false), 16u);
  EXPECT_EQ(off_family(4, 1, false), 15u);
  EXPECT_EQ(off_family(5, 1, true), 1u);
}

TEST_F(SharedBlocksTest, RowsWaitForBlocksThatOthersOnlyShareToo) {
  ASSERT_EQ(Compute(Hashed(1, 1, 0, 32)), StatusCode::kOk);
  ASSERT_EQ(Admit(Hashed(2, 1, 16, 17, true)), StatusCode::kOk);
  ASSERT_EQ(Admit(RowsOf(3, 1, 0, 16)), StatusCode::kAborted);
  ASSERT_EQ(blocks_.available(), 0);
  // The second one has two blocks of its own, and one of the first.
  const std::vector<SequenceKey> used = {{kDense, 2}};
  table_.BeginUse(used);
  EXPECT_TRUE(table_.MustWait(kDense, RowsOf(1, 1, 32, 32)));
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 1, 32, 33)));
  table_.EndUse(used);
  EXPECT_FALSE(table_.MustWait(kDense, RowsOf(1, 1, 32, 32)));
  EXPECT_EQ(Admit(Hashed(1, 1, 32, 32)), StatusCode::kOk);
  EXPECT_EQ(table_.Find({kDense, 2}, 1), nullptr);
}

TEST_F(SharedBlocksTest, WithoutCachingNothingIsShared) {
  BlockPool blocks(4);
  SequenceTable table(blocks, counters_, clock_, nullptr, nullptr,
                      /*keep_prefixes=*/false);
  const SequenceRows rows = Hashed(1, 1, 0, 32);
  ASSERT_TRUE(table.Admit(kDense, rows).ok());
  table.Computed({kDense, 1}, rows, UseOf(rows));
  EXPECT_EQ(table.Admit(kDense, Hashed(2, 1, 16, 1, true)).code(),
            StatusCode::kNotFound);
  EXPECT_EQ(table.HeldTokens({kDense, 2}), 0);
  EXPECT_EQ(counters_.prefix_queries, 0);
}

TEST_F(SequenceTableTest, TokensOfTheAnswerAreCountedForPenalties) {
  SequenceRows rows = RowsOf(1, 1, 0, 3);
  rows.start->prompt_tokens = 2;
  rows.start->sampling.presence_penalty = 1;
  rows.tokens = {4, 4, 9};
  EXPECT_EQ(Admit(rows), StatusCode::kOk);
  rows = RowsOf(1, 1, 3, 2);
  rows.tokens = {9, 4};
  EXPECT_EQ(Admit(rows), StatusCode::kOk);
  EXPECT_EQ(table_.Find({kDense, 1}, 1)->generated,
            (TokenCounts{{4, 1}, {9, 2}}));
  // Not if they are not needed.
  EXPECT_EQ(Admit(RowsOf(2, 1, 0, 3)), StatusCode::kOk);
  EXPECT_EQ(Admit(RowsOf(2, 1, 3, 3)), StatusCode::kOk);
  EXPECT_TRUE(table_.Find({kDense, 2}, 1)->generated.empty());
}

}  // namespace
}  // namespace apollo
