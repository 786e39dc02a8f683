#pragma once

namespace apollo {

// Sets the output of `--help`: the usage text, then the flags defined in files
// named main.cc or *flags.cc. By default, Abseil shows only those defined in
// "<program>.cc". Also sets the output of `--version`. Call before
// absl::ParseCommandLine.
void SetHelp(const char* usage);

}  // namespace apollo
