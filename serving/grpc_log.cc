#include "serving/grpc_log.h"

#include <absl/strings/str_cat.h>
#include <grpc/support/log.h>

#include <cstdint>
#include <vector>

#include "common/clock.h"
#include "common/log.h"
#include "common/log_budget.h"
#include "common/strings.h"

namespace apollo {
namespace {

std::string_view NameOf(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

void Report(gpr_log_func_args* report) {
  if (report->severity != GPR_LOG_SEVERITY_ERROR) return;
  static LogBudget* const budget =
      new LogBudget(Clock::Real(), kGrpcLinesPerSecond);
  const std::optional<std::int64_t> held_back = budget->Take();
  if (!held_back) return;
  std::vector<LogField> fields = {
      {"source",
       absl::StrCat(ToAbsl(NameOf(report->file)), ":", report->line)}};
  if (std::optional<std::string> text =
          SafeGrpcText(report->file, report->message)) {
    fields.emplace_back("reason", *std::move(text));
  }
  if (*held_back > 0) fields.emplace_back("held_back", *held_back);
  LogWarning("grpc_error_reported", fields);
}

}  // namespace

void CaptureGrpcLog() { gpr_set_log_function(Report); }

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
