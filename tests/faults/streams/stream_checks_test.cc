// Every check finds the fault for which it is there: a check that lets a wrong
// stream pass would make all scenarios worthless.

#include "tests/faults/streams/stream_checks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "tests/faults/streams/transcript_testing.h"

namespace apollo {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

StreamPlan Plan() {
  StreamPlan plan;
  plan.canaries = {64, 65};
  plan.foreign = {66, 67};
  return plan;
}

std::vector<v1::GenerateResponse> Right() {
  return {StartedEvent(), DeltaEvent(0, 0, {5}), DeltaEvent(0, 1, {6, 64}),
          FinishedEvent(0, 3)};
}

class StreamChecksTest : public testing::Test {
 protected:
  std::vector<std::string> Whole(
      const std::vector<v1::GenerateResponse>& events,
      const grpc::Status& status = grpc::Status::OK) {
    return CheckWhole(Plan(), Received(events, status), reference_);
  }

  const Transcript reference_ = Received(Right());
};

TEST_F(StreamChecksTest, TheSameStreamPasses) {
  EXPECT_THAT(Whole(Right()), IsEmpty());
  EXPECT_THAT(CheckPart(Plan(), Received(Right()), reference_), IsEmpty());
}

TEST_F(StreamChecksTest, FindsAWrongToken) {
  auto events = Right();
  events[2] = DeltaEvent(0, 1, {6, 65});
  EXPECT_THAT(Whole(events), Contains(HasSubstr("wrong token at 2")));
  EXPECT_THAT(CheckPart(Plan(), Received(events), reference_),
              Contains(HasSubstr("wrong token at 2")));
}

TEST_F(StreamChecksTest, FindsAMissingAndARepeatedToken) {
  auto missing = Right();
  missing[2] = DeltaEvent(0, 2, {64});
  EXPECT_THAT(Whole(missing), Contains(HasSubstr("index 2 after 1 tokens")));
  auto repeated = Right();
  repeated[2] = DeltaEvent(0, 0, {5, 6});
  EXPECT_THAT(Whole(repeated), Contains(HasSubstr("index 0 after 1 tokens")));
  auto longer = Right();
  longer.insert(longer.end() - 1, DeltaEvent(0, 3, {9}));
  EXPECT_THAT(Whole(longer), Contains(HasSubstr("wrong token at 3")));
  auto shorter = Right();
  shorter.erase(shorter.begin() + 2);
  EXPECT_THAT(Whole(shorter), Contains(HasSubstr("1 tokens, not 3")));
}

TEST_F(StreamChecksTest, FindsAnotherText) {
  auto events = Right();
  events[1].mutable_delta()->set_text("5");
  EXPECT_THAT(Whole(events), Contains(HasSubstr("another text")));
}

TEST_F(StreamChecksTest, FindsACanaryOfAnotherStream) {
  auto events = Right();
  events[2] = DeltaEvent(0, 1, {6, 66});
  EXPECT_THAT(Whole(events), Contains(HasSubstr("canary of another stream")));
  // Even if the undisturbed run has the same fault.
  const Transcript mixed_up = Received(events);
  EXPECT_THAT(CheckWhole(Plan(), mixed_up, mixed_up),
              Contains(HasSubstr("canary of another stream at 2")));
}

TEST_F(StreamChecksTest, FindsAWrongEnd) {
  auto none = Right();
  none.pop_back();
  EXPECT_THAT(Whole(none), Contains(HasSubstr("ended 0 times")));
  auto twice = Right();
  twice.push_back(FinishedEvent(0, 3));
  EXPECT_THAT(Whole(twice), Contains(HasSubstr("after its end")));
  auto after = Right();
  after.push_back(DeltaEvent(0, 3, {9}));
  EXPECT_THAT(Whole(after), Contains(HasSubstr("after its end")));
  auto reason = Right();
  reason.back().mutable_finished()->set_reason(v1::FINISH_REASON_STOP);
  EXPECT_THAT(Whole(reason), Contains(HasSubstr("ended with")));
  auto count = Right();
  count.back() = FinishedEvent(0, 2);
  EXPECT_THAT(Whole(count), Contains(HasSubstr("counts 2 tokens, not 3")));
}

TEST_F(StreamChecksTest, FindsAWrongBeginning) {
  auto none = Right();
  none.erase(none.begin());
  EXPECT_THAT(Whole(none), Contains(HasSubstr("before `started`")));
  auto twice = Right();
  twice.insert(twice.begin(), StartedEvent());
  EXPECT_THAT(Whole(twice), Contains(HasSubstr("started twice")));
  auto choice = Right();
  choice[1] = DeltaEvent(1, 0, {5});
  EXPECT_THAT(Whole(choice), Contains(HasSubstr("of choice 1 of 1")));
}

TEST_F(StreamChecksTest, FindsAnEventAfterTheEndOfTheCall) {
  Transcript transcript = Received(Right());
  transcript.Add(DeltaEvent(0, 3, {9}), absl::Seconds(9));
  EXPECT_THAT(CheckPart(Plan(), transcript, reference_),
              Contains(HasSubstr("after the end of the call")));
}

TEST_F(StreamChecksTest, FindsAFailureAndALateEnd) {
  const auto begin = std::vector<v1::GenerateResponse>{StartedEvent()};
  const grpc::Status failed(grpc::StatusCode::UNAVAILABLE, "no worker");
  EXPECT_THAT(Whole(begin, failed), Contains(HasSubstr("no worker")));
  EXPECT_THAT(CheckPart(Plan(), Received(begin, failed), reference_),
              IsEmpty());
  const grpc::Status late(grpc::StatusCode::DEADLINE_EXCEEDED, "");
  EXPECT_THAT(CheckPart(Plan(), Received(begin, late), reference_),
              Contains(HasSubstr("before its deadline")));
  const Transcript running(0, 1, absl::ZeroDuration());
  EXPECT_THAT(CheckPart(Plan(), running, reference_),
              Contains(HasSubstr("has not ended")));
}

TEST_F(StreamChecksTest, AResumedStreamMayStartAgainAndCountFromThere) {
  Transcript transcript(0, 1, absl::ZeroDuration());
  transcript.Add(StartedEvent(), absl::Seconds(1));
  transcript.Add(DeltaEvent(0, 0, {5}), absl::Seconds(2));
  transcript.Resume();
  transcript.Add(StartedEvent(), absl::Seconds(3));
  transcript.Add(DeltaEvent(0, 1, {6, 64}), absl::Seconds(4));
  transcript.Add(FinishedEvent(0, 2), absl::Seconds(5));
  transcript.End(grpc::Status::OK, absl::Seconds(6));
  EXPECT_THAT(CheckWhole(Plan(), transcript, reference_), IsEmpty());

  Transcript without(0, 1, absl::ZeroDuration());
  without.Add(StartedEvent(), absl::Seconds(1));
  without.Resume();
  without.Add(DeltaEvent(0, 0, {5}), absl::Seconds(2));
  EXPECT_THAT(CheckPart(Plan(), without, reference_),
              Contains(HasSubstr("before `started`")));
}

TEST_F(StreamChecksTest, CanariesThatDoNotShowAreAProblem) {
  EXPECT_THAT(CheckCanariesShow({Plan()}, {reference_}), IsEmpty());
  const Transcript plain = Received({StartedEvent(), DeltaEvent(0, 0, {5})});
  EXPECT_THAT(CheckCanariesShow({Plan()}, {plain}),
              Contains(HasSubstr("only 0 of 1")));
}

TEST(RetryInfoTest, IsFoundInTheDetails) {
  rpc::Status details;
  const auto status = [&details] {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full",
                        details.SerializeAsString());
  };
  EXPECT_FALSE(HasRetryInfo(status()));
  rpc::Pack(rpc::BadRequest(), details.add_details());
  EXPECT_FALSE(HasRetryInfo(status()));
  rpc::Pack(rpc::RetryInfo(), details.add_details());
  EXPECT_TRUE(HasRetryInfo(status()));
}

}  // namespace
}  // namespace apollo
