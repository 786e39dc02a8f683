#include "expert_worker/peer_exchange.h"

#include <gtest/gtest.h>

#include <vector>

#include "common/fake_clock.h"
#include "common/rows_testing.h"
#include "expert_worker/expert_counters.h"
#include "link/fake_link.h"

namespace apollo {
namespace {

using absl::StatusCode;

constexpr LinkId kFirst = 1, kSecond = 2;

AbsentRows Absent(int expert, std::vector<float> numbers) {
  return {expert, Rows::FromVector(std::move(numbers), 2), {0}};
}

class PeerExchangeTest : public testing::Test {
 protected:
  PeerExchangeTest() {
    Add(kFirst, "a", {1, 2}, first_);
    Add(kSecond, "b", {3}, second_);
  }
  // Adds a peer whose engine is ready.
  void Add(LinkId id, const char* name, std::set<int> experts,
           std::shared_ptr<Link> link) {
    WorkerInfo info = {WorkerRole::kExpert, name, "m", "1", std::move(experts)};
    exchange_.AddPeer(id, info, std::move(link));
    info.ready = true;
    info.revision = 1;
    EXPECT_TRUE(exchange_.Update(id, info));
  }
  std::set<int> Offered() const {
    std::set<int> experts;
    for (int e = 0; e < 10; ++e) {
      if (exchange_.Reaches(5, e)) experts.insert(e);
    }
    return experts;
  }
  absl::StatusCode Answer(LinkId from, std::uint64_t ticket,
                          std::vector<float> numbers,
                          absl::Status status = absl::OkStatus()) {
    return exchange_
        .TakeOutputs(from, {ticket, std::move(status)},
                     Rows::FromVector(std::move(numbers), 1))
        .code();
  }
  ExpertCounters counters_;
  FakeClock clock_;
  std::shared_ptr<FakeLink> first_ = std::make_shared<FakeLink>();
  std::shared_ptr<FakeLink> second_ = std::make_shared<FakeLink>();
  PeerExchange exchange_{counters_, clock_};
};

TEST_F(PeerExchangeTest, ATicketGivesItsOutputs) {
  auto a = exchange_.Dispatch(5, Absent(2, {1, 2, 3, 4}));
  auto b = exchange_.Dispatch(5, Absent(3, {5, 6}));
  std::vector<float> sent;
  const auto rows_a = first_->Take<ExpertRows>(&sent);
  EXPECT_EQ(rows_a.layer, 5);
  EXPECT_EQ(rows_a.expert, 2);
  EXPECT_EQ(sent, (std::vector<float>{1, 2, 3, 4}));
  const auto rows_b = second_->Take<ExpertRows>();
  EXPECT_FALSE(exchange_.Answered(a));
  // In a different order from the requests.
  EXPECT_EQ(Answer(kSecond, rows_b.ticket, {50, 60}), StatusCode::kOk);
  EXPECT_EQ(Answer(kFirst, rows_a.ticket, {10, 20, 30, 40}), StatusCode::kOk);
  ASSERT_TRUE(exchange_.Answered(a) && exchange_.Answered(b));
  const auto outputs = exchange_.Combine(std::move(a));
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(outputs->width(), 2);
  EXPECT_EQ(Numbers(*outputs), (std::vector<float>{10, 20, 30, 40}));
  EXPECT_EQ(Numbers(*exchange_.Combine(std::move(b))),
            (std::vector<float>{50, 60}));
}

TEST_F(PeerExchangeTest, WithoutAPeerATicketFails) {
  EXPECT_EQ(Offered(), (std::set<int>{1, 2, 3}));
  auto ticket = exchange_.Dispatch(5, Absent(7, {1, 2}));
  ASSERT_TRUE(exchange_.Answered(ticket));
  const absl::Status status = exchange_.Combine(std::move(ticket)).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("expert 7"), absl::string_view::npos);
}

TEST_F(PeerExchangeTest, ALostPeerFailsItsTicketsAlone) {
  auto a = exchange_.Dispatch(5, Absent(1, {1, 2}));
  auto answered = exchange_.Dispatch(5, Absent(2, {1, 2}));
  auto b = exchange_.Dispatch(5, Absent(3, {1, 2}));
  first_->Take<ExpertRows>();
  Answer(kFirst, first_->Take<ExpertRows>().ticket, {3, 4});
  EXPECT_TRUE(exchange_.Remove(kFirst));
  EXPECT_FALSE(exchange_.Remove(kFirst));
  EXPECT_EQ(exchange_.Combine(std::move(a)).status().code(),
            StatusCode::kUnavailable);
  EXPECT_TRUE(exchange_.Combine(std::move(answered)).ok());
  EXPECT_FALSE(exchange_.Answered(b));
  EXPECT_EQ(Offered(), std::set<int>{3});
}

TEST_F(PeerExchangeTest, ALeavingPeerIsTheLastChoiceAndClosedWhenNotNeeded) {
  WorkerInfo more = {WorkerRole::kExpert, "b", "m", "1", std::set<int>{1, 3}};
  more.ready = true;
  more.revision = 2;
  EXPECT_TRUE(exchange_.Update(kSecond, more));
  exchange_.SetLeaving(kFirst, 7);
  EXPECT_EQ(Offered(), (std::set<int>{1, 3}));
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_EQ(second_->frames.size(), 1u);
  exchange_.Dispatch(5, Absent(2, {1, 2}));  // No other peer has it.
  EXPECT_EQ(first_->frames.size(), 1u);
  exchange_.CloseLeft(7);
  EXPECT_FALSE(first_->closed);
  exchange_.SetLeaving(kFirst, {});
  exchange_.CloseLeft(8);
  EXPECT_FALSE(first_->closed);
  exchange_.SetLeaving(kFirst, 7);
  exchange_.CloseLeft(8);
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(second_->closed);
}

// Kills the mutants of Holders that drop one of these.
TEST_F(PeerExchangeTest, HoldersSayWhoTakesOrphans) {
  WorkerInfo info = {WorkerRole::kExpert, "b", "m", "1", std::set<int>{3}};
  info.ready = true;
  info.revision = 2;
  info.placement.takes_orphans = true;
  info.placement.loads_fail = true;
  info.placement.most_resident = 7;
  ASSERT_TRUE(exchange_.Update(kSecond, info));
  const std::vector<PlacementPeer> peers = exchange_.Holders();
  ASSERT_EQ(peers.size(), 2u);
  EXPECT_FALSE(peers[0].takes_orphans);
  EXPECT_FALSE(peers[0].loads_fail);
  EXPECT_TRUE(peers[1].takes_orphans);
  EXPECT_TRUE(peers[1].loads_fail);
  EXPECT_EQ(peers[1].most_resident, 7);
}

TEST_F(PeerExchangeTest, UnexpectedOutputsAreIgnored) {
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  const std::uint64_t number = first_->Take<ExpertRows>().ticket;
  EXPECT_EQ(Answer(kFirst, number + 1, {1}), StatusCode::kOk);
  EXPECT_EQ(Answer(kFirst, number, {3, 4}), StatusCode::kOk);
  EXPECT_EQ(Answer(kFirst, number, {5, 6}), StatusCode::kOk);  // A duplicate.
  EXPECT_EQ(Numbers(*exchange_.Combine(std::move(ticket))),
            (std::vector<float>{3, 4}));
  EXPECT_EQ(Answer(kFirst, number, {3, 4}), StatusCode::kOk);
}

TEST_F(PeerExchangeTest, UnexpectedOutputsDoNotHideAHang) {
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  const std::uint64_t number = first_->Take<ExpertRows>().ticket;
  EXPECT_EQ(Answer(kFirst, number + 1, {1}), StatusCode::kOk);
  clock_.now += absl::Seconds(11);
  EXPECT_TRUE(exchange_.GiveUpOnSilent(absl::Seconds(10), clock_.now));
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(exchange_.Answered(ticket));  // Until its link is gone.
}

TEST_F(PeerExchangeTest, BrokenOutputsFailTheirTicket) {
  auto a = exchange_.Dispatch(5, Absent(1, {1, 2}));
  auto b = exchange_.Dispatch(5, Absent(2, {1, 2}));
  const std::uint64_t number_a = first_->Take<ExpertRows>().ticket;
  const std::uint64_t number_b = first_->Take<ExpertRows>().ticket;
  // Instead of another peer.
  EXPECT_EQ(Answer(kSecond, number_a, {3, 4}), StatusCode::kInvalidArgument);
  EXPECT_FALSE(exchange_.Answered(a));
  EXPECT_EQ(Answer(kFirst, number_a, {3, 4, 5}), StatusCode::kInvalidArgument);
  EXPECT_EQ(Answer(kFirst, number_b, {}, absl::NotFoundError("gone")),
            StatusCode::kOk);
  EXPECT_EQ(exchange_.Combine(std::move(a)).status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(exchange_.Combine(std::move(b)).status(),
            absl::UnavailableError("gone"));
}

TEST_F(PeerExchangeTest, APieceOfALargeFrameIsASignOfLife) {
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  for (int piece = 0; piece < 3; ++piece) {
    clock_.now += absl::Seconds(9);
    exchange_.HeardPiece(kFirst);
    EXPECT_FALSE(exchange_.GiveUpOnSilent(absl::Seconds(10), clock_.now));
  }
  clock_.now += absl::Seconds(11);
  EXPECT_TRUE(exchange_.GiveUpOnSilent(absl::Seconds(10), clock_.now));
}

TEST_F(PeerExchangeTest, ASilentPeerGetsNoMoreRows) {
  const auto again = std::make_shared<FakeLink>();  // To the same process.
  Add(kSecond + 1, "a", {1}, again);
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  clock_.now += absl::Seconds(10);
  EXPECT_FALSE(exchange_.GiveUpOnSilent(absl::Seconds(10), clock_.now));
  clock_.now += absl::Milliseconds(1);
  EXPECT_TRUE(exchange_.GiveUpOnSilent(absl::Seconds(10), clock_.now));
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(exchange_.Answered(ticket));  // Until its link is gone.
  EXPECT_FALSE(second_->closed);
  EXPECT_EQ(Offered(), std::set<int>{3});
  EXPECT_FALSE(exchange_.Answered(ticket));  // Until the link is down.
  exchange_.Remove(kFirst);
  EXPECT_TRUE(exchange_.Answered(ticket));
}

TEST_F(PeerExchangeTest, ANewProcessIsNotGivenUpWithTheOldOneOfItsName) {
  const auto restarted = std::make_shared<FakeLink>();
  WorkerInfo info = {WorkerRole::kExpert, "a", "m", "1", std::set<int>{1}};
  info.instance = 17;
  info.ready = true;
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  exchange_.AddPeer(kSecond + 1, info, restarted);
  clock_.now += absl::Seconds(11);
  EXPECT_TRUE(exchange_.GiveUpOnSilent(absl::Seconds(10), clock_.now));
  EXPECT_TRUE(first_->closed);
  EXPECT_FALSE(restarted->closed);
  EXPECT_EQ(Offered(), (std::set<int>{1, 3}));
}

TEST_F(PeerExchangeTest, AnsweredRowsAreLoadNoMore) {
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  // The first of two peers without load is asked each time.
  for (int i = 0; i < 2; ++i) {
    auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
    const std::uint64_t number = first_->Take<ExpertRows>().ticket;
    EXPECT_EQ(Answer(kFirst, number, {3, 4}), StatusCode::kOk);
    EXPECT_TRUE(exchange_.Combine(std::move(ticket)).ok());
  }
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_EQ(first_->frames.size(), 1u);
  EXPECT_EQ(third->frames.size(), 1u);
}

TEST_F(PeerExchangeTest, ADrainingPeerIsAskedIfNoOtherHasTheExpert) {
  WorkerInfo stopping = {WorkerRole::kExpert, "a", "m", "1",
                         std::set<int>{1, 2}};
  stopping.ready = stopping.draining = true;
  stopping.revision = 2;
  EXPECT_TRUE(exchange_.Update(kFirst, stopping));
  EXPECT_EQ(Offered(), std::set<int>{3});  // For new sequences.
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  first_->Take<ExpertRows>();
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  third->Take<ExpertRows>();
  exchange_.Dispatch(5, Absent(2, {1, 2}));
  first_->Take<ExpertRows>();
}

TEST_F(PeerExchangeTest, RowsOfALostPeerGoToTheNextHolder) {
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_TRUE(exchange_.IsAway(ticket));
  exchange_.Remove(kFirst);
  EXPECT_FALSE(exchange_.Answered(ticket));
  std::vector<float> sent;
  const auto rows = third->Take<ExpertRows>(&sent);
  EXPECT_EQ(sent, (std::vector<float>{1, 2}));
  EXPECT_EQ(counters_.rows_resent, 1);
  EXPECT_EQ(Answer(kSecond + 1, rows.ticket, {8, 9}), StatusCode::kOk);
  EXPECT_EQ(Numbers(*exchange_.Combine(std::move(ticket))),
            (std::vector<float>{8, 9}));
}

TEST_F(PeerExchangeTest, TheFirstAnswerCountsWhoeverGivesIt) {
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  auto other = exchange_.Dispatch(5, Absent(2, {1, 2}));  // Only there.
  const std::uint64_t first = first_->Take<ExpertRows>().ticket;
  const absl::Duration lease = absl::Milliseconds(300);
  clock_.now += lease;
  exchange_.SendAgain(lease, lease, clock_.now);
  EXPECT_TRUE(third->frames.empty());
  clock_.now += absl::Milliseconds(1);
  exchange_.SendAgain(lease, lease, clock_.now);
  const std::uint64_t second = third->Take<ExpertRows>().ticket;
  exchange_.SendAgain(lease, lease, clock_.now);
  EXPECT_TRUE(third->frames.empty());
  EXPECT_FALSE(exchange_.Answered(other));
  // New rows avoid it.
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  third->Take<ExpertRows>();
  EXPECT_EQ(Answer(kFirst, first, {3, 4}), StatusCode::kOk);
  EXPECT_TRUE(exchange_.Answered(ticket));
  EXPECT_FALSE(exchange_.IsAway(ticket));
  EXPECT_EQ(Answer(kSecond + 1, second, {5, 6}), StatusCode::kOk);
  const auto outputs = exchange_.Combine(std::move(ticket));
  ASSERT_TRUE(outputs.ok());
  EXPECT_EQ(Numbers(*outputs), (std::vector<float>{3, 4}));
}

TEST_F(PeerExchangeTest, ALateErrorDoesNotEndTheNextTry) {
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  const absl::Duration lease = absl::Milliseconds(300);
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  const std::uint64_t first = first_->Take<ExpertRows>().ticket;
  clock_.now += 2 * lease;
  exchange_.SendAgain(lease, lease, clock_.now);
  const std::uint64_t second = third->Take<ExpertRows>().ticket;
  Answer(kFirst, first, {}, absl::NotFoundError("moved"));
  EXPECT_FALSE(exchange_.Answered(ticket));
  EXPECT_TRUE(exchange_.IsAway(ticket));
  Answer(kSecond + 1, second, {3, 4});
  EXPECT_TRUE(exchange_.Answered(ticket));
}

TEST_F(PeerExchangeTest, RowsAvoidASlowPeerUntilItsTimeIsOld) {
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  const auto answer = [this](LinkId peer, FakeLink& link) {
    Answer(peer, link.Take<ExpertRows>().ticket, {3, 4});
  };
  exchange_.Dispatch(5, Absent(3, {1, 2}));
  clock_.now += absl::Milliseconds(1);
  answer(kSecond, *second_);
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  clock_.now += absl::Milliseconds(100);
  answer(kFirst, *first_);
  // The first of two peers without load was asked; now it is slow.
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  auto only = exchange_.Dispatch(5, Absent(2, {1, 2}));
  EXPECT_FALSE(exchange_.IsLate(ticket));
  EXPECT_TRUE(exchange_.IsLate(only));
  answer(kSecond + 1, *third);
  answer(kFirst, *first_);
  clock_.now += absl::Seconds(6);
  exchange_.SendAgain(absl::Seconds(60), absl::Seconds(60), clock_.now);
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  answer(kFirst, *first_);
}

TEST_F(PeerExchangeTest, RowsAreLateAfterAWhile) {
  auto ticket = exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_FALSE(exchange_.IsLate(ticket));
  clock_.now += PeerExchange::kLatest;
  EXPECT_FALSE(exchange_.IsLate(ticket));
  clock_.now += absl::Microseconds(1);
  EXPECT_TRUE(exchange_.IsLate(ticket));
  Answer(kFirst, first_->Take<ExpertRows>().ticket, {3, 4});
  EXPECT_FALSE(exchange_.IsLate(ticket));
}

TEST_F(PeerExchangeTest, APeerWithoutReportsLosesItsRowsAfterTheLease) {
  const auto third = std::make_shared<FakeLink>();
  Add(kSecond + 1, "z", {1}, third);
  const absl::Duration lease = absl::Milliseconds(300);
  const auto hear = [this](bool still) {
    exchange_.Heard(kFirst, {Progress{.regular = true, .still = still}});
  };
  hear(false);
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  clock_.now += lease;
  exchange_.SendAgain(lease, 10 * lease, clock_.now);
  EXPECT_TRUE(third->frames.empty());
  clock_.now += absl::Milliseconds(1);
  exchange_.SendAgain(lease, 10 * lease, clock_.now);
  EXPECT_EQ(third->frames.size(), 1u);
  // An engine that stands still does not make it a choice again.
  hear(true);
  exchange_.Dispatch(5, Absent(1, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(first_->frames.size(), 1u);
  EXPECT_EQ(third->frames.size(), 2u);
  hear(false);
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_EQ(first_->frames.size(), 2u);
}

TEST_F(PeerExchangeTest, ASilentPeerIsTheLastChoice) {
  const absl::Duration lease = absl::Milliseconds(300);
  exchange_.Dispatch(5, Absent(1, {1, 2}));
  clock_.now += 2 * lease;
  exchange_.SendAgain(lease, lease, clock_.now);
  exchange_.Dispatch(5, Absent(1, {1, 2}));  // There is no other.
  EXPECT_EQ(first_->frames.size(), 2u);
}

// Rows that this worker computes itself.
class PeerExchangeHereTest : public PeerExchangeTest {
 protected:
  std::optional<std::int64_t> bytes_ = 1;
  std::vector<std::uint64_t> here_;
  PeerExchange exchange_{
      counters_, clock_, "",
      PeerExchange::Here{[this](LayerExpert) { return bytes_; },
                         [this](std::uint64_t number, LayerExpert,
                                const Rows&) { here_.push_back(number); }}};
};

TEST_F(PeerExchangeHereTest, RowsWithoutAHolderAreComputedHere) {
  auto a = exchange_.Dispatch(5, Absent(1, {1, 2}));
  auto b = exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_FALSE(exchange_.IsAway(a));
  ASSERT_EQ(here_.size(), 2u);
  exchange_.ComputedHere(here_[0], Rows::FromVector({5, 6}, 2));
  exchange_.FailedHere(here_[1], absl::NotFoundError("no tensor"));
  exchange_.ComputedHere(here_[1], Rows::FromVector({5, 6}, 2));  // Too late.
  EXPECT_EQ(Numbers(*exchange_.Combine(std::move(a))),
            (std::vector<float>{5, 6}));
  EXPECT_EQ(exchange_.Combine(std::move(b)).status(),
            absl::UnavailableError("no tensor"));
  EXPECT_EQ(counters_.rows_on_standby, 1);
  bytes_ = std::nullopt;
  auto c = exchange_.Dispatch(5, Absent(1, {1, 2}));
  EXPECT_TRUE(exchange_.Answered(c));
}

}  // namespace
}  // namespace apollo
