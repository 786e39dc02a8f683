#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "proto/apollo/v1/inference.pb.h"

namespace apollo::client {

// Rows that the processes of a cluster compute in a second, and tokens that its
// routers generate, between two looks at it.
class Rates {
 public:
  // Knows none.
  Rates() = default;
  // `seconds` have passed between the two; more than 0.
  Rates(const v1::GetStatusResponse& before, const v1::GetStatusResponse& after,
        double seconds);

  // Returns the rate of a process of the later look; nullopt if it is not
  // known: the process was not there before, has been restarted, is not
  // reachable, or does not tell.
  std::optional<double> Of(const v1::ProcessStatus& process) const;

 private:
  using Key = std::tuple<v1::ProcessRole, std::string, std::string>;
  static Key KeyOf(const v1::ProcessStatus& process);

  std::map<Key, double> rates_;
};

}  // namespace apollo::client
