#include "router/model/answer_ends.h"

#include <algorithm>

namespace apollo {
namespace {

// Tokens that end a turn in the published formats: ChatML (Qwen, SmolLM2),
// Llama 3 (the second after a call of a tool), Gemma, Llama 4, Command R. A
// template may write one of them only behind some answers.
constexpr std::string_view kEndsOfTurns[] = {
    "<|im_end|>",    "<|eot_id|>", "<|eom_id|>",
    "<end_of_turn>", "<|eot|>",    "<|END_OF_TURN_TOKEN|>",
};

}  // namespace

AnswerEnds FindAnswerEnds(PromptFormat format, std::string_view chat_template,
                          const Tokenizer& tokenizer,
                          std::optional<TokenId> end_of_answer) {
  AnswerEnds ends;
  if (end_of_answer) ends.tokens.push_back(*end_of_answer);
  if (chat_template.empty() && format == PromptFormat::kChatMl) {
    chat_template = "<|im_end|>";
  }
  for (const std::string_view name : kEndsOfTurns) {
    if (chat_template.find(name) == chat_template.npos) continue;
    const std::optional<TokenId> id = tokenizer.AddedTokenId(name);
    if (id.has_value()) ends.tokens.push_back(*id);
  }
  std::sort(ends.tokens.begin(), ends.tokens.end());
  ends.tokens.erase(std::unique(ends.tokens.begin(), ends.tokens.end()),
                    ends.tokens.end());
  if (chat_template.empty()) ends.chat_stops.push_back("\nUser:");
  return ends;
}

}  // namespace apollo
