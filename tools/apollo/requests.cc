#include "tools/apollo/requests.h"

#include <absl/strings/str_cat.h>

#include <iterator>

#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// The server accepts messages of 4 MiB; the rest of the request is small.
constexpr std::size_t kMaxTextBytes = 4'000'000;

v1::Chat OneMessage(const Options& options, const std::string& text) {
  v1::Chat chat;
  if (!options.system.empty()) {
    AddMessage(chat, v1::ROLE_SYSTEM, options.system);
  }
  AddMessage(chat, v1::ROLE_USER, text);
  return chat;
}

}  // namespace

absl::StatusOr<std::string> ReadText(const Options& options, std::istream& in) {
  std::string text = options.text;
  if (text == "-") {
    text.clear();
    char buffer[4096];
    while (text.size() <= kMaxTextBytes &&
           (in.read(buffer, sizeof buffer), in.gcount() > 0)) {
      text.append(buffer, in.gcount());
    }
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
      text.pop_back();
    }
  }
  if (text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the text is too long: more than ", kMaxTextBytes, " bytes"));
  }
  if (std::size_t at = FirstInvalidUtf8(text); at != kAllValid) {
    return absl::InvalidArgumentError(
        absl::StrCat("the text is not valid UTF-8 (at byte ", at, ")"));
  }
  return text;
}

v1::GenerateRequest GenerateRequestWithoutInput(const Options& options) {
  v1::GenerateRequest request;
  request.set_request_id(options.request_id);
  request.set_language(options.language);
  request.set_routing(options.routing);
  request.set_max_new_tokens(options.max_new_tokens);
  for (const std::string& stop : options.stop) request.add_stop(stop);
  if (options.logprobs) request.set_logprobs(*options.logprobs);
  request.set_ignore_eos(options.ignore_eos);
  request.set_priority(options.priority);
  request.set_parse_special_tokens(options.parse_special_tokens);
  *request.mutable_sampling() = options.sampling;
  return request;
}

v1::GenerateRequest AskRequest(const Options& options,
                               const std::string& text) {
  v1::GenerateRequest request = GenerateRequestWithoutInput(options);
  if (options.raw) {
    request.set_prompt(text);
  } else {
    *request.mutable_chat() = OneMessage(options, text);
  }
  return request;
}

v1::ScoreRequest MakeScoreRequest(const Options& options,
                                  const std::string& text) {
  v1::ScoreRequest request;
  request.set_request_id(options.request_id);
  if (options.raw) {
    request.set_prompt(text);
  } else {
    *request.mutable_chat() = OneMessage(options, text);
  }
  request.set_language(options.language);
  request.set_routing(options.routing);
  for (const std::string& continuation : options.continuations) {
    request.add_continuations(continuation);
  }
  request.set_parse_special_tokens(options.parse_special_tokens);
  return request;
}

void AddMessage(v1::Chat& chat, v1::Role role, const std::string& content) {
  v1::ChatMessage& message = *chat.add_messages();
  message.set_role(role);
  message.set_content(content);
}

}  // namespace apollo::client
