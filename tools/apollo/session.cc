#include "tools/apollo/session.h"

#include <ostream>

#include "tools/apollo/errors.h"
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
    default:
      return 10;
  }
}

}  // namespace

void SetDeadline(const Options& options, grpc::ClientContext& context) {
  const double limit = TimeLimit(options);
  if (limit <= 0) return;
  // More than a year is as good as forever, and the clock would overflow.
  const auto seconds = std::chrono::duration<double>(std::min(limit, 3e7));
  context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::microseconds>(seconds));
}

int ReportFailure(Session& session, const grpc::Status& status) {
  if (session.options.json) session.out << ErrorJson(status) << std::endl;
  if (session.interrupt.TakeCancelled()) {
    session.err << "Cancelled." << std::endl;
    return kInterrupted;
  }
  session.err << ErrorText(status, session.options.server) << std::flush;
  return kFailed;
}

}  // namespace apollo::client
