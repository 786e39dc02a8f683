#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "common/layer_experts.h"
#include "engine/expert_stage.h"
#include "link/link_session.h"

namespace apollo {

// Rows of a peer, or of this worker itself, to be computed by an expert of this
// worker.
struct Guest {
  LinkId from = 0;
  std::uint64_t ticket = 0;  // Chosen by who sent them.
  int layer = 0;
  GuestRows rows;
  // Receipt of the frame that brought it: unanswered frames count against the
  // link's bound.
  std::shared_ptr<void> receipt = {};
};

// Rows of peers that wait until the stage is free, in the order of arrival. A
// peer waits for the outputs before it sends rows of another layer, so it has
// at most the rows of one layer of one batch here. Single-threaded.
class GuestQueue {
 public:
  void Add(Guest guest) { guests_.push_back(std::move(guest)); }
  // Drops the guests of a link that has ended.
  void DropLink(LinkId from);

  bool empty() const { return guests_.empty(); }
  // Returns the number of rows of all guests.
  int rows() const;
  // Returns true if there are rows for the expert.
  bool Has(LayerExpert which) const;
  // The layer of the oldest guest. The queue must not be empty.
  int oldest_layer() const { return guests_.front().layer; }

  // Takes the oldest guests of one layer: at least one if there is one, and no
  // further ones once they have `max_rows` rows.
  std::vector<Guest> Take(int layer, int max_rows);

 private:
  std::deque<Guest> guests_;
};

}  // namespace apollo
