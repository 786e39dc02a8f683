#include "router/grpc/to_proto.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(GetModelTest, TellsTheFormatOfChats) {
  RouterModel model;
  model.config.prompt_format = PromptFormat::kChatMl;
  v1::GetModelResponse response = ToProto(model, "");
  EXPECT_EQ(response.prompt_format(), "chatml");
  EXPECT_EQ(response.chat_template_file(), "");
  EXPECT_EQ(response.chat_template_hash(), "");

  auto tokenizer = Tokenizer::Load("tests/golden/published/tokenizer.json");
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  model.tokenizer = *std::move(tokenizer);
  TemplateSource source;
  source.text = "{{ messages[0].content }}";
  source.file = "/secret/place/chat_template.jinja";
  auto made = ChatTemplate::Make(std::move(source), *model.tokenizer);
  ASSERT_TRUE(made.ok()) << made.status();
  model.chat_template = *std::move(made);
  response = ToProto(model, "");
  EXPECT_EQ(response.prompt_format(), "template");
  EXPECT_EQ(response.chat_template_file(), "chat_template.jinja");
  EXPECT_EQ(response.chat_template_hash(), model.chat_template->hash());
}

}  // namespace
}  // namespace apollo
