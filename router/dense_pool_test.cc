#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "router/dense_pool_fixture.h"
#include "sequence/prefix_hash.h"
#include "sequence/prompt_hashes.h"

namespace apollo {
namespace {

TEST_F(DensePoolTest, WorkersOfOneModelShareTheRequests) {
  Add("a", "m1");
  Add("b", "m1");
  MakePool();
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  const std::string log = Poll();
  EXPECT_FALSE(Says(log, "another_model")) << log;
  EXPECT_TRUE(pool_->Ready());
  EXPECT_EQ(pool_->ModelHash(), "m1");
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
}

// A worker that is about to stop then knows whether its sequences can move.
TEST_F(DensePoolTest, EachWorkerIsToldHowManyOthersThereAre) {
  FakeWorker& a = Add("a", "m");
  FakeWorker& b = Add("b", "m");
  FakeWorker& c = Add("c", "other");
  pb::DescribeResponse wire;
  wire.set_wire_version(2);
  for (FakeWorker* worker : {&a, &b, &c}) worker->Change(wire);
  MakePool();
  Poll();
  EXPECT_EQ(a.others(), 0);  // Nothing is known yet.
  Poll();
  EXPECT_EQ(a.others(), 1);
  EXPECT_EQ(b.others(), 1);
  EXPECT_EQ(c.others(), 2);
  a.SetReady(false);
  Poll();
  Poll();
  EXPECT_EQ(a.others(), 1);
  EXPECT_EQ(b.others(), 0);
}

TEST_F(DensePoolTest, ContinuationsNeedAWorkerThatKnowsThem) {
  FakeWorker& a = Add("a", "m");
  FakeWorker& b = Add("b", "m");
  pb::DescribeResponse newer, older;
  newer.set_wire_version(2);
  older.set_wire_version(1);
  a.Change(newer);
  b.Change(older);
  MakePool();
  Poll();
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
  GenerationRequest request;
  request.prompt = {1, 2};
  request.answer_tokens = 1;
  EXPECT_EQ(Answers(request), Names{"a"});
}

// It would give up answers that no other worker can continue.
TEST_F(DensePoolTest, WorkersWithOtherNumericsAreNoOthers) {
  FakeWorker& a = Add("a", "m");
  FakeWorker& b = Add("b", "m");
  pb::DescribeResponse said;
  said.set_wire_version(2);
  said.set_numerics("cpu");
  a.Change(said);
  said.set_numerics("cuda");
  b.Change(said);
  MakePool();
  Poll();
  Poll();
  EXPECT_EQ(a.others(), 0);
  EXPECT_EQ(b.others(), 0);
}

TEST_F(DensePoolTest, AWorkerOfAnotherModelGetsNothingAndIsLoggedOnce) {
  Add("a", "m2");
  Add("b", "m1");
  Add("c", "m1");
  MakePool();
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "\"level\":\"error\"")) << log;
  EXPECT_TRUE(Says(log, "dense_worker_model_rejected")) << log;
  EXPECT_TRUE(Says(log, "\"address\":\"" + workers_[0]->address)) << log;
  EXPECT_TRUE(Says(log, "\"model_hash\":\"m2\"")) << log;
  EXPECT_TRUE(Says(log, "\"served_model_hash\":\"m1\"")) << log;
  EXPECT_EQ(pool_->ModelHash(), "m1");
  EXPECT_EQ(Answers(), (Names{"b", "c"}));
  EXPECT_EQ(Poll(), "");
}

TEST_F(DensePoolTest, CountsOfAnotherModelAreNotAdded) {
  FakeWorker& other = Add("a", "m2");
  FakeWorker& served = Add("b", "m1");
  Add("c", "m1");
  MakePool();
  Poll();
  const std::map<std::string, absl::Status> routing = Routing();
  ASSERT_EQ(routing.size(), 3u);
  EXPECT_TRUE(routing.at("b").ok()) << routing.at("b");
  EXPECT_EQ(served.routing_calls(), 1);
  EXPECT_EQ(other.routing_calls(), 0);
  EXPECT_EQ(routing.at("a").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(Says(std::string(routing.at("a").message()),
                   "its model hash differs from that of most workers: "
                   "m2, not m1"))
      << routing.at("a");
}

TEST_F(DensePoolTest, AWorkerThatSaysNoHashIsNotJoinedInSilence) {
  Add("a", "m1");  // It says no hash of a tokenizer.
  pb::DescribeResponse all;
  all.set_tokenizer_hash("tokenizer");
  Add("b", "m1").Change(all);
  MakePool();
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "dense_worker_not_compared")) << log;
  EXPECT_TRUE(Says(log, "\"name\":\"a\",\"reason\":\"it or")) << log;
  EXPECT_FALSE(Says(log, "\"name\":\"b\",\"reason\":\"it or")) << log;
  EXPECT_EQ(Poll(), "");
}

TEST_F(DensePoolTest, NobodyIsAskedIfAllServeAnotherModel) {
  pb::DescribeResponse another;
  another.set_config_hash("another");
  FakeWorker& worker = Add("a", "m1");
  worker.Change(another);
  MakePool();
  Poll();
  const std::map<std::string, absl::Status> routing = Routing();
  ASSERT_EQ(routing.size(), 1u);
  EXPECT_TRUE(Says(std::string(routing.at("a").message()), "config.json"));
  EXPECT_EQ(worker.routing_calls(), 0);
}

TEST_F(DensePoolTest, TheServedModelStaysWithoutANewMajority) {
  FakeWorker& other = Add("a", "m1");
  FakeWorker& served = Add("b", "m1");
  MakePool();
  Poll();
  pb::DescribeResponse changed;
  changed.set_model_hash("m2");
  other.Change(changed);
  EXPECT_TRUE(Says(Poll(), workers_[0]->address));
  EXPECT_EQ(Answers(), Names{"b"});
  // A short absence of the right worker does not bring it into use either.
  served.SetReady(false);
  Poll();
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  // The whole cluster has switched to the other model.
  served.SetReady(true);
  served.Change(changed);
  EXPECT_TRUE(Says(Poll(), "dense_worker_model_accepted"));
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
  EXPECT_EQ(pool_->ModelHash(), "m2");
}

TEST_F(DensePoolTest, AnAbsentWorkerLosesItsVote) {
  FakeWorker& other = Add("a", "m1");
  FakeWorker& served = Add("b", "m1");
  MakePool();
  Poll();
  pb::DescribeResponse changed;
  changed.set_model_hash("m2");
  other.Change(changed);
  served.SetReady(false);
  // However often it is polled meanwhile.
  for (int i = 0; i < 200; ++i) Poll();
  clock_.now += DensePool::kForget - absl::Milliseconds(1);
  Poll();
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  clock_.now += absl::Milliseconds(1);
  EXPECT_TRUE(Says(Poll(), "dense_worker_model_accepted"));
  EXPECT_EQ(Answers(), Names{"a"});
  EXPECT_EQ(pool_->ModelHash(), "m2");
}

TEST_F(DensePoolTest, TheRoutersOwnDirectoryDecidesFirst) {
  pb::DescribeResponse other_tokenizer, other_config;
  other_tokenizer.set_tokenizer_hash("another");
  other_config.set_config_hash("another");
  Add("a", "m1").Change(other_tokenizer);
  Add("b", "m1").Change(other_config);
  MakePool();
  const std::string log = Poll();
  EXPECT_TRUE(Says(log,
                   "its tokenizer.json differs: its hash is another, "
                   "not tokenizer"))
      << log;
  EXPECT_TRUE(
      Says(log, "its config.json differs: its hash is another, not config"))
      << log;
  EXPECT_TRUE(Says(log, "copies of one model directory")) << log;
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  EXPECT_EQ(pool_->ModelHash(), "");
}

TEST_F(DensePoolTest, AWorkerThatHangsLosesItsSequencesAndGetsNoOthers) {
  FakeWorker& worker = Add("a", "m1");
  Progress(worker, 1);
  worker.Hang();
  MakePool();
  Poll();
  auto sink = std::make_shared<Sink>();
  const auto call = pool_->Start({}, sink);
  sink->AwaitStarted();
  // Only progress counts, however long a step takes.
  for (const int progress : {1, 2, 2}) {
    Progress(worker, progress);
    clock_.now += absl::Seconds(5);
    EXPECT_EQ(Poll(), "");
  }
  clock_.now += absl::Seconds(5);
  EXPECT_EQ(Poll(), "");
  EXPECT_TRUE(pool_->Ready());
  clock_.now += absl::Milliseconds(1);
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "dense_worker_hung")) << log;
  EXPECT_EQ(sink->Await(), "UNAVAILABLE");
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
  Progress(worker, 3);
  EXPECT_TRUE(Says(Poll(), "dense_worker_recovered"));
  EXPECT_TRUE(pool_->Ready());
}

TEST_F(DensePoolTest, AWorkerThatDoesNotSayItsProgressHangsOnlyIfSilent) {
  FakeWorker& worker = Add("a", "m1");
  MakePool();
  Poll();
  clock_.now += absl::Seconds(60);
  EXPECT_EQ(Poll(), "");
  EXPECT_EQ(Answers(), Names{"a"});
  // A worker that was down for long is used from its first answer on.
  worker.SetReady(false);
  Poll();
  clock_.now += absl::Seconds(60);
  worker.SetReady(true);
  Poll();
  EXPECT_EQ(Answers(), Names{"a"});
}

TEST_F(DensePoolTest, ThisWireVersionAndThePreviousAreAccepted) {
  FakeWorker& worker = Add("a", "m1");  // Reports no version: version 1.
  MakePool();
  Poll();
  EXPECT_EQ(Answers(), Names{"a"});
  pb::DescribeResponse version;
  version.set_wire_version(kGenerationWireVersion);
  worker.Change(version);
  EXPECT_EQ(Poll(), "");
  EXPECT_EQ(Answers(), Names{"a"});
  version.set_wire_version(kGenerationWireVersion + 1);
  worker.Change(version);
  const std::string log = Poll();
  EXPECT_TRUE(Says(log, "dense_worker_refused")) << log;
  EXPECT_TRUE(Says(log, "\"wire_version\":3")) << log;
  EXPECT_EQ(Poll(), "");
  EXPECT_FALSE(pool_->Ready());
  EXPECT_EQ(Answers(), Names{"UNAVAILABLE"});
}

TEST_F(DensePoolTest, RequestsWithNewOptionsGoToWorkersThatKnowThem) {
  Add("a", "m1");  // Reports no version of the options.
  FakeWorker& other = Add("b", "m1");
  MakePool();
  Poll();
  GenerationRequest request;
  request.sampling.min_p = 0.5f;
  EXPECT_EQ(Answers(request), Names{"UNAVAILABLE"});
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
  pb::DescribeResponse options;
  options.set_sequence_options(kSequenceOptions);
  other.Change(options);
  Poll();
  EXPECT_EQ(Answers(request), Names{"b"});
  Poll();  // Both have started as many requests since.
  EXPECT_EQ(Answers(), (Names{"a", "b"}));
}

// A request with a prompt of 512 tokens.
GenerationRequest LongPrompt(const std::string& salt = "") {
  GenerationRequest request;
  for (int i = 0; i < 512; ++i) request.prompt.push_back(i);
  request.cache_salt = salt;
  return request;
}

// A description that announces the prompt, for the model "m".
pb::DescribeResponse Announces(const GenerationRequest& request) {
  pb::DescribeResponse response;
  response.mutable_prefixes()->set_version(77);
  for (const std::uint64_t hash :
       PrefixHasher("m", request.cache_salt).Chain(request.prompt)) {
    response.mutable_prefixes()->add_hashes(hash);
  }
  return response;
}

TEST_F(DensePoolTest, APromptGoesWhereItsBeginningIsCached) {
  Add("a", "m");
  Add("b", "m").Change(Announces(LongPrompt("tenant")));
  MakePool();
  Poll();
  const auto start = [this](const GenerationRequest& request) {
    auto sink = std::make_shared<Sink>();
    const auto call = pool_->Start(request, sink);
    return sink->Await();
  };
  // 512 rows are worth four sequences, until the worker has one more.
  std::string order;
  for (int i = 0; i < 6; ++i) order += start(LongPrompt("tenant"));
  EXPECT_EQ(order, "bbbbab");
  EXPECT_EQ(pool_->counters().by_prefix, 5);
  EXPECT_EQ(pool_->counters().prompt_tokens, 6 * 512);
  EXPECT_EQ(pool_->counters().prefix_tokens, 5 * 512);
  // Another tenant finds nothing.
  Poll();
  start(LongPrompt("other"));
  EXPECT_EQ(pool_->counters().by_prefix, 5);
}

// A sequence that begins again brings the hashes of its prompt. Other tokens
// show that they are not computed again.
TEST_F(DensePoolTest, APromptThatWasHashedIsNotHashedAgain) {
  Add("a", "m");
  Add("b", "m").Change(Announces(LongPrompt()));
  MakePool();
  Poll();
  const auto start = [this](const GenerationRequest& request) {
    auto sink = std::make_shared<Sink>();
    const auto call = pool_->Start(request, sink);
    return sink->Await();
  };
  GenerationRequest request = LongPrompt();
  request.prompt_hashes = std::make_shared<PromptHashes>();
  EXPECT_EQ(start(request), "b");
  request.prompt.assign(request.prompt.size(), 3);
  EXPECT_EQ(start(request), "b");
  EXPECT_EQ(pool_->counters().by_prefix, 2);
}

TEST_F(DensePoolTest, HashesThatAreKnownAreNotSentAgain) {
  FakeWorker& worker = Add("a", "m");
  worker.Change(Announces(LongPrompt()));
  MakePool();
  Poll();
  EXPECT_EQ(worker.known_prefixes(), 0u);
  Poll();
  EXPECT_EQ(worker.known_prefixes(), 77u);
}

TEST_F(DensePoolTest, QueuedPromptsKeepSequencesAway) {
  pb::DescribeResponse busy;
  busy.set_queued_rows(10000);
  Add("a", "m").Change(busy);
  Add("b", "m");
  MakePool();
  Poll();
  EXPECT_EQ(Answers(), Names{"b"});
}

}  // namespace
}  // namespace apollo
