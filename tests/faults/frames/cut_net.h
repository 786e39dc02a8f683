#pragma once

#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/fake_clock.h"
#include "common/thread_pool.h"
#include "dense_worker/dense_core.h"
#include "dense_worker/routing_log.h"
#include "expert_worker/expert_core.h"
#include "link/link.h"
#include "model/language/families.h"
#include "model/language/language_labels.h"
#include "model/weights/open_model.h"
#include "sequence/generation.h"

namespace apollo {

// Real cores of dense and expert workers in one thread, joined by links that
// are cut and come back at random, by a seed. A cut loses the frames on their
// way; each end learns of it when its turn comes. At most one link is down at a
// time. Single-threaded.
class CutNet {
 public:
  // Each expert is on two of the expert workers, or on the only one.
  struct Shape {
    int dense_workers = 1;
    int expert_workers = 1;
    // One in so many events is a cut; 0: none.
    unsigned events_per_cut = 0;
  };

  // `model` must outlive the net.
  CutNet(const OpenModel& model, const Shape& shape, unsigned seed);
  ~CutNet();
  CutNet(const CutNet&) = delete;
  CutNet& operator=(const CutNet&) = delete;

  // Starts a sequence at a random dense worker.
  void Submit(SequenceId id, GenerationRequest request,
              std::shared_ptr<GenerationSink> sink);
  // Runs one random event. Returns false if nothing is left to do.
  bool Turn();
  // The number of cuts so far.
  int cuts() const { return cuts_; }
  // Returns the number of sequences that some worker still holds.
  int sequences() const;

 private:
  struct Wire;
  class End;

  // Something that may happen next.
  struct Event {
    enum Kind { kWork, kFrame, kDown, kConnect } kind;
    int node = 0;          // Of kWork.
    Wire* wire = nullptr;  // Of all others.
    int side = 0;          // Of kFrame and kDown: the end that learns of it.
  };

  std::vector<Event> Possible() const;
  void Happen(const Event& event);
  // Cuts a random link if all are up and it is time.
  bool MayCut();
  void Connect(Wire& wire);
  void Cut(Wire& wire);
  void TellDown(int node, LinkId id);
  void Advance(int node);
  bool HasWork(int node) const;
  bool IsDense(int node) const { return node < shape_.dense_workers; }
  int nodes() const { return shape_.dense_workers + shape_.expert_workers; }
  DenseCore& Dense(int node) { return *dense_[static_cast<std::size_t>(node)]; }
  ExpertCore& Expert(int node) {
    return *expert_[static_cast<std::size_t>(node - shape_.dense_workers)];
  }
  // Ends pauses of sequences. Returns false if that changes nothing.
  bool PassTime();

  const Shape shape_;
  FakeClock clock_;
  std::mt19937 random_;
  RoutingLog routing_;
  unsigned events_per_cut_ = 0;
  int cuts_ = 0;
  LinkId next_link_ = 1;
  std::vector<WorkerInfo> infos_;  // By node.
  std::vector<std::unique_ptr<ThreadPool>> pools_;
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::unique_ptr<ExpertCore>> expert_;
  std::vector<std::unique_ptr<DenseCore>> dense_;
};

}  // namespace apollo
