#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <vector>

#include "model/config/fingerprint.h"
#include "model/config/model_config.h"
#include "model/language/detector.h"
#include "model/language/families.h"
#include "model/prompt/chat_template.h"
#include "model/tokenizer/tokenizer.h"
#include "router/model/answer_ends.h"
#include "router/request/limits.h"

namespace apollo {

// The router's view of a model: everything about text and language, nothing
// about weights. Immutable, hence thread-safe.
struct RouterModel {
  std::string name;  // For GetModel.
  ModelConfig config;
  ModelFingerprint fingerprint;
  std::unique_ptr<const Tokenizer> tokenizer;
  AnswerEnds ends;
  // Null: chats have the format config.prompt_format. Refers to `tokenizer`.
  std::unique_ptr<const ChatTemplate> chat_template;
  FamilyTable families = FamilyTable::Paper();
  std::unique_ptr<const LanguageDetector> detector;
  RequestLimits limits;
  bool default_hybrid = false;
  // Minimum confidence of a detected family for the router to use it, from 0 to
  // 1.
  double language_threshold = 0.5;
  // Languages that the deployment expects, as codes; empty: any.
  std::vector<std::string> expected_languages;

  struct Options {
    std::string families_file;             // Empty: see Load.
    std::string default_routing = "topk";  // or "hybrid"
    // A fastText model file, or "cld2"; empty: the built-in classifier.
    std::string language_model;
    // The file of a chat template, "apollo" or "chatml"; empty: see Load.
    std::string chat_template;
    double language_threshold = 0.5;
    // Languages in any form that FindLanguage understands, or other codes that
    // the language model knows; not with "cld2".
    std::vector<std::string> expected_languages;
    bool strict_model = false;
    // Another role of the process has opened the model and reported the
    // warnings about config.json, so that Load need not.
    bool warnings_reported = false;
  };
  // Loads config.json, tokenizer.json and the chat template of a model
  // directory. Without an option, chats have the format that config.json names
  // as "prompt_format", else Apollo's, or without experts that of the template
  // (template_source.h) if there is one. The families come from
  // `families_file`, else from families.txt in the directory, else they are
  // those of the paper. Logs the warnings about config.json, or returns
  // INVALID_ARGUMENT for them if `strict_model`.
  static absl::StatusOr<std::unique_ptr<RouterModel>> Load(
      const std::string& directory, const Options& options);
};

}  // namespace apollo
