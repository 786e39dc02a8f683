#include "serving/run_program.h"

#include <absl/flags/parse.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"
#include "common/stop_request.h"
#include "serving/command_line.h"
#include "serving/core_dump_flags.h"
#include "serving/version.h"

namespace apollo {
namespace {

absl::Status ReadAndRun(int argc, char** argv, const std::string& program,
                        const char* usage,
                        const std::function<absl::Status()>& run) {
  ASSIGN_OR_RETURN(CommandLine line, ReadCommandLine({argv + 1, argv + argc}));
  if (line.help || line.version) {
    const std::string text =
        line.help ? HelpText(program, usage) : VersionText() + "\n";
    std::fputs(text.c_str(), stdout);
    return absl::OkStatus();
  }
  std::vector<char*> arguments = {argv[0]};
  for (std::string& argument : line.arguments) {
    arguments.push_back(argument.data());
  }
  absl::ParseCommandLine(static_cast<int>(arguments.size()), arguments.data());
  ApplyCoreDumpFlags();
  return run();
}

}  // namespace

int RunProgram(int argc, char** argv, const std::string& program,
               const char* usage, const std::function<absl::Status()>& run) {
  BlockStopSignals();
  // gRPC, also inside of OpenTelemetry's SDK, would send what is for this
  // machine or the cluster to a proxy. Before there are threads.
  for (const char* proxy : {"grpc_proxy", "https_proxy", "http_proxy"}) {
    unsetenv(proxy);
  }
  SetLogProcess(program);
  const absl::Status status = ReadAndRun(argc, argv, program, usage, run);
  if (status.ok()) return 0;
  if (absl::IsCancelled(status) && StopRequested()) {
    LogInfo("stopping", {{"reason", std::string(status.message())}});
    return 0;
  }
  std::fprintf(stderr, "%s: %s\n", program.c_str(),
               std::string(status.message()).c_str());
  return 1;
}

}  // namespace apollo
