#include "model/prompt/chat_template.h"

#include <absl/status/status.h>
#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/strings.h"
#include "model/prompt/characters.h"
#include "model/prompt/private_characters.h"
#include "model/prompt/trial.h"
#include "model/prompt/trial_chats.h"

namespace apollo {
namespace {

bool HasPrivateCharacters(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::int32_t c = NextCharacter(text, &at);
    if (c >= kHiddenBegin && c < kMarksEnd) return true;
  }
  return false;
}

// Checks a text that a template made of a trial chat. Neither source nor chat
// has what minja writes for values that Jinja writes otherwise.
absl::Status CheckTrialText(std::string_view source, std::string_view text) {
  if (text.empty()) {
    return absl::InvalidArgumentError("it writes nothing for a chat");
  }
  const auto adds = [&](std::string_view word) {
    return text.find(word) != text.npos && source.find(word) == source.npos;
  };
  if (adds("None")) {
    return absl::InvalidArgumentError(
        "it adds a variable that is not defined, or none, to a text");
  }
  if (adds("{'") || adds("null")) {
    return absl::InvalidArgumentError(
        "it writes a whole object or list, as a message is; it must write a "
        "text");
  }
  return absl::OkStatus();
}

// Renders the chats, which must neither fail nor, if required, be refused.
absl::Status TryChats(std::string_view source, const JinjaTemplate& jinja,
                      JinjaTemplate::Input input,
                      std::vector<TrialChat> chats) {
  for (TrialChat& chat : chats) {
    input.turns = std::move(chat.turns);
    std::string detail;
    const auto text = jinja.Render(input, &detail);
    if (text.ok()) {
      RETURN_IF_ERROR(CheckTrialText(source, *text));
      continue;
    }
    const bool refused =
        text.status().code() == absl::StatusCode::kInvalidArgument;
    if (refused && !chat.required) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        refused ? "a single question " : "", text.status().message(),
        detail.empty() ? "" : ": ", detail));
  }
  return absl::OkStatus();
}

}  // namespace

ChatTemplate::ChatTemplate(TemplateSource source, const Tokenizer& tokenizer,
                           Clock clock)
    : source_(std::move(source)),
      tokenizer_(tokenizer),
      clock_(std::move(clock)),
      hash_(Sha256Hex(source_.text).substr(0, 16)) {}

absl::StatusOr<std::unique_ptr<const ChatTemplate>> ChatTemplate::Make(
    TemplateSource source, const Tokenizer& tokenizer, Clock clock) {
  const std::string file = source.file;
  std::unique_ptr<ChatTemplate> made(
      new ChatTemplate(std::move(source), tokenizer, std::move(clock)));
  // The child is the first to parse, because that may crash, too.
  const absl::Status tried = TryInChild([&made] {
    RETURN_IF_ERROR(made->Parse());
    return made->CheckTrials();
  });
  if (!tried.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        file, ": the chat template cannot be used: ", tried.message(),
        "; --chat_template can name another one, \"apollo\" or \"chatml\""));
  }
  RETURN_IF_ERROR(made->Parse());
  return made;
}

absl::Status ChatTemplate::Parse() {
  if (HasPrivateCharacters(source_.text)) {
    return absl::InvalidArgumentError(
        "it has characters from U+F0000 to U+FDFFF, which are reserved");
  }
  ASSIGN_OR_RETURN(jinja_, JinjaTemplate::Parse(source_.text));
  const std::vector<std::string> tokens = tokenizer_.ControlTokens();
  ASSIGN_OR_RETURN(hidden_, HiddenText::ForTokens(tokens));
  marks_ = ControlMarks::ForTokens(tokens);
  if (!marks_) return absl::OkStatus();
  auto marked = JinjaTemplate::Parse(marks_->MarkSource(source_.text));
  if (marked.ok()) marked_ = *std::move(marked);
  if (marked_ && !MarksFindAllTokens()) marked_.reset();
  return absl::OkStatus();
}

absl::Status ChatTemplate::CheckTrials() const {
  const JinjaTemplate::Input input = InputAt(clock_.now(), {});
  RETURN_IF_ERROR(TryChats(source_.text, *jinja_, input, SmallTrialChats()));
  return TryChats(source_.text, *jinja_, input, LargeTrialChats());
}

// Templates may build control tokens from parts: "<|" + role + "|>".
bool ChatTemplate::MarksFindAllTokens() const {
  const absl::Time now = clock_.now();
  for (TrialChat& chat : SmallTrialChats()) {
    const JinjaTemplate::Input input = InputAt(now, std::move(chat.turns));
    const auto hidden = RenderHidden(input, EdgeSpace());
    if (!hidden.ok()) continue;
    const auto marked = RenderMarked(input, EdgeSpace());
    if (!marked.ok() || marked->text != hidden->text) return false;
    const auto tokens = tokenizer_.EncodeMixed(hidden->text, hidden->ordinary);
    const auto marked_tokens =
        tokenizer_.EncodeMixed(marked->text, marked->ordinary);
    if (!tokens.ok() || !marked_tokens.ok() || *tokens != *marked_tokens) {
      return false;
    }
  }
  return true;
}

JinjaTemplate::Input ChatTemplate::InputAt(absl::Time now,
                                           std::vector<ChatTurn> turns) const {
  JinjaTemplate::Input input;
  input.turns = std::move(turns);
  input.variables = source_.special_tokens;
  input.now = now;
  input.zone = clock_.zone;
  return input;
}

absl::StatusOr<RenderedText> ChatTemplate::RenderHidden(
    const JinjaTemplate::Input& input, const EdgeSpace& edges) const {
  JinjaTemplate::Input hidden = input;
  for (ChatTurn& turn : hidden.turns)
    turn.content = hidden_->Hide(turn.content);
  ASSIGN_OR_RETURN(const std::string text, jinja_->Render(hidden));
  return hidden_->Show(edges.Unmark(text));
}

absl::StatusOr<RenderedText> ChatTemplate::RenderMarked(
    JinjaTemplate::Input input, const EdgeSpace& edges) const {
  for (const ChatTurn& turn : input.turns) {
    if (ControlMarks::UsedIn(turn.content)) {
      return absl::FailedPreconditionError("a message has marks of its own");
    }
  }
  for (auto& [name, text] : input.variables) text = marks_->MarkToken(text);
  ASSIGN_OR_RETURN(const std::string text, marked_->Render(input));
  return marks_->Unmark(edges.Unmark(text));
}

absl::StatusOr<RenderedText> ChatTemplate::Render(
    const std::vector<ChatTurn>& turns) const {
  JinjaTemplate::Input input = InputAt(clock_.now(), turns);
  EdgeSpace edges;
  for (ChatTurn& turn : input.turns) turn.content = edges.Mark(turn.content);
  // The text as transformers has it. The others must equal it, and say which
  // parts are the messages'.
  ASSIGN_OR_RETURN(const std::string rendered, jinja_->Render(input));
  const std::string text = edges.Unmark(rendered);
  auto hidden = RenderHidden(input, edges);
  if (hidden.ok() && hidden->text == text) return hidden;
  // The template looks into messages.
  if (marked_) {
    auto marked = RenderMarked(std::move(input), edges);
    if (marked.ok() && marked->text == text) return marked;
  }
  if (hidden.ok()) return hidden;
  return absl::InternalError("the chat template fails on this chat");
}

std::optional<TokenId> ChatTemplate::EndOfAnswer() const {
  constexpr std::string_view kAnswer = "An answer of a trial.";
  const auto rendered = Render({{ChatRole::kUser, "A question."},
                                {ChatRole::kAssistant, std::string(kAnswer)},
                                {ChatRole::kUser, "Another question."}});
  if (!rendered.ok()) return std::nullopt;
  std::string_view rest = rendered->text;
  const std::size_t at = rest.rfind(kAnswer);
  if (at == rest.npos) return std::nullopt;
  rest.remove_prefix(at + kAnswer.size());
  rest = ToStd(absl::StripLeadingAsciiWhitespace(ToAbsl(rest)));
  std::string longest;
  for (const std::string& token : tokenizer_.ControlTokens()) {
    if (rest.starts_with(token) && token.size() > longest.size()) {
      longest = token;
    }
  }
  if (longest.empty()) return std::nullopt;
  return tokenizer_.AddedTokenId(longest);
}

absl::StatusOr<std::vector<TokenId>> ChatTemplate::Encode(
    const std::vector<ChatTurn>& turns) const {
  ASSIGN_OR_RETURN(const RenderedText rendered, Render(turns));
  return tokenizer_.EncodeMixed(rendered.text, rendered.ordinary);
}

}  // namespace apollo
