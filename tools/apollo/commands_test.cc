#include "tools/apollo/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

#include "common/json.h"
#include "tools/apollo/conversation.h"
#include "tools/apollo/fake_server.h"
#include "tools/apollo/parse.h"

namespace apollo::client {
namespace {

using ::testing::HasSubstr;

Options Ask(const std::string& text) {
  Options options;
  options.command = Command::kAsk;
  options.server = "fake:1";
  options.text = text;
  return options;
}

TEST(AskTest, OnlyTheAnswerGoesToOut) {
  FakeServer fake;
  fake.service.generate = Replies(
      {Started(), Delta("Ruhe "), Delta(""), Delta("und Tee."), Finished()});
  EXPECT_EQ(fake.Run(Ask("Was hilft?")), kOk);
  EXPECT_EQ(fake.out.str(), "Ruhe und Tee.\n");
  EXPECT_THAT(fake.err.str(), HasSubstr("language de (0.98), family 4"));
  EXPECT_THAT(fake.err.str(), HasSubstr("11 tokens in 1.00 s"));
}

TEST(AskTest, SendsWhatTheOptionsSay) {
  FakeServer fake;
  fake.service.generate = Replies({Finished()});
  Options options = Ask("Was?");
  options.system = "Be brief.";
  options.language = "de";
  options.routing = v1::ROUTING_MODE_TOPK;
  options.sampling.set_temperature(0.5f);
  options.sampling.set_seed(0);
  options.max_new_tokens = 9;
  options.stop = {"x", "y"};
  options.logprobs = 2;
  options.ignore_eos = true;
  ASSERT_EQ(fake.Run(options), kOk);
  const v1::GenerateRequest request = fake.service.generate_requests().at(0);
  ASSERT_EQ(request.chat().messages_size(), 2);
  EXPECT_EQ(request.chat().messages(0).role(), v1::ROLE_SYSTEM);
  EXPECT_EQ(request.chat().messages(1).role(), v1::ROLE_USER);
  EXPECT_EQ(request.chat().messages(1).content(), "Was?");
  EXPECT_EQ(request.language(), "de");
  EXPECT_EQ(request.routing(), v1::ROUTING_MODE_TOPK);
  EXPECT_EQ(request.sampling().temperature(), 0.5f);
  EXPECT_TRUE(request.sampling().has_seed());
  EXPECT_EQ(request.max_new_tokens(), 9u);
  EXPECT_EQ(request.stop_size(), 2);
  EXPECT_EQ(request.logprobs(), 2u);
  EXPECT_TRUE(request.ignore_eos());
}

TEST(AskTest, TokenIdsAreAPrompt) {
  FakeServer fake;
  fake.service.generate = Replies({Finished()});
  Options options = Ask(" 5, 6\n7 ");
  options.token_ids = true;
  options.stop_token_ids = {9};
  options.prompt_logprobs = 0;
  ASSERT_EQ(fake.Run(options), kOk);
  const v1::GenerateRequest request = fake.service.generate_requests().at(0);
  EXPECT_THAT(request.tokenized().input_ids(), testing::ElementsAre(5, 6, 7));
  EXPECT_THAT(request.stop_token_ids(), testing::ElementsAre(9));
  EXPECT_TRUE(request.has_prompt_logprobs());
  FakeServer other;
  options.text = "5 six";
  EXPECT_EQ(other.Run(options), kUsage);
  EXPECT_TRUE(other.service.generate_requests().empty());
  EXPECT_THAT(other.err.str(), HasSubstr("token id 1 of the text is not"));
}

TEST(AskTest, RawSendsAPrompt) {
  FakeServer fake;
  fake.service.generate = Replies({Finished()});
  Options options = Ask("2 + 2 =");
  options.raw = true;
  ASSERT_EQ(fake.Run(options), kOk);
  const v1::GenerateRequest request = fake.service.generate_requests().at(0);
  EXPECT_EQ(request.prompt(), "2 + 2 =");
  EXPECT_FALSE(request.sampling().has_seed());
  EXPECT_FALSE(request.has_logprobs());
}

TEST(AskTest, DashReadsStandardInput) {
  FakeServer fake;
  fake.service.generate = Replies({Finished()});
  fake.in.str("Was ist\nAsthma?\r\n");
  ASSERT_EQ(fake.Run(Ask("-")), kOk);
  EXPECT_EQ(fake.service.generate_requests().at(0).chat().messages(0).content(),
            "Was ist\nAsthma?");
}

TEST(AskTest, TextThatIsNotUtf8IsNotSent) {
  FakeServer fake;
  fake.in.str("ab\xff");
  EXPECT_EQ(fake.Run(Ask("-")), kUsage);
  EXPECT_EQ(fake.err.str(),
            "apollo: the text is not valid UTF-8 (at byte 2)\n");
  EXPECT_EQ(fake.service.generate_requests().size(), 0u);
}

TEST(AskTest, TextThatIsTooLongIsNotSent) {
  FakeServer fake;
  fake.in.str(std::string(4'000'001, 'a'));
  EXPECT_EQ(fake.Run(Ask("-")), kUsage);
  EXPECT_THAT(fake.err.str(), HasSubstr("too long"));
}

TEST(AskTest, JsonHasALineForEachEvent) {
  FakeServer fake;
  fake.service.generate = Replies({Started(), Delta("a"), Finished()});
  Options options = Ask("?");
  options.json = true;
  EXPECT_EQ(fake.Run(options), kOk);
  std::istringstream lines(fake.out.str());
  std::vector<std::string> keys;
  for (std::string line; std::getline(lines, line);) {
    const auto json = ParseJson(line, "line");
    ASSERT_TRUE(json.ok()) << json.status();
    keys.push_back(json->begin().key());
  }
  EXPECT_THAT(keys, testing::ElementsAre("started", "delta", "finished"));
  EXPECT_EQ(fake.err.str(), "");
}

TEST(AskTest, ARefusedFieldIsShown) {
  FakeServer fake;
  fake.service.generate = [](auto...) {
    return BadRequest("bad request", "language", "\"xx\" is not known");
  };
  Options options = Ask("?");
  options.request_id = "r-1";
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_EQ(fake.out.str(), "");
  EXPECT_EQ(fake.err.str(),
            "error: INVALID_ARGUMENT: bad request\n"
            "  language: \"xx\" is not known\n"
            "  In the logs, the request is r-1.\n");
  options.json = true;
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_THAT(fake.out.str(), HasSubstr("\"code\":\"INVALID_ARGUMENT\""));
}

TEST(AskTest, FailureInTheMiddleKeepsTheTextAndFails) {
  FakeServer fake;
  fake.service.generate = [](grpc::ServerContext*, const v1::GenerateRequest&,
                             FakeService::Writer* writer) {
    Events(writer).Write(Delta("half"));
    return grpc::Status(grpc::StatusCode::DATA_LOSS, "the model is broken");
  };
  EXPECT_EQ(fake.Run(Ask("?")), kFailed);
  EXPECT_EQ(fake.out.str(), "half\n");
  EXPECT_THAT(fake.err.str(),
              HasSubstr("error: DATA_LOSS: the model is broken\n"));
}

TEST(AskTest, OtherChoicesFollowTheFirst) {
  FakeServer fake;
  fake.service.generate =
      Replies({Started(), Delta("a0", 0), Delta("b0", 1), Delta("a1", 0),
               Delta("b1\n", 1), Finished(1), Finished(0)});
  Options options = Ask("?");
  options.sampling.set_choices(2);
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.out.str(), "a0a1\n--- choice 1 ---\nb0b1\n");
  EXPECT_THAT(fake.err.str(), HasSubstr("choice 1: 11 tokens"));
}

TEST(AskTest, ATerminalGetsNoControlCharacters) {
  FakeServer fake;
  fake.service.generate = Replies({Delta("\x1b[2Jx"), Finished()});
  fake.terminal = true;
  EXPECT_EQ(fake.Run(Ask("?")), kOk);
  EXPECT_EQ(fake.out.str(), "\xef\xbf\xbd[2Jx\n");
}

// Calls back on each write.
class Watcher : public std::stringbuf {
 public:
  std::function<bool(const std::string& written)> on_write;

 protected:
  std::streamsize xsputn(const char* data, std::streamsize size) override {
    if (!on_write(std::string(data, size))) return 0;  // Like a closed pipe.
    return std::stringbuf::xsputn(data, size);
  }
};

// Writes until the call is cancelled.
grpc::Status Endless(grpc::ServerContext* context, const v1::GenerateRequest&,
                     FakeService::Writer* writer) {
  Events events(writer);
  while (!context->IsCancelled() && events.Write(Delta("more "))) {
  }
  return grpc::Status::CANCELLED;
}

TEST(AskTest, AnInterruptCancelsTheCall) {
  FakeServer fake;
  fake.service.generate = Endless;
  EXPECT_FALSE(fake.interrupt.Cancel());  // There is no call yet.
  Watcher watcher;
  watcher.on_write = [&](const std::string& written) {
    if (written == "more ") fake.interrupt.Cancel();
    return true;
  };
  std::ostream out(&watcher);
  EXPECT_EQ(fake.Run(Ask("?"), out), kInterrupted);
  EXPECT_THAT(fake.err.str(), HasSubstr("Cancelled."));
  EXPECT_FALSE(fake.interrupt.Cancel());  // The call is over.
}

TEST(AskTest, AClosedOutputCancelsTheCall) {
  FakeServer fake;
  fake.service.generate = Endless;
  Watcher watcher;
  watcher.on_write = [](const std::string&) { return false; };
  std::ostream out(&watcher);
  EXPECT_EQ(fake.Run(Ask("?"), out), kFailed);
}

TEST(AskTest, TheTimeLimitIsSent) {
  FakeServer fake;
  fake.service.generate = Endless;
  Options options = Ask("?");
  options.timeout = 0.05;
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_THAT(fake.err.str(), HasSubstr("DEADLINE_EXCEEDED"));
}

TEST(AskTest, VerboseNamesTheRequest) {
  FakeServer fake;
  fake.service.generate = Replies({Finished()});
  Options options = Ask("?");
  options.verbose = true;
  options.priority = 3;
  EXPECT_EQ(fake.Run(options), kOk);
  const v1::GenerateRequest request = fake.service.generate_requests().at(0);
  EXPECT_THAT(fake.err.str(),
              HasSubstr("request " + request.request_id() + " to fake:1\n"));
  EXPECT_EQ(request.priority(), 3);
}

TEST(ChatTest, KeepsTheHistoryUntilReset) {
  FakeServer fake;
  fake.service.generate = Replies({Delta("an"), Delta("swer"), Finished()});
  fake.in.str("one\n\n  \ntwo\r\n/reset\nthree\n/quit\nfour\n");
  Options options;
  options.command = Command::kChat;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.out.str(), "answer\nanswer\nanswer\n");
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[0].chat().messages_size(), 1);
  ASSERT_EQ(requests[1].chat().messages_size(), 3);
  EXPECT_EQ(requests[1].chat().messages(1).role(), v1::ROLE_ASSISTANT);
  EXPECT_EQ(requests[1].chat().messages(1).content(), "answer");
  EXPECT_EQ(requests[1].chat().messages(2).content(), "two");
  ASSERT_EQ(requests[2].chat().messages_size(), 1);
  EXPECT_EQ(requests[2].chat().messages(0).content(), "three");
}

TEST(ChatTest, AFailureEndsAPipeButNotAConversation) {
  FakeServer fake;
  fake.service.generate = [](grpc::ServerContext* context,
                             const v1::GenerateRequest& request,
                             FakeService::Writer* writer) {
    const auto& messages = request.chat().messages();
    if (messages[messages.size() - 1].content() == "bad") {
      return BadRequest("bad", "chat", "no");
    }
    return Replies({Delta("ok"), Finished()})(context, request, writer);
  };
  Options options;
  options.command = Command::kChat;
  fake.in.str("bad\ngood\n");
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_EQ(fake.service.generate_requests().size(), 1u);

  fake.terminal = true;
  fake.in.clear();
  fake.in.str("bad\ngood\n");
  EXPECT_EQ(fake.Run(options), kOk);
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[2].chat().messages_size(), 1);  // "bad" is forgotten.
}

// The lines that a user enters at a terminal.
class Lines final : public LineReader {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  Result Read(std::string& line) override {
    if (next_ == lines_.size()) return Result::kEnd;
    line = lines_[next_++];
    return line == "^C" ? Result::kDropped : Result::kLine;
  }

 private:
  const std::vector<std::string> lines_;
  std::size_t next_ = 0;
};

// A chat of a user at a terminal.
class UserTest : public testing::Test {
 protected:
  int Chat(std::vector<std::string> entered) { return Chat(entered, fake.out); }
  int Chat(std::vector<std::string> entered, std::ostream& out) {
    Lines lines(std::move(entered));
    fake.editor = &lines;
    fake.terminal = true;
    Options options;
    options.command = Command::kChat;
    options.server = "fake:1";
    return fake.Run(options, out);
  }
  std::string Last(std::size_t request) {
    const auto all = fake.service.generate_requests();
    const auto& messages = all.at(request).chat().messages();
    return messages[messages.size() - 1].content();
  }

  FakeServer fake;
};

TEST_F(UserTest, CommandsAreNotSent) {
  EXPECT_EQ(Chat({"/help", "^C", "  ", "/hlep", "/frobnicate", "/stats",
                  "/retry", "/quit", "late"}),
            kOk);
  EXPECT_TRUE(fake.service.generate_requests().empty());
  for (const std::string& name : ChatCommands()) {
    EXPECT_THAT(fake.err.str(), HasSubstr("  " + name));
  }
  EXPECT_THAT(fake.err.str(),
              HasSubstr("\"/hlep\" is not a command; did you mean /help?"));
  EXPECT_THAT(fake.err.str(),
              HasSubstr("\"/frobnicate\" is not a command; /help lists all."));
  EXPECT_THAT(fake.err.str(), HasSubstr("no message to ask again"));
}

TEST_F(UserTest, SettingsHoldForLaterMessages) {
  fake.service.generate = Replies({Delta("a"), Finished()});
  EXPECT_EQ(
      Chat({"one", "/system  Be brief. ", "/language de", "/routing hybrid",
            "/routing x", "two", "/system", "/language", "/routing", "three"}),
      kOk);
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[1].language(), "de");
  EXPECT_EQ(requests[1].routing(), v1::ROUTING_MODE_HYBRID);
  ASSERT_EQ(requests[1].chat().messages_size(), 4);  // The chat goes on.
  EXPECT_EQ(requests[1].chat().messages(0).role(), v1::ROLE_SYSTEM);
  EXPECT_EQ(requests[1].chat().messages(0).content(), "Be brief.");
  EXPECT_EQ(requests[2].language(), "");
  EXPECT_EQ(requests[2].routing(), v1::ROUTING_MODE_UNSPECIFIED);
  EXPECT_EQ(requests[2].chat().messages(0).role(), v1::ROLE_USER);
  EXPECT_THAT(fake.err.str(), HasSubstr("\"x\" is neither topk nor hybrid"));
}

TEST_F(UserTest, RetryAsksAgain) {
  fake.service.generate = [n = std::make_shared<std::atomic<int>>(0)](
                              grpc::ServerContext* context,
                              const v1::GenerateRequest& request,
                              FakeService::Writer* writer) {
    if (n->fetch_add(1) == 1) return BadRequest("bad", "chat", "no");
    return Replies({Delta("a"), Finished()})(context, request, writer);
  };
  // An answer, a failure, the retry of the failure, and that of its answer.
  EXPECT_EQ(Chat({"one", "two", "/retry", "/retry"}), kOk);
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 4u);
  for (const std::size_t i : {2, 3}) {
    EXPECT_EQ(requests[i].chat().SerializeAsString(),
              requests[1].chat().SerializeAsString());
  }
  EXPECT_EQ(requests[3].chat().messages_size(), 3);
}

TEST_F(UserTest, TwoSlashesSendOne) {
  fake.service.generate = Replies({Finished()});
  EXPECT_EQ(Chat({"//etc is a folder"}), kOk);
  EXPECT_EQ(Last(0), "/etc is a folder");
}

TEST_F(UserTest, StatsAddUp) {
  fake.service.generate = Replies({Started(), Delta("a"), Finished()});
  EXPECT_EQ(Chat({"one", "two", "/stats"}), kOk);
  EXPECT_THAT(fake.err.str(),
              HasSubstr("2 answers, 22 tokens in 2.00 s (11.0 tokens/s)\n"
                        "24 tokens of prompts, 0 of them cached\n"
                        "4 messages in the conversation\n"
                        "last request: cli-"));
}

TEST_F(UserTest, AStoppedAnswerStaysAndTheChatGoesOn) {
  fake.service.generate = [](grpc::ServerContext* context,
                             const v1::GenerateRequest& request,
                             FakeService::Writer* writer) {
    if (request.chat().messages_size() == 1) {
      return Endless(context, request, writer);
    }
    return Replies({Delta("end"), Finished()})(context, request, writer);
  };
  Watcher watcher;
  watcher.on_write = [&](const std::string& written) {
    if (written == "more ") fake.interrupt.Cancel();
    return true;
  };
  std::ostream out(&watcher);
  EXPECT_EQ(Chat({"one", "two"}, out), kOk);
  const auto requests = fake.service.generate_requests();
  ASSERT_EQ(requests.size(), 2u);
  ASSERT_EQ(requests[1].chat().messages_size(), 3);
  EXPECT_EQ(requests[1].chat().messages(1).content().substr(0, 5), "more ");
  // Without a call, Ctrl-C does not end the program either.
  EXPECT_TRUE(fake.interrupt.Cancel());
}

TEST(ChatTest, APipeHasTwoCommandsOnly) {
  FakeServer fake;
  fake.service.generate = Replies({Finished()});
  fake.in.str("/help\n");
  Options options;
  options.command = Command::kChat;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.service.generate_requests().at(0).chat().messages(0).content(),
            "/help");
  EXPECT_FALSE(fake.interrupt.Cancel());
}

TEST(ScoreTest, SendsAndPrints) {
  FakeServer fake;
  fake.service.score.add_scores()->set_logprob(-1);
  *fake.service.score.mutable_started() = Started().started();
  Options options = Ask("p");
  options.command = Command::kScore;
  options.continuations = {" A"};
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.service.score_request().chat().messages(0).content(), "p");
  EXPECT_EQ(fake.service.score_request().continuations(0), " A");
  EXPECT_EQ(fake.out.str(), "*    -1.0000    0 tokens  \" A\"\n");
  EXPECT_THAT(fake.err.str(), HasSubstr("language de"));
}

TEST(QueriesTest, PrintTextOrJson) {
  FakeServer fake;
  fake.service.language.set_language("sw");
  fake.service.model.set_name("demo");
  fake.service.routing.set_experts_per_token(2);
  fake.service.tokens.add_token_ids(3);
  fake.service.tokens.add_tokens("x");
  const std::vector<std::pair<Command, std::string>> wanted = {
      {Command::kDetect, "language sw"},
      {Command::kModel, "demo\n"},
      {Command::kRouting, "no tokens yet\n"},
      {Command::kTokenize, "3\t\"x\"\n"}};
  for (const auto& [command, text] : wanted) {
    Options options = Ask("text");
    options.command = command;
    fake.out.str("");
    EXPECT_EQ(fake.Run(options), kOk);
    EXPECT_THAT(fake.out.str(), HasSubstr(text));
    options.json = true;
    fake.out.str("");
    EXPECT_EQ(fake.Run(options), kOk);
    EXPECT_TRUE(ParseJson(fake.out.str(), "output").ok());
  }
}

TEST(QueriesTest, AFailedCallFails) {
  FakeServer fake;
  fake.service.status = grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  for (Command command : {Command::kScore, Command::kDetect, Command::kModel,
                          Command::kRouting, Command::kTokenize}) {
    Options options = Ask("text");
    options.command = command;
    EXPECT_EQ(fake.Run(options), kFailed);
    EXPECT_EQ(fake.out.str(), "");
    EXPECT_THAT(fake.err.str(), HasSubstr("error: INTERNAL: broken"));
  }
}

TEST(RoutingTest, PassesTheWindowOnAndSaysWhoIsMissing) {
  FakeServer fake;
  fake.service.routing.add_sources()->set_answered(true);
  v1::RoutingSource* missing = fake.service.routing.add_sources();
  missing->set_dense_worker("dense-1");
  missing->set_reason("it serves another model");
  Options options;
  options.command = Command::kRouting;
  options.window = -5;  // The server rejects it.
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.service.routing_request().window_seconds(), -5);
  EXPECT_THAT(fake.err.str(), HasSubstr("dense worker dense-1 did not answer"));
  EXPECT_THAT(fake.err.str(), HasSubstr(": it serves another model\n"));
}

TEST(PlacementTest, ShowsExpertWorkers) {
  FakeServer fake;
  v1::ProcessStatus& expert = *fake.service.cluster.add_processes();
  expert.set_role(v1::PROCESS_ROLE_EXPERT_WORKER);
  expert.set_name("expert-worker-7");
  expert.mutable_placement()->add_experts()->set_expert(3);
  Options options;
  options.command = Command::kPlacement;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_THAT(fake.out.str(), HasSubstr("expert-worker-7"));
}

using grpc::health::v1::HealthCheckResponse;

TEST(HealthTest, TellsTheStatus) {
  FakeServer fake;
  fake.health.answers = {HealthCheckResponse::NOT_SERVING,
                         HealthCheckResponse::SERVING};
  Options options;
  options.command = Command::kHealth;
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.out.str(), "NOT_SERVING\nSERVING\n");
}

TEST(HealthTest, WaitsUntilItServes) {
  FakeServer fake;
  fake.health.answers = {HealthCheckResponse::NOT_SERVING,
                         HealthCheckResponse::NOT_SERVING,
                         HealthCheckResponse::SERVING};
  Options options;
  options.command = Command::kHealth;
  options.wait = 600;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.out.str(), "SERVING\n");
}

TEST(HealthTest, AsksForTheProcessOrForAName) {
  FakeServer fake;
  fake.health.answers = {HealthCheckResponse::SERVING};
  Options options;
  options.command = Command::kHealth;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.health.last_service(), "");
  options.service = "liveness";
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.health.last_service(), "liveness");
}

}  // namespace
}  // namespace apollo::client
