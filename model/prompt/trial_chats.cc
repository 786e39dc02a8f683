#include "model/prompt/trial_chats.h"

#include <string>
#include <utility>

namespace apollo {
namespace {

// As many as a request may have (RequestLimits::max_chat_messages).
constexpr int kManyTurns = 256;
constexpr int kLongTextBytes = 1 << 18;

ChatTurn System() { return {ChatRole::kSystem, "Answer in one sentence."}; }
ChatTurn Question() { return {ChatRole::kUser, "Is this a trial?"}; }
ChatTurn Answer() { return {ChatRole::kAssistant, "It is a trial."}; }

std::string LongText() {
  constexpr const char* kPiece =
      "One 'two' \"three\"\n\n\\four {{ five }} {% six %} <seven>, 8.\t";
  std::string text;
  while (text.size() < kLongTextBytes) text += kPiece;
  return text;
}

}  // namespace

std::vector<TrialChat> SmallTrialChats() {
  return {
      {{Question()}, true},
      {{System(), Question()}, false},
      {{Question(), Answer(), Question()}, false},
      {{System(), Question(), Answer(), Question()}, false},
      {{Question(), Question()}, false},
  };
}

std::vector<TrialChat> LargeTrialChats() {
  std::vector<ChatTurn> many;
  for (int i = 0; i + 2 < kManyTurns; i += 2) {
    many.push_back(Question());
    many.push_back(Answer());
  }
  many.push_back(Question());
  std::vector<ChatTurn> many_with_system = many;
  many_with_system.insert(many_with_system.begin(), System());
  const std::string text = LongText();
  return {
      {std::move(many), false},
      {std::move(many_with_system), false},
      {{{ChatRole::kUser, text}}, false},
      {{{ChatRole::kSystem, text},
        Question(),
        {ChatRole::kAssistant, text},
        Question()},
       false},
  };
}

}  // namespace apollo
