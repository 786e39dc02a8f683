#include "tests/faults/streams/stream_plan.h"

#include <absl/strings/str_cat.h>

#include <chrono>
#include <iterator>

#include "common/check.h"
#include "common/status_macros.h"

namespace apollo {
namespace {

constexpr int kCanaries = 2;        // For each stream.
constexpr int kFirstCanary = 64;    // Behind the control tokens of models.
constexpr float kDrawn = 10;        // The bias to a stream's own canaries.
constexpr float kPenalty = 2;       // So that they do not fill the answer.
constexpr float kForbidden = -100;  // The bias against those of others.

struct Text {
  const char* language;
  const char* text;
};
constexpr Text kTexts[] = {
    {"en", "What are the signs of asthma, and how is it treated? "},
    {"zh", "哮喘有哪些症状，应该怎样治疗？"},
    {"es", "¿Cuáles son los síntomas del asma y cómo se trata? "},
    {"ar", "ما هي أعراض الربو وكيف يتم علاجه؟ "},
    {"fr", "Quels sont les signes de l'asthme et comment le traiter ? "},
    {"hi", "दमा के लक्षण क्या हैं और इसका इलाज कैसे होता है? "},
    {"sw", "Je, dalili za pumu ni zipi na inatibiwa vipi? "},
    {"ja", "喘息の症状は何ですか。どのように治療しますか。"},
    {"de", "Was sind die Anzeichen von Asthma, und wie behandelt man es? "},
    {"vi", "Các dấu hiệu của bệnh hen là gì và điều trị như thế nào? "},
    {"ko", "천식의 증상은 무엇이며 어떻게 치료합니까? "},
    {"he", "מהם התסמינים של אסתמה ואיך מטפלים בה? "},
    {"th", "โรคหืดมีอาการอย่างไร และรักษาอย่างไร "},
    {"ceb", "Unsa ang mga timailhan sa hubak ug unsaon kini pagtambal? "},
    {"ha", "Menene alamun cutar asma kuma yaya ake magance ta? "},
    {"pt", "Quais são os sinais da asma e como é tratada? "},
};

int FirstCanary(int slot) { return kFirstCanary + slot * kCanaries; }

absl::StatusOr<std::vector<std::int32_t>> Tokenize(
    v1::InferenceService::Stub& router, const std::string& text) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(20));
  v1::TokenizeRequest request;
  request.set_text(text);
  v1::TokenizeResponse response;
  const grpc::Status status = router.Tokenize(&context, request, &response);
  if (!status.ok()) {
    return absl::InternalError("Tokenize failed: " + status.error_message());
  }
  return std::vector<std::int32_t>(response.token_ids().begin(),
                                   response.token_ids().end());
}

// Returns a prompt of exactly `size` tokens that begins with the canaries.
absl::StatusOr<std::vector<std::int32_t>> PromptOf(
    v1::InferenceService::Stub& router, int slot, const char* text, int size) {
  std::vector<std::int32_t> prompt;
  for (int i = 0; i < kCanaries; ++i) prompt.push_back(FirstCanary(slot) + i);
  std::string repeated;
  while (static_cast<int>(repeated.size()) < 4 * size) repeated += text;
  while (static_cast<int>(prompt.size()) < size) {
    ASSIGN_OR_RETURN(const std::vector<std::int32_t> more,
                     Tokenize(router, absl::StrCat(slot, ": ", repeated)));
    if (more.empty()) return absl::InternalError("a text has no tokens");
    prompt.insert(prompt.end(), more.begin(), more.end());
  }
  prompt.resize(static_cast<std::size_t>(size));
  return prompt;
}

void SetSampling(StreamPlan& plan, const StreamMix& mix) {
  v1::SamplingParams& sampling = *plan.request.mutable_sampling();
  if (plan.slot % 2 == 1) {
    sampling.set_temperature(0.9f);
    sampling.set_top_p(0.95f);
  }
  sampling.set_seed(mix.seed * 1000 + static_cast<std::uint64_t>(plan.slot));
  sampling.set_choices(static_cast<std::uint32_t>(plan.choices));
  sampling.set_frequency_penalty(kPenalty);
  for (int slot = 0; slot < mix.streams; ++slot) {
    for (int i = 0; i < kCanaries; ++i) {
      const std::int32_t token = FirstCanary(slot) + i;
      const bool own = slot == plan.slot;
      (own ? plan.canaries : plan.foreign).insert(token);
      (*sampling.mutable_logit_bias())[token] = own ? kDrawn : kForbidden;
    }
  }
}

}  // namespace

absl::StatusOr<std::vector<StreamPlan>> PlanStreams(
    v1::InferenceService::Stub& router, const StreamMix& mix) {
  APOLLO_CHECK(mix.streams <= 60 && mix.prompt_tokens > kCanaries);
  std::vector<StreamPlan> plans;
  for (int slot = 0; slot < mix.streams; ++slot) {
    const Text& text =
        kTexts[static_cast<std::size_t>(slot) % std::size(kTexts)];
    StreamPlan plan;
    plan.slot = slot;
    plan.choices = slot % 3 == 0 ? 3 : 1;
    ASSIGN_OR_RETURN(const std::vector<std::int32_t> prompt,
                     PromptOf(router, slot, text.text, mix.prompt_tokens));
    plan.request.mutable_tokenized()->mutable_input_ids()->Assign(
        prompt.begin(), prompt.end());
    plan.request.set_language(text.language);
    plan.request.set_routing(slot % 5 == 4 ? v1::ROUTING_MODE_HYBRID
                                           : v1::ROUTING_MODE_TOPK);
    plan.request.set_max_new_tokens(static_cast<std::uint32_t>(mix.new_tokens));
    plan.request.set_ignore_eos(true);
    SetSampling(plan, mix);
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace apollo
