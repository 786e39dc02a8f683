#pragma once

#include <absl/status/statusor.h>

#include <memory>

#include "common/clock.h"
#include "dense_worker/run_trace.h"
#include "sequence/generation.h"
#include "tracing/tracer.h"

namespace apollo {

// Traces a sequence that a dense worker runs for a router in its own process,
// as dense_worker/run_call does for routers of others, and passes its events
// on. One thread at a time, as the events of a sink come.
class TracedSink final : public GenerationSink {
 public:
  // Returns a sink in front of `sink`, and puts the sequence below its span; or
  // `sink`, if `tracer` is null or the request is not traced. The tracer and
  // the clock must outlive the result.
  static std::shared_ptr<GenerationSink> Wrap(
      Tracer* tracer, const Clock& clock, GenerationRequest& request,
      std::shared_ptr<GenerationSink> sink);

  void OnStarted(const GenerationStarted& started) override;
  void OnPrompt(const PromptLogprobs& prompt) override;
  void OnToken(const GeneratedToken& token) override;
  void OnMoved(const SequenceMove& move) override;
  void OnFinished(absl::StatusOr<GenerationFinished> finished) override;

 private:
  TracedSink(std::unique_ptr<RunTrace> trace, const Clock& clock,
             const GenerationRequest& request,
             std::shared_ptr<GenerationSink> sink);

  const std::unique_ptr<RunTrace> trace_;
  const Clock& clock_;
  RunTrace::Facts facts_;
  const std::shared_ptr<GenerationSink> sink_;
};

}  // namespace apollo
