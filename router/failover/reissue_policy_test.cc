#include "router/failover/reissue_policy.h"

#include <gtest/gtest.h>

#include "sequence/sequence_end.h"

namespace apollo {
namespace {

constexpr absl::Duration kNow = absl::Seconds(100);
using Failure = ReissuePolicy::Failure;

Failure Lost(bool begun = true) {
  return {WithEnd(absl::UnavailableError("gone"), SequenceEnd::kLost), true,
          begun};
}
Failure Moved() {
  return {WithEnd(absl::UnavailableError("stops"), SequenceEnd::kMoved), true,
          true};
}
// The worker may still run, however long it is silent.
Failure Silent() {
  return {WithEnd(absl::UnavailableError("silent"), SequenceEnd::kSilent), true,
          true};
}
Failure Refused() { return {absl::UnavailableError("no experts"), true}; }
Failure Full() { return {absl::ResourceExhaustedError("full"), true}; }
Failure Nobody() { return {absl::UnavailableError("none is ready"), false}; }

TEST(ReissuePolicyTest, ErrorsThatWouldRepeatEndTheSequence) {
  for (const absl::StatusCode code :
       {absl::StatusCode::kInvalidArgument,
        absl::StatusCode::kFailedPrecondition, absl::StatusCode::kInternal,
        absl::StatusCode::kDataLoss, absl::StatusCode::kCancelled,
        absl::StatusCode::kDeadlineExceeded, absl::StatusCode::kAborted,
        absl::StatusCode::kUnimplemented, absl::StatusCode::kUnknown}) {
    ReissuePolicy policy({});
    // However the call has ended.
    const absl::Status status =
        WithEnd(absl::Status(code, "wrong"), SequenceEnd::kLost);
    const auto verdict = policy.Judge({status, true, true}, kNow);
    EXPECT_FALSE(verdict.again) << status;
    EXPECT_EQ(verdict.error, status);
  }
}

TEST(ReissuePolicyTest, ALostSequenceIsRunAgainAtOnce) {
  ReissuePolicy policy({});
  const auto verdict = policy.Judge(Lost(), kNow);
  EXPECT_EQ(verdict.again, ReissueCause::kLost);
  EXPECT_EQ(verdict.pause, absl::ZeroDuration());
}

// Even of a request that no worker owes anything.
TEST(ReissuePolicyTest, AnUndecidedSequenceIsTriedAgainUntilThePoolKnows) {
  ReissuePolicy policy({});
  const Failure undecided = {
      WithEnd(absl::UnavailableError("none"), SequenceEnd::kUndecided), false};
  for (int i = 0; i < 20; ++i) {
    const auto verdict = policy.Judge(undecided, kNow);
    EXPECT_EQ(verdict.again, ReissueCause::kRefused);
    EXPECT_EQ(verdict.pause, absl::Milliseconds(50));
  }
  EXPECT_FALSE(policy.Judge(Nobody(), kNow).again);
}

// Such as a request with options that only lost workers know, beside a worker
// of an older version that is lost again and again.
TEST(ReissuePolicyTest, AnUndecidedSequenceDoesNotWaitForEver) {
  ReissuePolicy policy({});
  const Failure undecided = {
      WithEnd(absl::UnavailableError("none"), SequenceEnd::kUndecided), false};
  absl::Duration now = kNow;
  for (; now < kNow + absl::Seconds(10); now += absl::Milliseconds(50)) {
    EXPECT_TRUE(policy.Judge(undecided, now).again) << now;
  }
  const auto verdict = policy.Judge(undecided, now);
  EXPECT_FALSE(verdict.again);
  // What the pool did not know stays in the router.
  EXPECT_EQ(verdict.error, absl::UnavailableError("none"));
}

// Neither does one whose worker was lost before.
TEST(ReissuePolicyTest, AnUndecidedSequenceThatIsOwedDoesNotWaitForEver) {
  ReissuePolicy policy({});
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  const Failure undecided = {
      WithEnd(absl::UnavailableError("none"), SequenceEnd::kUndecided), false};
  const absl::Duration first = kNow + absl::Seconds(1);
  EXPECT_TRUE(policy.Judge(undecided, first).again);
  const absl::Duration last = first + absl::Seconds(10);
  EXPECT_TRUE(policy.Judge(undecided, last - absl::Milliseconds(1)).again);
  const auto verdict = policy.Judge(undecided, last);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(EndOf(verdict.error), SequenceEnd::kAnswered);
}

// A worker that takes it ends the wait; the next one begins anew.
TEST(ReissuePolicyTest, EachUndecidedWaitHasItsOwnTime) {
  ReissuePolicy policy({});
  const Failure undecided = {
      WithEnd(absl::UnavailableError("none"), SequenceEnd::kUndecided), false};
  EXPECT_TRUE(policy.Judge(undecided, kNow).again);
  EXPECT_TRUE(policy.Judge(Lost(), kNow + absl::Seconds(9)).again);
  EXPECT_TRUE(policy.Judge(undecided, kNow + absl::Seconds(11)).again);
}

TEST(ReissuePolicyTest, ARequestThatKillsWorkersIsGivenUp) {
  ReissuePolicy policy({});
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  const auto verdict = policy.Judge(Lost(), kNow);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.error.message(),
            "2 dense workers were lost, one after the other, while they had "
            "this request, so it is not run again; the last: gone");
}

TEST(ReissuePolicyTest, ANewTokenShowsThatTheRequestIsHarmless) {
  ReissuePolicy policy({});
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(policy.Judge(Lost(), kNow).again) << i;
    policy.Progressed();
  }
}

TEST(ReissuePolicyTest, WorkersThatHadNotBegunCountLess) {
  ReissuePolicy policy({});
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(policy.Judge(Lost(/*begun=*/false), kNow).again) << i;
  }
  EXPECT_FALSE(policy.Judge(Lost(/*begun=*/false), kNow).again);
}

TEST(ReissuePolicyTest, MovesDoNotCountAsLosses) {
  ReissuePolicy policy({});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(policy.Judge(Moved(), kNow).again, ReissueCause::kMoved);
  }
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  // They are bounded nevertheless.
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(policy.Judge(Moved(), kNow).again);
  EXPECT_FALSE(policy.Judge(Moved(), kNow).again);
}

TEST(ReissuePolicyTest, ASilentWorkerIsNotAKilledOne) {
  ReissuePolicy policy({});
  for (int i = 0; i < 14; ++i) {
    EXPECT_EQ(policy.Judge(Silent(), kNow).again, ReissueCause::kSilent) << i;
  }
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  EXPECT_TRUE(policy.Judge(Moved(), kNow).again);
  EXPECT_FALSE(policy.Judge(Silent(), kNow).again);  // Bounded with the moves.
}

TEST(ReissuePolicyTest, ARefusalIsTheEndIfNoOtherWorkerIsLeft) {
  for (const Failure& refusal : {Refused(), Full()}) {
    ReissuePolicy policy({});
    const auto verdict = policy.Judge(refusal, kNow);
    EXPECT_EQ(verdict.again, ReissueCause::kRefused);
    EXPECT_EQ(verdict.pause, absl::ZeroDuration());
    EXPECT_EQ(policy.Judge(Nobody(), kNow).error, refusal.status);
  }
  EXPECT_EQ(ReissuePolicy({}).Judge(Nobody(), kNow).error, Nobody().status);
}

TEST(ReissuePolicyTest, AnAdmittedSequenceWaitsForAWorkerWithinItsPatience) {
  ReissuePolicy policy({});
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  absl::Duration now = kNow;
  absl::Duration last;
  while (now < kNow + absl::Seconds(10)) {
    const auto verdict = policy.Judge(Nobody(), now);
    ASSERT_TRUE(verdict.again);
    EXPECT_GT(verdict.pause, absl::ZeroDuration());
    EXPECT_GE(verdict.pause, last);
    EXPECT_LE(verdict.pause, absl::Seconds(1));
    last = verdict.pause;
    now += verdict.pause;
  }
  const auto verdict = policy.Judge(Nobody(), now);
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.error.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(verdict.error.message(),
            "its dense worker was lost, and no other could continue within "
            "10s: none is ready");
}

TEST(ReissuePolicyTest, AWorkerWithASmallerCacheIsNotTheEndOfAnAnswer) {
  ReissuePolicy policy({});
  const Failure small = {absl::FailedPreconditionError("too small"), true};
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  EXPECT_TRUE(policy.Judge(small, kNow).again);
  const auto verdict = policy.Judge(Nobody(), kNow + absl::Seconds(10));
  EXPECT_EQ(verdict.error.code(), absl::StatusCode::kUnavailable);
}

TEST(ReissuePolicyTest, WorkersThatAreFullAreAwaitedForLonger) {
  ReissuePolicy policy({});
  EXPECT_TRUE(policy.Judge(Lost(), kNow).again);
  EXPECT_TRUE(policy.Judge(Full(), kNow + absl::Seconds(59)).again);
  EXPECT_TRUE(policy.Judge(Nobody(), kNow + absl::Seconds(59)).again);
  EXPECT_TRUE(policy.Judge(Full(), kNow + absl::Seconds(60)).again);
  const auto verdict = policy.Judge(Nobody(), kNow + absl::Seconds(60));
  EXPECT_FALSE(verdict.again);
  EXPECT_EQ(verdict.error.code(), absl::StatusCode::kUnavailable);
}

TEST(ReissuePolicyTest, AnotherLossBeginsThePatienceAnew) {
  ReissuePolicy policy({});
  EXPECT_TRUE(policy.Judge(Moved(), kNow).again);
  EXPECT_TRUE(policy.Judge(Moved(), kNow + absl::Seconds(50)).again);
  EXPECT_TRUE(policy.Judge(Nobody(), kNow + absl::Seconds(59)).again);
}

}  // namespace
}  // namespace apollo
