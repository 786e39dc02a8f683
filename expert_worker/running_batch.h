#pragma once

#include <absl/time/time.h>

#include <memory>
#include <vector>

#include "engine/expert_stage.h"
#include "expert_worker/expert_batch.h"
#include "expert_worker/peer_exchange.h"

namespace apollo {

// A batch of an expert worker and its progress through the layers. Plain data.
struct RunningBatch {
  // Rows of the current layer that peers compute, or this worker later.
  struct Away {
    PeerExchange::Ticket ticket;
    std::vector<int> slices;
  };

  ExpertBatch rows;
  std::unique_ptr<ExpertStep> step;  // Null if there are no rows.
  int layer = 0;                     // The current one.
  std::vector<Away> away = {};  // Outputs that the current layer waits for.
  absl::Duration begun = absl::ZeroDuration();
  absl::Duration sent_away = absl::ZeroDuration();  // When `away` were sent.
};

}  // namespace apollo
