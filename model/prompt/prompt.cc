#include "model/prompt/prompt.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include <optional>
#include <string>
#include <utility>

#include "common/status_macros.h"

namespace apollo {
namespace {

// Builds token ids from text. Text is encoded in one piece up to the next
// control token, as if the whole prompt were encoded at once.
class Builder {
 public:
  explicit Builder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
    ids_.assign(tokenizer.prefix_ids().begin(), tokenizer.prefix_ids().end());
  }

  void Text(const std::string& text) { text_ += text; }

  absl::Status Control(const char* name) {
    RETURN_IF_ERROR(EndText());
    const std::optional<TokenId> id = tokenizer_.AddedTokenId(name);
    if (!id) {
      return absl::FailedPreconditionError(
          absl::StrCat("the prompt format needs the control token ", name,
                       ", which the tokenizer does not have"));
    }
    ids_.push_back(*id);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<TokenId>> Finish() {
    RETURN_IF_ERROR(EndText());
    return std::move(ids_);
  }

 private:
  absl::Status EndText() {
    ASSIGN_OR_RETURN(const std::vector<TokenId> ids,
                     tokenizer_.Encode(text_, SpecialText::kPlain));
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    text_.clear();
    return absl::OkStatus();
  }

  const Tokenizer& tokenizer_;
  std::string text_;
  std::vector<TokenId> ids_;
};

}  // namespace

absl::StatusOr<std::vector<TokenId>> EncodeChat(
    PromptFormat format, const std::vector<ChatTurn>& turns,
    const Tokenizer& tokenizer) {
  Builder builder(tokenizer);
  for (const ChatTurn& turn : turns) {
    if (format == PromptFormat::kChatMl) {
      RETURN_IF_ERROR(builder.Control("<|im_start|>"));
      builder.Text(absl::StrCat(ChatRoleName(turn.role), "\n", turn.content));
      RETURN_IF_ERROR(builder.Control("<|im_end|>"));
      builder.Text("\n");
    } else {
      builder.Text(absl::StrCat(turn.role == ChatRole::kUser ? "User:"
                                : turn.role == ChatRole::kAssistant
                                    ? "Assistant:"
                                    : "",
                                turn.content, "\n"));
    }
  }
  if (format == PromptFormat::kChatMl) {
    RETURN_IF_ERROR(builder.Control("<|im_start|>"));
    builder.Text("assistant\n");
  } else {
    builder.Text("Assistant:");
  }
  return builder.Finish();
}

const char* PromptFormatName(PromptFormat format) {
  return format == PromptFormat::kChatMl ? "chatml" : "apollo";
}

}  // namespace apollo
