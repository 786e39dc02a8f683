#pragma once

#include <absl/strings/string_view.h>

namespace apollo {

// Returns true if flags defined in that file are the program's own, and not
// those of a library.
bool IsProgramFlag(absl::string_view file);

// Sets the output of `--help`: the usage text, then the flags defined in files
// named main.cc or *flags.cc. By default, Abseil shows only those defined in
// "<program>.cc". Also sets the output of `--version`. Call before
// absl::ParseCommandLine.
void SetHelp(const char* usage);

}  // namespace apollo
