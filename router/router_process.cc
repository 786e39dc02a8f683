#include "router/router_process.h"

#include <absl/strings/str_cat.h>

#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {

absl::StatusOr<std::unique_ptr<RouterProcess>> RouterProcess::Start(
    const Options& options) {
  if (options.dense_worker_timeout < absl::Seconds(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--dense_worker_timeout is ",
                     absl::FormatDuration(options.dense_worker_timeout),
                     "; it must be at least 1s"));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Membership> members,
                   Membership::Parse(options.dense_workers));
  std::unique_ptr<RouterProcess> process(new RouterProcess());
  ASSIGN_OR_RETURN(process->model_, RouterModel::Load(options.process.model,
                                                      options.router.model));
  if (members->NamesNobody()) {
    return absl::InvalidArgumentError(
        "--dense_workers names no worker; it must be host:port,host:port, or "
        "file:/path for a file with one address per line");
  }
  process->registry_ = std::make_shared<prometheus::Registry>();
  process->pool_ = std::make_unique<DensePool>(
      process->model_->fingerprint,
      DensePool::Options{options.dense_worker_timeout});
  process->role_ = std::make_unique<RouterRole>(
      *process->model_, *process->pool_, options.router, *process->registry_);
  ASSIGN_OR_RETURN(
      process->server_,
      process->role_->Listen(options.process.server, process->registry_));
  process->pool_->StartPolling();
  process->members_ = std::move(members);
  process->members_->Start(
      [pool = process->pool_.get()](const auto& addresses) {
        pool->SetMembers(addresses);
      });
  LogInfo("started", {{"address", process->server_->address()},
                      {"metrics", process->server_->metrics_address()},
                      {"model", process->model_->name}});
  return process;
}

void RouterProcess::RunUntilStopped() {
  server_->RunUntilStopped([this] { return pool_->Ready(); });
  LogInfo("stopping");
  server_->Shutdown(absl::Seconds(10));
}

}  // namespace apollo
