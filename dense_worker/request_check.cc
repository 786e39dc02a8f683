#include "dense_worker/request_check.h"

#include <absl/strings/str_cat.h>

#include <algorithm>

namespace apollo {
namespace {

absl::Status CheckPrompt(const GenerationRequest& request,
                         const ModelConfig& config) {
  const std::int64_t prompt = request.prompt.size();
  if (prompt < 1) return absl::InvalidArgumentError("the prompt has no tokens");
  for (const std::int32_t token : request.prompt) {
    if (token < 0 || token >= config.vocab_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("the prompt contains a token outside the vocabulary of ",
                       config.vocab_size));
    }
  }
  const int answer = request.answer_tokens;
  const std::int64_t most_answer = request.score_tokens > 0 ? 0 : prompt - 1;
  if (answer < 0 || answer > most_answer) {
    return absl::InvalidArgumentError(absl::StrCat(
        "answer_tokens is ", answer, "; it must be from 0 to ", most_answer));
  }
  if (request.score_tokens > 0) {
    if (request.score_tokens >= prompt) {
      return absl::InvalidArgumentError(absl::StrCat(
          "score_tokens is ", request.score_tokens,
          "; it must be less than the prompt's ", prompt, " tokens"));
    }
  } else if (request.score_tokens < 0 || request.max_new_tokens < 1) {
    return absl::InvalidArgumentError(
        "nothing to generate and nothing to score");
  }
  if (MaxPositions(request) > config.max_context) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt and answer need ", MaxPositions(request),
                     " positions; the context has ", config.max_context));
  }
  return absl::OkStatus();
}

absl::Status CheckPromptLogprobs(const GenerationRequest& request) {
  if (!request.prompt_logprobs) return absl::OkStatus();
  if (request.score_tokens > 0 || request.answer_tokens > 0) {
    return absl::InvalidArgumentError(
        "prompt_logprobs is set; it must not be with score_tokens or "
        "answer_tokens");
  }
  if (*request.prompt_logprobs < 0 ||
      *request.prompt_logprobs > kMaxTopLogprobs) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt_logprobs is ", *request.prompt_logprobs,
                     "; it must be from 0 to ", kMaxTopLogprobs));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPromptLogprobsFit(const GenerationRequest& request,
                                    int token_budget) {
  // A message has at most 4 MiB; 1 MiB is left for all else in it. An
  // alternative takes at most 16 bytes.
  constexpr int kMostAlternatives = (3 << 20) / 16;
  const int each = request.prompt_logprobs.value_or(0);
  if (each == 0 || token_budget <= kMostAlternatives / each) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("prompt_logprobs is ", each, "; it must be at most ",
                   kMostAlternatives / token_budget,
                   " with this cluster's --token_budget of ", token_budget,
                   ": a retry would fail too"));
}

absl::Status CheckOwnNumerics(const GenerationRequest& request,
                              const std::string& own) {
  if (!request.numerics || request.numerics->dense == own) {
    return absl::OkStatus();
  }
  const auto named = [](const std::string& id) {
    return id.empty() ? std::string("unknown ones") : id;
  };
  return absl::UnavailableError(absl::StrCat(
      "the answer began with numerics ", named(request.numerics->dense),
      "; those of this dense worker are ", named(own)));
}

absl::Status TooLarge(const GenerationRequest& request, absl::Status refused) {
  if (request.answer_tokens == 0 && !request.numerics) return refused;
  return absl::UnavailableError(absl::StrCat(
      "the sequence, which began on other workers, may take ",
      MaxPositions(request),
      " tokens, more than the caches of this dense worker and its expert "
      "workers hold; others may have room: try again"));
}

std::optional<std::string> ExpertNumerics(const GenerationRequest& request) {
  if (!request.numerics) return std::nullopt;
  return request.numerics->expert;
}

std::int64_t MaxPositions(const GenerationRequest& request) {
  const std::int64_t prompt = request.prompt.size();
  return request.score_tokens > 0 ? prompt - 1
                                  : prompt + request.max_new_tokens - 1;
}

void ShortenToCache(GenerationRequest& request, std::int64_t cache_tokens) {
  if (!request.shorten_to_cache) return;
  const std::int64_t room =
      cache_tokens - static_cast<std::int64_t>(request.prompt.size()) + 1;
  request.max_new_tokens = static_cast<int>(std::min<std::int64_t>(
      request.max_new_tokens, std::max<std::int64_t>(room, 1)));
}

absl::Status CheckRequest(const GenerationRequest& request,
                          const ModelConfig& config) {
  if (absl::Status status = CheckPrompt(request, config); !status.ok()) {
    return status;
  }
  if (config.is_dense() && (request.family != -1 || request.hybrid)) {
    return absl::InvalidArgumentError(
        absl::StrCat("family is ", request.family, " and hybrid routing ",
                     request.hybrid ? "on" : "off",
                     "; they must be -1 and off, because the model has no "
                     "experts"));
  }
  if (absl::Status status = CheckPromptLogprobs(request); !status.ok()) {
    return status;
  }
  if (!BiasFits(request.sampling.logit_bias, config.vocab_size)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "sampling.logit_bias contains a token outside the vocabulary of ",
        config.vocab_size));
  }
  if (request.family < -1 || request.family >= config.num_experts ||
      (request.hybrid && request.family < 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("family is ", request.family, "; it must be from ",
                     request.hybrid ? 0 : -1, " to ", config.num_experts - 1));
  }
  if (request.priority < -kMaxPriority || request.priority > kMaxPriority) {
    return absl::InvalidArgumentError(
        absl::StrCat("priority is ", request.priority, "; it must be from ",
                     -kMaxPriority, " to ", kMaxPriority));
  }
  if (request.top_logprobs < 0 || request.top_logprobs > kMaxTopLogprobs) {
    return absl::InvalidArgumentError(
        absl::StrCat("top_logprobs is ", request.top_logprobs,
                     "; it must be from 0 to ", kMaxTopLogprobs));
  }
  return absl::OkStatus();
}

}  // namespace apollo
