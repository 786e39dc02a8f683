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

// A pool of dense workers. Polls each worker several times a second and starts
// each new sequence on the live worker that runs the fewest.
//
// All workers must serve one model. A worker gets no sequences, and an error is
// logged when that is noticed, if
//
// - its config or tokenizer differs from the router's,
// - its model hash differs from that of most workers (on a tie, the hash served
//   before wins; a worker that has not been live for kForgetPolls polls has no
//   vote), or
// - its wire version is neither this one nor the previous one
//   (link/generation_codec.h).
//
// A worker is considered lost if its engine has made no progress for
// Options::worker_timeout, or has reported none for that long. Its sequences
// end with UNAVAILABLE, and it gets no others until it makes progress again.
// The length of a step does not matter: an engine makes progress within a step.
class DensePool final : public RouterBackend {
 public:
  struct Options {
    absl::Duration worker_timeout = absl::Seconds(10);
  };

  // `own` describes the router's model directory; empty parts of it are not
  // compared. The clock must outlive the pool.
  DensePool(ModelFingerprint own, Options options,
            const Clock& clock = Clock::Real());
  ~DensePool() override;

  static constexpr int kForgetPolls = 150;  // Half a minute.

  // Sets the addresses of the workers; a new pool has none. Any thread.
  void SetMembers(const std::vector<std::string>& addresses);

  // Polls every worker once and waits for the answers.
  void Poll();
  // Starts a thread that calls Poll regularly until the pool is destroyed.
  void StartPolling();

  // Finishes the sink with UNAVAILABLE if no worker can take the sequence.
  std::unique_ptr<GenerationCall> Start(
      GenerationRequest request, std::shared_ptr<GenerationSink> sink) override;
  bool Ready() override;
  std::string ModelHash() override;
  void CollectRouting(
      absl::Duration window,
      std::function<void(std::vector<WorkerRouting>)> done) override;
  void CollectStatus(
      std::function<void(std::vector<ProcessStatus>)> done) override;

 private:
  struct Worker {
    std::shared_ptr<DenseClient> client;
    bool live = false;
    bool answered = false;     // At the last poll.
    int absent_polls = 0;      // Polls since the worker was last live.
    int reported_running = 0;  // Running sequences, at the last poll.
    int started_since = 0;     // Sequences this router started since then.
    std::string name;          // Empty until the first answer.
    std::string version;       // The same.
    std::string last_hash;     // The last model hash; never forgotten.
    std::string model_hash;    // Empty until the worker was ready once.
    ModelFingerprint fingerprint;
    bool compared = true;  // All of the fingerprint, as far as is known.
    std::string problem;   // Why it gets no sequences, if it does not.
    std::uint32_t wire_version = kGenerationWireVersion;
    int sequence_options = 0;               // See kSequenceOptions.
    std::optional<std::uint64_t> progress;  // The last number reported.
    absl::Duration progressed;              // Time of its last change.
    bool hangs = false;
    bool speaks_our_wire() const {
      return wire_version == kGenerationWireVersion ||
             wire_version + 1 == kGenerationWireVersion;
    }
    bool usable() const {
      return live && !hangs && problem.empty() && speaks_our_wire();
    }
    // Returns why it is not usable, in one line.
    std::string WhyNotUsable() const;
  };

  // Brings `workers_` up to date with `members_` and returns the clients by
  // address.
  std::map<std::string, std::shared_ptr<DenseClient>> Members();
  // Returns, by address, the number of other workers that are usable.
  std::map<std::string, int> Others();
  // Records a worker's answer, or that it has not answered.
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
  std::string model_hash_ ABSL_GUARDED_BY(mutex_);  // Of the model served.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace apollo
