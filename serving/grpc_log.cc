#include "serving/grpc_log.h"

#include <absl/strings/str_cat.h>

#include <cstdint>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_budget.h"
#include "common/strings.h"
#include "serving/grpc_report.h"

namespace apollo {
namespace {

std::string_view NameOf(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

void ReportGrpcError(GrpcSeverity severity, std::string_view file, int line,
                     std::string_view text) {
  const bool fatal = severity == GrpcSeverity::kFatal;
  static LogBudget* const budget =
      new LogBudget(Clock::Real(), kGrpcLinesPerSecond);
  const std::optional<std::int64_t> held_back = budget->Take();
  if (!held_back && !fatal) return;
  std::vector<LogField> fields = {
      {"source", absl::StrCat(ToAbsl(NameOf(file)), ":", line)}};
  if (std::optional<std::string> safe = SafeGrpcText(file, text)) {
    fields.emplace_back("reason", *std::move(safe));
  }
  if (held_back.value_or(0) > 0) fields.emplace_back("held_back", *held_back);
  if (fatal) {
    LogError("grpc_failed", fields);
  } else {
    LogWarning("grpc_error_reported", fields);
  }
}

std::optional<std::string> SafeGrpcText(std::string_view file,
                                        std::string_view text) {
  const std::string_view name = NameOf(file);
  if (name != "ssl_transport_security.cc" &&
      name != "tls_security_connector.cc" &&
      name != "ssl_security_connector.cc") {
    return std::nullopt;
  }
  return std::string(text);
}

}  // namespace apollo
