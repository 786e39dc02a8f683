#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace apollo::client {

// The arguments of the program, checked before CLI11 sees them.
struct Arguments {
  std::vector<std::string> list;
  // What is wrong with them, in one line; empty: nothing.
  std::string problem;
};

// Checks the arguments after the program's name against the commands and
// options of `app`. Options may be spelled with "-" for "_", which is corrected
// in the result; values are kept as they are. Names as the problem
// - an unknown command or option, and the one that was probably meant;
// - an option of another command, or one that is before its command;
// - a value that is no number for an option that takes one;
// - an option without its value.
Arguments ReadArguments(const CLI::App& app,
                        const std::vector<std::string>& arguments);

// Returns the name of the command among `arguments`, as ReadArguments has
// returned them; empty if there is none.
std::string CommandIn(const CLI::App& app,
                      const std::vector<std::string>& arguments);

}  // namespace apollo::client
