#include "tools/apollo/conversation.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <optional>
#include <ostream>

#include "common/nearest_word.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/render.h"
#include "tools/apollo/requests.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

struct ChatCommand {
  const char* name;
  const char* argument;
  const char* help;
};

constexpr ChatCommand kCommands[] = {
    {"/help", "", "shows this list"},
    {"/quit", "", "ends the program, as does Ctrl-D"},
    {"/reset", "", "forgets the conversation"},
    {"/retry", "", "asks the last message again"},
    {"/system", "TEXT", "sets the system message; without a text: none"},
    {"/language", "CODE", "sets the language; without a code: detected"},
    {"/routing", "MODE", "topk or hybrid; without a mode: the server's"},
    {"/stats", "", "shows tokens, times and the last request"},
};

// Returns the text between the first and the last character that is no blank.
std::string Trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::vector<std::string> ChatCommands() {
  std::vector<std::string> names;
  for (const ChatCommand& command : kCommands) names.push_back(command.name);
  return names;
}

Conversation::Conversation(Session& session)
    : session_(session), options_(session.options) {
  Reset();
}

void Conversation::Reset() {
  chat_.Clear();
  last_message_.clear();
  last_stays_ = false;
  if (!options_.system.empty()) {
    AddMessage(chat_, v1::ROLE_SYSTEM, options_.system);
  }
}

int Conversation::Say(const std::string& text) {
  last_message_ = text;
  last_stays_ = true;
  AddMessage(chat_, v1::ROLE_USER, text);
  v1::GenerateRequest request = GenerateRequestWithoutInput(options_);
  *request.mutable_chat() = chat_;
  const Answer& answer = last_answer_ = Generate(session_, std::move(request));
  Count(answer);
  if (answer.ok()) {
    AddMessage(chat_, v1::ROLE_ASSISTANT, answer.text);
    return kOk;
  }
  const int code = ReportFailure(session_, answer.failure);
  if (code == kInterrupted && !answer.text.empty()) {
    AddMessage(chat_, v1::ROLE_ASSISTANT, answer.text);
  } else {
    chat_.mutable_messages()->RemoveLast();
    last_stays_ = false;
  }
  return code;
}

bool Conversation::Run(const std::string& line) {
  const std::size_t end = line.find_first_of(" \t");
  const std::string name = line.substr(0, end);
  const std::string text =
      end == std::string::npos ? "" : Trimmed(line.substr(end));
  if (name == "/quit") return false;
  if (name == "/help") {
    Help();
  } else if (name == "/reset") {
    Reset();
    Tell("The conversation is forgotten.");
  } else if (name == "/retry") {
    Retry();
  } else if (name == "/system") {
    SetSystem(text);
  } else if (name == "/language") {
    SetLanguage(text);
  } else if (name == "/routing") {
    SetRouting(text);
  } else if (name == "/stats") {
    PrintStats();
  } else {
    Unknown(name);
  }
  return true;
}

void Conversation::Help() {
  std::string lines;
  for (const ChatCommand& command : kCommands) {
    absl::StrAppendFormat(&lines, "  %-9s %-5s %s\n", command.name,
                          command.argument, command.help);
  }
  absl::StrAppend(&lines,
                  "  //...           sends a message that begins with \"/\"\n"
                  "Ctrl-C stops an answer, which keeps what is there of it.");
  Tell(lines);
}

void Conversation::Retry() {
  if (last_message_.empty()) {
    Tell("There is no message to ask again.");
    return;
  }
  if (last_stays_) {
    chat_.mutable_messages()->RemoveLast();  // The answer,
    chat_.mutable_messages()->RemoveLast();  // and the message, for Say.
  }
  Say(std::string(last_message_));
}

void Conversation::SetSystem(const std::string& text) {
  options_.system = text;
  v1::Chat changed;
  if (!text.empty()) AddMessage(changed, v1::ROLE_SYSTEM, text);
  for (const v1::ChatMessage& message : chat_.messages()) {
    if (message.role() != v1::ROLE_SYSTEM) *changed.add_messages() = message;
  }
  chat_ = std::move(changed);
  Tell(text.empty() ? "There is no system message."
                    : "The system message is set.");
}

void Conversation::SetLanguage(const std::string& text) {
  options_.language = text;
  Tell(text.empty() ? "The language is detected in each message."
                    : absl::StrCat("The language is ", ForTerminal(text), "."));
}

void Conversation::SetRouting(const std::string& text) {
  if (text.empty()) {
    options_.routing = v1::ROUTING_MODE_UNSPECIFIED;
  } else if (const auto mode = RoutingModeOf(text)) {
    options_.routing = *mode;
  } else {
    Tell(absl::StrCat("\"", ForTerminal(text),
                      "\" is neither topk nor hybrid; nothing has changed."));
    return;
  }
  Tell(absl::StrCat("The routing is ",
                    text.empty() ? "the server's default" : text, "."));
}

void Conversation::PrintStats() {
  std::string lines = absl::StrFormat(
      "%d answer%s, %d tokens in %.2f s", sums_.answers,
      sums_.answers == 1 ? "" : "s", sums_.generated_tokens, sums_.seconds);
  if (sums_.seconds > 0) {
    absl::StrAppendFormat(&lines, " (%.1f tokens/s)",
                          sums_.generated_tokens / sums_.seconds);
  }
  absl::StrAppendFormat(&lines, "\n%d tokens of prompts, %d of them cached",
                        sums_.prompt_tokens, sums_.cached_tokens);
  absl::StrAppendFormat(&lines, "\n%d messages in the conversation",
                        chat_.messages_size());
  if (!last_answer_.failure.request_id.empty()) {
    absl::StrAppend(&lines, "\nlast request: ",
                    ForTerminal(last_answer_.failure.request_id));
  }
  if (last_answer_.started) {
    absl::StrAppend(&lines, "\n  ", StartedLine(*last_answer_.started));
  }
  Tell(lines);
}

void Conversation::Unknown(const std::string& name) {
  const std::string best = NearestWord(name, ChatCommands());
  Tell(absl::StrCat("\"", ForTerminal(name), "\" is not a command; ",
                    best.empty() ? "" : "did you mean " + best + "? ",
                    "/help lists all."));
}

void Conversation::Count(const Answer& answer) {
  if (answer.started) {
    sums_.prompt_tokens += answer.started->prompt_tokens();
    sums_.cached_tokens += answer.started->cached_tokens();
  }
  if (answer.finished) {
    ++sums_.answers;
    sums_.generated_tokens += answer.finished->usage().generated_tokens();
    sums_.seconds += answer.finished->timings().total_seconds();
  }
}

void Conversation::Tell(const std::string& text) {
  session_.err << Dim(text, session_.err_is_terminal) << std::endl;
}

}  // namespace apollo::client
