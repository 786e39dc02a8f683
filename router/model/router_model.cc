#include "router/model/router_model.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "model/config/model_warnings.h"
#include "model/language/cld2_detector.h"
#include "model/language/default_detector.h"
#include "model/language/fasttext_detector.h"
#include "model/prompt/prompt.h"

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
  RETURN_IF_ERROR(ReportModelWarnings(warnings, options.strict_model));
  ASSIGN_OR_RETURN(model->tokenizer,
                   Tokenizer::Load(directory + "/tokenizer.json"));
  if (model->tokenizer->vocab_size() >
      static_cast<std::size_t>(model->config.vocab_size)) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory, "/tokenizer.json: has ", model->tokenizer->vocab_size(),
        " tokens, but config.json says vocab_size ", model->config.vocab_size));
  }
  // Without the control tokens of the format, no chat could be answered.
  const auto chat = EncodeChat(model->config.prompt_format,
                               {{ChatRole::kUser, ""}}, *model->tokenizer);
  if (!chat.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, "/tokenizer.json: ", chat.status().message(),
                     "; config.json says prompt_format \"",
                     PromptFormatName(model->config.prompt_format), "\""));
  }
  model->fingerprint = FingerprintOf(model->config, directory);
  model->limits.vocab_size = model->config.vocab_size;
  model->default_hybrid = options.default_routing == "hybrid";
  ASSIGN_OR_RETURN(model->families,
                   FamilyTable::ForModel(directory, options.families_file,
                                         model->config.num_experts));
  if (options.language_model.empty()) {
    ASSIGN_OR_RETURN(model->detector, MakeDefaultDetector(model->families));
  } else if (options.language_model == "cld2") {
    model->detector = MakeCld2Detector(model->families);
  } else {
    ASSIGN_OR_RETURN(
        model->detector,
        LoadFastTextDetector(options.language_model, model->families));
  }
  WarnOfUndetectable(*model->detector);
  return model;
}

}  // namespace apollo
