#include "serving/run_program.h"

#include <absl/flags/parse.h>
#include <absl/strings/str_cat.h>

#include <cstdio>
#include <vector>

#include "common/log.h"
#include "serving/help.h"
#include "serving/server.h"

namespace apollo {

int RunProgram(int argc, char** argv, const std::string& program,
               const char* usage, const std::function<absl::Status()>& run) {
  BlockStopSignals();
  SetHelp(usage);
  // The first is the program itself.
  const std::vector<char*> left = absl::ParseCommandLine(argc, argv);
  SetLogProcess(program);
  const absl::Status status =
      left.size() > 1
          ? absl::InvalidArgumentError(absl::StrCat(
                "\"", left[1], "\" is not a flag; flags are --name=value"))
          : run();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s: %s\n", program.c_str(),
               std::string(status.message()).c_str());
  return 1;
}

}  // namespace apollo
