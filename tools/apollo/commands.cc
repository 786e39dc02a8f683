#include "tools/apollo/commands.h"

#include <absl/status/statusor.h>

#include <ctime>
#include <optional>
#include <ostream>

#include "common/strings.h"
#include "tools/apollo/cluster_look.h"
#include "tools/apollo/generate.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/placement_table.h"
#include "tools/apollo/render.h"
#include "tools/apollo/request_id.h"
#include "tools/apollo/requests.h"
#include "tools/apollo/status_table.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// Returns the text of the command. If it is unusable, reports that and returns
// nullopt.
std::optional<std::string> TextOrComplaint(Session& session) {
  absl::StatusOr<std::string> text = ReadText(session.options, session.in);
  if (text.ok()) return *std::move(text);
  session.err << "apollo: " << ToStd(text.status().message()) << std::endl;
  return std::nullopt;
}

// Makes a call with one response. Reports failures. Returns 0 or the exit code
// of the failure.
template <typename Request, typename Response>
int Call(Session& session,
         grpc::Status (v1::InferenceService::StubInterface::*method)(
             grpc::ClientContext*, const Request&, Response*),
         const Request& request, Response& response,
         const std::string& request_id = "") {
  grpc::ClientContext context;
  SetDeadline(session.options, context);
  Interrupt::Scope scope(session.interrupt, context);
  const grpc::Status status =
      (session.service.*method)(&context, request, &response);
  if (status.ok()) return kOk;
  return ReportFailure(session, MakeFailure(status, context, request_id));
}

// Prints a successful response.
int Print(Session& session, const google::protobuf::Message& message,
          const std::string& lines) {
  if (session.options.json) {
    session.out << JsonLine(message) << std::endl;
  } else {
    session.out << lines << std::flush;
  }
  return session.out ? kOk : kFailed;
}

}  // namespace

int RunCommand(Session& session) {
  switch (session.options.command) {
    case Command::kAsk:
      return RunAsk(session);
    case Command::kChat:
      return RunChat(session);
    case Command::kScore:
      return RunScore(session);
    case Command::kDetect:
      return RunDetect(session);
    case Command::kTokenize:
      return RunTokenize(session);
    case Command::kModel:
      return RunModel(session);
    case Command::kRouting:
      return RunRouting(session);
    case Command::kStatus:
      return RunStatus(session);
    case Command::kTop:
      return RunTop(session);
    case Command::kPlacement:
      return RunPlacement(session);
    case Command::kHealth:
      return RunHealth(session);
    case Command::kAdmin:
      return RunAdmin(session);
  }
  return kUsage;
}

int RunAsk(Session& session) {
  const std::optional<std::string> text = TextOrComplaint(session);
  if (!text) return kUsage;
  const Answer answer = Generate(session, AskRequest(session.options, *text));
  if (!answer.ok()) return ReportFailure(session, answer.failure);
  return session.out ? kOk : kFailed;
}

int RunScore(Session& session) {
  const std::optional<std::string> text = TextOrComplaint(session);
  if (!text) return kUsage;
  v1::ScoreRequest request = MakeScoreRequest(session.options, *text);
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  if (session.options.verbose) {
    session.err << "request " << ForTerminal(request.request_id()) << " to "
                << session.options.server << std::endl;
  }
  v1::ScoreResponse response;
  const int code = Call(session, &v1::InferenceService::StubInterface::Score,
                        request, response, request.request_id());
  if (code != kOk) return code;
  if (!session.options.json && response.has_started()) {
    session.err << Dim(StartedLine(response.started()), session.err_is_terminal)
                << std::endl;
  }
  return Print(session, response, ScoreLines(request, response));
}

int RunDetect(Session& session) {
  const std::optional<std::string> text = TextOrComplaint(session);
  if (!text) return kUsage;
  v1::DetectLanguageRequest request;
  request.set_text(*text);
  v1::DetectLanguageResponse response;
  const int code =
      Call(session, &v1::InferenceService::StubInterface::DetectLanguage,
           request, response);
  if (code != kOk) return code;
  return Print(session, response, LanguageLines(response));
}

int RunTokenize(Session& session) {
  const std::optional<std::string> text = TextOrComplaint(session);
  if (!text) return kUsage;
  v1::TokenizeRequest request;
  request.set_text(*text);
  request.set_parse_special_tokens(session.options.parse_special_tokens);
  v1::TokenizeResponse response;
  const int code = Call(session, &v1::InferenceService::StubInterface::Tokenize,
                        request, response);
  if (code != kOk) return code;
  if (!session.options.json) {
    session.err << Dim(std::to_string(response.token_ids_size()) + " tokens",
                       session.err_is_terminal)
                << std::endl;
  }
  return Print(session, response, TokenLines(response));
}

int RunModel(Session& session) {
  v1::GetModelResponse response;
  const int code = Call(session, &v1::InferenceService::StubInterface::GetModel,
                        v1::GetModelRequest(), response);
  if (code != kOk) return code;
  return Print(session, response, ModelLines(response));
}

int RunRouting(Session& session) {
  v1::GetRoutingRequest request;
  request.set_window_seconds(session.options.window);
  v1::GetRoutingResponse response;
  const int code =
      Call(session, &v1::InferenceService::StubInterface::GetRouting, request,
           response);
  if (code != kOk) return code;
  for (const v1::RoutingSource& source : response.sources()) {
    if (source.answered()) continue;
    session.err << "apollo: dense worker " << ForTerminal(source.dense_worker())
                << " did not answer; its counts are missing: "
                << ForTerminal(source.reason()) << std::endl;
  }
  return Print(session, response, RoutingLines(response));
}

int RunStatus(Session& session) {
  const ClusterLook look = LookAtCluster(session);
  if (look.failure) return ReportFailure(session, *look.failure);
  const int printed =
      Print(session, look.status,
            StatusTable(look.status, {.now = std::time(nullptr)}));
  return look.all_ready ? printed : kFailed;
}

int RunPlacement(Session& session) {
  v1::GetStatusResponse response;
  const int code =
      Call(session, &v1::InferenceService::StubInterface::GetStatus,
           WholeStatus(), response);
  if (code != kOk) return code;
  return Print(session, response, PlacementTable(response, std::time(nullptr)));
}

}  // namespace apollo::client
