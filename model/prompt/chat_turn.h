#pragma once

#include <string>

namespace apollo {

enum class ChatRole { kSystem, kUser, kAssistant };

struct ChatTurn {
  ChatRole role = ChatRole::kUser;
  std::string content;  // UTF-8
};

// Returns "system", "user" or "assistant".
const char* ChatRoleName(ChatRole role);

}  // namespace apollo
