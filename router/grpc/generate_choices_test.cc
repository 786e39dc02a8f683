// Several answers to one request, through the service, each on its own thread.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/mutex.h"
#include "router/grpc/scripted_cluster.h"
#include "router/session/choice_seed.h"

namespace apollo {
namespace {

using Where = ScriptedBackend::Where;

// Lets scripts take turns.
struct Turn {
  void Await(int turn) {
    MutexLock lock(mutex);
    while (now != turn) changed.wait(mutex);
  }
  void Next() {
    {
      MutexLock lock(mutex);
      ++now;
    }
    changed.notify_all();
  }
  Mutex mutex;
  CondVar changed;
  int now ABSL_GUARDED_BY(mutex) = 0;
};

// Returns the choice that a sequence of a request with seed 5 is.
int ChoiceOf(const ScriptedSequence& sequence) {
  int choice = 0;
  while (ChoiceSeed(5, choice) != sequence.request.sampling.seed) ++choice;
  return choice;
}

class GenerateChoicesTest : public ScriptedClusterTest {};

TEST_F(GenerateChoicesTest, EveryChoiceHasTheTenantsSalt) {
  backend_->Play([](ScriptedSequence& s) {
    s.Started();
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request = Prompt("four");
  request.mutable_sampling()->set_choices(2);
  request.mutable_sampling()->set_temperature(1);
  ASSERT_TRUE(Generate(request, "clinic-a").status.ok());
  ASSERT_TRUE(Generate(request, "clinic-b").status.ok());
  ASSERT_TRUE(Generate(request).status.ok());
  std::vector<std::string> salts;
  for (const auto& sequence : backend_->sequences()) {
    salts.push_back(sequence->request.cache_salt);
  }
  EXPECT_THAT(salts, testing::ElementsAre("tenant:clinic-a", "tenant:clinic-a",
                                          "tenant:clinic-b", "tenant:clinic-b",
                                          "", ""));
}

TEST_F(GenerateChoicesTest, ChoicesAreInterleavedAndHaveSeedsOfTheirOwn) {
  Turn turn;
  backend_->Play([&turn](ScriptedSequence& s) {
    const int choice = ChoiceOf(s);
    const std::string text = std::string(3, static_cast<char>('a' + choice));
    for (int i = 0; i < 3; ++i) {
      turn.Await(3 * i + choice);
      if (i == 0) s.Started(choice);
      s.Say(text.substr(i, 1));
      turn.Next();
    }
    s.Finish(FinishCause::kEos);
  });
  v1::GenerateRequest request = Prompt("x");
  request.mutable_sampling()->set_choices(3);
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  ASSERT_EQ(answer.events.size(), 1u + 9 + 3);
  EXPECT_TRUE(answer.events[0].has_started());
  std::vector<unsigned> order;
  for (const auto& event : answer.events) {
    if (event.has_delta()) order.push_back(event.delta().choice());
    if (event.has_finished()) {
      EXPECT_EQ(event.finished().usage().cached_tokens(),
                event.finished().choice());
    }
  }
  EXPECT_EQ(order, (std::vector<unsigned>{0, 1, 2, 0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(TextOf(answer.events, 0), "aaa");
  EXPECT_EQ(TextOf(answer.events, 1), "bbb");
  EXPECT_EQ(TextOf(answer.events, 2), "ccc");
}

TEST_F(GenerateChoicesTest, ABackendMayFinishWithinStart) {
  backend_->Play(
      [](ScriptedSequence& s) {
        s.Started();
        s.Say("ab!");
        s.Finish(FinishCause::kEos);
      },
      Where::kCaller);
  v1::GenerateRequest request = Prompt("x");
  request.mutable_sampling()->set_choices(2);
  request.add_stop("!");
  const Answer answer = Generate(request);
  ASSERT_TRUE(answer.status.ok()) << answer.status.error_message();
  EXPECT_EQ(TextOf(answer.events, 0), "ab");
  EXPECT_EQ(TextOf(answer.events, 1), "ab");
}

TEST_F(GenerateChoicesTest, ABackendMayFailWithinStart) {
  backend_->Play(
      [](ScriptedSequence& s) {
        s.Finish(absl::ResourceExhaustedError("too many sequences"));
      },
      Where::kCaller);
  v1::GenerateRequest request = Prompt("x");
  request.mutable_sampling()->set_choices(3);
  const Answer answer = Generate(request);
  EXPECT_TRUE(answer.events.empty());
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(backend_->sequences().size(), 1u) << "the others are not needed";
}

TEST_F(GenerateChoicesTest,
       AFailedChoiceCancelsTheOthersThoughTheyAnswerAtOnce) {
  Turn turn;
  backend_->Play([&turn](ScriptedSequence& s) {
    s.Started();
    if (ChoiceOf(s) == 1) {
      s.OnCancel([&s] { s.Finish(absl::CancelledError("cancelled")); });
      s.Say("b");
      turn.Next();
      s.AwaitCancel();
      return;
    }
    turn.Await(1);
    s.Finish(absl::InternalError("broken"));
  });
  v1::GenerateRequest request = Prompt("x");
  request.mutable_sampling()->set_choices(2);
  const Answer answer = Generate(request);
  EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(answer.status.error_message(), "broken");
  backend_->Join();
}

}  // namespace
}  // namespace apollo
