#include "expert_worker/guest_queue.h"

#include <algorithm>
#include <utility>

namespace apollo {

void GuestQueue::DropLink(LinkId from) {
  std::erase_if(guests_, [from](const Guest& g) { return g.from == from; });
}

int GuestQueue::rows() const {
  int rows = 0;
  for (const Guest& guest : guests_) rows += guest.rows.rows.rows();
  return rows;
}

bool GuestQueue::Has(LayerExpert which) const {
  return std::any_of(guests_.begin(), guests_.end(), [which](const Guest& g) {
    return g.layer == which.layer && g.rows.expert == which.expert;
  });
}

std::vector<Guest> GuestQueue::Take(int layer, int max_rows) {
  std::vector<Guest> taken;
  if (guests_.empty()) return taken;
  std::deque<Guest> left;
  int rows = 0;
  for (Guest& guest : guests_) {
    if (guest.layer != layer || rows >= max_rows) {
      left.push_back(std::move(guest));
      continue;
    }
    rows += guest.rows.rows.rows();
    taken.push_back(std::move(guest));
  }
  guests_ = std::move(left);
  return taken;
}

}  // namespace apollo
