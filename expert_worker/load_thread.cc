#include "expert_worker/load_thread.h"

#include <optional>
#include <utility>

namespace apollo {

LoadThread::LoadThread(ExpertLoader& loader, Done done)
    : loader_(loader), done_(std::move(done)), thread_([this] { Run(); }) {}

LoadThread::~LoadThread() {
  queue_.Close();
  thread_.join();
}

void LoadThread::Run() {
  while (const std::optional<LayerExpert> which = queue_.Pop()) {
    if (queue_.closed()) return;
    done_(*which, loader_.Load(*which));
  }
}

}  // namespace apollo
