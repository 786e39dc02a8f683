// The behaviour seen by clients when workers are lost and when they return; the
// release of resources when a client leaves; and the absence of text and tokens
// of a request in all logs, metrics and messages.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/cluster.h"
#include "tests/e2e/generate.h"
#include "tests/e2e/http.h"

namespace apollo {
namespace {

const char kPrompt[] = "User:fever\nAssistant:";

std::string Model() { return Runfile("tests/golden/published"); }

void ExpectWorks(Cluster& cluster) {
  const Answer answer = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 4));
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.ids.size(), 4u);
}

// Expects a request to fail with UNAVAILABLE once the router has noticed a
// loss. A request that hangs ends with another code.
void ExpectUnavailable(Cluster& cluster) {
  cluster.WaitForHealth(false);
  const Answer answer = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 4));
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << answer.status.error_message();
}

TEST(FailureTest, ALostExpertWorkerIsUnavailableUntilItIsBack) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  ExpectWorks(cluster);
  cluster.KillExpert(1);
  ExpectUnavailable(cluster);
  cluster.StartExpert(1);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

// Returns the state of each process of a role, in the order of the status.
std::vector<v1::ProcessState> StatesOf(Cluster& cluster, v1::ProcessRole role) {
  grpc::ClientContext context;
  v1::GetStatusResponse response;
  const grpc::Status status =
      cluster.NewStub()->GetStatus(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  std::vector<v1::ProcessState> states;
  for (const v1::ProcessStatus& process : response.processes()) {
    if (process.role() == role) states.push_back(process.state());
  }
  return states;
}

// Waits until the processes of a role have these states, in any order: all are
// healthy a little before each has a link to every other.
testing::AssertionResult Reach(Cluster& cluster, v1::ProcessRole role,
                               std::vector<v1::ProcessState> wanted) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  std::sort(wanted.begin(), wanted.end());
  std::vector<v1::ProcessState> states;
  do {
    states = StatesOf(cluster, role);
    std::sort(states.begin(), states.end());
    if (states == wanted) return testing::AssertionSuccess();
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < end);
  return testing::AssertionFailure() << testing::PrintToString(states);
}

TEST(FailureTest, StandbyReplacesALostExpertWorker) {
  Cluster cluster(Model(), {.expert_workers = 2, .standby = true});
  cluster.Start();
  const Answer before =
      Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 30));
  ASSERT_TRUE(before.status.ok()) << before.status.error_message();
  cluster.KillExpert(1);
  EXPECT_TRUE(Reach(cluster, v1::PROCESS_ROLE_EXPERT_WORKER,
                    {v1::PROCESS_STATE_READY, v1::PROCESS_STATE_UNREACHABLE}));
  const Answer after = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 30));
  EXPECT_TRUE(after.status.ok()) << after.status.error_message();
  EXPECT_EQ(after.ids, before.ids);
  EXPECT_GT(
      cluster.Metric("expert-worker-0", "apollo_expert_rows_on_standby_total"),
      0);
}

TEST(FailureTest, TheStatusShowsWhoIsLost) {
  Cluster cluster(Model(), {.expert_workers = 2});
  cluster.Start();
  EXPECT_TRUE(
      Reach(cluster, v1::PROCESS_ROLE_ROUTER, {v1::PROCESS_STATE_READY}));
  EXPECT_TRUE(
      Reach(cluster, v1::PROCESS_ROLE_DENSE_WORKER, {v1::PROCESS_STATE_READY}));
  EXPECT_TRUE(Reach(cluster, v1::PROCESS_ROLE_EXPERT_WORKER,
                    {v1::PROCESS_STATE_READY, v1::PROCESS_STATE_READY}));
  cluster.KillExpert(1);
  EXPECT_TRUE(
      Reach(cluster, v1::PROCESS_ROLE_ROUTER, {v1::PROCESS_STATE_NOT_READY}));
  EXPECT_TRUE(Reach(cluster, v1::PROCESS_ROLE_EXPERT_WORKER,
                    {v1::PROCESS_STATE_READY, v1::PROCESS_STATE_UNREACHABLE}));
}

TEST(FailureTest, ALostDenseWorkerIsUnavailableUntilItIsBack) {
  Cluster cluster(Model(), {.expert_workers = 1});
  cluster.Start();
  ExpectWorks(cluster);
  cluster.KillDense(0);
  ExpectUnavailable(cluster);
  cluster.StartDense(0);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

TEST(FailureTest, OneOfTwoDenseWorkersIsEnough) {
  Cluster cluster(Model(), {.dense_workers = 2, .expert_workers = 1});
  cluster.Start();
  cluster.KillDense(0);
  // Until the router notices the loss, it may still send requests to the lost
  // worker.
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  Answer answer;
  do {
    answer = Generate(*cluster.NewStub(), GreedyRequest(kPrompt, 4));
    if (answer.status.ok()) break;
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  } while (std::chrono::steady_clock::now() < end);
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(answer.started.workers().dense_worker(), "dense-worker-1");
}

TEST(FailureTest, AnAnswerGoesOnWhenItsDenseWorkerIsLost) {
  Cluster cluster(Model(), {.dense_workers = 2, .expert_workers = 1});
  cluster.Start();
  v1::GenerateRequest request = GreedyRequest(kPrompt, 400);
  request.set_ignore_eos(true);
  const Answer expected = Generate(*cluster.NewStub(), request);
  ASSERT_TRUE(expected.status.ok()) << expected.status.error_message();
  grpc::ClientContext context;
  const auto stub = cluster.NewStub();
  const auto stream = stub->Generate(&context, request);
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_started());
  const bool first =
      response.started().workers().dense_worker() == "dense-worker-0";
  cluster.KillDense(first ? 0 : 1);
  std::vector<std::int32_t> ids;
  while (stream->Read(&response)) {
    EXPECT_FALSE(response.has_started());
    const auto& delta = response.delta().token_ids();
    ids.insert(ids.end(), delta.begin(), delta.end());
  }
  const grpc::Status status = stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(ids, expected.ids);
}

TEST(FailureTest, AStreamThatBrokeGoesOnAtTheRouter) {
  Cluster cluster(Model(), {.expert_workers = 1});
  cluster.Start();
  v1::GenerateRequest request = GreedyRequest(kPrompt, 60);
  request.set_ignore_eos(true);
  const Answer expected = Generate(*cluster.NewStub(), request);
  ASSERT_TRUE(expected.status.ok()) << expected.status.error_message();
  v1::Resume& resume = *request.mutable_resume();
  resume.set_seed(expected.started.seed());
  resume.set_language(expected.started.language());
  resume.set_family(expected.started.family());
  resume.set_numerics(expected.started.numerics());
  EXPECT_FALSE(resume.numerics().empty());
  for (const int received : {0, 1, 37, 59, 60}) {
    resume.clear_choices();
    resume.add_choices()->mutable_token_ids()->Add(
        expected.ids.begin(), expected.ids.begin() + received);
    const Answer rest = Generate(*cluster.NewStub(), request);
    EXPECT_TRUE(rest.status.ok()) << rest.status.error_message();
    const std::vector<std::int32_t> wanted(expected.ids.begin() + received,
                                           expected.ids.end());
    EXPECT_EQ(rest.ids, wanted) << received;
    EXPECT_TRUE(expected.text.ends_with(rest.text));
  }
}

// Expects a running request to fail with UNAVAILABLE after `harm` is done to
// the cluster, whose router has the flag kPauseEarly.
template <typename Harm>
void ExpectFailsOnce(Cluster& cluster, Harm harm) {
  grpc::ClientContext context;
  const auto stub = cluster.NewStub();
  const auto stream = stub->Generate(&context, LongRequest(kPrompt));
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_TRUE(response.has_started());
  harm();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(FailureTest, StoppingOneExpertWorkerEndsNoAnswer) {
  Cluster cluster(Model(), {.expert_workers = 3});
  cluster.Start();
  constexpr int kAnswers = 6;
  const auto request = [](int i) {
    v1::GenerateRequest request =
        GreedyRequest("User:fever " + std::to_string(i) + "\nAssistant:", 400);
    request.set_ignore_eos(true);
    return request;
  };
  std::vector<Answer> expected;
  for (int i = 0; i < kAnswers; ++i) {
    expected.push_back(Generate(*cluster.NewStub(), request(i)));
    ASSERT_TRUE(expected.back().status.ok());
  }
  struct Call {
    std::unique_ptr<v1::InferenceService::Stub> stub;
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::GenerateResponse>> stream;
    std::vector<std::int32_t> ids;
  };
  std::vector<Call> calls(kAnswers);
  for (int i = 0; i < kAnswers; ++i) {
    calls[i].stub = cluster.NewStub();
    calls[i].stream = calls[i].stub->Generate(&calls[i].context, request(i));
  }
  // All are running, and the last has far to go.
  v1::GenerateResponse response;
  for (Call& call : calls) {
    ASSERT_TRUE(call.stream->Read(&response));
    ASSERT_TRUE(response.has_started());
  }
  std::thread stop([&cluster] { cluster.StopExpert(1); });
  std::vector<std::thread> readers;
  for (int i = 0; i < kAnswers; ++i) {
    readers.emplace_back([&call = calls[i]] {
      v1::GenerateResponse response;
      while (call.stream->Read(&response)) {
        for (const std::int32_t id : response.delta().token_ids()) {
          call.ids.push_back(id);
        }
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  stop.join();
  for (int i = 0; i < kAnswers; ++i) {
    const grpc::Status status = calls[i].stream->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(calls[i].ids, expected[i].ids) << i;
  }
  // No other worker has its experts.
  ExpectUnavailable(cluster);
  cluster.StartExpert(1);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

TEST(FailureTest, RunningRequestsFailWhenTheirExpertWorkerIsLost) {
  Cluster cluster(Model(),
                  {.expert_workers = 1, .router_flags = {kPauseEarly}});
  cluster.Start();
  ExpectFailsOnce(cluster, [&] { cluster.KillExpert(0); });
}

TEST(FailureTest, AFrozenExpertWorkerIsNoticedAndComesBack) {
  Cluster cluster(Model(),
                  {.expert_workers = 2, .router_flags = {kPauseEarly}});
  cluster.Start();
  // Its connections stay open, but pings are no longer answered.
  ExpectFailsOnce(cluster, [&] { cluster.FreezeExpert(1); });
  ExpectUnavailable(cluster);
  cluster.ThawExpert(1);
  cluster.WaitForHealth(true);
  ExpectWorks(cluster);
}

TEST(FailureTest, AClientThatLeavesFreesItsSequenceEverywhere) {
  Cluster cluster(Model(),
                  {.expert_workers = 2, .router_flags = {kPauseEarly}});
  cluster.Start();
  const auto stub = cluster.NewStub();
  constexpr int kCalls = 5;
  for (int i = 0; i < kCalls; ++i) {
    grpc::ClientContext context;
    const auto stream = stub->Generate(&context, LongRequest(kPrompt));
    v1::GenerateResponse response;
    ASSERT_TRUE(stream->Read(&response));
    context.TryCancel();
    while (stream->Read(&response)) {
    }
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  for (const char* expert : {"expert-worker-0", "expert-worker-1"}) {
    cluster.WaitForMetric(expert, "apollo_num_expert_sequences_running", 0);
  }
  // Cancelled instead of completed.
  const double generated =
      cluster.Metric("dense-worker-0", "apollo_generation_tokens_total");
  EXPECT_GE(generated, 0);
  EXPECT_LT(generated, kCalls * kLongTokens / 2);
  cluster.WaitForMetric("dense-worker-0", "apollo_num_sequences_running", 0);
  cluster.WaitForMetric("dense-worker-0", "apollo_cache_blocks_used", 0);
  cluster.WaitForMetric("dense-worker-0", "apollo_num_requests_running", 0);
  cluster.WaitForMetric("router", "apollo_num_requests_running", 0);
  ExpectWorks(cluster);
}

// Returns all decimal numbers in a text, in order.
std::vector<std::int32_t> NumbersIn(const std::string& text) {
  std::vector<std::int32_t> numbers;
  std::string digits;
  for (const char c : text + " ") {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else if (!digits.empty()) {
      numbers.push_back(digits.size() < 7 ? std::stoi(digits) : -1);
      digits.clear();
    }
  }
  return numbers;
}

// Returns true if the text contains `run` consecutive ids in decimal, with
// anything between them.
bool HoldsIds(const std::string& text, const std::vector<std::int32_t>& ids,
              std::size_t run) {
  const std::vector<std::int32_t> numbers = NumbersIn(text);
  for (std::size_t i = 0; i + run <= ids.size(); ++i) {
    if (std::search(numbers.begin(), numbers.end(), ids.begin() + i,
                    ids.begin() + i + run) != numbers.end()) {
      return true;
    }
  }
  return false;
}

TEST(FailureTest, NothingOfARequestIsInAnyLogMetricOrMessage) {
  // Three consecutive token ids do not occur by accident.
  constexpr std::size_t kRun = 3;
  EXPECT_TRUE(HoldsIds("ids [7, 250,31,4]", {9, 250, 31, 4}, kRun));
  EXPECT_FALSE(HoldsIds("ids [7, 250,4,31]", {9, 250, 31, 4}, kRun));

  Cluster cluster(Model(),
                  {.expert_workers = 2, .router_flags = {kPauseEarly}});
  cluster.Start();
  const auto stub = cluster.NewStub();
  const std::string secret = "Zyxwvuts";
  const std::string prompt = "User:" + secret + "\nAssistant:";
  // Messages received by clients besides the answer. Never empty after a
  // failure.
  std::string messages;
  const auto expect_error = [&messages](const grpc::Status& status) {
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(status.error_message().empty());
    messages += status.error_message() + "\n" + status.error_details() + "\n";
  };

  v1::TokenizeRequest tokenize;
  tokenize.set_text(prompt);
  v1::TokenizeResponse tokens;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(stub->Tokenize(&context, tokenize, &tokens).ok());
  }
  std::vector<std::int32_t> ids(tokens.token_ids().begin(),
                                tokens.token_ids().end());
  ASSERT_GE(ids.size(), kRun);

  const Answer answer = Generate(*stub, GreedyRequest(prompt, 8));
  EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_GE(answer.ids.size(), kRun);
  v1::GenerateRequest bad = GreedyRequest(secret, 8);
  bad.set_language(secret);
  expect_error(Generate(*stub, bad).status);
  expect_error(Generate(*stub, GreedyRequest(secret + "\xff", 8)).status);
  expect_error(Generate(*stub, GreedyRequest(prompt, 500)).status);
  v1::GenerateRequest stops = GreedyRequest(prompt, 8);
  stops.add_stop(secret + std::string(300, 'x'));
  expect_error(Generate(*stub, stops).status);
  std::string repeated;
  for (int i = 0; i < 100; ++i) repeated += secret;
  expect_error(Generate(*stub, GreedyRequest(repeated, 8)).status);
  v1::GenerateRequest named = GreedyRequest(prompt, 8);
  named.set_request_id(secret + " " + secret);
  expect_error(Generate(*stub, named).status);
  v1::GenerateRequest chat;
  chat.mutable_chat()->add_messages()->set_content(secret);
  expect_error(Generate(*stub, chat).status);
  v1::ScoreRequest score;
  score.set_prompt(prompt);
  score.add_continuations(repeated);
  {
    grpc::ClientContext context;
    v1::ScoreResponse response;
    expect_error(stub->Score(&context, score, &response));
  }

  std::string seen = cluster.Logs();
  for (const char* process :
       {"router", "dense-worker-0", "expert-worker-0", "expert-worker-1"}) {
    const std::string metrics =
        HttpGet(cluster.MetricsAddress(process), "/metrics");
    EXPECT_NE(metrics.find("apollo_"), std::string::npos) << process;
    seen += metrics;
  }
  EXPECT_NE(seen.find("request_finished"), std::string::npos);
  // A worker is lost in the middle of a request; every process logs its end.
  grpc::ClientContext context;
  const auto stream = stub->Generate(&context, LongRequest(prompt));
  v1::GenerateResponse response;
  ASSERT_TRUE(stream->Read(&response));
  cluster.KillExpert(0);
  cluster.KillExpert(1);
  while (stream->Read(&response)) {
  }
  expect_error(stream->Finish());
  seen += cluster.Logs();

  EXPECT_EQ(seen.find(secret), std::string::npos);
  EXPECT_FALSE(HoldsIds(seen, ids, kRun));
  EXPECT_FALSE(HoldsIds(seen, answer.ids, kRun));
  EXPECT_EQ(messages.find(secret), std::string::npos) << messages;
  EXPECT_FALSE(HoldsIds(messages, ids, kRun)) << messages;
  EXPECT_FALSE(HoldsIds(messages, answer.ids, kRun)) << messages;
}

}  // namespace
}  // namespace apollo
