#include "serving/admin_service.h"

#include <absl/flags/commandlineflag.h>
#include <absl/flags/reflection.h>
#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "common/log.h"
#include "serving/help.h"
#include "serving/version.h"

namespace apollo {
namespace {

constexpr double kLongestDrainSeconds = 24 * 3600;

grpc::Status Refused(std::string message) {
  return {grpc::StatusCode::INVALID_ARGUMENT, std::move(message)};
}

grpc::Status ToGrpc(const absl::Status& status) {
  return {static_cast<grpc::StatusCode>(status.code()),
          std::string(status.message())};
}

}  // namespace

AdminService::AdminService(AdminActions actions)
    : actions_(std::move(actions)) {}

grpc::Status AdminService::Authorize(
    const grpc::ServerContextBase& context) const {
  if (actions_.authorize == nullptr) return grpc::Status::OK;
  return ToGrpc(actions_.authorize(context));
}

grpc::Status AdminService::Drain(grpc::ServerContext* context,
                                 const v1::DrainRequest* request,
                                 v1::DrainResponse* response) {
  if (grpc::Status may = Authorize(*context); !may.ok()) return may;
  const double seconds = request->timeout_seconds();
  // Written so that NaN fails.
  if (!(seconds >= 0 && seconds <= kLongestDrainSeconds)) {
    return Refused(absl::StrCat("timeout_seconds is ", seconds,
                                "; it must be from 0 to ",
                                kLongestDrainSeconds));
  }
  DrainOptions options = actions_.drain;
  if (seconds > 0) options.timeout = absl::Seconds(seconds);
  switch (request->mode()) {
    case v1::DRAIN_MODE_UNSPECIFIED:
      break;
    case v1::DRAIN_MODE_MOVE:
    case v1::DRAIN_MODE_FINISH:
      options.move = request->mode() == v1::DRAIN_MODE_MOVE;
      break;
    default:
      return Refused(absl::StrCat("mode is ", request->mode(),
                                  "; it must be from 0 to 2"));
  }
  LogInfo("drain_requested",
          {{"move", options.move},
           {"timeout_seconds", absl::ToDoubleSeconds(options.timeout)}});
  response->set_drained(
      actions_.take_out(options, [context] { return context->IsCancelled(); }));
  return grpc::Status::OK;
}

grpc::Status AdminService::Reload(grpc::ServerContext* context,
                                  const v1::ReloadRequest* /*request*/,
                                  v1::ReloadResponse* response) {
  if (grpc::Status may = Authorize(*context); !may.ok()) return may;
  std::vector<absl::Status> statuses;
  for (const AdminFile& file : actions_.files) {
    statuses.push_back(file.reload());
  }
  // What was refused may fit beside what a later file says.
  const auto last = std::find_if(statuses.rbegin(), statuses.rend(),
                                 [](const absl::Status& s) { return s.ok(); });
  const std::size_t again = statuses.rend() - last;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const AdminFile& file = actions_.files[i];
    if (!statuses[i].ok() && i < again) statuses[i] = file.reload();
    if (statuses[i].ok()) {
      response->add_files(file.flag);
      continue;
    }
    v1::RefusedFile& refused = *response->add_refused();
    refused.set_flag(file.flag);
    refused.set_reason(std::string(statuses[i].message()));
  }
  LogInfo("reload_requested", {{"files", response->files_size()},
                               {"refused", response->refused_size()}});
  return grpc::Status::OK;
}

grpc::Status AdminService::GetConfig(grpc::ServerContext* context,
                                     const v1::GetConfigRequest* /*request*/,
                                     v1::GetConfigResponse* response) {
  if (grpc::Status may = Authorize(*context); !may.ok()) return may;
  response->set_process(actions_.process);
  response->set_version(VersionText());
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    if (!IsProgramFlag(flag->Filename())) continue;
    (*response->mutable_flags())[std::string(name)] = flag->CurrentValue();
  }
  return grpc::Status::OK;
}

grpc::Status AdminService::SetLogLevel(grpc::ServerContext* context,
                                       const v1::SetLogLevelRequest* request,
                                       v1::SetLogLevelResponse* /*response*/) {
  if (grpc::Status may = Authorize(*context); !may.ok()) return may;
  switch (request->level()) {
    case v1::LOG_LEVEL_INFO:
      apollo::SetLogLevel(LogLevel::kInfo);
      break;
    case v1::LOG_LEVEL_WARNING:
      apollo::SetLogLevel(LogLevel::kWarning);
      break;
    case v1::LOG_LEVEL_ERROR:
      apollo::SetLogLevel(LogLevel::kError);
      break;
    default:
      return Refused(absl::StrCat("level is ", request->level(),
                                  "; it must be from 1 to 3"));
  }
  return grpc::Status::OK;
}

}  // namespace apollo
