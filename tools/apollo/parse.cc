#include "tools/apollo/parse.h"

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

constexpr char kProgramExamples[] = R"(
Examples:
  apollo ask "What are the first signs of a stroke?"
  apollo ask --max_new_tokens 200 --temperature 0.7 --seed 1 "¿Qué es la anemia?"
  apollo score "Is aspirin an antibiotic? Answer:" " yes" " no"
  apollo detect "Was sind die Symptome einer Grippe?"
  apollo --server 10.0.0.5:50051 health --wait 30
  apollo COMMAND --help            all options of one command

Exit codes: 0 done, 1 the request failed, 2 wrong usage, 130 interrupted.
An argument that begins with "-" goes after "--":  apollo ask -- "-5 C: safe?")";

constexpr char kAskExamples[] = R"(
The answer goes to standard output as it is made; what serves it and the
summary go to standard error.

Examples:
  apollo ask "Wie wird Asthma behandelt?"
  apollo ask --language de --routing hybrid "Asthma?"
  apollo ask --raw --max_new_tokens 20 "The capital of France is"
  apollo ask --stop $'\n\n' --logprobs 3 "What is insulin?"
  apollo ask - < question.txt
  apollo ask --json "What is insulin?" | jq -r 'select(.delta) | .delta.text')";

constexpr char kChatExamples[] = R"(
One line of input is one message. The conversation so far goes along with every
message. /reset forgets it, /quit (or the end of the input) ends.

Examples:
  apollo chat --language fr
  printf 'What is asthma?\nHow is it treated?\n' | apollo chat)";

constexpr char kScoreExamples[] = R"(
Prints the log-probability of each continuation as what follows the prompt
directly; "*" marks the best. Mind the space between prompt and continuation.

Examples:
  apollo score --raw "User:Which vitamin prevents scurvy? A) A B) C
  Assistant:" " A" " B"
  apollo score "Is measles caused by a virus?" " Yes" " No")";

constexpr char kDetectExamples[] = R"(
Examples:
  apollo detect "Je, malaria huambukizwaje?"
  apollo detect - < letter.txt)";

constexpr char kTokenizeExamples[] = R"(
Prints one token a line: its id and its bytes, quoted.

Examples:
  apollo tokenize "Paracetamol 500 mg"
  apollo tokenize --parse_special_tokens "<|endoftext|>")";

constexpr char kRoutingExamples[] = R"(
For each sparse layer and language: the share of its choices that each expert
got, and of its tokens those that the gate alone led past the language's family
("off family"). With --json: the counts.

Examples:
  apollo routing
  apollo routing --window 300
  apollo routing --json | jq '.languages[] | {language, tokens}')";

constexpr char kHealthExamples[] = R"(
Works on every process of a cluster, not only on the router.

Examples:
  apollo health
  apollo --server 127.0.0.1:50061 health --wait 60)";

// Breaks lines between words: CLI11 indents them, but breaks none itself.
std::string Wrap(const std::string& text) {
  constexpr std::size_t kWidth = 50;
  std::istringstream words(text);
  std::string result;
  std::string word;
  std::size_t column = 0;
  while (words >> word) {
    if (column > 0 && column + 1 + word.size() > kWidth) {
      result += '\n';
      column = 0;
    } else if (column > 0) {
      result += ' ';
      ++column;
    }
    result += word;
    column += word.size();
  }
  return result;
}

// CLI11 takes -1 for a huge unsigned number.
std::string RequireDigits(const std::string& value) {
  const bool digits =
      value.find_first_not_of("0123456789") == std::string::npos;
  return digits ? "" : "\"" + value + "\" is not a number from 0";
}

void AddTextOption(CLI::App& app, const std::string& name, Options& options) {
  app.add_option(name, options.text, "Text, or - for standard input")
      ->required();
}

// What ask, chat and score have in common.
void AddRequestOptions(CLI::App& app, Options& options) {
  app.add_option(
      "--language", options.language,
      Wrap("Code of the text's language, such as de; else it is detected"));
  app.add_option_function<std::string>(
         "--routing",
         [&options](const std::string& mode) {
           if (mode == "topk") {
             options.routing = v1::ROUTING_MODE_TOPK;
           } else if (mode == "hybrid") {
             options.routing = v1::ROUTING_MODE_HYBRID;
           } else {
             throw CLI::ValidationError(
                 "--routing", "\"" + mode + "\" is neither topk nor hybrid");
           }
         },
         Wrap("topk: the experts that the gate prefers; hybrid: the expert of "
              "the language's family always among them; else the server's "
              "default"))
      ->type_name("topk|hybrid");
  app.add_option("--system", options.system,
                 Wrap("System message of the chat"));
  app.add_option("--request_id", options.request_id,
                 Wrap("Name of the request in the server's logs"));
}

void AddRawOptions(CLI::App& app, Options& options) {
  app.add_flag(
      "--raw", options.raw,
      Wrap("The text is the prompt as it stands: no chat format around it"));
  app.add_flag(
      "--parse_special_tokens", options.parse_special_tokens,
      Wrap("With --raw: names of control tokens in the text become those "
           "tokens"));
}

// An option that sets a field of the request's sampling.
template <typename T>
CLI::Option* AddSampling(CLI::App& app, Options& options,
                         const std::string& name,
                         void (v1::SamplingParams::*set)(T),
                         const std::string& description) {
  return app.add_option_function<T>(
      name, [&options, set](const T& value) { (options.sampling.*set)(value); },
      Wrap(description));
}

void AddSamplingOptions(CLI::App& app, Options& options) {
  using Params = v1::SamplingParams;
  app.add_option(
         "--max_new_tokens", options.max_new_tokens,
         Wrap("Most tokens to generate; 0: as many as the server allows"))
      ->check(RequireDigits);
  AddSampling(app, options, "--temperature", &Params::set_temperature,
              "0: always the most probable token");
  AddSampling(app, options, "--top_p", &Params::set_top_p,
              "Sample among the fewest tokens that have this probability "
              "together; 0: all");
  AddSampling(app, options, "--top_k", &Params::set_top_k,
              "Sample among this many tokens; 0: all")
      ->check(RequireDigits);
  AddSampling(app, options, "--seed", &Params::set_seed,
              "The same seed gives the same answer")
      ->check(RequireDigits);
  AddSampling(app, options, "--presence_penalty", &Params::set_presence_penalty,
              "Makes tokens that occurred less probable, -2 to 2");
  AddSampling(app, options, "--frequency_penalty",
              &Params::set_frequency_penalty,
              "The same, for each time they occurred");
  // One value each, because a stop string may hold commas and spaces.
  app.add_option("--stop", options.stop,
                 Wrap("End before this text; may be given up to 16 times"))
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option("--logprobs", options.logprobs,
                 Wrap("Report each token's log-probability and this many "
                      "alternatives"))
      ->check(RequireDigits);
  app.add_flag(
      "--ignore_eos", options.ignore_eos,
      Wrap("Go on after the end of the answer, up to --max_new_tokens"));
}

CLI::App* AddCommand(CLI::App& app, Options& options, Command command,
                     const std::string& name, const std::string& description,
                     const std::string& footer) {
  CLI::App* sub = app.add_subcommand(name, description);
  sub->footer(footer);
  sub->fallthrough();  // --json and --server may also stand after the command.
  sub->callback([&options, command] { options.command = command; });
  return sub;
}

void AddCommands(CLI::App& app, Options& options) {
  CLI::App* ask = AddCommand(app, options, Command::kAsk, "ask",
                             "Ask one question", kAskExamples);
  AddTextOption(*ask, "question", options);
  AddRequestOptions(*ask, options);
  AddRawOptions(*ask, options);
  AddSamplingOptions(*ask, options);
  AddSampling(*ask, options, "--choices", &v1::SamplingParams::set_choices,
              "Number of answers, each with a seed of its own")
      ->check(RequireDigits);

  CLI::App* chat = AddCommand(app, options, Command::kChat, "chat",
                              "Talk, line by line", kChatExamples);
  AddRequestOptions(*chat, options);
  AddSamplingOptions(*chat, options);

  CLI::App* score =
      AddCommand(app, options, Command::kScore, "score",
                 "Compare continuations of a prompt", kScoreExamples);
  AddTextOption(*score, "prompt", options);
  score
      ->add_option("continuations", options.continuations,
                   "Texts to compare, at least one")
      ->required();
  AddRequestOptions(*score, options);
  AddRawOptions(*score, options);

  CLI::App* detect = AddCommand(app, options, Command::kDetect, "detect",
                                "Tell a text's language", kDetectExamples);
  AddTextOption(*detect, "text", options);

  CLI::App* tokenize =
      AddCommand(app, options, Command::kTokenize, "tokenize",
                 "Show the model's tokens of a text", kTokenizeExamples);
  AddTextOption(*tokenize, "text", options);
  tokenize->add_flag("--parse_special_tokens", options.parse_special_tokens,
                     Wrap("Names of control tokens become those tokens"));

  AddCommand(app, options, Command::kModel, "model", "Show what is served", "");

  CLI::App* routing =
      AddCommand(app, options, Command::kRouting, "routing",
                 "Show which experts each language uses", kRoutingExamples);
  routing->add_option("--window", options.window,
                      Wrap("Only the last so many seconds, at most 3600; 0: "
                           "since the dense workers started"));

  CLI::App* health =
      AddCommand(app, options, Command::kHealth, "health",
                 "Tell whether a process can do its work", kHealthExamples);
  health->add_option("--wait", options.wait,
                     Wrap("Wait up to this many seconds until it can"));
}

}  // namespace

Parsed ParseCommandLine(const std::vector<std::string>& arguments) {
  Parsed parsed;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (std::size_t at = FirstInvalidUtf8(arguments[i]); at != kAllValid) {
      parsed.done = true;
      parsed.exit_code = kUsage;
      parsed.message = "apollo: argument " + std::to_string(i) +
                       " is not valid UTF-8 (at byte " + std::to_string(at) +
                       ")\n";
      return parsed;
    }
  }

  Options& options = parsed.options;
  CLI::App app("Client of an Apollo-MoE cluster.", "apollo");
  app.footer(kProgramExamples);
  app.require_subcommand(1);
  app.option_defaults()->always_capture_default(false);
  app.add_option("--server", options.server,
                 Wrap("Address of the router (default 127.0.0.1:50051)"))
      ->envname("APOLLO_SERVER")
      ->type_name("HOST:PORT");
  app.add_flag("--json", options.json,
               Wrap("One JSON object a line for each event, also for an error; "
                    "names and meaning as in proto/apollo/v1/inference.proto"));
  app.add_option("--timeout", options.timeout,
                 Wrap("Most seconds for one request (default: none for ask and "
                      "chat, 60 for score, 10 for the others)"))
      ->check(CLI::NonNegativeNumber);
  AddCommands(app, options);

  // CLI11 takes the arguments in reverse, without the program's name.
  std::vector<std::string> rest;
  if (!arguments.empty()) rest.assign(arguments.rbegin(), arguments.rend() - 1);
  try {
    app.parse(rest);
  } catch (const CLI::Success& request) {  // --help
    parsed.done = true;
    std::ostringstream out;
    app.exit(request, out, out);
    parsed.message = out.str();
  } catch (const CLI::ParseError& error) {
    parsed.done = true;
    parsed.exit_code = kUsage;
    const std::vector<std::string> unknown = app.remaining();
    const bool no_command = app.get_subcommands().empty() && !unknown.empty();
    parsed.message = "apollo: " +
                     (no_command ? "unknown command \"" + unknown[0] + "\""
                                 : std::string(error.what())) +
                     "\n\"apollo --help\" and \"apollo COMMAND --help\" "
                     "describe the usage.\n";
  }
  return parsed;
}

}  // namespace apollo::client
