// Texts of every size and kind through a real cluster: the results of Tokenize
// and Generate, or the reasons of their refusals.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "model/tokenizer/tokenizer.h"
#include "proto/apollo/rpc/details.pb.h"
#include "proto/apollo/rpc/packing.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"

namespace apollo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::size_t kMegabyte = 1 << 20;  // The longest text.

std::string Repeated(const std::string& text, std::size_t bytes) {
  std::string all;
  while (all.size() + text.size() <= bytes) all += text;
  return all;
}

// Returns the field and the reason of an INVALID_ARGUMENT: "prompt: is empty".
std::string Violation(const grpc::Status& status) {
  rpc::Status details;
  rpc::BadRequest bad;
  if (status.error_code() != grpc::StatusCode::INVALID_ARGUMENT ||
      !details.ParseFromString(status.error_details()) ||
      details.details_size() == 0 || !rpc::Unpack(details.details(0), &bad) ||
      bad.field_violations_size() == 0) {
    return "code " + std::to_string(status.error_code()) + ": " +
           status.error_message();
  }
  return bad.field_violations(0).field() + ": " +
         bad.field_violations(0).description();
}

class TextTest : public ::testing::Test {
 protected:
  TextTest()
      : model_(Runfile("tests/golden/published")),
        cluster_(model_, {.expert_workers = 0}) {}

  void SetUp() override {
    auto tokenizer = Tokenizer::Load(model_ + "/tokenizer.json");
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
    tokenizer_ = *std::move(tokenizer);
    cluster_.Start();
    // A megabyte of text may be a million tokens, more than gRPC's default
    // limit of four megabytes.
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(64 << 20);
    stub_ = v1::InferenceService::NewStub(grpc::CreateCustomChannel(
        cluster_.address(), grpc::InsecureChannelCredentials(), arguments));
  }
  void TearDown() override {
    stub_.reset();  // An open connection would delay the shutdown.
    cluster_.StopAll();
  }

  grpc::Status Tokenize(const std::string& text,
                        v1::TokenizeResponse* response) {
    grpc::ClientContext context;
    v1::TokenizeRequest request;
    request.set_text(text);
    return stub_->Tokenize(&context, request, response);
  }

  grpc::Status DetectLanguage(const std::string& text,
                              v1::DetectLanguageResponse* response) {
    grpc::ClientContext context;
    v1::DetectLanguageRequest request;
    request.set_text(text);
    return stub_->DetectLanguage(&context, request, response);
  }
  grpc::Status DetectLanguage(const std::string& text) {
    v1::DetectLanguageResponse response;
    return DetectLanguage(text, &response);
  }

  Answer Generate(const std::string& prompt) {
    return apollo::Generate(*stub_, GreedyRequest(prompt, 1));
  }

  Answer GenerateChat(const std::string& message) {
    v1::GenerateRequest request;
    v1::ChatMessage* turn = request.mutable_chat()->add_messages();
    turn->set_role(v1::ROLE_USER);
    turn->set_content(message);
    return apollo::Generate(*stub_, request);
  }

  const std::string model_;
  Cluster cluster_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<v1::InferenceService::Stub> stub_;
};

TEST_F(TextTest, ShortTextsAreTokenizedAndAnswered) {
  for (const std::string& text :
       {std::string("a"), std::string("7"), std::string("\x01"),
        std::string(1, '\0'), std::string("\x7f"), std::string("\r\n"),
        std::string("a\0b\x1b\x07", 5)}) {
    SCOPED_TRACE(::testing::PrintToString(text));
    v1::TokenizeResponse response;
    const grpc::Status status = Tokenize(text, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    std::string joined;
    for (const std::string& token : response.tokens()) joined += token;
    EXPECT_EQ(joined, text);
    const Answer answer = Generate(text);
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.started.prompt_tokens(),
              static_cast<unsigned>(response.token_ids_size()));
    EXPECT_EQ(answer.ids.size(), 1u);
  }
}

TEST_F(TextTest, AMegabyteIsTokenizedAndTooLongForTheContext) {
  // Marks that NFC must reorder, all after one letter.
  const std::size_t pairs = (kMegabyte - 1) / 4;
  const struct {
    const char* name;
    std::string text;
    std::string normalized;  // Empty: unchanged.
  } kCases[] = {
      {"one letter", Repeated("a", kMegabyte), ""},
      {"blanks", Repeated(" ", kMegabyte), ""},
      {"control characters", Repeated("\x1b\x07\r\n\x01", kMegabyte), ""},
      {"NUL", std::string(kMegabyte, '\0'), ""},
      {"German", Repeated("Was sind die Anzeichen einer Grippe? ", kMegabyte),
       ""},
      {"Thai", Repeated("ปวดหัวและมีไข้", kMegabyte), ""},
      {"alternating marks", "a" + Repeated("\u0301\u0316", 4 * pairs),
       "\u00e1" + Repeated("\u0316", 2 * pairs) +
           Repeated("\u0301", 2 * (pairs - 1))},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    ASSERT_GE(c.text.size(), kMegabyte - 64);
    const auto ids = tokenizer_->Encode(c.text, SpecialText::kPlain);
    ASSERT_TRUE(ids.ok()) << ids.status();
    v1::TokenizeResponse response;
    const grpc::Status status = Tokenize(c.text, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.tokens_size(), response.token_ids_size());
    ASSERT_EQ(static_cast<std::size_t>(response.token_ids_size()), ids->size());
    std::string joined;
    bool same = true;
    for (int i = 0; i < response.token_ids_size(); ++i) {
      same = same && response.token_ids(i) == (*ids)[i];
      joined += response.tokens(i);
    }
    EXPECT_TRUE(same);
    // EXPECT_EQ would print both texts.
    EXPECT_TRUE(joined == (c.normalized.empty() ? c.text : c.normalized));

    const std::string tokens =
        std::to_string(ids->size() + tokenizer_->prefix_ids().size());
    EXPECT_THAT(
        Violation(Generate(c.text).status),
        HasSubstr("prompt: has " + tokens +
                  " tokens; it must have fewer than the context of 512"));
    EXPECT_THAT(
        Violation(GenerateChat(c.text).status),
        AllOf(
            HasSubstr("chat: has "),
            HasSubstr(" tokens; it must have fewer than the context of 512")));
  }

  const std::string longer(kMegabyte + 1, 'a');
  const std::string says = "has 1048577 bytes; at most 1048576 are allowed";
  v1::TokenizeResponse response;
  EXPECT_EQ(Violation(Tokenize(longer, &response)), "text: " + says);
  EXPECT_EQ(Violation(Generate(longer).status), "prompt: " + says);
  EXPECT_EQ(Violation(GenerateChat(longer).status), "chat.messages: " + says);

  EXPECT_TRUE(Generate("fever").status.ok());
}

TEST_F(TextTest, LanguagesOfTextsOfAnySize) {
  for (int c = 0; c < 0x80; ++c) {
    const grpc::Status status =
        DetectLanguage(std::string(1, static_cast<char>(c)));
    EXPECT_TRUE(status.ok()) << c << ": " << status.error_message();
  }
  for (const char* part : {"a", " ", "$ ", "> ", "(", "{ } ", "= ", "\" ",
                           "select a from b ", "x: y\n", "ปวดหัวและมีไข้", "高"}) {
    const grpc::Status status = DetectLanguage(Repeated(part, kMegabyte));
    EXPECT_TRUE(status.ok()) << part << ": " << status.error_message();
  }
  EXPECT_TRUE(DetectLanguage(std::string(kMegabyte, '\0')).ok());
  v1::DetectLanguageResponse response;
  ASSERT_TRUE(DetectLanguage(
                  Repeated("Was sind die Anzeichen einer Grippe? ", kMegabyte),
                  &response)
                  .ok());
  ASSERT_GT(response.candidates_size(), 0);
  EXPECT_EQ(response.candidates(0).language(), "de");
  EXPECT_EQ(Violation(DetectLanguage(std::string(kMegabyte + 1, 'a'))),
            "text: has 1048577 bytes; at most 1048576 are allowed");
}

// C++ clients can send invalid UTF-8; the router reports its offset.
TEST_F(TextTest, WhatIsNotUtf8IsRefusedWithItsPlace) {
  const struct {
    const char* name;
    std::string text;
    std::size_t offset;
  } kCases[] = {
      {"a byte that no text has", "\xff", 0},
      {"half a character at the end", "secret\xc3", 6},
      {"an overlong slash", "secret\xc0\xaf", 6},
      {"a surrogate", "secret\xed\xa0\x80", 6},
      {"beyond Unicode", "secret\xf4\x90\x80\x80", 6},
      {"the last of a megabyte", std::string(kMegabyte - 1, 'x') + "\x80",
       kMegabyte - 1},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    v1::TokenizeResponse response;
    const struct {
      const char* field;
      grpc::Status status;
    } kRefusals[] = {
        {"text", Tokenize(c.text, &response)},
        {"text", DetectLanguage(c.text)},
        {"prompt", Generate(c.text).status},
        {"chat.messages[0].content", GenerateChat(c.text).status},
    };
    for (const auto& [field, status] : kRefusals) {
      const std::string violation = Violation(status);
      EXPECT_THAT(violation, StartsWith(std::string(field) + ": "));
      EXPECT_THAT(violation, HasSubstr("UTF-8"));
      EXPECT_THAT(violation, HasSubstr(std::to_string(c.offset)));
      EXPECT_THAT(violation, Not(HasSubstr("secret")));
    }
  }
  EXPECT_TRUE(Generate("fever").status.ok());
}

}  // namespace
}  // namespace apollo
