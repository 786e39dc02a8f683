#include "serving/help.h"

#include <absl/flags/usage.h>
#include <absl/flags/usage_config.h>
#include <absl/strings/match.h>
#include <absl/strings/string_view.h>

#include <string>

#include "serving/version.h"

namespace apollo {

bool IsProgramFlag(absl::string_view file) {
  return absl::EndsWith(file, "/main.cc") || absl::EndsWith(file, "flags.cc");
}

void SetHelp(const char* usage) {
  absl::SetProgramUsageMessage(usage);
  absl::FlagsUsageConfig config;
  config.contains_help_flags = IsProgramFlag;
  config.contains_helpshort_flags = config.contains_help_flags;
  config.version_string = [] { return std::string(kVersion) + "\n"; };
  absl::SetFlagsUsageConfig(config);
}

}  // namespace apollo
