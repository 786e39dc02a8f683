#pragma once

#include <string>
#include <vector>

#include "model/language/families.h"
#include "router/model/router_model.h"
#include "router/request/request.h"

namespace apollo {

// The reason for which the expert of a family is not used.
enum class NoFamily {
  kNone,           // A family was chosen, and it has an expert.
  kNotDetected,    // The text says nothing about its language.
  kUncertain,      // The confidence in the family is below the threshold.
  kNotInFamilies,  // Most likely a language outside the families table.
  kDenseModel,     // The model has no experts.
};

// The most likely family and how it was judged.
struct FamilyJudgement {
  int likely = -1;        // The most likely family; -1 if none.
  double confidence = 0;  // In that family: the sum over its languages.
  int chosen = -1;        // `likely` if its confidence suffices, else -1.
  NoFamily reason = NoFamily::kNotDetected;
};

// The language of a request, its family and its routing.
struct LanguageChoice {
  std::string language;  // Empty if no language was detected.
  bool given = false;    // By the client.
  // The language to count the tokens under. Empty if the detection was not
  // confident enough to choose a family.
  std::string counted_language;
  double confidence = 0;  // 1 for a language given by the client.
  int family = -1;        // The language's family; -1 if none.
  int expert = -1;        // That of the family; -1 if the model has no experts.
  bool hybrid = false;    // Requested, and there is an expert.
  FamilyJudgement judgement;
  double threshold = 0;  // The least confidence to choose a family.
};

// Returns the language given by the client, or else the detected one (in a
// chat, of the user's last message; for token ids, in their text without
// control tokens). A detected family needs the model's language_threshold;
// without a family, or without experts, hybrid routing falls back to top-k.
LanguageChoice ChooseLanguage(const RouterModel& model,
                              const PromptInput& input);

// Returns the choice that was made when an answer began, from what its client
// was told then: the language (empty: none) and the family (-1: none). Its
// confidences are 1. Both must be right (CheckResume).
LanguageChoice ResumedLanguage(const RouterModel& model,
                               const PromptInput& input,
                               const std::string& language, int family);

struct LanguageCandidate {
  std::string language;
  double confidence = 0;
  int family = -1;
};

// The candidate languages of a text.
struct LanguageReport {
  std::vector<LanguageCandidate> candidates;  // Best first.
  // The family that ChooseLanguage would choose for the text; -1 if none.
  int family = -1;
  std::string family_name;
  double neutral = 0;  // The probability of no language.
  FamilyJudgement judgement;
  double threshold = 0;
};

LanguageReport DetectLanguage(const RouterModel& model,
                              const std::string& text);

// Returns the name of the family that `expert` serves; empty if there is none.
std::string FamilyName(const FamilyTable& families, int expert);

}  // namespace apollo
