#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace apollo {

// The arguments of a program, checked before Abseil sees them. Abseil ends the
// process at the first mistake, and with code 1 after --help, too.
struct CommandLine {
  std::vector<std::string> arguments;  // For absl::ParseCommandLine.
  bool help = false;                   // --help or -h was given.
  bool version = false;                // --version was given.
};

// Reads the arguments after the program's name. Flag names may be spelled with
// "-" for "_", which is corrected in `arguments`. Returns INVALID_ARGUMENT, in
// one line, naming
// - a flag that does not exist, and the one that was probably meant;
// - a value that is none of its flag's type, with an example;
// - an argument that is no flag, or a flag without its value.
// Flags that name other flags (--flagfile, --undefok) are left to Abseil.
absl::StatusOr<CommandLine> ReadCommandLine(
    const std::vector<std::string>& arguments);

// Returns the text of --help: the usage, then the flags defined in files named
// main.cc or *flags.cc, with their defaults.
std::string HelpText(const std::string& program, const std::string& usage);

}  // namespace apollo
