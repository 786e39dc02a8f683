#pragma once

#include <absl/status/statusor.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "model/prompt/chat_turn.h"
#include "model/prompt/control_marks.h"
#include "model/prompt/edge_space.h"
#include "model/prompt/hidden_text.h"
#include "model/prompt/jinja_template.h"
#include "model/prompt/rendered_text.h"
#include "model/prompt/template_source.h"
#include "model/tokenizer/tokenizer.h"

namespace apollo {

// The chat template of a checkpoint: gives the text and the tokens that
// transformers' apply_chat_template gives with add_generation_prompt, but for
// control tokens spelled out in messages, which are text here. docs/chat.md
// explains how, and has the bounds. Thread-safe.
class ChatTemplate {
 public:
  // Of strftime_now.
  struct Clock {
    std::function<absl::Time()> now = absl::Now;
    absl::TimeZone zone = absl::LocalTimeZone();
  };

  // Parses the template and renders chats of its own, in a child process first
  // (trial.h). Returns INVALID_ARGUMENT, naming the file, if it cannot be
  // parsed, fails on one of them, or refuses a single question. The tokenizer
  // must outlive the template.
  static absl::StatusOr<std::unique_ptr<const ChatTemplate>> Make(
      TemplateSource source, const Tokenizer& tokenizer, Clock clock);
  static absl::StatusOr<std::unique_ptr<const ChatTemplate>> Make(
      TemplateSource source, const Tokenizer& tokenizer) {
    return Make(std::move(source), tokenizer, Clock());
  }

  // Returns the text of the prompt for a chat whose last turn is the user's,
  // or the errors of JinjaTemplate::Render.
  absl::StatusOr<RenderedText> Render(const std::vector<ChatTurn>& turns) const;

  // Returns its tokens, or the errors of Render and Tokenizer::EncodeMixed.
  absl::StatusOr<std::vector<TokenId>> Encode(
      const std::vector<ChatTurn>& turns) const;

  // Returns the control token that follows an answer in a chat that goes on,
  // but for white space between them: "<|end|>" for Phi-3. None if another text
  // follows, or if the template refuses such a chat.
  std::optional<TokenId> EndOfAnswer() const;

  // Path of the file that has the template.
  const std::string& file() const { return source_.file; }
  const std::string& text() const { return source_.text; }
  // The first 16 hexadecimal digits of the SHA-256 of the template's text.
  const std::string& hash() const { return hash_; }

 private:
  ChatTemplate(TemplateSource source, const Tokenizer& tokenizer, Clock clock);

  absl::Status Parse();
  absl::Status CheckTrials() const;
  bool MarksFindAllTokens() const;
  JinjaTemplate::Input InputAt(absl::Time now,
                               std::vector<ChatTurn> turns) const;
  // Renders with the texts of messages hidden, or with marks for the control
  // tokens. `turns` has marked edges, which `edges` restores.
  absl::StatusOr<RenderedText> RenderHidden(const JinjaTemplate::Input& input,
                                            const EdgeSpace& edges) const;
  absl::StatusOr<RenderedText> RenderMarked(JinjaTemplate::Input input,
                                            const EdgeSpace& edges) const;

  const TemplateSource source_;
  const Tokenizer& tokenizer_;
  const Clock clock_;
  const std::string hash_;
  std::optional<JinjaTemplate> jinja_;  // Set by Parse, as the following.
  std::optional<HiddenText> hidden_;
  // The same template with marks for its control tokens; nothing if it builds
  // some of them from parts.
  std::optional<ControlMarks> marks_;
  std::optional<JinjaTemplate> marked_;
};

}  // namespace apollo
