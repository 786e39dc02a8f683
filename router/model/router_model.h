#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "model/config/fingerprint.h"
#include "model/config/model_config.h"
#include "model/language/detector.h"
#include "model/language/families.h"
#include "model/tokenizer/tokenizer.h"
#include "router/request/limits.h"

namespace apollo {

// A model as a router knows it: everything about text and language, nothing
// about weights. Immutable, so safe from any thread.
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

}  // namespace apollo
