#include "router/grpc/to_proto.h"

#include <absl/time/time.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "model/prompt/chat_template.h"
#include "model/prompt/prompt.h"
#include "serving/version.h"

namespace apollo {
namespace {

void AddUse(const LayerUse& in, v1::LayerExpertUse* out) {
  out->set_layer(in.layer);
  out->mutable_tokens_by_expert()->Add(in.tokens_by_expert.begin(),
                                       in.tokens_by_expert.end());
  out->set_off_family_tokens(in.off_family_tokens);
}

void AddLogprobs(const AnswerToken& in, v1::TokenLogprobs* out) {
  out->set_logprob(in.logprob);
  for (const AnswerAlternative& alternative : in.alternatives) {
    v1::TokenAlternative* to = out->add_alternatives();
    to->set_token_id(alternative.token);
    to->set_token(std::string(alternative.bytes));
    to->set_logprob(alternative.logprob);
  }
}

v1::FinishReason ReasonOf(AnswerEnd end) {
  switch (end) {
    case AnswerEnd::kEos:
      return v1::FINISH_REASON_EOS;
    case AnswerEnd::kStop:
      return v1::FINISH_REASON_STOP;
    case AnswerEnd::kLength:
      return v1::FINISH_REASON_LENGTH;
  }
  return v1::FINISH_REASON_UNSPECIFIED;
}

v1::RoutingMode ModeOf(bool hybrid) {
  return hybrid ? v1::ROUTING_MODE_HYBRID : v1::ROUTING_MODE_TOPK;
}

v1::NoFamilyReason ReasonOf(NoFamily reason) {
  switch (reason) {
    case NoFamily::kNone:
      return v1::NO_FAMILY_REASON_UNSPECIFIED;
    case NoFamily::kNotDetected:
      return v1::NO_FAMILY_REASON_NOT_DETECTED;
    case NoFamily::kUncertain:
      return v1::NO_FAMILY_REASON_UNCERTAIN;
    case NoFamily::kNotInFamilies:
      return v1::NO_FAMILY_REASON_NOT_IN_FAMILIES;
    case NoFamily::kDenseModel:
      return v1::NO_FAMILY_REASON_DENSE_MODEL;
  }
  return v1::NO_FAMILY_REASON_UNSPECIFIED;
}

// Sets the fields that GenerateStarted and DetectLanguageResponse share by
// name.
template <typename Message>
void SetJudgement(const FamilyJudgement& judgement, double threshold,
                  Message& out) {
  out.set_family_confidence(static_cast<float>(judgement.confidence));
  out.set_likely_family(judgement.likely);
  out.set_language_threshold(static_cast<float>(threshold));
  out.set_no_family_reason(ReasonOf(judgement.reason));
}

v1::ProcessRole RoleOf(ProcessRole role) {
  switch (role) {
    case ProcessRole::kRouter:
      return v1::PROCESS_ROLE_ROUTER;
    case ProcessRole::kDenseWorker:
      return v1::PROCESS_ROLE_DENSE_WORKER;
    case ProcessRole::kExpertWorker:
      return v1::PROCESS_ROLE_EXPERT_WORKER;
  }
  return v1::PROCESS_ROLE_UNSPECIFIED;
}

v1::ProcessState StateOf(ProcessState state) {
  switch (state) {
    case ProcessState::kReady:
      return v1::PROCESS_STATE_READY;
    case ProcessState::kNotReady:
      return v1::PROCESS_STATE_NOT_READY;
    case ProcessState::kDraining:
      return v1::PROCESS_STATE_DRAINING;
    case ProcessState::kUnreachable:
      return v1::PROCESS_STATE_UNREACHABLE;
  }
  return v1::PROCESS_STATE_UNSPECIFIED;
}

// The values of ExpertHold have the same order in both.
static_assert(static_cast<int>(ExpertHold::kStandby) ==
              v1::EXPERT_HOLD_STANDBY);

void SetPlacement(const PlacementReport& placement,
                  v1::PlacementReport& message) {
  for (const PlacedExpert& placed : placement.experts) {
    v1::PlacedExpert* const expert = message.add_experts();
    expert->set_layer(placed.layer);
    expert->set_expert(placed.expert);
    expert->set_hold(static_cast<v1::ExpertHold>(placed.hold));
    expert->set_since(placed.since);
    expert->set_own_rows(placed.own_rows);
    expert->set_absent_rows(placed.absent_rows);
    expert->set_guest_rows(placed.guest_rows);
  }
  message.set_last_move(placement.last_move);
  message.set_last_move_at(placement.last_move_at);
}

v1::FamilyInfo InfoOf(const Family& family) {
  v1::FamilyInfo info;
  info.set_expert(family.expert);
  info.set_name(family.name);
  for (const std::string& language : family.languages) {
    info.add_languages(language);
  }
  return info;
}

}  // namespace

v1::GenerateStarted ToProto(const AnswerStarted& started) {
  v1::GenerateStarted out;
  out.set_request_id(started.request_id);
  out.set_language(started.language.language);
  out.set_confidence(static_cast<float>(started.language.confidence));
  out.set_family(started.language.family);
  out.set_family_name(started.family_name);
  out.set_routing(ModeOf(started.language.hybrid));
  out.set_prompt_tokens(started.prompt_tokens);
  out.set_cached_tokens(started.cached_tokens);
  out.mutable_workers()->set_dense_worker(started.dense_worker);
  out.mutable_workers()->set_expert_worker(started.expert_worker);
  out.set_seed(started.seed);
  out.set_numerics(started.numerics);
  out.set_language_given(started.language.given);
  SetJudgement(started.language.judgement, started.language.threshold, out);
  return out;
}

v1::PromptLogprobs ToProto(const AnswerPrompt& prompt) {
  v1::PromptLogprobs out;
  out.set_index(prompt.index);
  for (const AnswerToken& token : prompt.tokens) {
    out.add_token_ids(token.token);
    AddLogprobs(token, out.add_logprobs());
  }
  return out;
}

v1::GenerateDelta ToProto(const AnswerDelta& delta) {
  v1::GenerateDelta out;
  out.set_choice(delta.choice);
  out.set_index(delta.index);
  out.set_text(delta.text);
  for (const AnswerToken& token : delta.tokens) {
    out.add_token_ids(token.token);
    if (delta.with_logprobs) AddLogprobs(token, out.add_logprobs());
  }
  return out;
}

v1::GenerateFinished ToProto(const AnswerFinished& finished) {
  v1::GenerateFinished out;
  out.set_choice(finished.choice);
  out.set_reason(ReasonOf(finished.reason));
  if (finished.matched_stop) out.set_matched_stop_index(*finished.matched_stop);
  if (finished.matched_token) {
    out.set_matched_token_id(*finished.matched_token);
  }
  out.mutable_usage()->set_prompt_tokens(finished.prompt_tokens);
  out.mutable_usage()->set_cached_tokens(finished.cached_tokens);
  out.mutable_usage()->set_generated_tokens(finished.generated_tokens);
  out.mutable_timings()->set_queue_seconds(
      absl::ToDoubleSeconds(finished.queue));
  if (finished.first_token) {
    out.mutable_timings()->set_first_token_seconds(
        absl::ToDoubleSeconds(*finished.first_token));
  }
  out.mutable_timings()->set_total_seconds(
      absl::ToDoubleSeconds(finished.total));
  for (const LayerUse& layer : finished.expert_use) {
    AddUse(layer, out.add_expert_use());
  }
  return out;
}

v1::ScoreResponse ToProto(const ScoreResult& result) {
  v1::ScoreResponse out;
  *out.mutable_started() = ToProto(result.started);
  for (const ScoredContinuation& score : result.scores) {
    v1::ContinuationScore* to = out.add_scores();
    to->set_logprob(score.logprob);
    to->mutable_token_ids()->Add(score.tokens.begin(), score.tokens.end());
    to->mutable_token_logprobs()->Add(score.token_logprobs.begin(),
                                      score.token_logprobs.end());
  }
  out.set_best(result.best);
  return out;
}

v1::DetectLanguageResponse ToProto(const LanguageReport& report) {
  v1::DetectLanguageResponse out;
  for (const LanguageCandidate& candidate : report.candidates) {
    v1::LanguageCandidate* to = out.add_candidates();
    to->set_language(candidate.language);
    to->set_confidence(static_cast<float>(candidate.confidence));
    to->set_family(candidate.family);
  }
  if (out.candidates_size() > 0) {
    out.set_language(out.candidates(0).language());
    out.set_confidence(out.candidates(0).confidence());
  }
  out.set_family(report.family);
  out.set_family_name(report.family_name);
  SetJudgement(report.judgement, report.threshold, out);
  out.set_neutral(static_cast<float>(report.neutral));
  return out;
}

v1::GetRoutingResponse ToProto(const RouterModel& model,
                               const RoutingReport& report) {
  v1::GetRoutingResponse out;
  for (const RoutingOrigin& origin : report.origins) {
    v1::RoutingSource* source = out.add_sources();
    source->set_dense_worker(origin.dense_worker);
    source->set_answered(origin.answered);
    source->set_covered_seconds(absl::ToDoubleSeconds(origin.covered));
    source->set_reason(origin.reason);
  }
  out.set_experts_per_token(model.config.experts_per_token);
  for (const LanguageUse& language : report.counts.languages) {
    v1::LanguageRouting* to = out.add_languages();
    to->set_language(language.language);
    to->set_family(model.families.ExpertOf(language.language).value_or(-1));
    to->set_tokens(language.tokens);
    to->set_family_tokens(language.family_tokens);
    for (const LayerUse& layer : language.layers) {
      AddUse(layer, to->add_layers());
    }
  }
  return out;
}

v1::CallerStatus ToProto(const CallerUse& use) {
  v1::CallerStatus message;
  message.set_name(use.name);
  message.set_calls(use.calls);
  message.set_calls_failed(use.calls_failed);
  message.set_prompt_tokens(use.prompt_tokens);
  message.set_generated_tokens(use.generated_tokens);
  message.set_streams(use.streams);
  return message;
}

void AddFamilies(const RouterModel& model, v1::GetStatusResponse& response) {
  if (model.config.num_experts == 0) return;
  for (const Family& family : model.families.families()) {
    *response.add_families() = InfoOf(family);
  }
}

v1::GetModelResponse ToProto(const RouterModel& model,
                             const std::string& model_hash) {
  const ModelConfig& c = model.config;
  v1::GetModelResponse out;
  out.set_name(model.name);
  out.set_architecture(c.architecture);
  out.set_model_hash(model_hash);
  out.set_layers(c.num_layers);
  out.set_boundary(c.boundary);
  out.set_hidden_size(c.hidden_size);
  out.set_vocab_size(c.vocab_size);
  out.set_experts(c.num_experts);
  out.set_experts_per_token(c.experts_per_token);
  out.set_max_context_tokens(c.max_context);
  out.set_max_new_tokens(model.limits.max_new_tokens);
  out.set_default_routing(ModeOf(model.default_hybrid));
  if (const ChatTemplate* own = model.chat_template.get(); own != nullptr) {
    out.set_prompt_format("template");
    // Not the path: clients need not know it.
    out.set_chat_template_file(
        std::filesystem::path(own->file()).filename().string());
    out.set_chat_template_hash(own->hash());
  } else {
    out.set_prompt_format(PromptFormatName(c.prompt_format));
  }
  for (const Family& family : model.families.families()) {
    *out.add_families() = InfoOf(family);
  }
  out.set_server_version(kVersion);
  out.mutable_eos_token_ids()->Add(c.eos_tokens.begin(), c.eos_tokens.end());
  for (const std::int32_t end : model.ends.tokens) {
    if (!std::count(c.eos_tokens.begin(), c.eos_tokens.end(), end)) {
      out.add_eos_token_ids(end);
    }
  }
  out.set_language_threshold(static_cast<float>(model.language_threshold));
  for (const std::string& language : model.expected_languages) {
    out.add_expected_languages(language);
  }
  return out;
}

v1::ProcessStatus ToProto(const ProcessStatus& status) {
  v1::ProcessStatus message;
  message.set_role(RoleOf(status.role));
  message.set_name(status.name);
  message.set_address(status.address);
  message.set_state(StateOf(status.state));
  message.set_reason(status.reason);
  message.set_model_hash(status.model_hash);
  message.set_version(status.version);
  message.mutable_experts()->Add(status.experts.begin(), status.experts.end());
  for (const auto& [layer, experts] : status.layer_experts) {
    v1::LayerExpertList* const list = message.add_layer_experts();
    list->set_layer(layer);
    list->mutable_experts()->Add(experts.begin(), experts.end());
  }
  message.set_running_sequences(status.running_sequences);
  message.set_queued_rows(status.queued_rows);
  message.set_cache_tokens(status.cache_tokens);
  if (status.cache_use) message.set_cache_use(*status.cache_use);
  message.set_waiting_sequences(status.waiting_sequences);
  message.set_rows_computed(status.rows_computed);
  message.set_certificate_expires(status.certificate_expires);
  if (status.placement != PlacementReport{}) {
    SetPlacement(status.placement, *message.mutable_placement());
  }
  return message;
}

}  // namespace apollo
