#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "engine/expert_stage.h"
#include "link/link_session.h"

namespace apollo {

// Rows that a peer wants computed by an expert of this worker.
struct Guest {
  LinkId from = 0;
  std::uint64_t ticket = 0;  // The peer's.
  int layer = 0;
  GuestRows rows;
  // Of the frame that brought it: the link counts what is not answered yet.
  std::shared_ptr<void> receipt = {};
};

// Peers' rows that wait until the stage is free, in the order of arrival. A
// peer waits for their outputs before it sends those of another layer, so it
// has the rows of one layer of one batch here at most. One thread.
class GuestQueue {
 public:
  void Add(Guest guest) { guests_.push_back(std::move(guest)); }
  // Nobody waits for these outputs any more.
  void DropLink(LinkId from);

  bool empty() const { return guests_.empty(); }
  // Of all guests.
  int rows() const;
  // The layer of those that came first. Not if empty.
  int oldest_layer() const { return guests_.front().layer; }

  // Takes those of one layer that came first: at least one if there is one, and
  // no more once they have `max_rows` rows.
  std::vector<Guest> Take(int layer, int max_rows);

 private:
  std::deque<Guest> guests_;
};

}  // namespace apollo
