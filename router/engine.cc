#include "router/engine.h"

#include <absl/random/random.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"
#include "model/language/chat_detection.h"
#include "model/language/cld2_detector.h"
#include "model/language/default_detector.h"
#include "model/language/family_guess.h"
#include "model/language/fasttext_detector.h"
#include "router/field_error.h"
#include "serving/version.h"

namespace apollo {
namespace {

std::string FamilyName(const FamilyTable& families, int expert) {
  for (const Family& family : families.families()) {
    if (family.expert == expert) return family.name;
  }
  return "";
}

// Nothing if none is likely enough.
std::optional<FamilyGuess> ChooseFamily(const RouterModel& model,
                                        const Detection& detection) {
  std::optional<FamilyGuess> guess = GuessFamily(detection, model.families);
  if (guess && guess->confidence < model.min_family_confidence) guess.reset();
  return guess;
}

void WarnOfUndetectable(const LanguageDetector& detector) {
  const std::vector<std::string> languages = detector.UndetectableLanguages();
  if (languages.empty()) return;
  LogWarning("languages_without_detection",
             {{"languages", absl::StrJoin(languages, " ")},
              {"reason",
               "the language model has no label for them: requests must name "
               "them in `language`; or give --language_model one that knows "
               "them, or map its labels in MODEL.settings"}});
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
  ASSIGN_OR_RETURN(model->config, LoadModelConfig(directory));
  ASSIGN_OR_RETURN(model->tokenizer,
                   Tokenizer::Load(directory + "/tokenizer.json"));
  if (model->tokenizer->vocab_size() >
      static_cast<std::size_t>(model->config.vocab_size)) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory, "/tokenizer.json: has ", model->tokenizer->vocab_size(),
        " tokens, but config.json says vocab_size ", model->config.vocab_size));
  }
  // A chat's control tokens are there, or no chat could ever be answered.
  const auto chat = EncodeChat(model->config.prompt_format,
                               {{ChatRole::kUser, ""}}, *model->tokenizer);
  if (!chat.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, "/tokenizer.json: ", chat.status().message(),
                     "; config.json says prompt_format \"",
                     PromptFormatName(model->config.prompt_format), "\""));
  }
  model->fingerprint = FingerprintOf(model->config, directory);
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

LanguageChoice ChooseLanguage(const RouterModel& model,
                              const PromptInput& input) {
  LanguageChoice choice;
  if (!input.language.empty()) {
    choice.language = input.language;
    choice.counted_language = input.language;
    choice.confidence = 1;
    choice.family = model.families.ExpertOf(input.language).value_or(-1);
  } else {
    Detection detection;
    if (input.is_chat) {
      std::vector<std::string_view> messages;
      for (const ChatTurn& turn : input.chat) {
        if (turn.role == ChatRole::kUser) messages.push_back(turn.content);
      }
      detection = DetectChat(*model.detector, messages);
    } else {
      detection = model.detector->Detect(input.prompt);
    }
    if (!detection.candidates.empty()) {
      choice.language = detection.candidates.front().language;
      choice.confidence = detection.candidates.front().confidence;
    }
    if (const auto guess = ChooseFamily(model, detection)) {
      choice.family = guess->expert;
      choice.counted_language = choice.language;
    }
  }
  choice.hybrid = input.hybrid && choice.family >= 0;
  return choice;
}

absl::StatusOr<std::vector<std::int32_t>> EncodePrompt(
    const RouterModel& model, const PromptInput& input) {
  std::vector<std::int32_t> ids;
  if (input.is_chat) {
    ASSIGN_OR_RETURN(ids, EncodeChat(model.config.prompt_format, input.chat,
                                     *model.tokenizer));
  } else {
    ASSIGN_OR_RETURN(
        ids, model.tokenizer->Encode(input.prompt, input.parse_special_tokens
                                                       ? SpecialText::kParse
                                                       : SpecialText::kPlain));
    const auto prefix = model.tokenizer->prefix_ids();
    ids.insert(ids.begin(), prefix.begin(), prefix.end());
  }
  const char* field = input.is_chat ? "chat" : "prompt";
  if (ids.empty()) return FieldError(field, "has no tokens");
  if (ids.size() >= static_cast<std::size_t>(model.config.max_context)) {
    return FieldError(
        field, absl::StrCat("has ", ids.size(), " tokens; the context has ",
                            model.config.max_context,
                            ", and the answer needs room in it too"));
  }
  return ids;
}

absl::StatusOr<int> AllowedNewTokens(const RouterModel& model, int asked,
                                     std::size_t prompt_tokens) {
  const int room = model.config.max_context - static_cast<int>(prompt_tokens);
  if (asked == 0) return std::min(room, model.limits.max_new_tokens);
  if (asked > room) {
    return FieldError(
        "max_new_tokens",
        absl::StrCat("is ", asked, "; the prompt's ", prompt_tokens,
                     " tokens leave room for ", room, " in the context of ",
                     model.config.max_context));
  }
  return asked;
}

v1::GenerateStarted MakeStarted(const RouterModel& model,
                                const std::string& request_id,
                                const LanguageChoice& choice,
                                std::size_t prompt_tokens, std::uint64_t seed) {
  v1::GenerateStarted started;
  started.set_request_id(request_id);
  started.set_language(choice.language);
  started.set_confidence(static_cast<float>(choice.confidence));
  started.set_family(choice.family);
  started.set_family_name(FamilyName(model.families, choice.family));
  started.set_routing(choice.hybrid ? v1::ROUTING_MODE_HYBRID
                                    : v1::ROUTING_MODE_TOPK);
  started.set_prompt_tokens(static_cast<std::uint32_t>(prompt_tokens));
  started.set_seed(seed);
  return started;
}

v1::DetectLanguageResponse Detect(const RouterModel& model,
                                  const std::string& text) {
  v1::DetectLanguageResponse response;
  const Detection detection = model.detector->Detect(text);
  response.set_family(-1);
  for (const LanguageGuess& guess : detection.candidates) {
    v1::LanguageCandidate* candidate = response.add_candidates();
    candidate->set_language(guess.language);
    candidate->set_confidence(static_cast<float>(guess.confidence));
    candidate->set_family(model.families.ExpertOf(guess.language).value_or(-1));
  }
  if (response.candidates_size() > 0) {
    response.set_language(response.candidates(0).language());
    response.set_confidence(response.candidates(0).confidence());
  }
  if (const auto guess = ChooseFamily(model, detection)) {
    response.set_family(guess->expert);
    response.set_family_name(FamilyName(model.families, guess->expert));
  }
  return response;
}

v1::GetModelResponse DescribeModel(const RouterModel& model,
                                   const std::string& model_hash) {
  const ModelConfig& c = model.config;
  v1::GetModelResponse out;
  out.set_name(model.name);
  out.set_architecture(c.architecture);
  out.set_model_hash(model_hash);
  out.set_layers(c.num_layers);
  out.set_boundary(c.boundary);
  out.set_hidden_size(c.hidden_size);
  out.set_vocab_size(c.vocab_size);
  out.set_experts(c.num_experts);
  out.set_experts_per_token(c.experts_per_token);
  out.set_max_context_tokens(c.max_context);
  out.set_max_new_tokens(model.limits.max_new_tokens);
  out.set_default_routing(model.default_hybrid ? v1::ROUTING_MODE_HYBRID
                                               : v1::ROUTING_MODE_TOPK);
  out.set_prompt_format(PromptFormatName(c.prompt_format));
  for (const Family& family : model.families.families()) {
    v1::FamilyInfo* info = out.add_families();
    info->set_expert(family.expert);
    info->set_name(family.name);
    for (const std::string& language : family.languages) {
      info->add_languages(language);
    }
  }
  out.set_server_version(kVersion);
  return out;
}

std::uint64_t NewSeed() {
  static thread_local absl::BitGen generator;
  return absl::Uniform<std::uint64_t>(generator);
}

std::string NewRequestId() { return absl::StrFormat("r-%016x", NewSeed()); }

}  // namespace apollo
