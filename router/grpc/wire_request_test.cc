#include "router/grpc/wire_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kWireString = 2;
constexpr char kGroupStart = 3;
constexpr char kGroupEnd = 4;

// Returns a length-delimited field; its number must be below 16 and its size
// below 128.
std::string Field(int number, const std::string& value) {
  return std::string{static_cast<char>(number << 3 | kWireString),
                     static_cast<char>(value.size())} +
         value;
}

void ExpectRefused(const std::string& bytes, google::protobuf::Message& request,
                   const std::string& start) {
  const absl::Status status = ParseRequest(bytes, request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << start;
  EXPECT_THAT(std::string(status.message()), StartsWith(start));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("zebra")));
}

TEST(ParseRequestTest, NamesTheFieldThatIsNotUtf8) {
  const std::string bad = "zebra\xff";
  const std::string problem = " is not UTF-8: byte 5 of 6 ";
  v1::GenerateRequest generate;
  ExpectRefused(Field(1, bad), generate, "request_id" + problem);
  ExpectRefused(Field(2, bad), generate, "prompt" + problem);
  ExpectRefused(Field(3, Field(1, Field(2, bad))), generate,
                "chat.messages[0].content" + problem);
  ExpectRefused(Field(4, bad), generate, "language" + problem);
  ExpectRefused(Field(8, "fine") + Field(8, bad), generate,
                "stop[1]" + problem);
  v1::ScoreRequest score;
  ExpectRefused(Field(2, "fine") + Field(6, bad), score,
                "continuations[0]" + problem);
  v1::TokenizeRequest tokenize;
  ExpectRefused(Field(1, bad), tokenize, "text" + problem);
}

TEST(ParseRequestTest, NamesAllFieldsThatAreNotUtf8) {
  v1::GenerateRequest request;
  const std::string problem =
      " is not UTF-8: byte 0 of 1 does not start a "
      "valid character";
  ExpectRefused(Field(1, "\xff") + Field(8, "\xff"), request,
                "request_id" + problem + "; stop[0]" + problem);
}

TEST(ParseRequestTest, RefusesEveryKindOfWrongUtf8) {
  // A lone continuation byte, a truncated character, an overlong one, a
  // surrogate, and one beyond U+10FFFF.
  for (const char* bad :
       {"\x80", "\xe2\x82", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80"}) {
    v1::GenerateRequest request;
    ExpectRefused(Field(2, bad), request, "prompt is not UTF-8: byte 0 of ");
  }
}

TEST(ParseRequestTest, FindsTheFieldWhenAnEarlierOneOfTheChatIsFine) {
  v1::GenerateRequest request;
  const std::string fine = Field(1, Field(2, "zebra"));
  const std::string bad = Field(1, Field(2, "\xff"));
  ExpectRefused(Field(3, fine + bad), request,
                "chat.messages[1].content is not");
}

v1::GenerateRequest Sample() {
  v1::GenerateRequest request;
  request.mutable_chat()->add_messages()->set_content("zebra \xe2\x82\xac");
  request.add_stop("\n");
  request.mutable_sampling()->set_seed(7);
  request.set_logprobs(0);
  return request;
}

TEST(ParseRequestTest, ReadsASerializedRequest) {
  const v1::GenerateRequest request = Sample();
  v1::GenerateRequest read;
  const absl::Status status = ParseRequest(request.SerializeAsString(), read);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read.SerializeAsString(), request.SerializeAsString());
}

TEST(ParseRequestTest, EmptyBytesAreAnEmptyMessage) {
  v1::GenerateRequest request = Sample();
  EXPECT_TRUE(ParseRequest("", request).ok());
  EXPECT_FALSE(request.has_chat());
}

TEST(ParseRequestTest, RefusesTruncatedBytes) {
  v1::GenerateRequest whole;
  whole.set_prompt("zebra");
  const std::string bytes = whole.SerializeAsString();
  for (std::size_t n = 1; n < bytes.size(); ++n) {
    v1::GenerateRequest request;
    ExpectRefused(bytes.substr(0, n), request,
                  "the request is not a apollo.v1.GenerateRequest");
  }
}

TEST(ParseRequestTest, RefusesBytesThatAreNotAMessage) {
  v1::ScoreRequest request;
  ExpectRefused("zebra zebra zebra", request,
                "the request is not a apollo.v1.ScoreRequest");
  ExpectRefused(std::string(100, '\xff'), request, "the request is not a ");
  ExpectRefused(std::string(8, '\0'), request, "the request is not a ");
}

TEST(ParseRequestTest, SurvivesDeepNestingOfUnknownFields) {
  constexpr int kDepth = 200'000;
  const std::string groups =
      std::string(kDepth, static_cast<char>(15 << 3 | kGroupStart)) +
      std::string(kDepth, static_cast<char>(15 << 3 | kGroupEnd));
  v1::GenerateRequest request;
  ExpectRefused(groups, request, "the request is not a ");
  std::string shallow(10, static_cast<char>(15 << 3 | kGroupStart));
  shallow += std::string(10, static_cast<char>(15 << 3 | kGroupEnd));
  EXPECT_TRUE(ParseRequest(shallow, request).ok());
}

TEST(ParseRequestTest, IgnoresUnknownFieldsThatAreNotUtf8) {
  v1::GenerateRequest request;
  const absl::Status status =
      ParseRequest(Field(2, "x") + Field(15, "\xff"), request);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(request.prompt(), "x");
}

TEST(ParseRequestTest, ReadsABufferOfSeveralSlices) {
  const std::string bytes = Sample().SerializeAsString();
  const grpc::Slice slices[] = {grpc::Slice(bytes.substr(0, 3)), grpc::Slice(),
                                grpc::Slice(bytes.substr(3))};
  v1::GenerateRequest read;
  const absl::Status status = ParseRequest(grpc::ByteBuffer(slices, 3), read);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read.SerializeAsString(), bytes);
}

TEST(ParseRequestTest, ARequestThatNeverArrivedWasCancelled) {
  v1::GenerateRequest request;
  EXPECT_EQ(ParseRequest(grpc::ByteBuffer(), request).code(),
            absl::StatusCode::kCancelled);
}

TEST(PeekRequestIdTest, FindsItBeforeTheRequestIsParsed) {
  v1::GenerateRequest request;
  request.set_request_id("a-1_b.2:c");
  request.set_prompt(std::string(100'000, 'x'));
  EXPECT_EQ(PeekRequestId(SerializeResponse(request)), "a-1_b.2:c");
  const std::string bytes = request.SerializeAsString();
  const grpc::Slice slices[] = {grpc::Slice(bytes.substr(0, 4)),
                                grpc::Slice(bytes.substr(4))};
  EXPECT_EQ(PeekRequestId(grpc::ByteBuffer(slices, 2)), "a-1_b.2:c");
  request.set_request_id(std::string(128, 'x'));
  EXPECT_EQ(PeekRequestId(SerializeResponse(request)), request.request_id());
}

TEST(PeekRequestIdTest, FindsItBehindOtherFields) {
  const std::string priority = {12 << 3, 5};
  const std::string id = Field(1, "late");
  v1::GenerateRequest prompt;
  prompt.set_prompt(std::string(70'000, 'x'));
  const std::string others = prompt.SerializeAsString() + priority;
  EXPECT_EQ(PeekRequestId(ToByteBuffer(others + id + Field(8, "stop"))),
            "late");
  // In several parts.
  const std::string bytes = others + id;
  const grpc::Slice slices[] = {
      grpc::Slice(bytes.substr(0, 1000)),
      grpc::Slice(bytes.substr(1000, bytes.size() - 1002)),
      grpc::Slice(bytes.substr(bytes.size() - 2))};
  EXPECT_EQ(PeekRequestId(grpc::ByteBuffer(slices, 3)), "late");
  // But the search is bounded, and what is no message has none.
  std::string many;
  for (int i = 0; i < 1000; ++i) many += priority;
  EXPECT_EQ(PeekRequestId(ToByteBuffer(many + id)), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer(others.substr(0, 100) + id)), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer(std::string(1, 12 << 3 | 4) + id)), "");
}

TEST(PeekRequestIdTest, IsEmptyUnlessThereIsAValidOne) {
  EXPECT_EQ(PeekRequestId(grpc::ByteBuffer()), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer("")), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer(Field(2, "a prompt"))), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer(Field(1, "with space"))), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer(Field(1, "line\n"))), "");
  EXPECT_EQ(PeekRequestId(ToByteBuffer(Field(1, "cut").substr(0, 3))), "");
  v1::GenerateRequest request;
  request.set_request_id(std::string(129, 'x'));
  EXPECT_EQ(PeekRequestId(SerializeResponse(request)), "");
}

TEST(SerializeResponseTest, CanBeReadAgain) {
  v1::TokenizeResponse response;
  response.add_tokens("\xff");
  v1::TokenizeResponse read;
  ASSERT_TRUE(ParseRequest(SerializeResponse(response), read).ok());
  EXPECT_EQ(read.tokens(0), "\xff");
}

}  // namespace
}  // namespace apollo
