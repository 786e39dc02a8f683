#include "router/model/prompt_tokens.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

#include "common/status_macros.h"
#include "common/strings.h"
#include "model/prompt/prompt.h"
#include "router/request/field_error.h"

namespace apollo {
namespace {

absl::StatusOr<std::vector<std::int32_t>> EncodeWithTemplate(
    const ChatTemplate& chat_template, const std::vector<ChatTurn>& chat) {
  auto ids = chat_template.Encode(chat);
  // The chat is at fault, also if it is only too much for the template: a
  // client must not repeat it.
  if (const auto code = ids.status().code();
      code == absl::StatusCode::kInvalidArgument ||
      code == absl::StatusCode::kResourceExhausted) {
    return FieldError("chat", ToStd(ids.status().message()));
  }
  return ids;
}

}  // namespace

const char* PromptField(const PromptInput& input) {
  if (input.is_chat) return "chat";
  return input.is_tokens ? "tokenized.input_ids" : "prompt";
}

absl::StatusOr<std::vector<std::int32_t>> EncodePrompt(
    const RouterModel& model, const PromptInput& input) {
  std::vector<std::int32_t> ids;
  if (input.is_chat && model.chat_template != nullptr) {
    ASSIGN_OR_RETURN(ids, EncodeWithTemplate(*model.chat_template, input.chat));
  } else if (input.is_chat) {
    ASSIGN_OR_RETURN(ids, EncodeChat(model.config.prompt_format, input.chat,
                                     *model.tokenizer));
  } else if (input.is_tokens) {
    ids = input.tokens;
  } else {
    ASSIGN_OR_RETURN(
        ids, model.tokenizer->Encode(input.prompt, input.parse_special_tokens
                                                       ? SpecialText::kParse
                                                       : SpecialText::kPlain));
    const auto prefix = model.tokenizer->prefix_ids();
    ids.insert(ids.begin(), prefix.begin(), prefix.end());
  }
  const char* field = PromptField(input);
  if (ids.empty()) return FieldError(field, "has no tokens");
  if (ids.size() >= static_cast<std::size_t>(model.config.max_context)) {
    return FieldError(
        field,
        absl::StrCat("has ", ids.size(), " tokens; it must have fewer than ",
                     "the context of ", model.config.max_context,
                     " to leave room for the answer"));
  }
  return ids;
}

absl::StatusOr<int> AllowedNewTokens(const RouterModel& model, int asked,
                                     std::size_t prompt_tokens) {
  const int room = model.config.max_context - static_cast<int>(prompt_tokens);
  if (asked == 0) return std::min(room, model.limits.max_new_tokens);
  if (asked > room) {
    return FieldError(
        "max_new_tokens",
        absl::StrCat("is ", asked, "; the prompt's ", prompt_tokens,
                     " tokens leave room for ", room, " in the context of ",
                     model.config.max_context));
  }
  return asked;
}

}  // namespace apollo
