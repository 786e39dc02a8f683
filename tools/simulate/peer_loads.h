#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/layer_experts.h"
#include "common/rendezvous.h"
#include "tools/simulate/board.h"

namespace apollo::simulate {

// The loads of expert workers as one process sees them, as in
// link/expert_directory.h: the last report, and the work that the process has
// given to a worker since then. Single-threaded.
class PeerLoads {
 public:
  // `board` must outlive it.
  PeerLoads(const Board& board, int workers)
      : board_(board), given_(static_cast<std::size_t>(workers)) {}

  // Work counts from Give until the worker's next report, or until TakeBack
  // with the number that Give returned.
  std::uint64_t Give(int worker, int sequences, std::int64_t rows) {
    Given& given = Fresh(worker);
    given.sequences += sequences;
    given.rows += rows;
    return given.revision;
  }
  void TakeBack(int worker, std::uint64_t number, int sequences,
                std::int64_t rows) {
    Given& given = Fresh(worker);
    if (given.revision != number) return;
    given.sequences -= sequences;
    given.rows -= rows;
  }
  // Rows that the worker computes before those of new work. `sequences` is a
  // lower bound on the number of its sequences.
  std::int64_t Load(int worker, int sequences = 0) {
    const Given& given = Fresh(worker);
    const Board::Report& report = board_.report(worker);
    return report.queued_rows + given.rows +
           std::max(report.running_sequences + given.sequences, sequences);
  }
  // Returns the holder of an expert with the least load, of equals the one with
  // the highest score for the key (common/rendezvous.h); -1 if there is none
  // besides `except`.
  int Holder(LayerExpert which, int except, std::uint64_t key) {
    int best = -1;
    std::int64_t least = 0;
    std::uint64_t highest = 0;
    for (const int worker : board_.holders(which)) {
      if (worker == except) continue;
      const std::int64_t load = Load(worker);
      if (best >= 0 && load > least) continue;
      const std::uint64_t score =
          RendezvousScore(board_.report(worker).name, key);
      if (best < 0 || load < least || score > highest) {
        best = worker;
        least = load;
        highest = score;
      }
    }
    return best;
  }

 private:
  struct Given {
    int sequences = 0;
    std::int64_t rows = 0;
    std::uint64_t revision = 0;
  };
  Given& Fresh(int worker) {
    Given& given = given_[worker];
    const std::uint64_t revision = board_.report(worker).revision;
    if (given.revision != revision) given = {0, 0, revision};
    return given;
  }

  const Board& board_;
  std::vector<Given> given_;
};

}  // namespace apollo::simulate
