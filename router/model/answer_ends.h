#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config/model_config.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

// What ends an answer because the format of chats says so, besides the end
// tokens of the model (ModelConfig::eos_tokens). A router sends it to the
// workers with each request, so that no worker needs the tokenizer.
// docs/models.md describes it.
struct AnswerEnds {
  // Tokens that end the answers of chats and of prompts: the format's end of a
  // turn. Ascending; at most kMaxEndTokens.
  std::vector<std::int32_t> tokens;
  // Stop strings of chats: the beginning of another turn, where the format has
  // no token for it.
  std::vector<std::string> chat_stops;
};

// Returns the ends for chats of a format, "<|im_end|>" for kChatMl and
// "\nUser:" for kApollo, or for those of a chat template, if its text is not
// empty: `end_of_answer` (ChatTemplate::EndOfAnswer), and the ends of turns of
// published formats that occur in it and are added tokens.
AnswerEnds FindAnswerEnds(PromptFormat format, std::string_view chat_template,
                          const Tokenizer& tokenizer,
                          std::optional<TokenId> end_of_answer = std::nullopt);

}  // namespace apollo
