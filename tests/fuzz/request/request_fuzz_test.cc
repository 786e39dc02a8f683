// A request of any bytes is either rejected with INVALID_ARGUMENT or satisfies
// the ranges that the cluster relies on.

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/check.h"
#include "model/language/families.h"
#include "proto/apollo/v1/inference.pb.h"
#include "router/grpc/read_request.h"
#include "router/grpc/wire_request.h"

namespace apollo {
namespace {

void CheckRefusal(const absl::Status& status) {
  APOLLO_CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  APOLLO_CHECK(!status.message().empty());
}

void CheckInput(const PromptInput& input) {
  if (input.is_chat) {
    APOLLO_CHECK(!input.chat.empty());
    APOLLO_CHECK(input.chat.back().role == ChatRole::kUser);
    for (const ChatTurn& turn : input.chat) APOLLO_CHECK(!turn.content.empty());
  } else if (input.is_tokens) {
    APOLLO_CHECK(!input.tokens.empty());
  } else {
    APOLLO_CHECK(!input.prompt.empty());
  }
  APOLLO_CHECK(input.language.empty() ||
               FamilyTable::Paper().ExpertOf(input.language).has_value());
  APOLLO_CHECK(input.request_id.size() <= 128);
}

void TryGenerate(const std::string& bytes) {
  v1::GenerateRequest request;
  if (const auto status = ParseRequest(bytes, request); !status.ok()) {
    return CheckRefusal(status);
  }
  const auto checked =
      ReadGenerate(request, RequestLimits(), FamilyTable::Paper(), false);
  if (!checked.ok()) return CheckRefusal(checked.status());
  CheckInput(checked->input);
  const SamplingOptions& s = checked->sampling;
  APOLLO_CHECK(s.temperature >= 0 && s.temperature <= 100);
  APOLLO_CHECK(s.top_p > 0 && s.top_p <= 1);
  APOLLO_CHECK(s.top_k >= 0);
  APOLLO_CHECK(s.presence_penalty >= -2 && s.presence_penalty <= 2);
  APOLLO_CHECK(s.frequency_penalty >= -2 && s.frequency_penalty <= 2);
  APOLLO_CHECK(s.min_p >= 0 && s.min_p <= 1);
  APOLLO_CHECK(s.logit_bias.size() <= 300);
  for (const LogitBias& one : s.logit_bias) {
    APOLLO_CHECK(one.token >= 0 && one.bias >= -100 && one.bias <= 100);
  }
  APOLLO_CHECK(checked->stop_tokens.size() <= 64);
  APOLLO_CHECK(checked->prompt_logprobs >= 0 && checked->prompt_logprobs <= 20);
  APOLLO_CHECK(checked->choices >= 1 && checked->choices <= 8);
  APOLLO_CHECK(checked->max_new_tokens >= 0 && checked->max_new_tokens <= 4096);
  APOLLO_CHECK(checked->top_logprobs >= 0 && checked->top_logprobs <= 20);
  APOLLO_CHECK(checked->stops.size() <= 16);
  for (const std::string& stop : checked->stops) {
    APOLLO_CHECK(!stop.empty() && stop.size() <= 256);
  }
}

void TryScore(const std::string& bytes) {
  v1::ScoreRequest request;
  if (const auto status = ParseRequest(bytes, request); !status.ok()) {
    return CheckRefusal(status);
  }
  const auto checked =
      ReadScore(request, RequestLimits(), FamilyTable::Paper(), false);
  if (!checked.ok()) return CheckRefusal(checked.status());
  CheckInput(checked->input);
  APOLLO_CHECK(!checked->continuations.empty());
  APOLLO_CHECK(checked->continuations.size() <= 64);
  for (const std::string& text : checked->continuations) {
    APOLLO_CHECK(!text.empty());
  }
}

}  // namespace
}  // namespace apollo

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  apollo::TryGenerate(bytes);
  apollo::TryScore(bytes);
  return 0;
}
