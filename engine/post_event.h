#pragma once

#include <absl/functional/any_invocable.h>

#include <functional>

namespace apollo {

// Queues an event for the engine thread, from any thread. Returns false and
// drops the event once that thread has stopped.
using PostEvent = std::function<bool(absl::AnyInvocable<void()>)>;

}  // namespace apollo
