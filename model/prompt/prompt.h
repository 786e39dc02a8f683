#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "model/config/model_config.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

enum class ChatRole { kSystem, kUser, kAssistant };

struct ChatTurn {
  ChatRole role = ChatRole::kUser;
  std::string content;  // UTF-8
};

// The model's prompt for a chat whose last turn is the user's, ending where the
// answer begins. Text of turns never becomes a control token, whatever it says.
//
//   kApollo: system texts on lines of their own, then for each turn
//            "User:{content}\n" or "Assistant:{content}\n", then "Assistant:".
//   kChatMl: for each turn "<|im_start|>{role}\n{content}<|im_end|>\n", then
//            "<|im_start|>assistant\n".
//
// FAILED_PRECONDITION if the tokenizer lacks the format's control tokens;
// errors of Tokenizer::Encode.
absl::StatusOr<std::vector<TokenId>> EncodeChat(
    PromptFormat format, const std::vector<ChatTurn>& turns,
    const Tokenizer& tokenizer);

// "apollo" or "chatml".
const char* PromptFormatName(PromptFormat format);

}  // namespace apollo
