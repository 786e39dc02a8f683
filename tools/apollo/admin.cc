#include <grpcpp/client_context.h>

#include <ostream>

#include "proto/apollo/v1/admin.grpc.pb.h"
#include "tools/apollo/channel.h"
#include "tools/apollo/commands.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/render.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

using Stub = v1::AdminService::StubInterface;

// Makes a call. Reports failures. Returns 0 or the exit code of the failure.
// `bounded`: it has the timeout of a command also if none is given.
template <typename Request, typename Response>
int Call(Session& session,
         grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                      Response*),
         const Request& request, Response& response, bool bounded = true) {
  Options first = session.options;
  first.server = first.server.substr(0, first.server.find(','));
  const auto channel = MakeChannel(first);
  if (!channel.ok()) {
    session.err << "apollo: " << channel.status().message() << std::endl;
    return kUsage;
  }
  const auto stub = v1::AdminService::NewStub(*channel);
  grpc::ClientContext context;
  if (bounded || session.options.timeout > 0) {
    SetDeadline(session.options, context);
  }
  Interrupt::Scope scope(session.interrupt, context);
  const grpc::Status status =
      (static_cast<Stub&>(*stub).*method)(&context, request, &response);
  if (!status.ok()) return ReportFailure(session, MakeFailure(status, context));
  if (session.options.json) session.out << JsonLine(response) << std::endl;
  return kOk;
}

int RunDrain(Session& session) {
  v1::DrainRequest request;
  request.set_timeout_seconds(session.options.wait);
  if (session.options.drain_mode == "move") {
    request.set_mode(v1::DRAIN_MODE_MOVE);
  } else if (session.options.drain_mode == "finish") {
    request.set_mode(v1::DRAIN_MODE_FINISH);
  }
  v1::DrainResponse response;
  const int code =
      Call(session, &Stub::Drain, request, response, /*bounded=*/false);
  if (code != kOk) return code;
  if (!response.drained()) {
    session.err << "apollo: work was left when the time was over" << std::endl;
    return kFailed;
  }
  if (!session.options.json) session.out << "drained" << std::endl;
  return session.out ? kOk : kFailed;
}

int RunReload(Session& session) {
  v1::ReloadResponse response;
  const int code = Call(session, &Stub::Reload, v1::ReloadRequest(), response);
  if (code != kOk) return code;
  if (!session.options.json) {
    for (const std::string& file : response.files()) {
      session.out << "--" << ForTerminal(file) << "\n";
    }
    session.out << std::flush;
  }
  for (const v1::RefusedFile& file : response.refused()) {
    session.err << "apollo: --" << ForTerminal(file.flag())
                << " is refused: " << ForTerminal(file.reason()) << std::endl;
  }
  if (response.files().empty() && response.refused().empty()) {
    session.err << "apollo: the process reads no file again" << std::endl;
  }
  return session.out && response.refused().empty() ? kOk : kFailed;
}

int RunConfig(Session& session) {
  v1::GetConfigResponse response;
  const int code =
      Call(session, &Stub::GetConfig, v1::GetConfigRequest(), response);
  if (code != kOk || session.options.json) return code;
  for (const auto& [name, value] : response.flags()) {
    session.out << "--" << ForTerminal(name) << "=" << ForTerminal(value)
                << "\n";
  }
  session.out << std::flush;
  return session.out ? kOk : kFailed;
}

int RunLogLevel(Session& session) {
  v1::SetLogLevelRequest request;
  const std::string& level = session.options.log_level;
  request.set_level(level == "info"      ? v1::LOG_LEVEL_INFO
                    : level == "warning" ? v1::LOG_LEVEL_WARNING
                                         : v1::LOG_LEVEL_ERROR);
  v1::SetLogLevelResponse response;
  return Call(session, &Stub::SetLogLevel, request, response);
}

}  // namespace

int RunAdmin(Session& session) {
  const std::string& action = session.options.admin_action;
  if (action == "drain") return RunDrain(session);
  if (action == "reload") return RunReload(session);
  if (action == "config") return RunConfig(session);
  return RunLogLevel(session);
}

}  // namespace apollo::client
