// The upcycled demo model equals its dense base: tokens and log-probabilities
// match Hugging Face transformers in float32, and ids match Hugging Face
// tokenizers, through a real cluster.

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/json.h"
#include "common/mapped_file.h"
#include "model/tokenizer/tokenizer.h"
#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/read_json.h"

namespace apollo {
namespace {

v1::GenerateRequest RequestFor(const Json& run) {
  v1::GenerateRequest request;
  request.set_max_new_tokens(static_cast<int>(run["ids"].size()));
  request.set_logprobs(0);
  if (run["kind"] != "plain") {
    for (const Json& message : run["messages"]) {
      v1::ChatMessage* out = request.mutable_chat()->add_messages();
      const std::string role = message["role"];
      out->set_role(role == "user"     ? v1::ROLE_USER
                    : role == "system" ? v1::ROLE_SYSTEM
                                       : v1::ROLE_ASSISTANT);
      out->set_content(message["content"].get<std::string>());
    }
  } else {
    request.set_prompt(run["prompt"].get<std::string>());
  }
  return request;
}

// Checks the runs that are of the kind "template", or those that are not.
void CheckRuns(bool templates, const std::vector<std::string>& router_flags) {
  const Json expected = ReadJson(Runfile("tests/golden/demo/expected.json"));
  Cluster cluster(DemoModel(),
                  {.expert_workers = 2, .router_flags = router_flags});
  cluster.Start();
  const auto stub = cluster.NewStub();
  int runs = 0;
  for (const Json& run : expected["runs"]) {
    if ((run["kind"] == "template") != templates) continue;
    ++runs;
    const Answer answer = Generate(*stub, RequestFor(run));
    ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
    EXPECT_EQ(answer.started.prompt_tokens(), run["prompt_ids"].size());
    EXPECT_EQ(answer.ids, run["ids"].get<std::vector<std::int32_t>>());
    const auto logprobs = run["logprobs"].get<std::vector<double>>();
    ASSERT_EQ(answer.logprobs.size(), logprobs.size());
    for (std::size_t i = 0; i < logprobs.size(); ++i) {
      EXPECT_NEAR(answer.logprobs[i], logprobs[i], 1e-3);
    }
  }
  EXPECT_GE(runs, 3);
  cluster.StopAll();
}

TEST(DemoTest, UpcycledModelAnswersLikeItsDenseBase) {
  CheckRuns(/*templates=*/false, {"--chat_template=chatml"});
}

TEST(DemoTest, ChatsHaveTheModelsOwnTemplate) {
  if (ReadJson(DemoModel() + "/config.json").contains("prompt_format")) {
    GTEST_SKIP() << "a demo model of an older kind, without its template";
  }
  CheckRuns(/*templates=*/true, {});
}

TEST(DemoTest, TokenizerGivesTheIdsOfHuggingFaceAndTheTextBack) {
  const auto tokenizer = Tokenizer::Load(DemoModel() + "/tokenizer.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const Json expected =
      ReadJson(Runfile("tests/golden/demo/tokenizer_expected.json"));
  const auto text = ReadFile(Runfile("tests/golden/demo/text.txt"), 1 << 20);
  ASSERT_TRUE(text.ok());
  const auto whole = (*tokenizer)->Encode(*text, SpecialText::kPlain);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(*whole, expected["whole_text_ids"].get<std::vector<TokenId>>());
  const auto back = (*tokenizer)->Decode(*whole, /*skip_special=*/false);
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(*back == *text) << "decoding did not give the text back";
  // Also line by line, with the text of control tokens as text and as tokens.
  std::size_t begin = 0;
  ASSERT_GT(expected["lines"].size(), 100u);
  for (const Json& line : expected["lines"]) {
    const std::size_t end = std::min(text->find('\n', begin), text->size());
    const std::string part = text->substr(begin, end - begin);
    EXPECT_EQ(*(*tokenizer)->Encode(part, SpecialText::kPlain),
              line["ids"].get<std::vector<TokenId>>());
    if (line.contains("ids_special")) {
      EXPECT_EQ(*(*tokenizer)->Encode(part, SpecialText::kParse),
                line["ids_special"].get<std::vector<TokenId>>());
    }
    begin = end + 1;
  }
}

// A block of 16 tokens of this model takes more than half a MiB in the dense
// worker.
TEST(DemoTest, ACacheTooSmallForARequestRefusesIt) {
  Cluster cluster(DemoModel(), {.dense_flags = {"--cache_megabytes=1"}});
  cluster.Start();
  const auto stub = cluster.NewStub();
  const Answer answer = Generate(*stub, GreedyRequest("What is asthma?", 40));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_TRUE(answer.status.error_details().empty()) << "nothing to retry";
  EXPECT_NE(answer.status.error_message().find("but the cache holds 16"),
            std::string::npos)
      << answer.status.error_message();
  EXPECT_TRUE(Generate(*stub, GreedyRequest("What", 4)).status.ok());
  // Without a length limit, the answer is as long as the cache allows. Its last
  // token needs no room.
  v1::GenerateRequest unbounded = GreedyRequest("What", 0);
  unbounded.set_ignore_eos(true);
  const Answer longest = Generate(*stub, unbounded);
  EXPECT_TRUE(longest.status.ok()) << longest.status.error_message();
  EXPECT_EQ(longest.started.prompt_tokens() + longest.ids.size() - 1, 16u);
  cluster.StopAll();
}

}  // namespace
}  // namespace apollo
