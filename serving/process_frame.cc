#include "serving/process_frame.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/strings.h"
#include "serving/second_stop.h"
#include "serving/service_manager.h"
#include "serving/tls.h"

namespace apollo {
namespace {

// Failing to tell systemd must not end a process that serves.
void Notify(std::string_view message) {
  const absl::Status status = NotifyServiceManager(message);
  if (status.ok()) return;
  LogWarning("notification_failed",
             {{"reason", std::string(status.message())}});
}

}  // namespace

absl::StatusOr<std::unique_ptr<ProcessFrame>> ProcessFrame::Make(
    std::string_view flag, std::string_view workers,
    const std::string& dns_server, Membership::Check check) {
  auto members = Membership::Parse(workers, dns_server, std::move(check));
  if (!members.ok()) {
    return absl::Status(
        members.status().code(),
        absl::StrCat("--", ToAbsl(flag), ": ", members.status().message()));
  }
  return std::unique_ptr<ProcessFrame>(
      new ProcessFrame(flag, *std::move(members)));
}

ProcessFrame::ProcessFrame(std::string_view flag,
                           std::unique_ptr<Membership> members)
    : flag_(flag),
      registry_(std::make_shared<prometheus::Registry>()),
      members_(std::move(members)) {}

ProcessFrame::~ProcessFrame() { Close(); }

absl::Status ProcessFrame::CheckNamesWorkers() const {
  if (!members_->NamesNobody()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--", flag_,
      " names no worker; it must be host:port,host:port (or unix:/path), "
      "file:/path for a file with one address per line, or dns:NAME:PORT"));
}

absl::Status ProcessFrame::Begin(absl::StatusOr<std::unique_ptr<Server>> server,
                                 Membership::Listener workers,
                                 const std::vector<LogField>& facts) {
  ASSIGN_OR_RETURN(server_, std::move(server));
  if (workers != nullptr) members_->Start(std::move(workers));
  std::vector<LogField> fields = {{"address", server_->address()},
                                  {"metrics", server_->metrics_address()}};
  fields.insert(fields.end(), facts.begin(), facts.end());
  LogInfo("started", fields);
  Notify(kServiceReady);
  return absl::OkStatus();
}

absl::Status ProcessFrame::ServeAdmin(const ProcessFlags& flags,
                                      const DrainOptions& drain,
                                      AdminActions::TakeOut take_out,
                                      std::vector<AdminFile> files) {
  if (flags.admin_listen.empty()) return absl::OkStatus();
  AdminActions actions;
  actions.process = flags.name;
  actions.drain = drain;
  actions.take_out = [this, take_out = std::move(take_out)](
                         const DrainOptions& options,
                         const AdminActions::GaveUp& gave_up) {
    taken_out_ = true;
    return take_out(options, gave_up);
  };
  actions.files = std::move(files);
  if (members_->FollowsSource()) {
    actions.files.push_back({flag_, [this] { return members_->ReadNow(); }});
  }
  if (flags.server.tls != nullptr) {
    actions.files.push_back({"tls_cert", [tls = flags.server.tls] {
                               return tls->ReadNow(absl::Now());
                             }});
  }
  ASSIGN_OR_RETURN(admin_,
                   AdminServer::Start(flags.admin_listen, std::move(actions)));
  LogInfo("administration_started", {{"address", admin_->address()}});
  return absl::OkStatus();
}

absl::Status ProcessFrame::RunUntilStopped(const HealthChecks& checks,
                                           const LastCalls& last,
                                           const std::function<void()>& drain) {
  absl::Status status = server_->RunUntilStopped(
      {.ready = [this, &checks] { return !taken_out_ && checks.ready(); },
       .alive = checks.alive});
  // A port that is lost is no stop request: the first signal is still to come.
  std::optional<SecondStop> second;
  if (status.ok()) second.emplace();
  LogInfo("stopping");
  Notify(kServiceStopping);
  if (drain != nullptr) drain();
  server_->Shutdown(last);
  return status;
}

void ProcessFrame::Close() {
  admin_.reset();
  members_.reset();
  server_.reset();
}

}  // namespace apollo
