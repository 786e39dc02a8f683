#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <ostream>
#include <thread>

#include "tools/apollo/commands.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/render.h"

namespace apollo::client {
namespace {

using std::chrono::steady_clock;

struct Health {
  grpc::Status status;
  bool answered = false;
  grpc::health::v1::HealthCheckResponse response;

  bool serving() const {
    return status.ok() &&
           response.status() == grpc::health::v1::HealthCheckResponse::SERVING;
  }
};

Health Check(Session& session) {
  Health health;
  grpc::ClientContext context;
  SetDeadline(session.options, context);
  Interrupt::Scope scope(session.interrupt, context);
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(session.options.service);
  health.status = session.health.Check(&context, request, &health.response);
  health.answered = MakeFailure(health.status, context).answered;
  return health;
}

}  // namespace

int RunHealth(Session& session) {
  // More than a year is as good as forever.
  const double asked = session.options.wait;
  const double wait = asked > 0 ? std::min(asked, 3e7) : 0;
  const auto end =
      steady_clock::now() + std::chrono::duration_cast<steady_clock::duration>(
                                std::chrono::duration<double>(wait));
  Health health = Check(session);
  while (!health.serving() && steady_clock::now() < end &&
         !session.interrupt.cancelled()) {
    // A starting process does not listen yet, so it cannot notify the client.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    health = Check(session);
  }
  if (!health.status.ok())
    return ReportFailure(
        session, {.status = health.status, .answered = health.answered});
  if (session.options.json) {
    session.out << JsonLine(health.response) << std::endl;
  } else {
    session.out << grpc::health::v1::HealthCheckResponse::ServingStatus_Name(
                       health.response.status())
                << std::endl;
  }
  return health.serving() ? kOk : kFailed;
}

}  // namespace apollo::client
