#include "model/prompt/jinja_template.h"

#include <absl/strings/str_cat.h>

#include <exception>
#include <ios>
#include <minja/minja.hpp>
#include <ostream>
#include <sstream>
#include <utility>

#include "common/status_macros.h"
#include "model/prompt/jinja_differences.h"
#include "model/prompt/jinja_functions.h"
#include "model/prompt/jinja_is.h"
#include "model/prompt/jinja_loops.h"
#include "model/prompt/jinja_source.h"
#include "model/prompt/jinja_targets.h"

namespace apollo {
namespace {

constexpr std::size_t kFreeOutputBytes = 1 << 20;
constexpr std::size_t kOutputPerInputByte = 8;

// Holds the variables of one rendering, and counts the look-ups that reach it.
class CountingContext final : public minja::Context {
 public:
  CountingContext(minja::Value variables,
                  const std::shared_ptr<minja::Context>& builtins,
                  StepBudget* budget)
      : minja::Context(std::move(variables), builtins), budget_(budget) {}

  bool contains(const minja::Value& key) override {
    budget_->Spend(1);
    return minja::Context::contains(key);
  }

  // Drops the variables. A macro holds the context in which it is a variable,
  // so without this neither would ever be destroyed.
  void Clear() { values_ = minja::Value::object(); }

 private:
  StepBudget* const budget_;
};

class ClearAtEnd {
 public:
  explicit ClearAtEnd(CountingContext* context) : context_(context) {}
  ~ClearAtEnd() { context_->Clear(); }
  ClearAtEnd(const ClearAtEnd&) = delete;
  ClearAtEnd& operator=(const ClearAtEnd&) = delete;

 private:
  CountingContext* const context_;
};

class BoundedBuffer final : public std::stringbuf {
 public:
  explicit BoundedBuffer(std::size_t limit) : left_(limit) {}

 protected:
  std::streamsize xsputn(const char* text, std::streamsize size) override {
    Spend(static_cast<std::size_t>(size));
    return std::stringbuf::xsputn(text, size);
  }
  int_type overflow(int_type c) override {
    Spend(1);
    return std::stringbuf::overflow(c);
  }

 private:
  void Spend(std::size_t bytes) {
    if (bytes > left_) throw LimitExceeded();
    left_ -= bytes;
  }

  std::size_t left_;
};

minja::Value Messages(const std::vector<ChatTurn>& turns) {
  auto messages = minja::Value::array();
  for (const ChatTurn& turn : turns) {
    auto message = minja::Value::object();
    message.set("role", minja::Value(ChatRoleName(turn.role)));
    message.set("content", minja::Value(turn.content));
    messages.push_back(message);
  }
  return messages;
}

std::size_t OutputLimit(const JinjaTemplate::Input& input) {
  std::size_t bytes = 0;
  for (const ChatTurn& turn : input.turns) bytes += turn.content.size();
  return kFreeOutputBytes + kOutputPerInputByte * bytes;
}

// Returns minja's message without the excerpts of the source behind its first
// line.
std::string FirstLine(std::string_view message) {
  return std::string(message.substr(0, message.find('\n')));
}

}  // namespace

struct JinjaTemplate::Parts {
  std::string source;
  std::shared_ptr<const minja::TemplateNode> root;
  std::shared_ptr<minja::Context> builtins;  // Never changed.
};

JinjaTemplate::JinjaTemplate(std::unique_ptr<const Parts> parts)
    : parts_(std::move(parts)) {}
JinjaTemplate::JinjaTemplate(JinjaTemplate&&) noexcept = default;
JinjaTemplate& JinjaTemplate::operator=(JinjaTemplate&&) noexcept = default;
JinjaTemplate::~JinjaTemplate() = default;

absl::StatusOr<JinjaTemplate> JinjaTemplate::Parse(std::string_view source) {
  if (source.size() > kMaxSourceBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", source.size(), " bytes; at most ",
                     kMaxSourceBytes, " are accepted"));
  }
  RETURN_IF_ERROR(CheckJinjaEscapes(source));
  RETURN_IF_ERROR(CheckJinjaOperators(source));
  RETURN_IF_ERROR(CheckJinjaDifferences(source));
  RETURN_IF_ERROR(CheckJinjaTargets(source));
  Parts parts;
  parts.source = std::string(source);
  try {
    parts.root = minja::Parser::parse(
        ScopeLoopVariables(MendJinja(MendJinjaTests(source))),
        {.trim_blocks = true,
         .lstrip_blocks = true,
         .keep_trailing_newline = false});
    parts.builtins = minja::Context::builtins();
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("it cannot be parsed: ", FirstLine(error.what())));
  }
  return JinjaTemplate(std::make_unique<const Parts>(std::move(parts)));
}

absl::StatusOr<std::string> JinjaTemplate::Render(const Input& input,
                                                  std::string* detail) const {
  StepBudget budget(kMaxSteps);
  try {
    auto variables = minja::Value::object();
    for (const auto& [name, value] : input.variables) {
      variables.set(name, minja::Value(value));
    }
    variables.set("messages", Messages(input.turns));
    variables.set("add_generation_prompt", minja::Value(true));
    AddJinjaFunctions(input.now, input.zone, &budget, &variables);
    const auto context = std::make_shared<CountingContext>(
        std::move(variables), parts_->builtins, &budget);
    const ClearAtEnd clear(context.get());
    std::ostringstream out;
    BoundedBuffer buffer(OutputLimit(input));
    static_cast<std::ios&>(out).rdbuf(&buffer);
    out.exceptions(std::ios::badbit);  // Else the stream keeps exceptions.
    parts_->root->render(out, context);
    return std::move(buffer).str();
  } catch (const LimitExceeded&) {
    return absl::ResourceExhaustedError(
        "the chat template takes too many steps, or writes too much, for this "
        "chat");
  } catch (const Raised& raised) {
    const std::string& source = parts_->source;
    const bool literal =
        source.find("'" + raised.message + "'") != source.npos ||
        source.find("\"" + raised.message + "\"") != source.npos;
    // Otherwise the message may be made of the chat.
    return absl::InvalidArgumentError(
        absl::StrCat("is refused by the model's chat template",
                     literal ? ": " : "", literal ? raised.message : ""));
  } catch (const std::exception& error) {
    // Minja wraps also this one.
    if (std::string_view(error.what()).starts_with("std::bad_alloc")) {
      return absl::ResourceExhaustedError(
          "the chat template needs too much memory for this chat");
    }
    if (detail != nullptr) *detail = FirstLine(error.what());
  }
  return absl::InternalError("the chat template fails on this chat");
}

}  // namespace apollo
