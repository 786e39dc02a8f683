#pragma once

#include <vector>

#include "model/prompt/chat_turn.h"

namespace apollo {

// A chat of the kinds that clients send, without text of anyone.
struct TrialChat {
  std::vector<ChatTurn> turns;
  bool required = false;  // A template must not refuse it.
};

// Returns chats of one to a few turns, with and without a system message. The
// first is required: one question.
std::vector<TrialChat> SmallTrialChats();

// Returns chats with many turns, and with long texts.
std::vector<TrialChat> LargeTrialChats();

}  // namespace apollo
