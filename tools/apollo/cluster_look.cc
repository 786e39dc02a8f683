#include "tools/apollo/cluster_look.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/apollo/merged_status.h"
#include "tools/apollo/status_table.h"

namespace apollo::client {
namespace {

using Router = v1::InferenceService::StubInterface;

struct Asked {
  RouterAnswer answer;
  std::optional<Failure> failure = std::nullopt;
};

Asked Ask(Session& session, Router& router, const std::string& server) {
  Asked asked{.answer = {.server = server}};
  grpc::ClientContext context;
  SetDeadline(session.options, context);
  Interrupt::Scope scope(session.interrupt, context);
  v1::GetStatusResponse response;
  const grpc::Status status =
      router.GetStatus(&context, v1::GetStatusRequest(), &response);
  if (status.ok()) {
    asked.answer.status = std::move(response);
    return asked;
  }
  asked.failure = MakeFailure(status, context);
  asked.answer.reason =
      absl::StrCat(CodeName(status.error_code()), ": ", status.error_message());
  return asked;
}

}  // namespace

ClusterLook LookAtCluster(Session& session) {
  std::vector<Router*> routers = {&session.service};
  routers.insert(routers.end(), session.other_services.begin(),
                 session.other_services.end());
  const std::vector<std::string> servers =
      absl::StrSplit(session.options.server, ',');
  ClusterLook look;
  std::vector<RouterAnswer> answers;
  bool answered = false;
  look.all_ready = true;
  for (std::size_t i = 0; i < routers.size(); ++i) {
    Asked asked =
        Ask(session, *routers[i], i < servers.size() ? servers[i] : "");
    if (session.interrupt.cancelled()) {
      look.failure = {.status = grpc::Status(grpc::StatusCode::CANCELLED,
                                             "cancelled by the user")};
      look.all_ready = false;
      return look;
    }
    const std::optional<v1::GetStatusResponse>& status = asked.answer.status;
    answered = answered || status.has_value();
    look.all_ready = look.all_ready && status && AllReady(*status);
    answers.push_back(std::move(asked.answer));
    if (!look.failure) look.failure = std::move(asked.failure);
  }
  if (answered) look.failure.reset();
  look.status = MergedStatus(answers);
  return look;
}

}  // namespace apollo::client
