#include "router/model/language_choice.h"

#include <algorithm>
#include <string_view>

#include "model/language/chat_detection.h"
#include "model/language/family_guess.h"
#include "model/tokenizer/stream_decoder.h"

namespace apollo {
namespace {

// The reason for a family that was not chosen.
NoFamily ReasonOf(const Detection& detection, double family_confidence) {
  double named = 0;
  for (const LanguageGuess& guess : detection.candidates) {
    named += guess.confidence;
  }
  // See the contract of Detection.
  const double others = 1 - named - detection.neutral;
  if (others > std::max(family_confidence, detection.neutral)) {
    return NoFamily::kNotInFamilies;
  }
  return detection.candidates.empty() ? NoFamily::kNotDetected
                                      : NoFamily::kUncertain;
}

FamilyJudgement Judge(const RouterModel& model, const Detection& detection) {
  FamilyJudgement judgement;
  if (const auto guess = GuessFamily(detection, model.families)) {
    judgement.likely = guess->expert;
    judgement.confidence = guess->confidence;
    if (guess->confidence >= model.language_threshold) {
      judgement.chosen = guess->expert;
    }
  }
  if (model.config.is_dense()) {
    judgement.reason = NoFamily::kDenseModel;
  } else if (judgement.chosen >= 0) {
    judgement.reason = NoFamily::kNone;
  } else {
    judgement.reason = ReasonOf(detection, judgement.confidence);
  }
  return judgement;
}

// The judgement of a language given by the client.
FamilyJudgement JudgeGiven(const RouterModel& model,
                           const std::string& language) {
  FamilyJudgement judgement;
  judgement.likely = model.families.ExpertOf(language).value_or(-1);
  judgement.chosen = judgement.likely;
  judgement.confidence = 1;
  judgement.reason = model.config.is_dense() ? NoFamily::kDenseModel
                     : judgement.chosen < 0  ? NoFamily::kNotInFamilies
                                             : NoFamily::kNone;
  return judgement;
}

std::string TextOf(const Tokenizer& tokenizer,
                   const std::vector<std::int32_t>& tokens) {
  StreamDecoder decoder(tokenizer, /*skip_special=*/true);
  std::string text;
  for (const std::int32_t token : tokens) text += decoder.Append(token);
  return text + decoder.Flush();
}

Detection DetectInput(const RouterModel& model, const PromptInput& input) {
  if (input.is_tokens) {
    return model.detector->Detect(TextOf(*model.tokenizer, input.tokens));
  }
  if (!input.is_chat) return model.detector->Detect(input.prompt);
  std::vector<std::string_view> messages;
  for (const ChatTurn& turn : input.chat) {
    if (turn.role == ChatRole::kUser) messages.push_back(turn.content);
  }
  return DetectChat(*model.detector, messages);
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
  choice.threshold = model.language_threshold;
  if (!input.language.empty()) {
    choice.given = true;
    choice.language = input.language;
    choice.counted_language = input.language;
    choice.confidence = 1;
    choice.judgement = JudgeGiven(model, input.language);
  } else {
    const Detection detection = DetectInput(model, input);
    if (!detection.candidates.empty()) {
      choice.language = detection.candidates.front().language;
      choice.confidence = detection.candidates.front().confidence;
    }
    choice.judgement = Judge(model, detection);
    if (choice.judgement.chosen >= 0) {
      choice.counted_language = choice.language;
    }
  }
  choice.family = choice.judgement.chosen;
  if (!model.config.is_dense()) choice.expert = choice.family;
  choice.hybrid = input.hybrid && choice.expert >= 0;
  return choice;
}

LanguageChoice ResumedLanguage(const RouterModel& model,
                               const PromptInput& input,
                               const std::string& language, int family) {
  LanguageChoice choice;
  choice.threshold = model.language_threshold;
  choice.given = !input.language.empty();
  choice.language = language;
  choice.confidence = language.empty() ? 0 : 1;
  choice.judgement.likely = family;
  choice.judgement.chosen = family;
  choice.judgement.confidence = family < 0 ? 0 : 1;
  choice.judgement.reason = model.config.is_dense() ? NoFamily::kDenseModel
                            : family >= 0           ? NoFamily::kNone
                            : language.empty()      ? NoFamily::kNotDetected
                                                    : NoFamily::kUncertain;
  if (family >= 0) choice.counted_language = language;
  choice.family = family;
  if (!model.config.is_dense()) choice.expert = family;
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
  report.neutral = detection.neutral;
  report.threshold = model.language_threshold;
  report.judgement = Judge(model, detection);
  report.family = report.judgement.chosen;
  report.family_name = FamilyName(model.families, report.family);
  return report;
}

}  // namespace apollo
