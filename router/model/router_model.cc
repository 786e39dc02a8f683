#include "router/model/router_model.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "model/config/model_warnings.h"
#include "model/language/cld2_detector.h"
#include "model/language/default_detector.h"
#include "model/language/fasttext_detector.h"
#include "model/language/language_codes.h"
#include "model/language/language_names.h"
#include "model/prompt/chat_template.h"
#include "model/prompt/prompt.h"
#include "model/prompt/template_source.h"

namespace apollo {
namespace {

void WarnOfUndetectable(const LanguageDetector& detector) {
  const std::vector<std::string> languages = detector.UndetectableLanguages();
  if (languages.empty()) return;
  LogWarning("languages_not_covered",
             {{"languages", absl::StrJoin(languages, " ")},
              {"reason",
               "the language model has no label for them; requests must set "
               "`language`, or --language_model must name a model that has, or "
               "its labels must be mapped in MODEL.settings"}});
}

// Without the control tokens of the format, no chat could be answered.
absl::Status CheckFormat(const std::string& directory, const std::string& asker,
                         const RouterModel& model) {
  const PromptFormat format = model.config.prompt_format;
  const auto chat =
      EncodeChat(format, {{ChatRole::kUser, ""}}, *model.tokenizer);
  if (chat.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(directory, "/tokenizer.json: ", chat.status().message(),
                   "; ", asker, " \"", PromptFormatName(format), "\""));
}

// Sets config.prompt_format or chat_template.
absl::Status LoadChatFormat(const std::string& directory,
                            const std::string& option, RouterModel& model) {
  ModelConfig& config = model.config;
  if (option == "apollo" || option == "chatml") {
    config.prompt_format =
        option == "apollo" ? PromptFormat::kApollo : PromptFormat::kChatMl;
    return CheckFormat(directory, "the option is --chat_template", model);
  }
  std::optional<TemplateSource> source;
  if (!option.empty()) {
    ASSIGN_OR_RETURN(source, ReadChatTemplate(option, directory));
  } else if (config.chat_template_use != ChatTemplateUse::kNever) {
    ASSIGN_OR_RETURN(source, FindChatTemplate(directory));
  }
  if (!source && config.chat_template_use == ChatTemplateUse::kAlways) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory,
        "/config.json: prompt_format is \"template\", but there is neither "
        "chat_template.jinja nor a template in tokenizer_config.json"));
  }
  if (!source) {
    return CheckFormat(directory, "config.json says prompt_format", model);
  }
  ASSIGN_OR_RETURN(model.chat_template,
                   ChatTemplate::Make(*std::move(source), *model.tokenizer));
  LogInfo("chat_template_read", {{"file", model.chat_template->file()},
                                 {"hash", model.chat_template->hash()}});
  return absl::OkStatus();
}

// Returns the codes of --expected_languages, each once.
absl::StatusOr<std::vector<std::string>> ExpectedCodes(
    const std::vector<std::string>& given, const FamilyTable& families) {
  std::vector<std::string> codes;
  for (const std::string& language : given) {
    const std::string code = FindLanguage(language, families)
                                 .value_or(CanonicalLanguageCode(language));
    if (code.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--expected_languages has \"", language, "\", which ",
                       DescribeUnknownLanguage(language, families),
                       ", or the code of another language"));
    }
    if (std::find(codes.begin(), codes.end(), code) == codes.end()) {
      codes.push_back(code);
    }
  }
  return codes;
}

absl::StatusOr<std::unique_ptr<const LanguageDetector>> MakeDetector(
    const std::string& language_model, const FamilyTable& families,
    const std::vector<std::string>& expected) {
  if (language_model == "cld2") {
    if (!expected.empty()) {
      return absl::InvalidArgumentError(
          "--expected_languages is set, but --language_model is \"cld2\", "
          "which cannot use it; it must be a fastText model or the built-in "
          "one");
    }
    return MakeCld2Detector(families);
  }
  if (language_model.empty()) return MakeDefaultDetector(families, expected);
  return LoadFastTextDetector(language_model, families, expected);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RouterModel>> RouterModel::Load(
    const std::string& directory, const Options& options) {
  if (options.default_routing != "topk" &&
      options.default_routing != "hybrid") {
    return absl::InvalidArgumentError(
        absl::StrCat("--default_routing is \"", options.default_routing,
                     "\"; it must be topk or hybrid"));
  }
  auto model = std::make_unique<RouterModel>();
  const std::filesystem::path path(directory);
  model->name =
      (path.has_filename() ? path : path.parent_path()).filename().string();
  std::vector<std::string> warnings;
  ASSIGN_OR_RETURN(model->config, LoadModelConfig(directory, &warnings));
  if (!options.warnings_reported) {
    RETURN_IF_ERROR(ReportModelWarnings(warnings, options.strict_model));
  }
  ASSIGN_OR_RETURN(model->tokenizer,
                   Tokenizer::Load(directory + "/tokenizer.json"));
  if (model->tokenizer->vocab_size() >
      static_cast<std::size_t>(model->config.vocab_size)) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory, "/tokenizer.json: has ", model->tokenizer->vocab_size(),
        " tokens, but config.json says vocab_size ", model->config.vocab_size));
  }
  RETURN_IF_ERROR(LoadChatFormat(directory, options.chat_template, *model));
  const ChatTemplate* const chats = model->chat_template.get();
  model->ends = FindAnswerEnds(model->config.prompt_format,
                               chats ? chats->text() : "", *model->tokenizer,
                               chats ? chats->EndOfAnswer() : std::nullopt);
  model->fingerprint = FingerprintOf(model->config, directory);
  model->limits.vocab_size = model->config.vocab_size;
  model->default_hybrid = options.default_routing == "hybrid";
  if (model->default_hybrid && model->config.is_dense()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--default_routing is \"hybrid\"; it must be topk, because ", directory,
        " has no experts"));
  }
  ASSIGN_OR_RETURN(model->families,
                   FamilyTable::ForModel(directory, options.families_file,
                                         model->config.num_experts));
  model->language_threshold = options.language_threshold;
  ASSIGN_OR_RETURN(model->expected_languages,
                   ExpectedCodes(options.expected_languages, model->families));
  ASSIGN_OR_RETURN(model->detector,
                   MakeDetector(options.language_model, model->families,
                                model->expected_languages));
  WarnOfUndetectable(*model->detector);
  return model;
}

}  // namespace apollo
