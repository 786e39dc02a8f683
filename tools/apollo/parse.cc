#include "tools/apollo/parse.h"

#include <absl/strings/numbers.h>

#include <CLI/CLI.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "serving/version.h"
#include "tools/apollo/arguments.h"
#include "tools/apollo/connection_options.h"
#include "tools/apollo/examples.h"
#include "tools/apollo/help_text.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// CLI11 would accept -1 as a huge unsigned number.
std::string RequireDigits(const std::string& value) {
  const bool digits =
      value.find_first_not_of("0123456789") == std::string::npos;
  return digits ? "" : "\"" + value + "\" is not a nonnegative integer";
}

// Also refuses what is no number, which CLI11's range would let pass.
std::string RequireInterval(const std::string& value) {
  double seconds = 0;
  return absl::SimpleAtod(value, &seconds) && seconds >= 0.1 && seconds <= 86400
             ? ""
             : "\"" + value + "\" is not from 0.1 to 86400";
}

void AddTextOption(CLI::App& app, const std::string& name, Options& options) {
  app.add_option(name, options.text, "Text, or - for standard input")
      ->required();
}

// Adds the common options of ask, chat and score.
void AddRequestOptions(CLI::App& app, Options& options) {
  app.add_option(
      "--language", options.language,
      Wrap("Language of the text, by code, locale or name, such as de, de_DE "
           "or German (default: detected)"));
  app.add_option_function<std::string>(
         "--routing",
         [&options](const std::string& mode) {
           const std::optional<v1::RoutingMode> known = RoutingModeOf(mode);
           if (!known) {
             throw CLI::ValidationError(
                 "--routing", "\"" + mode + "\" is neither topk nor hybrid");
           }
           options.routing = *known;
         },
         Wrap(
             "topk: the experts that the gate chooses; hybrid: always includes "
             "the expert of the language's family (default: set by the server"
             ")"))
      ->type_name("topk|hybrid");
  app.add_option("--system", options.system,
                 Wrap("System message of the chat"));
  app.add_option("--request_id", options.request_id,
                 Wrap("Identifier of the request in the logs of all processes "
                      "(default: a new one; --verbose prints it)"));
}

void AddRawOptions(CLI::App& app, Options& options) {
  CLI::Option* raw =
      app.add_flag("--raw", options.raw,
                   Wrap("The text is the whole prompt, without chat format"));
  app.add_flag("--parse_special_tokens", options.parse_special_tokens,
               Wrap("With --raw: parse control tokens in the "
                    "text"));
  app.add_flag("--token_ids", options.token_ids,
               Wrap("The text is the whole prompt as token ids, separated by "
                    "spaces or commas"))
      ->excludes(raw);
}

// Adds an entry "ID=BIAS" to the sampling parameters.
void AddLogitBias(const std::string& entry, Options& options) {
  std::int32_t token = 0;
  float bias = 0;
  const std::size_t equals = entry.find('=');
  if (equals == std::string::npos ||
      !absl::SimpleAtoi(entry.substr(0, equals), &token) ||
      !absl::SimpleAtof(entry.substr(equals + 1), &bias)) {
    throw CLI::ValidationError("--logit_bias",
                               "\"" + entry + "\" is not ID=BIAS");
  }
  if (!options.sampling.mutable_logit_bias()->insert({token, bias}).second) {
    throw CLI::ValidationError("--logit_bias",
                               "\"" + entry + "\" repeats a token");
  }
}

// Adds an option that sets a field of the sampling parameters.
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
         Wrap("Maximum tokens to generate; 0: as many as the server allows"))
      ->check(RequireDigits);
  AddSampling(app, options, "--temperature", &Params::set_temperature,
              "0: always the most probable token");
  AddSampling(app, options, "--top_p", &Params::set_top_p,
              "Sample from the smallest set of tokens with this total "
              "probability; 0: all");
  AddSampling(app, options, "--top_k", &Params::set_top_k,
              "Sample from this many most probable tokens; 0: all")
      ->check(RequireDigits);
  AddSampling(app, options, "--min_p", &Params::set_min_p,
              "Sample from the tokens with at least this part of the "
              "probability of the most probable one; 0: all");
  app.add_option_function<std::vector<std::string>>(
         "--logit_bias",
         [&options](const std::vector<std::string>& entries) {
           for (const std::string& entry : entries) {
             AddLogitBias(entry, options);
           }
         },
         Wrap("Add this to the logit of a token, -100 to 100; may be given for "
              "up to 300 tokens"))
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->type_name("ID=BIAS");
  AddSampling(app, options, "--seed", &Params::set_seed,
              "Random seed; the same seed gives the same answer")
      ->check(RequireDigits);
  app.add_option("--priority", options.priority,
                 Wrap("From -100 to 100; when the cluster is full, higher "
                      "priorities run first (default 0)"));
  AddSampling(app, options, "--presence_penalty", &Params::set_presence_penalty,
              "Penalty for tokens that have occurred, -2 to 2");
  AddSampling(app, options, "--frequency_penalty",
              &Params::set_frequency_penalty,
              "Penalty for each occurrence of a token, -2 to 2");
  // One value per option, because a stop string may contain commas and spaces.
  app.add_option("--stop", options.stop,
                 Wrap("Stop before this text; may be given up to 16 times"))
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option(
         "--stop_token_id", options.stop_token_ids,
         Wrap("Stop after this token, whose text is not printed; may be "
              "given up to 64 times"))
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_option(
         "--prompt_logprobs", options.prompt_logprobs,
         Wrap("Report the log-probability of each token of the prompt but the "
              "first, and of this many alternatives"))
      ->check(RequireDigits);
  app.add_option(
         "--logprobs", options.logprobs,
         Wrap("Report the log-probability of each token and of this many "
              "alternatives"))
      ->check(RequireDigits);
  app.add_flag(
      "--ignore_eos", options.ignore_eos,
      Wrap("Continue after the end-of-text token, up to --max_new_tokens"));
}

CLI::App* AddCommand(CLI::App& app, Options& options, Command command,
                     const std::string& name, const std::string& description,
                     const std::string& footer) {
  CLI::App* sub = app.add_subcommand(name, description);
  sub->footer(
      "Options of all commands (see \"apollo --help\"): --server, --tls_ca, "
      "--tls_cert,\n--tls_key, --tls_server_name, --token_file, --json, "
      "--verbose, --timeout." +
      (footer.empty() ? "" : "\n" + footer));
  sub->fallthrough();  // --json and --server may also follow the command.
  sub->callback([&options, command] { options.command = command; });
  return sub;
}

void AddAdmin(CLI::App& app, Options& options) {
  CLI::App* admin =
      AddCommand(app, options, Command::kAdmin, "admin",
                 "Administer one process, whose --admin_listen is the --server",
                 kAdminExamples);
  admin->require_subcommand(1);
  const auto add = [&](const std::string& action, const char* description) {
    CLI::App* sub = admin->add_subcommand(action, description);
    sub->fallthrough();
    sub->callback([&options, action] {
      options.command = Command::kAdmin;
      options.admin_action = action;
    });
    return sub;
  };
  CLI::App* drain = add(
      "drain", "Take the process out of service, and wait for its work to end");
  drain
      ->add_option("--mode", options.drain_mode,
                   Wrap("move: sequences move to other workers; finish: they "
                        "finish here (default: --drain of the process)"))
      ->check(CLI::IsMember({"move", "finish"}));
  drain
      ->add_option("--wait", options.wait,
                   Wrap("Wait up to this many seconds (default: "
                        "--drain_timeout of the process)"))
      ->check(CLI::NonNegativeNumber);
  add("reload",
      "Read the files now that the process watches, and say which it refuses");
  add("config", "Show the flags of the process");
  add("log_level", "Set which events the process logs")
      ->add_option("level", options.log_level, "info, warning or error")
      ->required()
      ->check(CLI::IsMember({"info", "warning", "error"}));
}

void AddTop(CLI::App& app, Options& options) {
  CLI::App* top =
      AddCommand(app, options, Command::kTop, "top",
                 "Watch the processes of the cluster", kTopExamples);
  top->add_flag("--once", options.once,
                Wrap("Print one page, of rates since --interval ago"));
  top->add_option("--interval", options.interval,
                  Wrap("Seconds between two looks, 0.1 to 86400 (default 2)"))
      ->check(RequireInterval);
  top->add_option("--sort", options.sort,
                  Wrap("role, name, load, rate or cache (default role)"))
      ->check(CLI::IsMember({"role", "name", "load", "rate", "cache"}));
}

void AddCommands(CLI::App& app, Options& options) {
  CLI::App* ask = AddCommand(app, options, Command::kAsk, "ask",
                             "Ask one question", kAskExamples);
  AddTextOption(*ask, "question", options);
  AddRequestOptions(*ask, options);
  AddRawOptions(*ask, options);
  AddSamplingOptions(*ask, options);
  AddSampling(*ask, options, "--choices", &v1::SamplingParams::set_choices,
              "Number of answers, each with its own seed")
      ->check(RequireDigits);

  CLI::App* chat = AddCommand(app, options, Command::kChat, "chat",
                              "Chat interactively", kChatExamples);
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

  CLI::App* detect =
      AddCommand(app, options, Command::kDetect, "detect",
                 "Detect the language of a text", kDetectExamples);
  AddTextOption(*detect, "text", options);

  CLI::App* tokenize =
      AddCommand(app, options, Command::kTokenize, "tokenize",
                 "Show the tokens of a text", kTokenizeExamples);
  AddTextOption(*tokenize, "text", options);
  tokenize->add_flag("--parse_special_tokens", options.parse_special_tokens,
                     Wrap("Parse control tokens in the text"));

  AddCommand(app, options, Command::kModel, "model", "Show the served model",
             "");

  CLI::App* routing =
      AddCommand(app, options, Command::kRouting, "routing",
                 "Show the expert use of each language", kRoutingExamples);
  routing->add_option("--window", options.window,
                      Wrap("Length of the window in seconds, at most 3600; 0: "
                           "since the dense workers started"));

  AddCommand(app, options, Command::kStatus, "status",
             "Show the processes of the cluster", kStatusExamples);
  AddTop(app, options);
  AddCommand(app, options, Command::kPlacement, "placement",
             "Show which expert worker holds which experts, and why",
             kPlacementExamples);

  CLI::App* health =
      AddCommand(app, options, Command::kHealth, "health",
                 "Check that a process is ready", kHealthExamples);
  health->add_option("--wait", options.wait,
                     Wrap("Wait up to this many seconds until it is ready"));
  health->add_option("--service", options.service,
                     Wrap("Ask for the health of this name: \"liveness\" is "
                          "whether the process makes progress, and others are "
                          "those of its gRPC services (default: whether the "
                          "process is ready)"));
  AddAdmin(app, options);
}

// Adds the options that every command has.
void AddCommonOptions(CLI::App& app, Options& options) {
  AddConnectionOptions(
      app,
      "Address of the router (default 127.0.0.1:50051). Of several, separated "
      "by commas, ask and chat continue an answer at the next one if a router "
      "is lost, status and top ask all, and other commands use the first. Or "
      "unix:/path of a socket",
      options);
  app.add_flag("--json", options.json,
               Wrap("Print one JSON object per line for each event or error; "
                    "fields as in proto/apollo/v1/inference.proto"));
  app.add_flag("-v,--verbose", options.verbose,
               Wrap("Also print the id of the request, to find it in logs"));
  app.add_option(
         "--timeout", options.timeout,
         Wrap("Timeout of a request in seconds (default: none for ask and "
              "chat, 60 for score, 5 for top, 10 for the others)"))
      ->check(CLI::NonNegativeNumber);
  app.set_version_flag("--version", "apollo " + VersionText(),
                       "Print the version and the commit of the build");
}

// Says in one line what CLI11 has found.
std::string Problem(const CLI::ParseError& error, const std::string& command) {
  const std::string what = error.what();
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    if (command.empty()) return "a command is missing";
    const std::string name = what.substr(0, what.find(' '));
    return name + (name.back() == 's' ? " are" : " is") +
           " missing: put texts in quotes, or give - for standard input";
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    return command + " got more texts than it takes; put a text of several " +
           "words in quotes";
  }
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    return "a value is out of range" + what.substr(what.find(':'));
  }
  return what;
}

void SetUsageError(const std::string& problem, const std::string& command,
                   Parsed& parsed) {
  parsed.done = true;
  parsed.exit_code = kUsage;
  parsed.message =
      "apollo: " + problem + "\n" +
      (command.empty() ? "\"apollo --help\" lists the commands.\n"
                       : "\"apollo " + command +
                             " --help\" shows the usage, with examples.\n");
}

// Returns the arguments without the program's name. "help ask" becomes "ask
// --help".
std::vector<std::string> WithoutProgram(
    const std::vector<std::string>& arguments) {
  std::vector<std::string> rest;
  if (arguments.empty()) return rest;
  rest.assign(arguments.begin() + 1, arguments.end());
  if (!rest.empty() && rest[0] == "help") {
    rest.erase(rest.begin());
    rest.push_back("--help");
  }
  return rest;
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
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Subcommands", "Commands");
  app.option_defaults()->always_capture_default(false);
  AddCommonOptions(app, options);
  AddCommands(app, options);

  Arguments read = ReadArguments(app, WithoutProgram(arguments));
  const std::string command = CommandIn(app, read.list);
  if (!read.problem.empty()) {
    SetUsageError(read.problem, command, parsed);
    return parsed;
  }
  try {
    // CLI11 expects the arguments in reverse.
    std::reverse(read.list.begin(), read.list.end());
    app.parse(read.list);
  } catch (const CLI::Success& request) {  // --help or --version
    parsed.done = true;
    std::ostringstream out;
    app.exit(request, out, out);
    parsed.message = out.str();
  } catch (const CLI::ParseError& error) {
    SetUsageError(Problem(error, command), command, parsed);
  }
  return parsed;
}

}  // namespace apollo::client
