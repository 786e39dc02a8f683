#pragma once

#include <absl/time/time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "tests/timed/timed_cluster.h"

namespace apollo {

// Requests that arrive at random, independent of the answers.
class Traffic {
 public:
  struct Options {
    int prompt = 64;
    int new_tokens = 32;
    // Requests per second of each family.
    std::vector<double> rates;
    bool hybrid = false;
    std::uint64_t seed = 1;
  };
  struct Answer {
    int family = 0;
    std::shared_ptr<TimedSink> sink;
    GenerationRequest request;
  };

  // Both must outlive the traffic.
  Traffic(Options options, TimedCluster& cluster, VirtualTime& time);

  // Changes the rate of a family from its next request on.
  void SetRate(int family, double per_second);
  // No more requests arrive.
  void Stop() { stopped_ = true; }

  const std::vector<Answer>& answers() const { return answers_; }
  // Returns the tokens per second between two times.
  double Rate(absl::Duration from, absl::Duration to) const;
  // Returns that quantile of the pauses before tokens that came between two
  // times: since the token before, or since the request.
  absl::Duration Pause(double quantile, absl::Duration from,
                       absl::Duration to) const;

 private:
  void Next(int family, std::uint64_t era);

  Options options_;
  TimedCluster& cluster_;
  VirtualTime& time_;
  std::mt19937_64 random_;
  std::vector<std::uint64_t> eras_;  // By family: changes of the rate.
  bool stopped_ = false;
  std::vector<Answer> answers_;
};

}  // namespace apollo
