#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "tools/apollo/options.h"

namespace apollo::load {

// The command line of the program; AddOptions has the meanings.
struct Options {
  client::Options connection;
  int streams = 1;
  int prompt_tokens = 128;
  int new_tokens = 64;
  int arrivals = 0;
  int arrival_prompt_tokens = 2048;
  int arrivals_after = 64;
  std::string language;
  std::uint64_t seed = 0;
};

// Adds the options of the program, and those of the connection that `apollo`
// has, too (tools/apollo/connection_options.h). `options` must outlive `app`.
void AddOptions(CLI::App& app, Options& options);

}  // namespace apollo::load
