#include "expert_worker/guest_queue.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace apollo {
namespace {

Guest Of(LinkId from, std::uint64_t ticket, int layer, int rows) {
  return {from, ticket, layer, {0, Rows::Host(rows, 1)}};
}

std::vector<std::uint64_t> Tickets(const std::vector<Guest>& guests) {
  std::vector<std::uint64_t> tickets;
  for (const Guest& guest : guests) tickets.push_back(guest.ticket);
  return tickets;
}

using Numbers = std::vector<std::uint64_t>;

TEST(GuestQueueTest, TakesGuestsOfOneLayerInOrder) {
  GuestQueue queue;
  EXPECT_TRUE(queue.empty());
  queue.Add(Of(1, 10, 5, 1));
  queue.Add(Of(2, 11, 4, 1));
  queue.Add(Of(1, 12, 5, 1));
  EXPECT_EQ(queue.oldest_layer(), 5);
  EXPECT_EQ(Tickets(queue.Take(7, 100)), Numbers());
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{10, 12}));
  EXPECT_EQ(queue.oldest_layer(), 4);
  EXPECT_EQ(Tickets(queue.Take(4, 100)), (Numbers{11}));
  EXPECT_TRUE(queue.empty());
}

TEST(GuestQueueTest, RowsAreBoundedButOneGuestIsAlwaysTaken) {
  GuestQueue queue;
  queue.Add(Of(1, 10, 5, 900));
  queue.Add(Of(1, 11, 5, 40));
  queue.Add(Of(1, 12, 5, 70));
  queue.Add(Of(1, 13, 5, 1));
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{10}));
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{11, 12}));
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{13}));
}

TEST(GuestQueueTest, RowsThatFillTheBoundAreTheLast) {
  GuestQueue queue;
  queue.Add(Of(1, 10, 5, 60));
  queue.Add(Of(1, 11, 5, 40));
  queue.Add(Of(1, 12, 5, 1));
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{10, 11}));
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{12}));
}

TEST(GuestQueueTest, ALostPeersGuestsAreDropped) {
  GuestQueue queue;
  queue.Add(Of(1, 10, 5, 1));
  queue.Add(Of(2, 11, 5, 1));
  queue.DropLink(1);
  EXPECT_EQ(Tickets(queue.Take(5, 100)), (Numbers{11}));
}

}  // namespace
}  // namespace apollo
