#include "tools/apollo/parse.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>

namespace apollo::client {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Parsed Parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "apollo");
  return ParseCommandLine(arguments);
}

TEST(ParseTest, AskWithAllOptions) {
  const Parsed parsed = Parse({"--server",
                               "host:1",
                               "--json",
                               "--timeout",
                               "2.5",
                               "ask",
                               "--language",
                               "de",
                               "--routing",
                               "hybrid",
                               "--temperature",
                               "0.7",
                               "--top_p",
                               "0.9",
                               "--top_k",
                               "40",
                               "--min_p",
                               "0.25",
                               "--logit_bias",
                               "7=-100",
                               "--logit_bias=9=1.5",
                               "--stop_token_id",
                               "5",
                               "--stop_token_id",
                               "6",
                               "--prompt_logprobs",
                               "3",
                               "--seed",
                               "18446744073709551615",
                               "--presence_penalty",
                               "-1",
                               "--frequency_penalty",
                               "0.5",
                               "--choices",
                               "3",
                               "--max_new_tokens",
                               "64",
                               "--stop",
                               "a,b",
                               "--stop=\n",
                               "--logprobs",
                               "0",
                               "--raw",
                               "--parse_special_tokens",
                               "--ignore_eos",
                               "--request_id",
                               "id",
                               "--system",
                               "s",
                               "Was?"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  const Options& options = parsed.options;
  EXPECT_EQ(options.command, Command::kAsk);
  EXPECT_EQ(options.server, "host:1");
  EXPECT_TRUE(options.json);
  EXPECT_EQ(options.timeout, 2.5);
  EXPECT_EQ(options.text, "Was?");
  EXPECT_EQ(options.language, "de");
  EXPECT_EQ(options.routing, v1::ROUTING_MODE_HYBRID);
  EXPECT_FLOAT_EQ(options.sampling.temperature(), 0.7f);
  EXPECT_FLOAT_EQ(options.sampling.top_p(), 0.9f);
  EXPECT_EQ(options.sampling.top_k(), 40u);
  EXPECT_EQ(options.sampling.min_p(), 0.25f);
  ASSERT_EQ(options.sampling.logit_bias_size(), 2);
  EXPECT_EQ(options.sampling.logit_bias().at(7), -100);
  EXPECT_EQ(options.sampling.logit_bias().at(9), 1.5f);
  EXPECT_THAT(options.stop_token_ids, ElementsAre(5, 6));
  EXPECT_EQ(options.prompt_logprobs, 3u);
  EXPECT_EQ(options.sampling.seed(), 18446744073709551615u);
  EXPECT_EQ(options.sampling.presence_penalty(), -1);
  EXPECT_EQ(options.sampling.frequency_penalty(), 0.5);
  EXPECT_EQ(options.sampling.choices(), 3u);
  EXPECT_EQ(options.max_new_tokens, 64u);
  EXPECT_THAT(options.stop, ElementsAre("a,b", "\n"));
  EXPECT_EQ(options.logprobs, 0u);
  EXPECT_TRUE(options.raw);
  EXPECT_TRUE(options.parse_special_tokens);
  EXPECT_TRUE(options.ignore_eos);
  EXPECT_EQ(options.request_id, "id");
  EXPECT_EQ(options.system, "s");
}

TEST(ParseTest, NothingIsSetUnlessAskedFor) {
  const Parsed parsed = Parse({"ask", "-"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.text, "-");
  EXPECT_EQ(parsed.options.routing, v1::ROUTING_MODE_UNSPECIFIED);
  EXPECT_FALSE(parsed.options.sampling.has_seed());
  EXPECT_EQ(parsed.options.logprobs, std::nullopt);
  EXPECT_FALSE(parsed.options.json);
}

TEST(ParseTest, WrongTokenOptionsAreNamed) {
  for (const char* wrong : {"7", "x=1", "7=x", "=1", "7=", "99999999999=1"}) {
    const Parsed parsed = Parse({"ask", "--logit_bias", wrong, "?"});
    EXPECT_EQ(parsed.exit_code, kUsage) << wrong;
    EXPECT_THAT(parsed.message, HasSubstr("--logit_bias"));
  }
  EXPECT_EQ(Parse({"ask", "--logit_bias", "7=1", "--logit_bias", "7=2", "?"})
                .exit_code,
            kUsage);
  EXPECT_EQ(Parse({"ask", "--stop_token_id", "x", "?"}).exit_code, kUsage);
  EXPECT_EQ(Parse({"ask", "--prompt_logprobs", "-1", "?"}).exit_code, kUsage);
  EXPECT_EQ(Parse({"ask", "--raw", "--token_ids", "1 2"}).exit_code, kUsage);
}

TEST(ParseTest, StopDoesNotSwallowTheQuestion) {
  const Parsed parsed = Parse({"ask", "--stop", "x", "question"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_THAT(parsed.options.stop, ElementsAre("x"));
  EXPECT_EQ(parsed.options.text, "question");
}

TEST(ParseTest, GlobalOptionsMayFollowTheCommand) {
  const Parsed parsed = Parse({"model", "--json", "--server", "h:2"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.command, Command::kModel);
  EXPECT_TRUE(parsed.options.json);
  EXPECT_EQ(parsed.options.server, "h:2");
}

TEST(ParseTest, SeveralServersNeedAPortEach) {
  EXPECT_EQ(Parse({"model", "--server", "a:1,b:2"}).options.server, "a:1,b:2");
  EXPECT_EQ(Parse({"model", "--server", "a:1,b"}).exit_code, kUsage);
  EXPECT_EQ(Parse({"model", "--server", "a:1,"}).exit_code, kUsage);
  EXPECT_EQ(Parse({"model", "--server", ""}).exit_code, kUsage);
}

TEST(ParseTest, RoutingTakesAWindow) {
  EXPECT_EQ(Parse({"routing"}).options.window, 0);
  const Parsed parsed = Parse({"routing", "--window", "300"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.command, Command::kRouting);
  EXPECT_EQ(parsed.options.window, 300);
  EXPECT_EQ(Parse({"routing", "--window=-1"}).options.window, -1);
  EXPECT_EQ(Parse({"routing", "--window", "soon"}).exit_code, kUsage);
}

TEST(ParseTest, ScoreTakesAPromptAndContinuations) {
  const Parsed parsed = Parse({"score", "p", "--", " A", "-B"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.text, "p");
  EXPECT_THAT(parsed.options.continuations, ElementsAre(" A", "-B"));
}

TEST(ParseTest, TheEnvironmentNamesTheServer) {
  ASSERT_EQ(setenv("APOLLO_SERVER", "env:3", 1), 0);
  EXPECT_EQ(Parse({"model"}).options.server, "env:3");
  EXPECT_EQ(Parse({"--server", "h:4", "model"}).options.server, "h:4");
  ASSERT_EQ(unsetenv("APOLLO_SERVER"), 0);
  EXPECT_EQ(Parse({"model"}).options.server, "127.0.0.1:50051");
}

TEST(ParseTest, HealthTakesAName) {
  EXPECT_EQ(Parse({"health"}).options.service, "");
  EXPECT_EQ(Parse({"health", "--service", "liveness"}).options.service,
            "liveness");
}

TEST(ParseTest, HelpHasExamplesAndSucceeds) {
  for (const char* command : {"ask", "chat", "score", "detect", "tokenize",
                              "routing", "health", "admin"}) {
    const Parsed parsed = Parse({command, "--help"});
    EXPECT_TRUE(parsed.done);
    EXPECT_EQ(parsed.exit_code, kOk);
    EXPECT_THAT(parsed.message,
                AllOf(HasSubstr("Usage: apollo " + std::string(command)),
                      HasSubstr("Examples:")));
  }
  EXPECT_THAT(Parse({"--help"}).message, HasSubstr("Exit codes"));
}

TEST(ParseTest, AdminHasActions) {
  const Parsed drain = Parse({"--server", "unix:/a.sock", "admin", "drain",
                              "--mode", "finish", "--wait", "5"});
  EXPECT_FALSE(drain.done) << drain.message;
  EXPECT_EQ(drain.options.command, Command::kAdmin);
  EXPECT_EQ(drain.options.admin_action, "drain");
  EXPECT_EQ(drain.options.drain_mode, "finish");
  EXPECT_EQ(drain.options.wait, 5);
  EXPECT_EQ(Parse({"admin", "log_level", "error"}).options.log_level, "error");
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"admin"},
        {"admin", "stop"},
        {"admin", "log_level", "loud"},
        {"admin", "drain", "--mode", "drop"}}) {
    EXPECT_EQ(Parse(wrong).exit_code, kUsage);
  }
}

TEST(ParseTest, HelpAndVersionSucceed) {
  const Parsed help = Parse({"help"});
  EXPECT_EQ(help.exit_code, kOk);
  EXPECT_EQ(help.message, Parse({"--help"}).message);
  for (const char* command :
       {"ask", "chat", "score", "detect", "tokenize", "model", "routing",
        "status", "top", "placement", "health"}) {
    EXPECT_THAT(help.message, HasSubstr(command));
    EXPECT_THAT(Parse({command, "--help"}).message, HasSubstr("--server"));
    EXPECT_EQ(Parse({"help", command}).message,
              Parse({command, "--help"}).message);
  }
  const Parsed version = Parse({"--version"});
  EXPECT_TRUE(version.done);
  EXPECT_EQ(version.exit_code, kOk);
  EXPECT_THAT(version.message, HasSubstr("apollo 0."));
  EXPECT_THAT(version.message, HasSubstr("commit "));
}

TEST(ParseTest, EveryCommandTakesTlsAndATokenOfAFile) {
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"ask", "?"},
                                             {"chat"},
                                             {"score", "?", "!"},
                                             {"detect", "?"},
                                             {"tokenize", "?"},
                                             {"model"},
                                             {"routing"},
                                             {"status"},
                                             {"top"},
                                             {"placement"},
                                             {"health"},
                                             {"admin", "config"}}) {
    std::vector<std::string> arguments = command;
    for (const char* option : {"--tls_ca", "--tls_cert", "--tls_key",
                               "--tls_server_name", "--token_file"}) {
      arguments.emplace_back(option);
      arguments.emplace_back(std::string(option).substr(2));
    }
    const Parsed parsed = Parse(arguments);
    ASSERT_FALSE(parsed.done) << command[0] << ": " << parsed.message;
    EXPECT_EQ(parsed.options.tls_ca, "tls_ca");
    EXPECT_EQ(parsed.options.tls_cert, "tls_cert");
    EXPECT_EQ(parsed.options.tls_key, "tls_key");
    EXPECT_EQ(parsed.options.tls_server_name, "tls_server_name");
    EXPECT_EQ(parsed.options.token_file, "token_file");
    EXPECT_THAT(Parse({command[0], "--help"}).message,
                HasSubstr("--token_file"));
  }
}

TEST(ParseTest, TopHasAnIntervalAndAnOrder) {
  const Parsed parsed =
      Parse({"top", "--once", "--interval", "0.5", "--sort", "load"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.command, Command::kTop);
  EXPECT_TRUE(parsed.options.once);
  EXPECT_EQ(parsed.options.interval, 0.5);
  EXPECT_EQ(parsed.options.sort, "load");
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"top", "--interval", "0"},
                                             {"top", "--interval", "nan"},
                                             {"top", "--sort", "size"}}) {
    EXPECT_EQ(Parse(wrong).exit_code, kUsage);
  }
}

TEST(ParseTest, OptionsMayHaveDashes) {
  const Parsed parsed =
      Parse({"ask", "--max-new-tokens", "5", "--top-p=0.5", "--request_id",
             "--max-new", "a-b", "--stop", "--ignore-eos", "--ignore-eos"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.max_new_tokens, 5u);
  EXPECT_EQ(parsed.options.sampling.top_p(), 0.5f);
  // Values and texts stay what they are.
  EXPECT_EQ(parsed.options.request_id, "--max-new");
  EXPECT_EQ(parsed.options.text, "a-b");
  EXPECT_THAT(parsed.options.stop, ElementsAre("--ignore-eos"));
  EXPECT_TRUE(parsed.options.ignore_eos);
  EXPECT_EQ(Parse({"ask", "--", "--max-new-tokens"}).options.text,
            "--max-new-tokens");
}

TEST(ParseTest, AValueMayBeNamedAsACommand) {
  const Parsed parsed =
      Parse({"--timeout", "5", "ask", "--system", "chat", "-"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.command, Command::kAsk);
  EXPECT_EQ(parsed.options.system, "chat");
  EXPECT_EQ(parsed.options.text, "-");
}

TEST(ParseTest, PriorityAndVerbose) {
  const Parsed parsed = Parse({"-v", "ask", "--priority", "-7", "a"});
  ASSERT_FALSE(parsed.done) << parsed.message;
  EXPECT_EQ(parsed.options.priority, -7);
  EXPECT_TRUE(parsed.options.verbose);
  EXPECT_TRUE(Parse({"status", "--verbose"}).options.verbose);
}

struct Mistake {
  std::vector<std::string> arguments;
  const char* message;  // Part of it.
};

TEST(ParseTest, MistakesAreNamed) {
  const std::vector<Mistake> mistakes = {
      {{}, "a command is missing"},
      {{"frob"}, "unknown command \"frob\"\n"},
      {{"scroe", "a", "b"},
       "unknown command \"scroe\"; did you mean \"score\"?"},
      {{"ask"}, "question is missing"},
      {{"ask", "a", "b"}, "ask got more texts than it takes"},
      {{"ask", "a", "--nope"}, "unknown option \"--nope\"\n"},
      {{"ask", "a", "--temprature", "1"}, "did you mean \"--temperature\"?"},
      {{"ask", "a", "--max-new-token=1"}, "did you mean \"--max_new_tokens\"?"},
      {{"ask", "--sever", "h:1", "a"}, "did you mean \"--server\"?"},
      {{"ask", "a", "--window", "5"},
       "--window is not an option of ask, but of routing"},
      {{"--window", "5", "routing"}, "--window must follow the command"},
      {{"ask", "-x", "a"}, "\"-x\" is not an option; put a text"},
      {{"ask", "-5 C: safe?"}, "after \"--\""},
      {{"ask", "a", "--language"}, "--language has no value"},
      {{"ask", "a", "--seed", "-1"},
       "--seed is \"-1\"; it must be a whole number, 0 or more"},
      {{"ask", "a", "--top_k", "99999999999"}, "out of range: --top_k"},
      {{"ask", "a", "--temperature", "hot"},
       "--temperature is \"hot\"; it must be a number"},
      {{"ask", "a", "--temperature=nan"}, "it must be a number"},
      {{"ask", "a", "--priority", "1.5"}, "it must be a whole number"},
      {{"ask", "a", "--routing", "x"}, "\"x\" is neither topk nor hybrid"},
      {{"--timeout", "-1", "model"}, "--timeout"},
      {{"--server", "10.0.0.5", "model"}, "\"10.0.0.5\" is not host:port"},
      {{"--server", "[::1]", "model"}, "\"[::1]\" is not host:port"},
      {{"--server", "router:", "model"}, "\"router:\" is not host:port"},
      {{"score", "p"}, "continuations are missing"},
      {{"ask", "a\xff"}, "argument 2 is not valid UTF-8 (at byte 1)"},
      {{"ask", "\xed\xa0\x80"}, "argument 2 is not valid UTF-8 (at byte 0)"},
  };
  for (const Mistake& mistake : mistakes) {
    const Parsed parsed = Parse(mistake.arguments);
    EXPECT_TRUE(parsed.done);
    EXPECT_EQ(parsed.exit_code, kUsage) << mistake.message;
    EXPECT_THAT(parsed.message, HasSubstr(mistake.message));
    // The mistake, and where the usage is.
    EXPECT_EQ(std::count(parsed.message.begin(), parsed.message.end(), '\n'),
              parsed.message.find("UTF-8") == std::string::npos ? 2 : 1)
        << parsed.message;
  }
}

}  // namespace
}  // namespace apollo::client
