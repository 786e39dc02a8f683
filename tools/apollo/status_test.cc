// The state of a cluster: the answers of several routers, its table, its rates,
// and the commands status and top.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/json.h"
#include "tools/apollo/fake_server.h"
#include "tools/apollo/merged_status.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/rates.h"
#include "tools/apollo/screen.h"
#include "tools/apollo/status_table.h"
#include "tools/apollo/time_span.h"

namespace apollo::client {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

v1::ProcessStatus Process(v1::ProcessRole role, const std::string& name,
                          const std::string& address = "",
                          v1::ProcessState state = v1::PROCESS_STATE_READY) {
  v1::ProcessStatus process;
  process.set_role(role);
  process.set_name(name);
  process.set_address(address);
  process.set_state(state);
  return process;
}

v1::ProcessStatus Router(const std::string& address = "") {
  return Process(v1::PROCESS_ROLE_ROUTER, "r", address);
}

v1::ProcessStatus Dense(const std::string& name) {
  return Process(v1::PROCESS_ROLE_DENSE_WORKER, name, name + ":7");
}

v1::GetStatusResponse StatusOf(std::vector<v1::ProcessStatus> processes) {
  v1::GetStatusResponse status;
  for (const auto& process : processes) *status.add_processes() = process;
  return status;
}

TEST(StatusTableTest, HasALineForEachProcess) {
  v1::ProcessStatus router = Router("h:1");
  router.set_model_hash("0123456789abcdef");
  router.set_version("0.1.0");
  v1::ProcessStatus dense = Dense("d0");
  dense.set_running_sequences(2);
  dense.set_waiting_sequences(3);
  dense.set_queued_rows(40);
  dense.set_cache_use(0.374);
  v1::ProcessStatus expert = Process(v1::PROCESS_ROLE_EXPERT_WORKER, "", "e:7",
                                     v1::PROCESS_STATE_UNREACHABLE);
  for (const int e : {0, 1, 2, 5, 7, 8}) expert.add_experts(e);
  expert.set_cache_tokens(4096);
  expert.set_reason("no link from dense worker d0: refused");
  const v1::GetStatusResponse status = StatusOf({router, dense, expert});
  EXPECT_FALSE(AllReady(status));
  EXPECT_TRUE(AllReady(StatusOf({router, dense})));
  EXPECT_EQ(StatusTable(status, {.now = 0}),
            "role           name  address  state        model         version  "
            "experts    running  waiting  queued  cache\n"
            "router         r     h:1      ready        0123456789ab  0.1.0    "
            "-          0        -        -       -\n"
            "dense worker   d0    d0:7     ready        -             -        "
            "-          2        3        40      37%\n"
            "expert worker  -     e:7      unreachable  -             -        "
            "0-2,5,7,8  0        -        0       4096 tokens\n"
            "    no link from dense worker d0: refused\n");
}

TEST(StatusTableTest, ShowsUseCertificatesFamiliesAndCallers) {
  v1::ProcessStatus expert = Process(v1::PROCESS_ROLE_EXPERT_WORKER, "e");
  expert.set_cache_tokens(8192);
  expert.set_cache_use(0.031);
  expert.set_certificate_expires(1000 + 3 * 86400);
  v1::ProcessStatus old = Dense("d");
  old.set_certificate_expires(999);
  v1::GetStatusResponse status = StatusOf({Router("h:1"), old, expert});
  for (int i = 0; i < 2; ++i) {
    v1::FamilyInfo& family = *status.add_families();
    family.set_expert(i);
    family.set_name(i == 0 ? "chinese" : "koreanic");
  }
  v1::CallerStatus& caller = *status.add_callers();
  caller.set_name("clinic");
  caller.set_streams(1);
  caller.set_calls(30);
  caller.set_calls_failed(2);
  caller.set_prompt_tokens(400);
  caller.set_generated_tokens(5000);
  const std::string table = StatusTable(status, {.now = 1000});
  EXPECT_THAT(table, ContainsRegex("certificate\nrouter .* -\n"));
  EXPECT_THAT(table, ContainsRegex("dense worker .* expired\n"));
  EXPECT_THAT(table, ContainsRegex("3% of 8192 tokens +3d\n"));
  EXPECT_THAT(table, HasSubstr("families of the experts: 0 chinese, 1 "
                               "koreanic\n"
                               "caller  streams  calls  failed  prompt tokens  "
                               "generated tokens\n"
                               "clinic  1        30     2       400            "
                               "5000\n"));
}

// Names come from other machines.
TEST(StatusTableTest, NamesDoNotControlTheTerminal) {
  EXPECT_THAT(StatusTable(StatusOf({Dense("d\x1b[2J")}), {}),
              Not(HasSubstr("\x1b")));
}

TEST(StatusTableTest, SortsByWhatIsAskedFor) {
  v1::ProcessStatus a = Dense("a");
  a.set_cache_use(0.1);
  v1::ProcessStatus b = Dense("b");
  b.set_cache_use(0.9);
  b.set_running_sequences(1);
  v1::ProcessStatus c = Dense("c");
  c.set_running_sequences(1);
  c.set_queued_rows(5);
  const v1::GetStatusResponse before = StatusOf({b, a, c});
  a.set_rows_computed(30);
  b.set_rows_computed(10);
  const v1::GetStatusResponse after = StatusOf({b, a, c});
  const Rates rates(before, after, 1);
  const auto order = [&](StatusOrder order) {
    const std::string table =
        StatusTable(after, {.order = order, .rates = &rates});
    std::string names;
    for (std::size_t at = 0;
         (at = table.find("dense worker  ", at)) != std::string::npos; ++at) {
      names += table[at + 14];
    }
    return names;
  };
  EXPECT_EQ(order(StatusOrder::kRole), "bac");
  EXPECT_EQ(order(StatusOrder::kName), "abc");
  EXPECT_EQ(order(StatusOrder::kLoad), "cba");
  EXPECT_EQ(order(StatusOrder::kRate), "abc");
  EXPECT_EQ(order(StatusOrder::kCache), "bac");
}

TEST(StatusTableTest, OrdersHaveNames) {
  for (const char* name : {"role", "name", "load", "rate", "cache"}) {
    const std::optional<StatusOrder> order = StatusOrderOf(name);
    ASSERT_TRUE(order) << name;
    EXPECT_EQ(NameOf(*order), name);
  }
  EXPECT_EQ(StatusOrderOf("size"), std::nullopt);
}

TEST(RatesTest, AreUnknownWithoutTwoLooksAtOneProcess) {
  const auto with = [](v1::ProcessStatus process, std::uint64_t rows) {
    process.set_rows_computed(rows);
    return process;
  };
  v1::ProcessStatus lost = with(Dense("lost"), 9);
  lost.set_state(v1::PROCESS_STATE_UNREACHABLE);
  const v1::GetStatusResponse after =
      StatusOf({with(Router("h:1"), 80), with(Dense("new"), 5),
                with(Dense("restarted"), 7), with(Dense("idle"), 4), lost,
                Dense("old")});
  const Rates rates(
      StatusOf({with(Router("h:1"), 20), with(Dense("restarted"), 9),
                with(Dense("idle"), 4), with(Dense("lost"), 1), Dense("old")}),
      after, 4);
  EXPECT_EQ(rates.Of(after.processes(0)), 15.0);
  EXPECT_EQ(rates.Of(after.processes(1)), std::nullopt);
  EXPECT_EQ(rates.Of(after.processes(2)), std::nullopt);
  EXPECT_EQ(rates.Of(after.processes(3)), 0.0);
  EXPECT_EQ(rates.Of(after.processes(4)), std::nullopt);
  EXPECT_EQ(rates.Of(after.processes(5)), std::nullopt);
  EXPECT_EQ(Rates().Of(after.processes(0)), std::nullopt);
}

TEST(TimeSpanTest, HasTheLargestWholeUnit) {
  EXPECT_EQ(SpanText(-5), "0s");
  EXPECT_EQ(SpanText(119), "119s");
  EXPECT_EQ(SpanText(3599), "59m");
  EXPECT_EQ(SpanText(48 * 3600 - 1), "47h");
  EXPECT_EQ(SpanText(90 * 86400), "90d");
}

TEST(MergedStatusTest, EachWorkerIsThereOnce) {
  v1::ProcessStatus lost = Dense("d");
  lost.set_state(v1::PROCESS_STATE_UNREACHABLE);
  lost.set_reason("closed");
  v1::GetStatusResponse first = StatusOf({Router(), lost, Dense("f")});
  v1::GetStatusResponse second = StatusOf({Router(), Dense("d"), Dense("e")});
  first.add_families()->set_name("chinese");
  second.add_families()->set_name("chinese");
  for (v1::GetStatusResponse* status : {&first, &second}) {
    v1::CallerStatus& caller = *status->add_callers();
    caller.set_name("clinic");
    caller.set_calls(3);
    caller.set_streams(1);
  }
  const v1::GetStatusResponse merged =
      MergedStatus({{.server = "a:1", .status = first},
                    {.server = "b:1", .status = second},
                    {.server = "c:1", .reason = "UNAVAILABLE: gone"}});
  ASSERT_EQ(merged.processes_size(), 6);
  EXPECT_EQ(merged.processes(0).address(), "a:1");
  EXPECT_EQ(merged.processes(1).address(), "b:1");
  EXPECT_EQ(merged.processes(2).address(), "c:1");
  EXPECT_EQ(merged.processes(2).role(), v1::PROCESS_ROLE_ROUTER);
  EXPECT_EQ(merged.processes(2).state(), v1::PROCESS_STATE_UNREACHABLE);
  EXPECT_EQ(merged.processes(2).reason(), "UNAVAILABLE: gone");
  EXPECT_EQ(merged.processes(3).name(), "d");
  EXPECT_EQ(merged.processes(3).state(), v1::PROCESS_STATE_READY);
  EXPECT_EQ(merged.processes(3).reason(), "unreachable for router a:1");
  EXPECT_EQ(merged.processes(4).name(), "e");
  EXPECT_EQ(merged.processes(5).name(), "f");
  EXPECT_EQ(merged.families_size(), 1);
  ASSERT_EQ(merged.callers_size(), 1);
  EXPECT_EQ(merged.callers(0).calls(), 6u);
  EXPECT_EQ(merged.callers(0).streams(), 2u);
}

// As two programs apollo_local, or two machines with sockets of the same name.
TEST(MergedStatusTest, WorkersWithoutAnAddressOfTheirOwnStayApart) {
  for (const char* address : {"", "unix:/run/apollo/dense.sock"}) {
    const auto with = [&](const char* name, v1::ProcessState state) {
      return StatusOf({Router(), Process(v1::PROCESS_ROLE_DENSE_WORKER, name,
                                         address, state)});
    };
    const v1::GetStatusResponse merged = MergedStatus(
        {{.server = "a:1", .status = with("a", v1::PROCESS_STATE_READY)},
         {.server = "b:1", .status = with("b", v1::PROCESS_STATE_NOT_READY)}});
    ASSERT_EQ(merged.processes_size(), 4) << address;
    EXPECT_FALSE(AllReady(merged)) << address;
  }
}

// As of two machines, each with a dense and an expert worker.
TEST(MergedStatusTest, SocketsOfOneNameOfDenseWorkersStayApart) {
  const auto expert = [](const char* name) {
    return Process(v1::PROCESS_ROLE_EXPERT_WORKER, name,
                   "unix:/run/apollo/expert.sock");
  };
  const v1::GetStatusResponse merged = MergedStatus(
      {{.server = "a:1",
        .status = StatusOf({Router(), expert("e0"), expert("e1")})}});
  ASSERT_EQ(merged.processes_size(), 3);
  EXPECT_EQ(merged.processes(1).name(), "e0");
  EXPECT_EQ(merged.processes(2).name(), "e1");
}

Options Of(Command command, const std::string& server = "fake:1") {
  Options options;
  options.command = command;
  options.server = server;
  return options;
}

TEST(StatusTest, FailsUnlessAllAreReady) {
  FakeServer fake;
  v1::ProcessStatus& router = *fake.service.cluster.add_processes();
  router = Router();
  Options options = Of(Command::kStatus);
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_THAT(fake.out.str(), HasSubstr("router  r     fake:1   ready"));
  router.set_state(v1::PROCESS_STATE_NOT_READY);
  options.json = true;
  fake.out.str("");
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_TRUE(ParseJson(fake.out.str(), "output").ok());
  fake.service.status = grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  EXPECT_EQ(fake.Run(options), kFailed);
  // The name that the server has given the call.
  EXPECT_THAT(fake.err.str(),
              HasSubstr("In the logs, the request is status-1"));
}

TEST(StatusTest, AsksAllRouters) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  *fake.service.cluster.add_processes() = Router();
  *other.service.cluster.add_processes() = Router();
  *other.service.cluster.add_processes() = Dense("d");
  const Options options = Of(Command::kStatus, "fake:1,other:1");
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_THAT(fake.out.str(), HasSubstr("fake:1"));
  EXPECT_THAT(fake.out.str(), HasSubstr("other:1"));
  EXPECT_THAT(fake.out.str(), HasSubstr("d:7"));
  for (FakeService* service : {&fake.service, &other.service}) {
    EXPECT_EQ(service->status_request().max_response_bytes(),
              std::uint64_t{kMaxResponseBytes});
  }
  // One that does not answer is a line of the table.
  fake.service.status = grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  fake.out.str("");
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_THAT(fake.out.str(), ContainsRegex("fake:1 +unreachable"));
  EXPECT_THAT(fake.out.str(), HasSubstr("    INTERNAL: broken\n"));
  EXPECT_THAT(fake.out.str(), ContainsRegex("other:1 +ready"));
  EXPECT_EQ(fake.err.str(), "");
}

TEST(StatusTest, ProcessesThatARouterLeavesOutAreNotReady) {
  FakeServer fake;
  *fake.service.cluster.add_processes() = Router();
  fake.service.cluster.set_processes_left_out(3);
  EXPECT_EQ(fake.Run(Of(Command::kStatus)), kFailed);
  EXPECT_THAT(fake.out.str(), HasSubstr("3 more processes"));
}

TEST(StatusTest, AsksAllRoutersAtTheSameTime) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  // Each answers only while the other one is asked, too.
  const auto await = [](FakeService& service) {
    return [&service](const grpc::ServerContext& context) {
      while (service.looks() == 0 && !context.IsCancelled()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
    };
  };
  fake.service.on_look = await(other.service);
  other.service.on_look = await(fake.service);
  *fake.service.cluster.add_processes() = Router();
  *other.service.cluster.add_processes() = Router();
  Options options = Of(Command::kStatus, "fake:1,other:1");
  options.timeout = 120;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_THAT(fake.out.str(), ContainsRegex("fake:1 +ready"));
  EXPECT_THAT(fake.out.str(), ContainsRegex("other:1 +ready"));
}

TEST(StatusTest, ARouterThatHangsIsALineOfTheTable) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  fake.service.on_look = [](const grpc::ServerContext& context) {
    while (!context.IsCancelled()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  };
  *other.service.cluster.add_processes() = Router();
  Options options = Of(Command::kStatus, "fake:1,other:1");
  options.timeout = 5;
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_THAT(fake.out.str(), ContainsRegex("fake:1 +unreachable"));
  EXPECT_THAT(fake.out.str(), HasSubstr("    DEADLINE_EXCEEDED: "));
  EXPECT_THAT(fake.out.str(), ContainsRegex("other:1 +ready"));
}

// As a proxy may answer.
TEST(StatusTest, ARouterThatCancelsTheCallIsALineOfTheTable) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  *other.service.cluster.add_processes() = Router();
  fake.service.status = grpc::Status(grpc::StatusCode::CANCELLED, "went away");
  EXPECT_EQ(fake.Run(Of(Command::kStatus, "fake:1,other:1")), kFailed);
  EXPECT_THAT(fake.out.str(), HasSubstr("    CANCELLED: went away\n"));
  EXPECT_THAT(fake.out.str(), ContainsRegex("other:1 +ready"));
}

TEST(StatusTest, FailsIfOneRouterHasLostAWorkerThatAnotherHas) {
  FakeServer fake;
  OtherRouter other;
  fake.other_services = {other.stub.get()};
  for (FakeService* service : {&fake.service, &other.service}) {
    *service->cluster.add_processes() = Router();
    *service->cluster.add_processes() = Dense("d");
  }
  const Options options = Of(Command::kStatus, "fake:1,other:1");
  EXPECT_EQ(fake.Run(options), kOk);
  for (FakeService* service : {&fake.service, &other.service}) {
    v1::ProcessStatus& lost = *service->cluster.mutable_processes(1);
    lost.set_state(v1::PROCESS_STATE_UNREACHABLE);
    fake.out.str("");
    EXPECT_EQ(fake.Run(options), kFailed);
    EXPECT_THAT(fake.out.str(), ContainsRegex("d:7 +ready"));
    lost.set_state(v1::PROCESS_STATE_READY);
  }
}

TEST(TopTest, OnceLooksTwiceForTheRates) {
  FakeServer fake;
  fake.service.rows_between = 10;
  *fake.service.cluster.add_processes() = Router();
  Options options = Of(Command::kTop);
  options.once = true;
  options.interval = 0.1;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.service.looks(), 2);
  EXPECT_THAT(fake.out.str(), ContainsRegex("per second\n"));
  EXPECT_THAT(fake.out.str(), ContainsRegex("router .* [0-9]+\\.[0-9]\n"));
  fake.service.status = grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  EXPECT_EQ(fake.Run(options), kFailed);
  EXPECT_THAT(fake.err.str(), HasSubstr("INTERNAL: broken"));
}

TEST(TopTest, OnceAsJsonIsOneObject) {
  FakeServer fake;
  *fake.service.cluster.add_processes() = Router();
  Options options = Of(Command::kTop);
  options.once = options.json = true;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_TRUE(ParseJson(fake.out.str(), "output").ok());
  EXPECT_EQ(fake.service.looks(), 1);
}

// Keeps pages, and presses keys one after the other.
class FakeScreen final : public Screen {
 public:
  void Show(const std::string& text) override { pages.push_back(text); }
  std::optional<char> Key() override {
    if (keys.empty()) return std::nullopt;
    const char key = keys.front();
    keys.pop_front();
    return key;
  }

  std::vector<std::string> pages;
  std::deque<char> keys;
};

TEST(TopTest, KeysSortLookAgainAndQuit) {
  FakeServer fake;
  FakeScreen screen;
  fake.screen = &screen;
  screen.keys = {'x', 'l', ' ', 'q'};
  *fake.service.cluster.add_processes() = Router();
  Options options = Of(Command::kTop);
  options.interval = 3600;
  EXPECT_EQ(fake.Run(options), kOk);
  EXPECT_EQ(fake.out.str(), "");
  ASSERT_EQ(screen.pages.size(), 3u);
  EXPECT_THAT(screen.pages[0], HasSubstr("by role"));
  EXPECT_THAT(screen.pages[0], HasSubstr("q: quit"));
  EXPECT_THAT(screen.pages[1], HasSubstr("by load"));
  EXPECT_THAT(screen.pages[2], HasSubstr("by load"));
  EXPECT_EQ(fake.service.looks(), 2);
}

// The screen outlives the loss of all routers, and shows what was known.
TEST(TopTest, AFailureIsShown) {
  FakeServer fake;
  FakeScreen screen;
  fake.screen = &screen;
  screen.keys = {'q'};
  fake.service.status = grpc::Status(grpc::StatusCode::INTERNAL, "broken");
  Options options = Of(Command::kTop);
  options.interval = 3600;
  EXPECT_EQ(fake.Run(options), kOk);
  ASSERT_EQ(screen.pages.size(), 1u);
  EXPECT_THAT(screen.pages[0], HasSubstr("INTERNAL: broken"));
}

TEST(TopTest, ARouterThatCancelsTheCallDoesNotEndIt) {
  FakeServer fake;
  FakeScreen screen;
  fake.screen = &screen;
  screen.keys = {'q'};
  fake.service.status = grpc::Status(grpc::StatusCode::CANCELLED, "went away");
  Options options = Of(Command::kTop);
  options.interval = 3600;
  EXPECT_EQ(fake.Run(options), kOk);
  ASSERT_EQ(screen.pages.size(), 1u);
  EXPECT_THAT(screen.pages[0], HasSubstr("CANCELLED: went away"));
}

TEST(InterruptTest, IsRememberedBetweenCallsAndPauses) {
  Interrupt interrupt;
  interrupt.RememberCancel();
  EXPECT_TRUE(interrupt.Pause(std::chrono::milliseconds(0)));
  EXPECT_TRUE(interrupt.Cancel());
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    const Interrupt::Scope scope(interrupt, context);
    EXPECT_TRUE(interrupt.cancelled());
  }
  EXPECT_FALSE(interrupt.Pause(std::chrono::hours(1)));
}

// At a prompt there is nothing to cancel.
TEST(InterruptTest, IsNotRememberedUnlessAskedFor) {
  Interrupt interrupt;
  interrupt.KeepRunning();
  EXPECT_TRUE(interrupt.Cancel());
  EXPECT_FALSE(interrupt.cancelled());
  grpc::ClientContext context;
  const Interrupt::Scope scope(interrupt, context);
  EXPECT_FALSE(interrupt.cancelled());
}

TEST(TopTest, AnInterruptEndsIt) {
  FakeServer fake;
  *fake.service.cluster.add_processes() = Router();
  Options options = Of(Command::kTop);
  options.interval = 3600;
  // In the call, in the pause or between them.
  std::thread user([&] {
    while (fake.service.looks() == 0) std::this_thread::yield();
    EXPECT_TRUE(fake.interrupt.Cancel());
  });
  EXPECT_EQ(fake.Run(options), kInterrupted);
  user.join();
}

}  // namespace
}  // namespace apollo::client
