#include "link/previous_wire.h"

#include <utility>
#include <variant>

namespace apollo {
namespace {

class PreviousWireLink final : public Link {
 public:
  PreviousWireLink(std::shared_ptr<Link> link, WorkerRole peer)
      : link_(std::move(link)), peer_(peer) {}

  void Send(Frame frame) override {
    if (std::holds_alternative<Progress>(frame.body)) return;
    if (auto* info = std::get_if<WorkerInfo>(&frame.body)) {
      // In version 0, only expert workers report what they offer.
      if (info->role != WorkerRole::kExpert) return;
      Reach reach;
      if (peer_ == WorkerRole::kExpert) {
        reach.experts = std::move(info->resident.everywhere);
      } else if (!info->draining) {
        reach.experts = std::move(info->reaches.everywhere);
      }
      frame.body = std::move(reach);
    }
    link_->Send(std::move(frame));
  }
  bool HasRoom() override { return link_->HasRoom(); }
  void Close() override { link_->Close(); }

 private:
  const std::shared_ptr<Link> link_;
  const WorkerRole peer_;
};

}  // namespace

std::shared_ptr<Link> MakePreviousWireLink(std::shared_ptr<Link> link,
                                           WorkerRole peer) {
  return std::make_shared<PreviousWireLink>(std::move(link), peer);
}

WorkerInfo InfoFromReach(WorkerInfo last, Reach reach) {
  last.draining = reach.experts.empty();
  last.reaches = std::move(reach.experts);
  last.ready = true;
  ++last.revision;
  return last;
}

}  // namespace apollo
