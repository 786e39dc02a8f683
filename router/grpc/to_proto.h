#pragma once

#include <string>

#include "proto/apollo/v1/inference.pb.h"
#include "router/model/language_choice.h"
#include "router/model/router_model.h"
#include "router/process_status.h"
#include "router/session/events.h"
#include "router/session/routing_report.h"

namespace apollo {

// Convert plain structs into messages of apollo.v1.
v1::GenerateStarted ToProto(const AnswerStarted& started);
v1::PromptLogprobs ToProto(const AnswerPrompt& prompt);
v1::GenerateDelta ToProto(const AnswerDelta& delta);
v1::GenerateFinished ToProto(const AnswerFinished& finished);
v1::ScoreResponse ToProto(const ScoreResult& result);
v1::DetectLanguageResponse ToProto(const LanguageReport& report);
v1::GetRoutingResponse ToProto(const RouterModel& model,
                               const RoutingReport& report);
v1::ProcessStatus ToProto(const ProcessStatus& status);
v1::CallerStatus ToProto(const CallerUse& use);
v1::GetModelResponse ToProto(const RouterModel& model,
                             const std::string& model_hash);

// Adds the language families of a model with experts.
void AddFamilies(const RouterModel& model, v1::GetStatusResponse& response);

}  // namespace apollo
