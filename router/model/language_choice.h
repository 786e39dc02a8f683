#pragma once

#include <string>
#include <vector>

#include "model/language/families.h"
#include "router/model/router_model.h"
#include "router/request/request.h"

namespace apollo {

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

// Chooses the language given, or the detected one: that of the user's last
// message in a chat. A family needs min_family_confidence; without one hybrid
// routing becomes top-k.
LanguageChoice ChooseLanguage(const RouterModel& model,
                              const PromptInput& input);

struct LanguageCandidate {
  std::string language;
  double confidence = 0;
  int family = -1;
};

// The languages that a text may be in.
struct LanguageReport {
  std::vector<LanguageCandidate> candidates;  // Best first.
  // The one that ChooseLanguage would choose for it; -1 if none.
  int family = -1;
  std::string family_name;
};

LanguageReport DetectLanguage(const RouterModel& model,
                              const std::string& text);

// Returns the name of an expert's family; empty if it has none.
std::string FamilyName(const FamilyTable& families, int expert);

}  // namespace apollo
