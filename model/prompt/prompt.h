#pragma once

#include <absl/status/statusor.h>

#include <vector>

#include "model/config/model_config.h"
#include "model/prompt/chat_turn.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

// Encodes a chat whose last turn is the user's as a prompt that ends where the
// answer begins. The text of a turn never becomes a control token.
//
//   kApollo: system texts on separate lines, then for each turn
//            "User:{content}\n" or "Assistant:{content}\n", then "Assistant:".
//   kChatMl: for each turn "<|im_start|>{role}\n{content}<|im_end|>\n", then
//            "<|im_start|>assistant\n".
//
// Returns FAILED_PRECONDITION if the tokenizer lacks the control tokens of the
// format, and the errors of Tokenizer::Encode.
absl::StatusOr<std::vector<TokenId>> EncodeChat(
    PromptFormat format, const std::vector<ChatTurn>& turns,
    const Tokenizer& tokenizer);

// Returns "apollo" or "chatml".
const char* PromptFormatName(PromptFormat format);

}  // namespace apollo
