#pragma once

#include <string>
#include <vector>

#include "model/language/families.h"
#include "router/model/router_model.h"
#include "router/request/request.h"

namespace apollo {

// The language of a request, its family and its routing.
struct LanguageChoice {
  std::string language;  // Empty if no language was detected.
  // The language to count the tokens under. Empty if the detection was not
  // confident enough to choose a family.
  std::string counted_language;
  double confidence = 0;  // 1 for a language given by the client.
  int family = -1;        // The language's family; -1 if none.
  int expert = -1;        // That of the family; -1 if the model has no experts.
  bool hybrid = false;    // Requested, and there is an expert.
};

// Returns the language given by the client, or else the detected one (in a
// chat, of the user's last message; for token ids, in their text without
// control tokens). A detected family needs
// min_family_confidence; without a family, or without experts, hybrid routing
// falls back to top-k.
LanguageChoice ChooseLanguage(const RouterModel& model,
                              const PromptInput& input);

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
};

LanguageReport DetectLanguage(const RouterModel& model,
                              const std::string& text);

// Returns the name of the family that `expert` serves; empty if there is none.
std::string FamilyName(const FamilyTable& families, int expert);

}  // namespace apollo
