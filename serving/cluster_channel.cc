#include "serving/cluster_channel.h"

#include <utility>

namespace apollo {
namespace {

std::shared_ptr<grpc::Channel> MakeChannel(
    const std::string& address,
    const std::shared_ptr<grpc::ChannelCredentials>& credentials,
    int max_message_bytes = kMaxClusterMessageBytes) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 2000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Also the maximum time for connecting.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A name of a list may get another address at any time.
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
  // Each link has its own connection, so that one that breaks does not affect
  // others.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(max_message_bytes);
  std::shared_ptr<grpc::Channel> channel =
      grpc::CreateCustomChannel(address, credentials, arguments);
  // All channels share one completion queue. The last channel shuts it down and
  // joins its threads. A call may destroy its channel in such a thread, which
  // would join itself and continue with freed memory. So one channel is never
  // destroyed. Volatile, because otherwise the compiler drops a pointer that is
  // never read and leaves a leak.
  [[maybe_unused]] static const std::shared_ptr<
      grpc::Channel>* const volatile kept =
      new std::shared_ptr<grpc::Channel>(channel);
  return channel;
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeClusterChannel(const std::string& address) {
  return MakeChannel(address, grpc::InsecureChannelCredentials());
}

ClusterChannels ChannelsTo(PeerRole role, std::shared_ptr<Tls> tls) {
  const int most = role == PeerRole::kDenseWorker ? kMaxDenseMessageBytes
                                                  : kMaxClusterMessageBytes;
  return [role, most, tls = std::move(tls)](const std::string& address) {
    return MakeChannel(address,
                       tls == nullptr ? grpc::InsecureChannelCredentials()
                                      : tls->ForChannels(role),
                       most);
  };
}

}  // namespace apollo
