#include "link/grpc_link.h"

#include <absl/status/status.h>

#include <functional>
#include <utility>
#include <variant>

#include "common/mutex.h"
#include "link/frame_stream.h"

namespace apollo {
namespace {

using Message = internal::v1::LinkMessage;

absl::Status FromGrpc(const grpc::Status& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

// Passes events on, once the peer has proven to be the worker that its first
// frame describes.
class ProofHandler final : public FrameHandler {
 public:
  // `check` returns the error that the peer deserves; `refuse` ends the link.
  // Neither is called after OnClosed.
  ProofHandler(std::shared_ptr<FrameHandler> next,
               std::function<absl::Status(const WorkerInfo&)> check,
               std::function<void(absl::Status)> refuse)
      : next_(std::move(next)),
        check_(std::move(check)),
        refuse_(std::move(refuse)) {}

  void OnFrame(Frame frame) override {
    if (refused_) return;
    const WorkerInfo* info = std::get_if<WorkerInfo>(&frame.body);
    if (!proven_ && info != nullptr) {
      const absl::Status status = check_(*info);
      if (!status.ok()) {
        refused_ = true;
        refuse_(status);
        return;
      }
    }
    proven_ = true;  // A first frame without a name is refused elsewhere.
    next_->OnFrame(std::move(frame));
  }
  void OnPiece() override {
    if (proven_) next_->OnPiece();
  }
  void OnWritable() override { next_->OnWritable(); }
  void OnClosed(absl::Status status) override {
    next_->OnClosed(std::move(status));
  }

 private:
  const std::shared_ptr<FrameHandler> next_;
  const std::function<absl::Status(const WorkerInfo&)> check_;
  const std::function<void(absl::Status)> refuse_;
  bool proven_ = false;
  bool refused_ = false;
};

// Checks a worker against the certificate of a connection.
absl::Status Check(const WorkerProof& proof,
                   const std::shared_ptr<const grpc::AuthContext>& connection,
                   const WorkerInfo& worker) {
  if (connection != nullptr) return proof(*connection, worker);
  return absl::PermissionDeniedError("the peer has proven no name");
}

// The end that dialled. Keeps itself alive until gRPC has finished with it.
class ClientLink final : public Link,
                         public grpc::ClientBidiReactor<Message, Message>,
                         public std::enable_shared_from_this<ClientLink> {
 public:
  ClientLink(std::shared_ptr<grpc::Channel> channel,
             std::shared_ptr<FrameHandler> handler, const LinkLimits& limits,
             const WorkerProof& proof)
      : stub_(internal::v1::LinkService::NewStub(std::move(channel))),
        stream_([this](const Message* m) { StartWrite(m); },
                [this] { StartRead(&incoming_); }, limits) {
    if (proof != nullptr) {
      handler = std::make_shared<ProofHandler>(
          std::move(handler),
          [this, proof](const WorkerInfo& worker) {
            return Check(proof, context_.auth_context(), worker);
          },
          [this](absl::Status status) { End(std::move(status)); });
    }
    stream_.SetHandler(std::move(handler));
  }

  void Start() {
    self_ = shared_from_this();
    stub_->async()->Connect(&context_, this);
    StartRead(&incoming_);
    AddHold();  // Any thread may start writes until reading has ended.
    StartCall();
  }

  void Send(Frame frame) override {
    const absl::Status status = stream_.Send(frame);
    if (!status.ok()) End(status);
  }

  bool HasRoom() override { return stream_.HasRoom(); }

  void Close() override { End(absl::OkStatus()); }

  void OnReadDone(bool ok) override {
    if (ok) {
      const absl::Status status = stream_.Received(incoming_);
      if (status.ok()) {
        if (stream_.MayRead()) StartRead(&incoming_);
        return;
      }
      stream_.Stop(status);
      context_.TryCancel();
    }
    // The reason why a connection broke is known only in OnDone.
    stream_.StopWriting();
    RemoveHold();
  }

  void OnWriteDone(bool ok) override {
    stream_.WriteDone(ok);
    if (ok) return;
    stream_.StopWriting();
    // Otherwise a read tells the end.
    if (!stream_.StopReading()) return;
    stream_.Stop(absl::UnavailableError(
        "a write failed: the peer ended the link, or the connection broke"));
    // gRPC withholds the status of a call while messages wait to be read.
    context_.TryCancel();
    RemoveHold();
  }

  void OnDone(const grpc::Status& status) override {
    stream_.Stop(status.ok() ? absl::UnavailableError("the peer ended the link")
                             : FromGrpc(status));
    stream_.Closed();
    self_.reset();  // May delete this.
  }

 private:
  void End(absl::Status reason) {
    stream_.Stop(std::move(reason));
    context_.TryCancel();
    // If reading is held up, no read will tell the end of the call.
    if (stream_.StopReading()) RemoveHold();
  }

  std::unique_ptr<internal::v1::LinkService::Stub> stub_;
  grpc::ClientContext context_;
  Message incoming_;
  FrameStream stream_;
  std::shared_ptr<ClientLink> self_;
};

// The end that accepted.
class ServerReactor;

class ServerLink final : public Link {
 public:
  explicit ServerLink(ServerReactor* reactor) : reactor_(reactor) {}
  void Send(Frame frame) override;
  bool HasRoom() override;
  void Close() override;
  void Detach() {
    MutexLock lock(mutex_);
    reactor_ = nullptr;
  }

 private:
  Mutex mutex_;
  ServerReactor* reactor_ ABSL_GUARDED_BY(mutex_);
};

class ServerReactor final : public grpc::ServerBidiReactor<Message, Message> {
 public:
  ServerReactor(LinkAcceptor& acceptor, const LinkLimits& limits,
                const WorkerProof& proof, grpc::CallbackServerContext* context)
      : context_(context),
        link_(std::make_shared<ServerLink>(this)),
        stream_([this](const Message* m) { StartWrite(m); },
                [this] { StartRead(&incoming_); }, limits) {
    std::shared_ptr<FrameHandler> handler = acceptor.OnAccept(link_);
    if (handler == nullptr) {
      End(absl::OkStatus(),
          grpc::Status(grpc::StatusCode::UNAVAILABLE,
                       "this worker does not accept links at the moment"));
      return;
    }
    if (proof != nullptr) {
      handler = std::make_shared<ProofHandler>(
          std::move(handler),
          [this, proof](const WorkerInfo& worker) {
            return Check(proof, context_->auth_context(), worker);
          },
          [this](absl::Status status) { Close(std::move(status)); });
    }
    stream_.SetHandler(std::move(handler));
    StartRead(&incoming_);
  }

  FrameStream& stream() { return stream_; }

  // OnCancel or a failing read follows.
  void Close(absl::Status reason) {
    stream_.Stop(std::move(reason));
    context_->TryCancel();
  }

  void OnCancel() override {
    // Otherwise the current or the next read fails.
    if (stream_.StopReading()) {
      End(absl::UnavailableError("the peer ended the link"), grpc::Status::OK);
    }
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      const absl::Status status = stream_.Received(incoming_);
      if (status.ok()) {
        if (stream_.MayRead()) StartRead(&incoming_);
        return;
      }
      End(status, grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                               std::string(status.message())));
      return;
    }
    End(absl::UnavailableError("the peer ended the link"), grpc::Status::OK);
  }

  void OnWriteDone(bool ok) override {
    if (stream_.WriteDone(ok)) {
      bool finish = false;
      {
        MutexLock lock(mutex_);
        finish = ending_;
      }
      // A write may have begun since; then its end comes here again.
      if (finish && stream_.StopWriting()) FinishOnce(final_status_);
    }
  }

  void OnDone() override {
    link_->Detach();
    stream_.Stop(absl::UnavailableError("the link ended"));
    stream_.Closed();
    delete this;
  }

 private:
  // Finishes now, or after the current write.
  void End(absl::Status reason, grpc::Status status) {
    {
      MutexLock lock(mutex_);
      if (!ending_) final_status_ = status;
      ending_ = true;
    }
    if (stream_.Stop(std::move(reason))) FinishOnce(status);
  }

  void FinishOnce(const grpc::Status& status) {
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      finished_ = true;
    }
    Finish(status);
  }

  grpc::CallbackServerContext* const context_;
  const std::shared_ptr<ServerLink> link_;
  FrameStream stream_;
  Message incoming_;
  Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status final_status_;  // Set before ending_.
};

void ServerLink::Send(Frame frame) {
  MutexLock lock(mutex_);
  if (reactor_ == nullptr) return;
  const absl::Status status = reactor_->stream().Send(frame);
  if (!status.ok()) reactor_->Close(status);
}

bool ServerLink::HasRoom() {
  MutexLock lock(mutex_);
  return reactor_ == nullptr || reactor_->stream().HasRoom();
}

void ServerLink::Close() {
  MutexLock lock(mutex_);
  if (reactor_ != nullptr) reactor_->Close(absl::OkStatus());
}

}  // namespace

Dialer MakeGrpcDialer(ChannelFactory channels, LinkLimits limits,
                      WorkerProof proof) {
  return [channels = std::move(channels), limits, proof = std::move(proof)](
             const std::string& address,
             std::shared_ptr<FrameHandler> handler) -> std::shared_ptr<Link> {
    auto link = std::make_shared<ClientLink>(channels(address),
                                             std::move(handler), limits, proof);
    link->Start();
    return link;
  };
}

grpc::ServerBidiReactor<Message, Message>* GrpcLinkService::Connect(
    grpc::CallbackServerContext* context) {
  return new ServerReactor(acceptor_, limits_, proof_, context);
}

}  // namespace apollo
