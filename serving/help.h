#pragma once

namespace apollo {

// Sets what `--help` of this program says: the text, then the flags that files
// called main.cc or ...flags.cc define. Abseil looks for them in "<program>.cc"
// otherwise. Call before absl::ParseCommandLine.
void SetHelp(const char* usage);

}  // namespace apollo
