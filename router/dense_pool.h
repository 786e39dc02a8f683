#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "link/generation_codec.h"
#include "model/config/fingerprint.h"
#include "router/backend.h"
#include "router/dense_client.h"
#include "sequence/generation.h"

namespace apollo {

// The dense workers of a list: asks each one several times a second
// how it is, and gives new sequences to the live one that runs the fewest.
//
// All must serve one model. A worker whose config or tokenizer is another one
// than the router's, or whose model hash is another one than most workers' (if
// none has more, than before), gets no sequences; an error is logged when that
// is noticed. What a worker served that has not been live for kForgetPolls
// counts no more. Nor does a worker get sequences that speaks neither this
// version of the wire nor the one before (link/generation_codec.h).
//
// A worker whose engine has made no progress for Options::worker_timeout, or
// that has not said so for that long, is taken for lost: its sequences end with
// UNAVAILABLE, and it gets no others until it makes progress again. How long a
// step takes does not matter, as progress is made within one.
class DensePool final : public RouterBackend {
 public:
  struct Options {
    absl::Duration worker_timeout = absl::Seconds(10);
  };

  // `own` is the router's model directory; nothing is compared with what it
  // lacks. The clock must outlive the pool.
  DensePool(ModelFingerprint own, Options options,
            const Clock& clock = Clock::Real());
  ~DensePool() override;

  static constexpr int kForgetPolls = 150;  // Half a minute.

  // Sets the addresses of the workers; none at first. Any thread.
  void SetMembers(const std::vector<std::string>& addresses);

  // Asks every worker once and waits for the answers. The pool's own thread
  // does this from StartPolling on.
  void Poll();
  void StartPolling();

  // UNAVAILABLE to the sink if no worker is live.
  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override;
  std::string ModelHash() override;
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override;

 private:
  struct Worker {
    std::shared_ptr<DenseClient> client;
    bool live = false;
    int absent_polls = 0;      // Since it was live.
    int reported_running = 0;  // By the worker, at the last poll.
    int started_since = 0;     // By this router, since then.
    std::string name;          // Empty until it has answered.
    std::string model_hash;    // Empty until it was ready once.
    ModelFingerprint fingerprint;
    bool compared = true;  // All of the fingerprint, as far as is known.
    std::string problem;   // Why it gets no sequences, if it does not.
    std::uint32_t wire_version = kGenerationWireVersion;
    std::optional<std::uint64_t> progress;  // As it said last.
    absl::Duration progressed;              // When that was new.
    bool hangs = false;
    bool SpeaksOurs() const {
      return wire_version == kGenerationWireVersion ||
             wire_version + 1 == kGenerationWireVersion;
    }
    bool usable() const {
      return live && !hangs && problem.empty() && SpeaksOurs();
    }
  };

  // The workers of the list as it is now, with their addresses.
  std::map<std::string, std::shared_ptr<DenseClient>> Members();
  // Takes what a worker has answered, or that it has not.
  void Update(const std::string& address, Worker& worker, bool answered,
              const internal::v1::DescribeResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Logs it once if a live worker, or the router, does not say all hashes.
  void WarnIfNotCompared(const std::string& address, Worker& worker)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void UpdateProgress(const std::string& address, Worker& worker, bool answered,
                      const internal::v1::DescribeResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void CompareModels() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const ModelFingerprint own_;
  const Options options_;
  const Clock& clock_;

  std::thread thread_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> members_ ABSL_GUARDED_BY(mutex_);
  bool members_changed_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Worker> workers_ ABSL_GUARDED_BY(mutex_);
  std::string model_hash_ ABSL_GUARDED_BY(mutex_);  // What is served.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
