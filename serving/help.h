#pragma once

namespace apollo {

// Sets what `--help` of this program says: the text, then the flags that its
// own main file defines. Abseil looks for them in "<program>.cc" otherwise, and
// our programs' files are called main.cc. Call before absl::ParseCommandLine.
void SetHelp(const char* usage);

}  // namespace apollo
