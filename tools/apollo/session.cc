#include "tools/apollo/session.h"

#include <algorithm>
#include <ostream>

#include "tools/apollo/parse.h"

namespace apollo::client {
namespace {

// In seconds; 0: none.
double TimeLimit(const Options& options) {
  if (options.timeout > 0) return options.timeout;
  switch (options.command) {
    case Command::kAsk:
    case Command::kChat:
      return 0;
    case Command::kScore:
      return 60;
    case Command::kTop:
      return 5;
    default:
      return 10;
  }
}

}  // namespace

std::optional<std::chrono::system_clock::time_point> DeadlineOf(
    const Options& options) {
  const double limit = TimeLimit(options);
  if (limit <= 0) return std::nullopt;
  // More than a year is as good as forever, and the clock would overflow.
  const auto seconds = std::chrono::duration<double>(std::min(limit, 3e7));
  return std::chrono::system_clock::now() +
         std::chrono::duration_cast<std::chrono::microseconds>(seconds);
}

void SetDeadline(const Options& options, grpc::ClientContext& context) {
  if (const auto deadline = DeadlineOf(options)) {
    context.set_deadline(*deadline);
  }
}

Failure MakeFailure(const grpc::Status& status,
                    const grpc::ClientContext& context,
                    const std::string& request_id) {
  Failure failure{.status = status, .request_id = request_id};
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto id = trailers.find("x-request-id");
  failure.answered = id != trailers.end() || HasDetails(status);
  if (request_id.empty() && id != trailers.end()) {
    failure.request_id = std::string(id->second.data(), id->second.size());
  }
  return failure;
}

int ReportFailure(Session& session, const Failure& failure) {
  if (session.options.json) session.out << ErrorJson(failure) << std::endl;
  if (session.interrupt.TakeCancelled()) {
    session.err << "Cancelled." << std::endl;
    return kInterrupted;
  }
  session.err << ErrorText(failure, session.options.server) << std::flush;
  return kFailed;
}

}  // namespace apollo::client
