#include "router/routing_call.h"

#include <absl/strings/str_cat.h>

#include <memory>
#include <string>
#include <utility>

#include "router/field_error.h"
#include "router/validation.h"

namespace apollo {
namespace {

std::string ReasonOf(const absl::Status& status) {
  return std::string(status.message().empty()
                         ? absl::StatusCodeToString(status.code())
                         : status.message());
}

}  // namespace

void ToProto(const LayerUse& in, v1::LayerExpertUse* out) {
  out->set_layer(in.layer);
  out->mutable_tokens_by_expert()->Add(in.tokens_by_expert.begin(),
                                       in.tokens_by_expert.end());
  out->set_off_family_tokens(in.off_family_tokens);
}

absl::StatusOr<v1::GetRoutingResponse> MergeRouting(
    const RouterModel& model, const std::vector<WorkerRouting>& workers) {
  v1::GetRoutingResponse response;
  RoutingCounts sum;
  bool any = false;
  for (const WorkerRouting& worker : workers) {
    v1::RoutingSource* source = response.add_sources();
    source->set_dense_worker(worker.worker);
    source->set_answered(worker.counts.ok());
    if (!worker.counts.ok()) {
      source->set_reason(ReasonOf(worker.counts.status()));
      continue;
    }
    any = true;
    source->set_covered_seconds(absl::ToDoubleSeconds(worker.counts->covered));
    AddRouting(*worker.counts, sum);
  }
  if (!any) {
    std::string problem = "no dense worker answered";
    if (response.sources_size() > 0) {
      absl::StrAppend(&problem, ", of ", response.sources_size(), "; ",
                      response.sources(0).dense_worker(), ": ",
                      response.sources(0).reason());
    }
    return absl::UnavailableError(absl::StrCat(problem, "; try again"));
  }
  response.set_experts_per_token(model.config.experts_per_token);
  for (const LanguageUse& language : sum.languages) {
    v1::LanguageRouting* to = response.add_languages();
    to->set_language(language.language);
    to->set_family(model.families.ExpertOf(language.language).value_or(-1));
    to->set_tokens(language.tokens);
    to->set_family_tokens(language.family_tokens);
    for (const LayerUse& layer : language.layers)
      ToProto(layer, to->add_layers());
  }
  return response;
}

void StartRoutingCall(const RouterContext& context,
                      const v1::GetRoutingRequest& request,
                      v1::GetRoutingResponse* response,
                      grpc::ServerUnaryReactor* reactor) {
  auto metrics = std::make_shared<RequestMetrics::Request>(
      context.metrics, "GetRouting", context.clock.Now());
  const auto end = [metrics, &clock = context.clock,
                    reactor](const absl::Status& status) {
    metrics->End(absl::StatusCodeToString(status.code()), clock.Now());
    reactor->Finish(ToGrpcStatus(status));
  };
  const absl::StatusOr<absl::Duration> window =
      ValidateRoutingWindow(request.window_seconds());
  if (!window.ok()) {
    end(window.status());
    return;
  }
  context.backend.CollectRouting(
      *window, [&model = context.model, response,
                end](const std::vector<WorkerRouting>& workers) {
        absl::StatusOr<v1::GetRoutingResponse> merged =
            MergeRouting(model, workers);
        if (merged.ok()) *response = *std::move(merged);
        end(merged.status());
      });
}

}  // namespace apollo
