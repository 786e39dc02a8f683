#include "router/model/language_choice.h"

#include <optional>
#include <string_view>

#include "model/language/chat_detection.h"
#include "model/language/family_guess.h"
#include "model/tokenizer/stream_decoder.h"

namespace apollo {
namespace {

// Returns the most likely family, or nothing if its confidence is below the
// threshold.
std::optional<FamilyGuess> ChooseFamily(const RouterModel& model,
                                        const Detection& detection) {
  std::optional<FamilyGuess> guess = GuessFamily(detection, model.families);
  if (guess && guess->confidence < model.min_family_confidence) guess.reset();
  return guess;
}

std::string TextOf(const Tokenizer& tokenizer,
                   const std::vector<std::int32_t>& tokens) {
  StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  std::string text;
  for (const std::int32_t token : tokens) text += decoder.Append(token);
  return text + decoder.Flush();
}

}  // namespace

std::string FamilyName(const FamilyTable& families, int expert) {
  for (const Family& family : families.families()) {
    if (family.expert == expert) return family.name;
  }
  return "";
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
    } else if (input.is_tokens) {
      detection =
          model.detector->Detect(TextOf(*model.tokenizer, input.tokens));
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
  if (!model.config.is_dense()) choice.expert = choice.family;
  choice.hybrid = input.hybrid && choice.expert >= 0;
  return choice;
}

LanguageReport DetectLanguage(const RouterModel& model,
                              const std::string& text) {
  LanguageReport report;
  const Detection detection = model.detector->Detect(text);
  for (const LanguageGuess& guess : detection.candidates) {
    report.candidates.push_back(
        {guess.language, guess.confidence,
         model.families.ExpertOf(guess.language).value_or(-1)});
  }
  if (const auto guess = ChooseFamily(model, detection)) {
    report.family = guess->expert;
    report.family_name = FamilyName(model.families, guess->expert);
  }
  return report;
}

}  // namespace apollo
