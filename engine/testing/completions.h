#pragma once

#include <absl/functional/any_invocable.h>

#include "engine/post_event.h"

namespace apollo {

// Decides when the results of an asynchronous stage of a test arrive. Must
// outlive the stage.
class Completions {
 public:
  virtual ~Completions() = default;
  // Takes an event that passes on results, to be called in the engine thread.
  virtual void Add(absl::AnyInvocable<void()> event) = 0;
  // Of the stage: see SetPost of the stages.
  virtual void SetPost(PostEvent /*post*/) {}
  // Called by the destructor of the stage: nothing is posted afterwards.
  virtual void Stop() {}
};

}  // namespace apollo
