#include "benchmarks/load/options.h"

#include "tools/apollo/connection_options.h"
#include "tools/apollo/help_text.h"

namespace apollo::load {

using client::Wrap;

void AddOptions(CLI::App& app, Options& options) {
  client::AddConnectionOptions(
      app,
      "Address of the router (default 127.0.0.1:50051), or unix:/path of a "
      "socket. Of several, separated by commas, the first",
      options.connection);
  app.add_option("--streams", options.streams,
                 Wrap("Concurrent requests, started together (default 1)"))
      ->check(CLI::PositiveNumber);
  app.add_option("--prompt_tokens", options.prompt_tokens,
                 Wrap("Tokens of each prompt (default 128)"))
      ->check(CLI::PositiveNumber);
  app.add_option("--new_tokens", options.new_tokens,
                 Wrap("Tokens that each stream generates (default 64)"))
      ->check(CLI::PositiveNumber);
  app.add_option("--arrivals", options.arrivals,
                 Wrap("Further requests for one token each, one after the "
                      "other, while the streams run. The streams are cancelled "
                      "after the last one (default 0)"))
      ->check(CLI::NonNegativeNumber);
  app.add_option("--arrival_prompt_tokens", options.arrival_prompt_tokens,
                 Wrap("Tokens of each arrival's prompt (default 2048)"))
      ->check(CLI::PositiveNumber);
  app.add_option("--arrivals_after", options.arrivals_after,
                 Wrap("The arrivals begin when every stream has this many "
                      "tokens (default 64)"))
      ->check(CLI::PositiveNumber);
  app.add_option("--language", options.language,
                 Wrap("Language code of the prompts (default: detected by the "
                      "router)"));
  app.add_option("--seed", options.seed,
                 Wrap("Random seed of the prompts (default: a new one for each "
                      "run)"));
}

}  // namespace apollo::load
