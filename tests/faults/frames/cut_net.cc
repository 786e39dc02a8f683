#include "tests/faults/frames/cut_net.h"

#include <algorithm>

#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"

namespace apollo {
namespace {

constexpr int kBlocks = 200;

}  // namespace

// The link between two nodes, and its life: up, cut, up again with other ids.
struct CutNet::Wire {
  int node[2];
  LinkId id[2] = {0, 0};
  std::deque<Frame> frames[2];  // On their way to each end.
  bool open = false;
  bool told[2] = {true, true};  // The end knows that it is down.
};

// One end of a wire, of the time between two cuts.
class CutNet::End final : public Link {
 public:
  End(CutNet& net, Wire& wire, int side)
      : net_(net), wire_(wire), side_(side), id_(wire.id[side]) {}
  void Send(Frame frame) override {
    if (!Current()) return;
    wire_.frames[1 - side_].push_back(std::move(frame));
  }
  void Close() override {
    if (Current()) net_.Cut(wire_);
  }

 private:
  bool Current() const { return wire_.open && wire_.id[side_] == id_; }

  CutNet& net_;
  Wire& wire_;
  const int side_;
  const LinkId id_;
};

CutNet::CutNet(const OpenModel& model, const Shape& shape, unsigned seed)
    : shape_(shape),
      random_(seed),
      routing_(model.config, LanguageLabels(FamilyTable::Paper()), clock_) {
  const ModelConfig& config = model.config;
  const AttentionShape attention = {config.num_heads, config.num_kv_heads,
                                    config.head_size, CacheType::kFloat32};
  for (int d = 0; d < shape.dense_workers; ++d) {
    pools_.push_back(std::make_unique<ThreadPool>(1));
    DenseCore::Options options;
    options.name = "d" + std::to_string(d);
    infos_.push_back({WorkerRole::kDense, options.name, "m", "1", {}});
    const std::int64_t block =
        KvCache::BlockBytes(attention, config.boundary, config.hidden_size);
    dense_.push_back(std::make_unique<DenseCore>(
        options,
        *CpuDenseStage::Load(config, *model.weights,
                             {block * kBlocks, CacheType::kFloat32},
                             *pools_.back(), nullptr),
        routing_, clock_));
  }
  for (int w = 0; w < shape.expert_workers; ++w) {
    pools_.push_back(std::make_unique<ThreadPool>(1));
    std::set<int> experts;
    for (int e = 0; e < config.num_experts; ++e) {
      const int behind = (w - e % shape.expert_workers + shape.expert_workers) %
                         shape.expert_workers;
      if (behind < 2) experts.insert(e);
    }
    ExpertCore::Options options;
    options.self = {
        WorkerRole::kExpert,   "e" + std::to_string(w), "m", "1", experts,
        kBlocks * kBlockTokens};
    infos_.push_back(options.self);
    const std::int64_t block =
        KvCache::BlockBytes(attention, config.num_sparse_layers(), 0);
    expert_.push_back(std::make_unique<ExpertCore>(
        options, *CpuExpertStage::Load(config, *model.weights, experts,
                                       {block * kBlocks, CacheType::kFloat32},
                                       *pools_.back(), nullptr)));
  }
  // Of two expert workers, each opens a link to the other.
  for (int a = 0; a < nodes(); ++a) {
    for (int b = shape.dense_workers; b < nodes(); ++b) {
      if (a == b) continue;
      wires_.push_back(
          std::make_unique<Wire>(Wire{.node = {a, b}, .frames = {}}));
      Connect(*wires_.back());
    }
  }
  // Nothing is cut until all have found each other.
  while (Turn()) {
  }
  events_per_cut_ = shape.events_per_cut;
}

CutNet::~CutNet() = default;

void CutNet::Connect(Wire& wire) {
  for (int side = 0; side < 2; ++side) {
    wire.id[side] = next_link_++;
    wire.told[side] = false;
    wire.frames[side].clear();
  }
  wire.open = true;
  for (int side = 0; side < 2; ++side) {
    const WorkerInfo& peer =
        infos_[static_cast<std::size_t>(wire.node[1 - side])];
    auto link = std::make_shared<End>(*this, wire, side);
    const int node = wire.node[side];
    if (IsDense(node)) {
      Dense(node).LinkUp(wire.id[side], peer, std::move(link));
    } else {
      Expert(node).LinkUp(wire.id[side], peer, std::move(link));
    }
  }
}

void CutNet::Cut(Wire& wire) {
  wire.open = false;
  // Some frames still arrive before the end is noticed.
  for (std::deque<Frame>& frames : wire.frames) {
    while (!frames.empty() && random_() % 2 == 0) frames.pop_back();
  }
}

bool CutNet::MayCut() {
  if (events_per_cut_ == 0 || random_() % events_per_cut_ != 0) return false;
  const bool whole = std::all_of(wires_.begin(), wires_.end(),
                                 [](const auto& wire) { return wire->open; });
  if (!whole) return false;
  Cut(*wires_[random_() % wires_.size()]);
  ++cuts_;
  return true;
}

std::vector<CutNet::Event> CutNet::Possible() const {
  std::vector<Event> events;
  for (int node = 0; node < nodes(); ++node) {
    if (HasWork(node)) events.push_back({.kind = Event::kWork, .node = node});
  }
  for (const auto& wire : wires_) {
    for (int side = 0; side < 2; ++side) {
      const bool frames = !wire->frames[side].empty();
      if (!frames && (wire->open || wire->told[side])) continue;
      events.push_back({.kind = frames ? Event::kFrame : Event::kDown,
                        .wire = wire.get(),
                        .side = side});
    }
    if (!wire->open && wire->told[0] && wire->told[1]) {
      events.push_back({.kind = Event::kConnect, .wire = wire.get()});
    }
  }
  return events;
}

void CutNet::Happen(const Event& event) {
  if (event.kind == Event::kWork) return Advance(event.node);
  Wire& wire = *event.wire;
  if (event.kind == Event::kConnect) return Connect(wire);
  const int node = wire.node[event.side];
  const LinkId id = wire.id[event.side];
  if (event.kind == Event::kDown) {
    wire.told[event.side] = true;
    return TellDown(node, id);
  }
  Frame frame = std::move(wire.frames[event.side].front());
  wire.frames[event.side].pop_front();
  if (IsDense(node)) {
    Dense(node).LinkFrame(id, std::move(frame));
  } else {
    Expert(node).LinkFrame(id, std::move(frame));
  }
}

bool CutNet::Turn() {
  const std::vector<Event> events = Possible();
  if (events.empty()) return PassTime();
  if (!MayCut()) Happen(events[random_() % events.size()]);
  return true;
}

void CutNet::TellDown(int node, LinkId id) {
  if (IsDense(node)) {
    Dense(node).LinkDown(id);
  } else {
    Expert(node).LinkDown(id);
  }
}

bool CutNet::HasWork(int node) const {
  return IsDense(node)
             ? dense_[static_cast<std::size_t>(node)]->HasWork()
             : expert_[static_cast<std::size_t>(node - shape_.dense_workers)]
                   ->HasWork();
}

void CutNet::Advance(int node) {
  if (IsDense(node)) {
    Dense(node).Advance();
  } else {
    Expert(node).Advance();
  }
}

void CutNet::Submit(SequenceId id, GenerationRequest request,
                    std::shared_ptr<GenerationSink> sink) {
  Dense(static_cast<int>(random_() % dense_.size()))
      .Submit(id, std::move(request), std::move(sink));
}

int CutNet::sequences() const {
  int sum = 0;
  for (const auto& core : dense_) sum += core->sequences();
  for (const auto& core : expert_) sum += core->sequences();
  return sum;
}

bool CutNet::PassTime() {
  clock_.now += absl::Seconds(10);
  for (const auto& core : dense_) core->Tick(clock_.now);
  return !Possible().empty();
}

}  // namespace apollo
