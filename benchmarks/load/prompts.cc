#include "benchmarks/load/prompts.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace apollo::load {
namespace {

// Long enough that most vocabularies contain most of the words.
constexpr const char* kWords[] = {
    "heart", "blood", "body",  "water",  "air",    "hand",   "head",  "eye",
    "bone",  "skin",  "cell",  "time",   "year",   "day",    "week",  "month",
    "child", "woman", "man",   "people", "life",   "health", "food",  "sleep",
    "work",  "house", "city",  "world",  "school", "book",   "name",  "word",
    "long",  "short", "high",  "low",    "good",   "small",  "large", "new",
    "old",   "young", "first", "last",   "same",   "other",  "early", "late",
    "walk",  "run",   "make",  "take",   "give",   "find",   "know",  "see",
    "think", "come",  "look",  "use",    "feel",   "help",   "show",  "move"};
constexpr std::size_t kFewest = 16;

}  // namespace

std::span<const char* const> Prompts::Words() { return kWords; }

absl::StatusOr<Prompts> Prompts::Make(
    v1::InferenceService::StubInterface& service, std::uint64_t seed) {
  v1::TokenizeRequest request;
  for (const char* word : kWords) {
    absl::StrAppend(request.mutable_text(), " ", word);
  }
  v1::TokenizeResponse response;
  grpc::ClientContext context;
  if (const grpc::Status status =
          service.Tokenize(&context, request, &response);
      !status.ok()) {
    return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                        status.error_message());
  }
  std::vector<std::string> words;
  for (const char* word : kWords) {
    const std::string wanted = absl::StrCat(" ", word);
    if (std::count(response.tokens().begin(), response.tokens().end(),
                   wanted)) {
      words.push_back(wanted);
    }
  }
  if (words.size() < kFewest) {
    return absl::FailedPreconditionError(
        absl::StrCat("of ", std::size(kWords), " English words only ",
                     words.size(), " are one token of this model; it takes ",
                     kFewest, " to make prompts of a given length"));
  }
  return Prompts(std::move(words), seed);
}

std::string Prompts::Next(int tokens) {
  std::uniform_int_distribution<std::size_t> any(0, words_.size() - 1);
  std::string prompt;
  for (int i = 0; i < tokens; ++i) prompt += words_[any(random_)];
  return prompt;
}

}  // namespace apollo::load
