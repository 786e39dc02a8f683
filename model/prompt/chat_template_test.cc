#include "model/prompt/chat_template.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>

#include "common/json.h"

namespace apollo {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kFolder[] = "model/prompt/testdata/";
const char* const kTemplates[] = {
    "apollo",       "built_tokens", "chatml_default_system",
    "header_style", "instructions", "no_system",
    "thinking"};

std::string Read(const std::string& name) {
  std::ifstream in(kFolder + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

const Tokenizer& TestTokenizer() {
  static const auto* tokenizer = [] {
    auto loaded = Tokenizer::Load(std::string(kFolder) + "tokenizer.json");
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    return new std::unique_ptr<const Tokenizer>(*std::move(loaded));
  }();
  return **tokenizer;
}

// 2024-07-26 23:59:58, the time of golden.json.
ChatTemplate::Clock StoppedClock() {
  const absl::Time time = absl::FromCivil(
      absl::CivilSecond(2024, 7, 26, 23, 59, 58), absl::UTCTimeZone());
  return {[time] { return time; }, absl::UTCTimeZone()};
}

absl::StatusOr<std::unique_ptr<const ChatTemplate>> Make(std::string text) {
  TemplateSource source;
  source.text = std::move(text);
  source.file = "folder/a.jinja";
  source.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return ChatTemplate::Make(std::move(source), TestTokenizer(), StoppedClock());
}

std::unique_ptr<const ChatTemplate> MakeNamed(const std::string& name) {
  auto made = Make(Read(name + ".jinja"));
  EXPECT_TRUE(made.ok()) << made.status();
  return *std::move(made);
}

std::vector<ChatTurn> ChatOf(const Json& json) {
  std::vector<ChatTurn> turns;
  for (const Json& turn : json) {
    turns.push_back({turn["role"] == "system" ? ChatRole::kSystem
                     : turn["role"] == "user" ? ChatRole::kUser
                                              : ChatRole::kAssistant,
                     turn["content"].get<std::string>()});
  }
  return turns;
}

TEST(ChatTemplateTest, GivesTheTextAndTheTokensOfTransformers) {
  const auto golden = ParseJson(Read("golden.json"), "golden.json");
  ASSERT_TRUE(golden.ok()) << golden.status();
  std::string name;
  std::unique_ptr<const ChatTemplate> made;
  int refused = 0, texts = 0, with_tokens = 0;
  for (const Json& expected : *golden) {
    const auto file = expected["template"].get<std::string>();
    SCOPED_TRACE(file + ": " + expected["name"].get<std::string>());
    if (file != name) made = MakeNamed(file.substr(0, file.find('.')));
    name = file;
    const std::vector<ChatTurn> chat = ChatOf(expected["chat"]);
    const auto rendered = made->Render(chat);
    if (expected.contains("refused")) {
      EXPECT_EQ(rendered.status().code(), absl::StatusCode::kInvalidArgument);
      ++refused;
      continue;
    }
    ASSERT_TRUE(rendered.ok()) << rendered.status();
    EXPECT_EQ(rendered->text, expected["text"].get<std::string>());
    ++texts;
    if (!expected.contains("ids")) continue;
    const auto ids = made->Encode(chat);
    ASSERT_TRUE(ids.ok()) << ids.status();
    EXPECT_EQ(*ids, expected["ids"].get<std::vector<TokenId>>());
    ++with_tokens;
  }
  EXPECT_EQ(refused, 8);
  EXPECT_EQ(texts, 111);
  EXPECT_EQ(with_tokens, 83);
}

// differences.json has templates that the library could render otherwise than
// Jinja, with Jinja's texts.
TEST(ChatTemplateTest, RendersAsJinjaOrRefusesAtStart) {
  const auto golden = ParseJson(Read("differences.json"), "differences.json");
  ASSERT_TRUE(golden.ok()) << golden.status();
  const Json& chats = (*golden)["chats"];
  int same = 0, refused = 0;
  for (const Json& expected : (*golden)["cases"]) {
    const auto source = expected["template"].get<std::string>();
    SCOPED_TRACE(source);
    const auto made = Make(source);
    EXPECT_EQ(!made.ok(), expected["refused"].get<bool>()) << made.status();
    if (!made.ok()) {
      EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
      ++refused;
      continue;
    }
    for (std::size_t i = 0; i < chats.size(); ++i) {
      const auto text = (*made)->Render(ChatOf(chats[i]));
      ASSERT_TRUE(text.ok()) << text.status();
      EXPECT_EQ(text->text, expected["texts"][i].get<std::string>());
      ++same;
    }
  }
  EXPECT_EQ(refused, 46);
  EXPECT_EQ(same, 72);
}

TEST(ChatTemplateTest, RefusalsNameTheLineAndARemedy) {
  EXPECT_THAT(Make("a\n{{ -7 % 3 }}").status().message(),
              HasSubstr("in line 2 the operator % is used"));
  EXPECT_THAT(Make("{{ messages[0].content[:1] }}").status().message(),
              HasSubstr("split() may be cut"));
  EXPECT_THAT(Make("{{ 'a' ~ name }}").status().message(),
              HasSubstr("not defined"));
}

// Returns the control tokens among the ids.
std::vector<std::string> ControlsIn(const std::vector<TokenId>& ids) {
  const std::vector<std::string> all = TestTokenizer().ControlTokens();
  std::vector<std::string> found;
  for (const TokenId id : ids) {
    const std::string bytes(TestTokenizer().TokenBytes(id));
    if (std::find(all.begin(), all.end(), bytes) != all.end()) {
      found.push_back(bytes);
    }
  }
  return found;
}

// Makes texts of what could confuse the separation of template and messages.
class RandomText {
 public:
  std::string operator()() {
    static const std::vector<std::string> pieces = [] {
      std::vector<std::string> all = TestTokenizer().ControlTokens();
      for (const char* piece : {"<|im_",
                                "end|>",
                                "<|",
                                "|>",
                                "<",
                                ">",
                                "[",
                                "/INST]",
                                "user",
                                "im_",
                                "a",
                                " b",
                                "ab",
                                " ",
                                "  ",
                                "\n",
                                "\n\n",
                                "\t",
                                "</",
                                "think",
                                "\xF3\xB0\x80\x80",
                                "\xF3\xB0\x80\x81",
                                "\xF3\xB4\x80\x80",
                                "\xF3\xB4\x80\x85",
                                "\xE3\x80\x80",
                                "\xC2\xA0",
                                "\xC3\xA9",
                                "{{ a }}",
                                "{%",
                                "'",
                                "\"",
                                "\\"}) {
        all.push_back(piece);
      }
      return all;
    }();
    std::string text = "x";
    if (random_() % 2 == 0) text.clear();
    for (auto n = random_() % 8; n > 0; --n) {
      text += pieces[random_() % pieces.size()];
    }
    if (random_() % 2 == 0) text += "y";
    // Some templates leave out messages without text.
    return text.find_first_not_of(" \t\n") == text.npos ? "z" : text;
  }

 private:
  std::mt19937 random_{7};
};

TEST(ChatTemplateTest, TextOfAMessageNeverBecomesAControlToken) {
  RandomText random_text;
  for (const char* name : kTemplates) {
    SCOPED_TRACE(name);
    const auto made = MakeNamed(name);
    for (int i = 0; i < 300; ++i) {
      std::vector<ChatTurn> chat = {{ChatRole::kUser, random_text()},
                                    {ChatRole::kAssistant, random_text()},
                                    {ChatRole::kUser, random_text()}};
      const auto ids = made->Encode(chat);
      ASSERT_TRUE(ids.ok()) << ids.status();
      const auto text = made->Render(chat);
      ASSERT_TRUE(text.ok());
      EXPECT_EQ(*TestTokenizer().Decode(*ids, false), text->text);
      if (std::string_view(name) == "thinking") continue;
      for (ChatTurn& turn : chat) turn.content = "z";
      EXPECT_EQ(ControlsIn(*ids), ControlsIn(*made->Encode(chat)));
    }
  }
}

TEST(ChatTemplateTest, ATemplateThatLooksIntoMessagesKeepsItsControlTokens) {
  const auto made = MakeNamed("thinking");
  const auto ids = made->Encode(
      {{ChatRole::kUser, "Why? <|im_end|></think> /no_think"},
       {ChatRole::kAssistant, "<think>\nHm.\n</think>\n\nSo</think>."},
       {ChatRole::kUser, "</think> /no_think"}});
  ASSERT_TRUE(ids.ok()) << ids.status();
  EXPECT_EQ(*TestTokenizer().Decode(*ids, false),
            "<|im_start|>user\nWhy? <|im_end|></think> /no_think<|im_end|>\n"
            "<|im_start|>assistant\n.<|im_end|>\n"
            "<|im_start|>user\n</think> /no_think<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>\n\n");
  EXPECT_THAT(ControlsIn(*ids),
              testing::ElementsAre("<|im_start|>", "<|im_end|>", "<|im_start|>",
                                   "<|im_end|>", "<|im_start|>", "<|im_end|>",
                                   "<|im_start|>", "<think>", "</think>"));
}

TEST(ChatTemplateTest, FindsTheTokenThatEndsAnswers) {
  const auto end = [](const char* name) -> std::string {
    const auto made = MakeNamed(name);
    const std::optional<TokenId> id = made->EndOfAnswer();
    return id ? std::string(TestTokenizer().TokenBytes(*id)) : "";
  };
  EXPECT_EQ(end("chatml_default_system"), "<|im_end|>");
  EXPECT_EQ(end("header_style"), "<|im_end|>");
  EXPECT_EQ(end("instructions"), "</s>");
  EXPECT_EQ(end("no_system"), "<|im_end|>");
  EXPECT_EQ(end("thinking"), "<|im_end|>");
  EXPECT_EQ(end("apollo"), "");
  // A turn that only begins: the next one ends the answer.
  const auto begins = Make(
      "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}\n"
      "{% endfor %}<|assistant|>");
  ASSERT_TRUE(begins.ok()) << begins.status();
  EXPECT_EQ((*begins)->EndOfAnswer(), TestTokenizer().AddedTokenId("<|user|>"));
}

TEST(ChatTemplateTest, TextBesideAControlTokenIsEncodedAsAWhole) {
  const auto made = Make("{{ messages[0].content }}!");
  ASSERT_TRUE(made.ok()) << made.status();
  const std::string text = "a<|im_end|>!";
  EXPECT_EQ(*(*made)->Encode({{ChatRole::kUser, "a<|im_end|>"}}),
            *TestTokenizer().Encode(text, SpecialText::kPlain));
}

TEST(ChatTemplateTest, TheDateIsThatOfTheClock) {
  const auto made = Make("{{ strftime_now('%A %d %B %Y %H:%M') }}");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->Render({{ChatRole::kUser, "a"}})->text,
            "Friday 26 July 2024 23:59");
}

TEST(ChatTemplateTest, RefusalsQuoteTheTemplateButNeverTheChat) {
  const auto no_system = MakeNamed("no_system");
  EXPECT_EQ(
      no_system->Encode({{ChatRole::kSystem, "s"}, {ChatRole::kUser, "a"}})
          .status(),
      absl::InvalidArgumentError("is refused by the model's chat "
                                 "template: System role not supported"));
  const auto instructions = MakeNamed("instructions");
  const absl::Status status =
      instructions
          ->Encode({{ChatRole::kUser, "a"}, {ChatRole::kUser, "my secret"}})
          .status();
  EXPECT_EQ(status, absl::InvalidArgumentError(
                        "is refused by the model's chat template"));
}

TEST(ChatTemplateTest, FailuresSayNothingOfTheChat) {
  const auto made = Make(
      "{{ messages[0].content + 'b'}}{% if messages[0].content == "
      "'secret' %}{{ messages[0].content.unknown_method() }}{% endif %}");
  ASSERT_TRUE(made.ok()) << made.status();
  const absl::Status status =
      (*made)->Encode({{ChatRole::kUser, "secret"}}).status();
  EXPECT_EQ(status,
            absl::InternalError("the chat template fails on this chat"));
}

TEST(ChatTemplateTest, HasAHashAndAFile) {
  const auto made = Make("{{ messages[0].content }}");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->file(), "folder/a.jinja");
  // According to sha256sum.
  EXPECT_EQ((*made)->hash(), "21b1d9c74a217211");
}

// Returns the error of a template that is refused at start.
std::string Refusal(const std::string& text) {
  const auto made = Make(text);
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(made.status().message());
  EXPECT_THAT(message, HasSubstr("folder/a.jinja: the chat template"));
  EXPECT_THAT(message, HasSubstr("--chat_template"));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  return message;
}

TEST(ChatTemplateTest, RefusesWhatItCannotUse) {
  EXPECT_THAT(Refusal("{% if %}"), HasSubstr("parsed"));
  EXPECT_THAT(Refusal("{% include 'x' %}"), HasSubstr("parsed"));
  EXPECT_THAT(Refusal("{{ messages | nonsense }}"), HasSubstr("fails"));
  EXPECT_THAT(Refusal("{{ 'a\\u0020b' }}"), HasSubstr("escape"));
  EXPECT_THAT(Refusal("{{ raise_exception('no') }}"),
              HasSubstr("a single question is refused by the model's chat "
                        "template: no"));
  EXPECT_THAT(Refusal(""), HasSubstr("writes nothing"));
  EXPECT_THAT(Refusal("\xF3\xB0\x80\x80"), HasSubstr("U+F0000"));
  EXPECT_THAT(Refusal(std::string(200000, 'a')), HasSubstr("200000 bytes"));
}

TEST(ChatTemplateTest, RefusesWhatDoesNotEnd) {
  EXPECT_THAT(Refusal("{% for i in range(100001) %}a{% endfor %}"),
              HasSubstr("steps"));
  EXPECT_THAT(Refusal("{% for i in range(9999) %}{% for j in range(9999) %}"
                      "{{ i }}{% endfor %}{% endfor %}"),
              HasSubstr("steps"));
  EXPECT_THAT(Refusal("{% for i in range(99) %}{{ 'a' * 99999 }}{% endfor %}"),
              HasSubstr("writes too much"));
  // Doubles a text for each message.
  EXPECT_THAT(
      Refusal("{% set ns = namespace(t='ab') %}{% for m in messages %}"
              "{% set ns.t = ns.t + ns.t %}{% endfor %}{{ ns.t | length }}"),
      testing::AnyOf(HasSubstr("too much memory"), HasSubstr("MiB")));
}

TEST(ChatTemplateTest, RefusesWhatWouldEndTheProcess) {
  // Sanitizers end it by themselves.
  const auto dies =
      testing::AnyOf(HasSubstr("it crashes"), HasSubstr("it ends its process"));
  EXPECT_THAT(Refusal("{{ 1 // 0 }}"), dies);
  EXPECT_THAT(Refusal("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"), dies);
}

}  // namespace
}  // namespace apollo
