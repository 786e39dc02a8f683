#include "tools/apollo/requests.h"

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <cstdint>
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

// Returns the token ids of a text, or an error that tells which is wrong.
absl::StatusOr<v1::TokenizedInput> TokenIdsOf(const std::string& text) {
  v1::TokenizedInput input;
  for (const auto& word :
       absl::StrSplit(text, absl::ByAnyChar(", \t\r\n"), absl::SkipEmpty())) {
    std::int32_t id = 0;
    if (!absl::SimpleAtoi(word, &id)) {
      return absl::InvalidArgumentError(
          absl::StrCat("token id ", input.input_ids_size(),
                       " of the text is not an integer of 32 bits"));
    }
    input.add_input_ids(id);
  }
  return input;
}

// Sets the prompt or the chat of a request.
template <typename Request>
void SetInput(const Options& options, const std::string& text,
              Request& request) {
  if (options.token_ids) {
    *request.mutable_tokenized() = *TokenIdsOf(text);  // ReadText checks it.
  } else if (options.raw) {
    request.set_prompt(text);
  } else {
    *request.mutable_chat() = OneMessage(options, text);
  }
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
  if (options.token_ids) {
    const auto ids = TokenIdsOf(text);
    if (!ids.ok()) return ids.status();
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
  for (const std::int32_t id : options.stop_token_ids) {
    request.add_stop_token_ids(id);
  }
  if (options.logprobs) request.set_logprobs(*options.logprobs);
  if (options.prompt_logprobs) {
    request.set_prompt_logprobs(*options.prompt_logprobs);
  }
  request.set_ignore_eos(options.ignore_eos);
  request.set_priority(options.priority);
  request.set_parse_special_tokens(options.parse_special_tokens);
  *request.mutable_sampling() = options.sampling;
  return request;
}

v1::GenerateRequest AskRequest(const Options& options,
                               const std::string& text) {
  v1::GenerateRequest request = GenerateRequestWithoutInput(options);
  SetInput(options, text, request);
  return request;
}

v1::ScoreRequest MakeScoreRequest(const Options& options,
                                  const std::string& text) {
  v1::ScoreRequest request;
  request.set_request_id(options.request_id);
  SetInput(options, text, request);
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
