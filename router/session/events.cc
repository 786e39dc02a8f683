#include "router/session/events.h"

namespace apollo {

AnswerStarted MakeStarted(const RouterModel& model,
                          const std::string& request_id,
                          const LanguageChoice& language,
                          std::size_t prompt_tokens, std::uint64_t seed) {
  AnswerStarted started;
  started.request_id = request_id;
  started.language = language;
  started.family_name = FamilyName(model.families, language.family);
  started.prompt_tokens = static_cast<int>(prompt_tokens);
  started.seed = seed;
  return started;
}

}  // namespace apollo
