#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/fingerprint.h"
#include "model/config/model_config.h"
#include "model/language/detector.h"
#include "model/language/families.h"
#include "model/tokenizer/tokenizer.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/limits.h"
#include "router/validation.h"
#include "sequence/generation.h"

namespace apollo {

// What a router knows: everything about text and language, nothing about
// weights. Immutable, so safe from any thread.
struct RouterModel {
  std::string name;  // For GetModel.
  ModelConfig config;
  ModelFingerprint fingerprint;
  std::unique_ptr<const Tokenizer> tokenizer;
  FamilyTable families = FamilyTable::Paper();
  std::unique_ptr<const LanguageDetector> detector;
  RequestLimits limits;
  bool default_hybrid = false;
  // Below this confidence no family is forced.
  double min_family_confidence = 0.5;

  struct Options {
    std::string families_file;             // Empty: see Load.
    std::string default_routing = "topk";  // or "hybrid"
    // A fastText model, or "cld2"; empty: the classifier that is compiled in.
    std::string language_model;
  };
  // Reads config.json and tokenizer.json of a model directory. The families
  // come from the file named, else from families.txt in the directory, else
  // they are the paper's.
  static absl::StatusOr<std::unique_ptr<RouterModel>> Load(
      const std::string& directory, const Options& options);
};

// The language of a request and what follows from it.
struct LanguageChoice {
  std::string language;  // Empty: could not be told.
  // Under which its tokens are counted. Empty: a guess that was too doubtful to
  // choose a family by.
  std::string counted_language;
  double confidence = 0;  // 1 if it was given.
  int family = -1;        // Expert of its family, or -1.
  bool hybrid = false;    // Asked for, and a family is known.
};

// The language given, or the detected one: that of the user's last message in a
// chat. A family needs min_family_confidence; without one hybrid routing
// becomes top-k.
LanguageChoice ChooseLanguage(const RouterModel& model,
                              const PromptInput& input);

// The prompt's tokens. FieldError if there are none or they leave no room in
// the context for one more token.
absl::StatusOr<std::vector<std::int32_t>> EncodePrompt(
    const RouterModel& model, const PromptInput& input);

// How many tokens may be generated: what was asked for, or all that the limits
// and the context allow if 0. FieldError if they do not fit.
absl::StatusOr<int> AllowedNewTokens(const RouterModel& model, int asked,
                                     std::size_t prompt_tokens);

// Fills in all but workers and cached_tokens.
v1::GenerateStarted MakeStarted(const RouterModel& model,
                                const std::string& request_id,
                                const LanguageChoice& choice,
                                std::size_t prompt_tokens, std::uint64_t seed);

// Names a family only if ChooseLanguage would.
v1::DetectLanguageResponse Detect(const RouterModel& model,
                                  const std::string& text);

v1::GetModelResponse DescribeModel(const RouterModel& model,
                                   const std::string& model_hash);

// "r-" and 16 random hexadecimal digits.
std::string NewRequestId();
std::uint64_t NewSeed();

}  // namespace apollo
