#include "link/nccl/fake_nccl.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"

namespace apollo {

struct FakeNccl::Comm {
  std::shared_ptr<Pair> pair;
  int rank = 0;
  NcclResult error = NcclResult::kSuccess;
  bool aborted = false;
  bool asked = false;  // Since the last call.
  int operations = 0;  // Posted.
  // Posted, but not on its stream yet.
  std::shared_ptr<Work> pending;
  void* pending_stream = nullptr;
};

struct FakeNccl::Pair {
  std::array<Comm*, 2> ranks = {};
  // Both have joined. They stay joined when one aborts.
  bool joined = false;
  std::array<bool, 2> posted = {};
};

FakeNccl::FakeNccl(int version) : version_(version) {}
FakeNccl::~FakeNccl() = default;

std::shared_ptr<const NcclApi> FakeNccl::Api() {
  auto api = std::make_shared<NcclApi>();
  api->version = version_;
  api->get_unique_id = [this](CommunicatorId* id) {
    MutexLock lock(mutex_);
    ++ids_;
    id->fill(0);
    std::memcpy(id->data(), &ids_, sizeof(ids_));
    pairs_[*id] = std::make_shared<Pair>();
    return NcclResult::kSuccess;
  };
  api->init_rank = [this](NcclComm** comm, const CommunicatorId& id, int rank,
                          int) { return InitRank(comm, id, rank); };
  api->send = [this](const void* data, std::size_t bytes, NcclComm* comm, int,
                     void* stream) {
    return Post(comm,
                static_cast<std::byte*>(const_cast<void*>(data)),  // NOLINT
                bytes, true, stream);
  };
  api->receive = [this](void* data, std::size_t bytes, NcclComm* comm, int,
                        void* stream) {
    return Post(comm, static_cast<std::byte*>(data), bytes, false, stream);
  };
  api->get_async_error = [this](NcclComm* comm, NcclResult* state) {
    return GetAsyncError(comm, state);
  };
  api->abort = [this](NcclComm* comm) { return Abort(comm); };
  return api;
}

NcclResult FakeNccl::Violation() {
  ++violations_;
  return NcclResult::kInvalidUsage;
}

FakeNccl::Comm* FakeNccl::Find(NcclComm* comm) {
  const auto it = comms_.find(comm);
  if (it != comms_.end()) return it->second.get();
  Violation();
  return nullptr;
}

bool FakeNccl::Happens(Fault fault, int number) {
  if (fault_ != fault || fault_number_ != number) return false;
  fault_.reset();
  changed_.notify_all();
  return true;
}

void FakeNccl::Lose(Pair& pair, NcclResult result) {
  for (Comm* const comm : pair.ranks) {
    if (comm != nullptr) comm->error = result;
  }
}

NcclResult FakeNccl::InitRank(NcclComm** comm, const CommunicatorId& id,
                              int rank) {
  MutexLock lock(mutex_);
  const auto pair = pairs_.find(id);
  if (pair == pairs_.end()) return Violation();
  auto made = std::make_unique<Comm>();
  made->pair = pair->second;
  made->rank = rank;
  Pair& both = *pair->second;
  if (both.ranks[rank] != nullptr) return Violation();
  both.ranks[rank] = made.get();
  both.joined = both.ranks[0] != nullptr && both.ranks[1] != nullptr;
  if (both.joined && Happens(Fault::kInitFails, fault_number_)) {
    Lose(both, NcclResult::kSystemError);
  }
  // Never used again, so that a use after the end is noticed.
  *comm = reinterpret_cast<NcclComm*>(++handles_);  // NOLINT
  comms_[*comm] = std::move(made);
  return NcclResult::kInProgress;
}

NcclResult FakeNccl::Post(NcclComm* handle, std::byte* data, std::size_t bytes,
                          bool sends, void* stream) {
  MutexLock lock(mutex_);
  Comm* const comm = Find(handle);
  if (comm == nullptr || !comm->pair->joined || comm->pending ||
      (comm->operations == 0 && !comm->asked)) {
    return Violation();
  }
  if (comm->error != NcclResult::kSuccess) return comm->error;
  const int number = comm->operations++;
  if (sends && Happens(Fault::kHangsInCall, number)) {
    while (comms_.contains(handle)) changed_.wait(mutex_);
    return NcclResult::kInternalError;
  }
  if (sends && Happens(Fault::kDiesBefore, number)) {
    Lose(*comm->pair, NcclResult::kRemoteError);
    return NcclResult::kInProgress;
  }
  comm->pair->posted[comm->rank] = true;
  comm->asked = false;
  comm->pending = std::make_shared<Work>();
  *comm->pending = {comm, sends, data, bytes, number};
  comm->pending_stream = stream;
  return NcclResult::kInProgress;
}

NcclResult FakeNccl::GetAsyncError(NcclComm* handle, NcclResult* state) {
  MutexLock lock(mutex_);
  Comm* const comm = Find(handle);
  if (comm == nullptr) return NcclResult::kInvalidArgument;
  *state = comm->error;
  if (comm->error != NcclResult::kSuccess) return NcclResult::kSuccess;
  *state = NcclResult::kInProgress;
  const bool asked = std::exchange(comm->asked, true);
  if (!comm->pair->joined || !asked) return NcclResult::kSuccess;
  if (comm->pending) {
    if (!comm->pair->posted[0] || !comm->pair->posted[1]) {
      return NcclResult::kSuccess;
    }
    streams_[comm->pending_stream].push_back(std::move(comm->pending));
    comm->pending = nullptr;
    Advance();
    if (comm->error != NcclResult::kSuccess) {
      *state = comm->error;
      return NcclResult::kSuccess;
    }
  }
  *state = NcclResult::kSuccess;
  return NcclResult::kSuccess;
}

NcclResult FakeNccl::Abort(NcclComm* handle) {
  MutexLock lock(mutex_);
  Comm* const comm = Find(handle);
  if (comm == nullptr) return NcclResult::kInvalidArgument;
  for (auto& [stream, queue] : streams_) {
    std::erase_if(queue, [&](const auto& work) { return work->comm == comm; });
  }
  for (Comm*& rank : comm->pair->ranks) {
    if (rank == comm) rank = nullptr;
  }
  comms_.erase(handle);
  Advance();
  changed_.notify_all();
  return NcclResult::kSuccess;
}

void FakeNccl::Advance() {
  while (Step()) changed_.notify_all();
}

bool FakeNccl::Step() {
  std::vector<WorkQueue*> ready;
  for (auto& [stream, queue] : streams_) {
    if (queue.empty()) continue;
    if (queue.front()->comm == nullptr) {
      queue.front()->done = true;
      queue.pop_front();
      return true;
    }
    ready.push_back(&queue);
  }
  for (WorkQueue* const a : ready) {
    for (WorkQueue* const b : ready) {
      Work& sending = *a->front();
      Work& receiving = *b->front();
      if (!sending.sends || receiving.sends ||
          sending.comm->pair != receiving.comm->pair || sending.stays) {
        continue;
      }
      if (!Meet(sending, receiving)) continue;
      a->pop_front();
      b->pop_front();
      ++ended_;
      return true;
    }
  }
  return false;
}

bool FakeNccl::Meet(Work& sending, Work& receiving) {
  Pair& pair = *sending.comm->pair;
  const int number = sending.number;
  if (sending.bytes != receiving.bytes || number != receiving.number) {
    Violation();
    Lose(pair, NcclResult::kInternalError);
    sending.stays = true;
    return false;
  }
  if (Happens(Fault::kDiesDuring, number)) {
    Lose(pair, NcclResult::kRemoteError);
    sending.stays = true;
    return false;
  }
  if (Happens(Fault::kNeverEnds, number)) {
    sending.stays = true;
    return false;
  }
  std::memcpy(receiving.data, sending.data, sending.bytes);
  if (Happens(Fault::kDiesAfter, number)) {
    Lose(pair, NcclResult::kRemoteError);
  }
  return true;
}

void FakeNccl::Script(Fault fault, int number) {
  MutexLock lock(mutex_);
  fault_ = fault;
  fault_number_ = number;
}

void FakeNccl::WaitForFault() {
  MutexLock lock(mutex_);
  while (fault_) changed_.wait(mutex_);
}

void FakeNccl::WaitForEnded(int operations) {
  MutexLock lock(mutex_);
  while (ended_ < operations) changed_.wait(mutex_);
}

int FakeNccl::violations() {
  MutexLock lock(mutex_);
  return violations_;
}

int FakeNccl::ended() {
  MutexLock lock(mutex_);
  return ended_;
}

std::size_t FakeNccl::memory_in_use() {
  MutexLock lock(mutex_);
  return memory_;
}

int FakeNccl::communicators_open() {
  MutexLock lock(mutex_);
  return static_cast<int>(comms_.size());
}

class FakeEvent final : public DeviceEvent {
 public:
  FakeEvent(FakeNccl& nccl, std::shared_ptr<FakeNccl::Work> work)
      : nccl_(nccl), work_(std::move(work)) {}
  absl::StatusOr<bool> Done() override {
    MutexLock lock(nccl_.mutex_);
    return work_->done;
  }

 private:
  FakeNccl& nccl_;
  const std::shared_ptr<FakeNccl::Work> work_;
};

class FakeStream final : public DeviceStream {
 public:
  explicit FakeStream(FakeNccl& nccl) : nccl_(nccl) {}
  ~FakeStream() override {
    MutexLock lock(nccl_.mutex_);
    nccl_.streams_.erase(this);
  }
  void* handle() override { return this; }
  absl::StatusOr<std::unique_ptr<DeviceEvent>> Record() override {
    auto work = std::make_shared<FakeNccl::Work>();
    MutexLock lock(nccl_.mutex_);
    // It would not be behind an operation that is not on the stream yet.
    for (const auto& [handle, comm] : nccl_.comms_) {
      if (comm->pending && comm->pending_stream == this) nccl_.Violation();
    }
    nccl_.streams_[this].push_back(work);
    nccl_.Advance();
    return std::make_unique<FakeEvent>(nccl_, std::move(work));
  }

 private:
  FakeNccl& nccl_;
};

class FakeDevice final : public LinkDevice {
 public:
  FakeDevice(FakeNccl& nccl, int index) : nccl_(nccl), index_(index) {}
  Device device() const override { return {Device::Kind::kCuda, index_}; }
  std::string id() const override { return "fake-" + std::to_string(index_); }
  absl::Status Use() override { return absl::OkStatus(); }
  absl::StatusOr<std::unique_ptr<DeviceStream>> NewStream() override {
    return std::make_unique<FakeStream>(nccl_);
  }
  absl::StatusOr<std::shared_ptr<std::byte>> Allocate(
      std::size_t bytes) override {
    {
      MutexLock lock(nccl_.mutex_);
      nccl_.memory_ += bytes;
    }
    return std::shared_ptr<std::byte>(
        new std::byte[bytes], [nccl = &nccl_, bytes](const std::byte* memory) {
          delete[] memory;
          MutexLock lock(nccl->mutex_);
          nccl->memory_ -= bytes;
        });
  }
  absl::StatusOr<Rows> ToHost(const Rows& rows) override {
    APOLLO_CHECK(rows.device() == device() && rows.type() == RowType::kF32);
    Rows copy = Rows::Host(rows.rows(), rows.width());
    std::memcpy(copy.data(), rows.data(), rows.bytes());
    return copy;
  }

 private:
  FakeNccl& nccl_;
  const int index_;
};

std::shared_ptr<LinkDevice> FakeNccl::NewDevice(int index) {
  return std::make_shared<FakeDevice>(*this, index);
}

}  // namespace apollo
