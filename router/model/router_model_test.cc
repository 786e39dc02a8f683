#include "router/model/router_model.h"

#include <absl/strings/str_replace.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "model/prompt/prompt.h"
#include "router/model/language_choice.h"

namespace apollo {
namespace {

using testing::HasSubstr;

constexpr char kGolden[] = "tests/golden/published/";

std::string Read(const std::string& name) {
  std::ifstream in(kGolden + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Returns a copy of the golden model directory, with a change in each file.
std::string ModelWith(
    const std::pair<std::string, std::string>& config_change,
    const std::pair<std::string, std::string>& tokenizer_change) {
  const std::filesystem::path directory =
      std::filesystem::path(testing::TempDir()) /
      testing::UnitTest::GetInstance()->current_test_info()->name();
  std::filesystem::create_directories(directory);
  std::ofstream(directory / "config.json")
      << absl::StrReplaceAll(Read("config.json"), {config_change});
  std::ofstream(directory / "tokenizer.json")
      << absl::StrReplaceAll(Read("tokenizer.json"), {tokenizer_change});
  return directory;
}

TEST(RouterModelTest, LoadsAGoldenDirectory) {
  const auto model = RouterModel::Load(ModelWith({"{", "{"}, {"{", "{"}), {});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->name, "LoadsAGoldenDirectory");
}

TEST(RouterModelTest, RefusesAPromptFormatWhoseControlTokensAreNotThere) {
  const std::pair<std::string, std::string> chatml = {
      "\"model_type\"", "\"prompt_format\": \"chatml\", \"model_type\""};
  ASSERT_TRUE(RouterModel::Load(ModelWith(chatml, {"{", "{"}), {}).ok());
  const auto model =
      RouterModel::Load(ModelWith(chatml, {"<|im_start|>", "<|another|>"}), {});
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(model.status().message(), HasSubstr("tokenizer.json"));
  EXPECT_THAT(model.status().message(), HasSubstr("<|im_start|>"));
  EXPECT_THAT(model.status().message(), HasSubstr("\"chatml\""));
}

const std::pair<std::string, std::string> kTemplate = {
    "\"model_type\"", "\"prompt_format\": \"template\", \"model_type\""};

TEST(RouterModelTest, ReadsTheModelsChatTemplate) {
  const std::string directory = ModelWith(kTemplate, {"{", "{"});
  const auto without = RouterModel::Load(directory, {});
  EXPECT_THAT(without.status().message(),
              HasSubstr("prompt_format is \"template\", but there is neither"));
  std::ofstream(directory + "/chat_template.jinja")
      << "{{ messages[0].content }}";
  testing::internal::CaptureStderr();
  const auto model = RouterModel::Load(directory, {});
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(model.ok()) << model.status();
  ASSERT_NE((*model)->chat_template, nullptr);
  EXPECT_EQ((*model)->chat_template->file(),
            directory + "/chat_template.jinja");
  EXPECT_THAT(log, HasSubstr("chat_template_read"));
  EXPECT_THAT(log, HasSubstr((*model)->chat_template->hash()));
}

TEST(RouterModelTest, RefusesAChatTemplateThatCannotBeUsed) {
  const std::string directory = ModelWith(kTemplate, {"{", "{"});
  std::ofstream(directory + "/chat_template.jinja") << "{% if %}";
  const auto model = RouterModel::Load(directory, {});
  EXPECT_EQ(model.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(model.status().message(),
              HasSubstr(directory + "/chat_template.jinja: "));
  for (const char* option : {"apollo", "chatml"}) {
    RouterModel::Options options;
    options.chat_template = option;
    const auto other = RouterModel::Load(directory, options);
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_EQ((*other)->chat_template, nullptr);
    EXPECT_STREQ(PromptFormatName((*other)->config.prompt_format), option);
  }
}

// Published checkpoints have the template of their base.
TEST(RouterModelTest, AModelWithExpertsHasItsTemplateOnlyIfItSaysSo) {
  const std::string directory = ModelWith({"{", "{"}, {"{", "{"});
  const std::string file = directory + "/chat_template.jinja";
  std::ofstream(file) << "{{ messages[0].content }}";
  EXPECT_EQ((*RouterModel::Load(directory, {}))->chat_template, nullptr);
  RouterModel::Options options;
  options.chat_template = file;
  EXPECT_NE((*RouterModel::Load(directory, options))->chat_template, nullptr);
  options.chat_template = directory + "/none.jinja";
  EXPECT_EQ(RouterModel::Load(directory, options).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(RouterModelTest, RefusesAnUnknownDefaultRouting) {
  RouterModel::Options options;
  options.default_routing = "best";
  const auto model =
      RouterModel::Load(ModelWith({"{", "{"}, {"{", "{"}), options);
  EXPECT_THAT(model.status().message(), HasSubstr("\"best\""));
}

TEST(RouterModelTest, ADenseModelHasFamiliesButNoHybridRouting) {
  const std::string directory = "tests/golden/dense_qwen2";
  const auto model = RouterModel::Load(directory, {});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->families.families().size(), 7u);
  PromptInput input;
  input.language = "sw";
  input.hybrid = true;
  const LanguageChoice choice = ChooseLanguage(**model, input);
  EXPECT_EQ(choice.family, 6);
  EXPECT_EQ(choice.expert, -1);
  EXPECT_FALSE(choice.hybrid);
  EXPECT_EQ(choice.judgement.reason, NoFamily::kDenseModel);
  RouterModel::Options hybrid;
  hybrid.default_routing = "hybrid";
  EXPECT_EQ(RouterModel::Load(directory, hybrid).status().message(),
            "--default_routing is \"hybrid\"; it must be topk, because "
            "tests/golden/dense_qwen2 has no experts");
}

TEST(RouterModelTest, ExpectedLanguagesBecomeCodes) {
  RouterModel::Options options;
  options.language_threshold = 0.7;
  options.expected_languages = {"German", "fr_FR.UTF-8", "DE", "tur"};
  const auto model =
      RouterModel::Load(ModelWith({"{", "{"}, {"{", "{"}), options);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT((*model)->expected_languages,
              testing::ElementsAre("de", "fr", "tr"));
  EXPECT_EQ((*model)->language_threshold, 0.7);
}

TEST(RouterModelTest, RefusesExpectedLanguagesThatCannotBeDetected) {
  const auto error = [](const std::string& language,
                        const std::string& language_model = "") {
    RouterModel::Options options;
    options.expected_languages = {"de", language};
    options.language_model = language_model;
    return std::string(
        RouterModel::Load(ModelWith({"{", "{"}, {"{", "{"}), options)
            .status()
            .message());
  };
  EXPECT_THAT(error("tlh"), HasSubstr("knows no language \"tlh\""));
  EXPECT_THAT(error("zxx"), HasSubstr("knows no language \"zxx\""));
  EXPECT_THAT(error(""),
              HasSubstr("--expected_languages has \"\", which is not"));
  EXPECT_THAT(error("my language"), HasSubstr("--expected_languages has"));
  EXPECT_THAT(error("fr", "cld2"),
              HasSubstr("--expected_languages is set, but --language_model is "
                        "\"cld2\""));
}

TEST(RouterModelTest, WarnsOfUnknownKeysOrRefusesThem) {
  const std::string directory = ModelWith(
      {"\"model_type\"", "\"new_gate\": 1, \"model_type\""}, {"{", "{"});
  testing::internal::CaptureStderr();
  const auto model = RouterModel::Load(directory, {});
  const std::string log = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(log, HasSubstr("model_doubtful"));
  EXPECT_THAT(log, HasSubstr("new_gate"));
  RouterModel::Options strict;
  strict.strict_model = true;
  const auto refused = RouterModel::Load(directory, strict);
  EXPECT_THAT(refused.status().message(),
              HasSubstr("config.json: unknown keys \"new_gate\""));
  EXPECT_THAT(refused.status().message(), HasSubstr("--strict_model"));
}

TEST(RouterModelTest, WarnsOnlyOnceInAProcess) {
  const std::filesystem::path directory = ModelWith(
      {"\"model_type\"", "\"new_gate\": 1, \"model_type\""}, {"{", "{"});
  RouterModel::Options options;
  options.warnings_reported = true;
  testing::internal::CaptureStderr();
  const auto model = RouterModel::Load(directory, options);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_TRUE(model.ok()) << model.status();
}

// Returns the log output of Load.
std::string LogOfLoading(const RouterModel::Options& options) {
  testing::internal::CaptureStderr();
  const auto model =
      RouterModel::Load(ModelWith({"{", "{"}, {"{", "{"}), options);
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(model.ok()) << model.status();
  return log;
}

TEST(RouterModelTest, WarnsOfLanguagesThatAreNeverDetected) {
  EXPECT_EQ(LogOfLoading({}), "");

  const std::string families =
      std::string(testing::TempDir()) + "/families.txt";
  std::ofstream(families) << "0 a: de tlh yi\n1 b: sw\n";
  RouterModel::Options options;
  options.families_file = families;
  const std::string log = LogOfLoading(options);
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
  EXPECT_THAT(log, HasSubstr("\"level\":\"warning\""));
  EXPECT_THAT(log, HasSubstr("languages_not_covered"));
  EXPECT_THAT(log, HasSubstr("\"languages\":\"tlh yi\""));
  EXPECT_THAT(log, HasSubstr("--language_model"));

  options = {};
  options.language_model = "cld2";
  EXPECT_THAT(LogOfLoading(options), HasSubstr("\"languages\":\"ilo doi bm\""));
}

}  // namespace
}  // namespace apollo
