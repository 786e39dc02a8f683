#include "link/worker_info_codec.h"

#include <algorithm>
#include <cstdint>

namespace apollo {
namespace {

namespace pb = internal::v1;

void ToProto(const LayerExperts& in,
             google::protobuf::RepeatedField<std::uint32_t>* everywhere,
             google::protobuf::RepeatedPtrField<pb::LayerExperts>* in_layer) {
  everywhere->Add(in.everywhere.begin(), in.everywhere.end());
  for (const auto& [layer, experts] : in.in_layer) {
    pb::LayerExperts* out = in_layer->Add();
    out->set_layer(layer);
    out->mutable_experts()->Add(experts.begin(), experts.end());
  }
}

LayerExperts ExpertsFrom(
    const google::protobuf::RepeatedField<std::uint32_t>& everywhere,
    const google::protobuf::RepeatedPtrField<pb::LayerExperts>& in_layer) {
  LayerExperts out;
  out.everywhere = {everywhere.begin(), everywhere.end()};
  for (const pb::LayerExperts& in : in_layer) {
    out.in_layer[static_cast<int>(in.layer())] = {in.experts().begin(),
                                                  in.experts().end()};
  }
  return out;
}

void ToProto(const PlacementReport& in, pb::PlacementReport* out) {
  for (const PlacedExpert& placed : in.experts) {
    pb::PlacedExpert* expert = out->add_experts();
    expert->set_layer(placed.layer);
    expert->set_expert(placed.expert);
    expert->set_hold(static_cast<pb::PlacedExpert::Hold>(placed.hold));
    expert->set_since(placed.since);
    expert->set_own_rows(placed.own_rows);
    expert->set_absent_rows(placed.absent_rows);
    expert->set_guest_rows(placed.guest_rows);
    expert->set_recent_rows(placed.recent_rows);
  }
  out->set_last_move(in.last_move);
  out->set_last_move_at(in.last_move_at);
  out->set_moves(in.moves);
  out->set_most_resident(in.most_resident);
  out->set_ranks_by_expert(in.ranks_by_expert);
  out->set_takes_orphans(in.takes_orphans);
  out->set_loads_fail(in.loads_fail);
}

// Unknown values of newer workers count as held by a flag.
ExpertHold HoldFrom(pb::PlacedExpert::Hold hold) {
  switch (hold) {
    case pb::PlacedExpert::ABSENT:
    case pb::PlacedExpert::FILE:
    case pb::PlacedExpert::AUTO:
    case pb::PlacedExpert::STANDBY:
      return static_cast<ExpertHold>(hold);
    default:
      return ExpertHold::kFlag;
  }
}

PlacementReport FromProto(const pb::PlacementReport& in) {
  PlacementReport out;
  for (const pb::PlacedExpert& placed : in.experts()) {
    out.experts.push_back(
        {static_cast<int>(placed.layer()), static_cast<int>(placed.expert()),
         HoldFrom(placed.hold()), static_cast<std::int64_t>(placed.since()),
         static_cast<std::int64_t>(placed.own_rows()),
         static_cast<std::int64_t>(placed.absent_rows()),
         static_cast<std::int64_t>(placed.guest_rows()),
         static_cast<std::int64_t>(placed.recent_rows())});
  }
  out.last_move = in.last_move();
  out.last_move_at = static_cast<std::int64_t>(in.last_move_at());
  out.moves = in.moves();
  // The policy adds to it and subtracts from it.
  out.most_resident =
      static_cast<int>(std::min<std::uint32_t>(in.most_resident(), 1u << 30));
  out.ranks_by_expert = in.ranks_by_expert();
  out.takes_orphans = in.takes_orphans();
  out.loads_fail = in.loads_fail();
  return out;
}

}  // namespace

void ToProto(const WorkerInfo& in, pb::WorkerInfo* out) {
  out->set_role(in.role == WorkerRole::kDense ? pb::WorkerInfo::DENSE
                                              : pb::WorkerInfo::EXPERT);
  out->set_name(in.name);
  out->set_model_hash(in.model_hash);
  out->set_version(in.version);
  ToProto(in.resident, out->mutable_experts(), out->mutable_layer_experts());
  out->set_cache_tokens(in.cache_tokens);
  out->set_instance(in.instance);
  out->set_wire_version(in.wire_version);
  out->set_oldest_wire_version(in.oldest_wire_version);
  out->set_numerics(in.numerics);
  out->set_config_hash(in.config_hash);
  out->set_tokenizer_hash(in.tokenizer_hash);
  ToProto(in.reaches, out->mutable_reaches(), out->mutable_layer_reaches());
  out->set_running_sequences(in.running_sequences);
  out->set_queued_rows(in.queued_rows);
  out->set_draining(in.draining);
  out->set_hand_over(in.hand_over);
  out->set_ready(in.ready);
  out->set_revision(in.revision);
  out->set_sequence_options(in.sequence_options);
  out->set_takes_parts(in.takes_parts);
  out->set_cache_tokens_used(in.cache_tokens_used);
  out->set_rows_computed(in.rows_computed);
  out->set_certificate_expires(in.certificate_expires);
  out->set_keeps_placement(in.keeps_placement);
  out->set_keeps_prefixes(in.keeps_prefixes);
  out->set_same_placement(in.same_placement);
  if (in.placement != PlacementReport{}) {
    ToProto(in.placement, out->mutable_placement());
  }
  if (in.device_transport != DeviceTransport{}) {
    pb::DeviceTransport* transport = out->mutable_device_transport();
    transport->set_nccl_version(in.device_transport.nccl_version);
    transport->set_host(in.device_transport.host);
    transport->set_device(in.device_transport.device);
    transport->set_across_hosts(in.device_transport.across_hosts);
  }
}

WorkerInfo FromProto(const pb::WorkerInfo& in) {
  WorkerInfo out;
  out.role = in.role() == pb::WorkerInfo::EXPERT ? WorkerRole::kExpert
                                                 : WorkerRole::kDense;
  out.name = in.name();
  out.model_hash = in.model_hash();
  out.version = in.version();
  out.resident = ExpertsFrom(in.experts(), in.layer_experts());
  out.cache_tokens = static_cast<std::int64_t>(in.cache_tokens());
  out.instance = in.instance();
  out.wire_version = static_cast<int>(in.wire_version());
  out.oldest_wire_version = static_cast<int>(in.oldest_wire_version());
  out.numerics = in.numerics();
  out.config_hash = in.config_hash();
  out.tokenizer_hash = in.tokenizer_hash();
  out.reaches = ExpertsFrom(in.reaches(), in.layer_reaches());
  out.running_sequences = static_cast<int>(in.running_sequences());
  out.queued_rows = static_cast<int>(in.queued_rows());
  out.draining = in.draining();
  out.hand_over = in.hand_over();
  out.ready = in.ready();
  out.revision = in.revision();
  out.sequence_options = static_cast<int>(in.sequence_options());
  out.takes_parts = in.takes_parts();
  out.cache_tokens_used = static_cast<std::int64_t>(in.cache_tokens_used());
  out.rows_computed = static_cast<std::int64_t>(in.rows_computed());
  out.certificate_expires = static_cast<std::int64_t>(in.certificate_expires());
  out.placement = FromProto(in.placement());
  out.keeps_placement = in.keeps_placement();
  out.keeps_prefixes = in.keeps_prefixes();
  out.same_placement = in.same_placement();
  const pb::DeviceTransport& transport = in.device_transport();
  out.device_transport = {static_cast<int>(transport.nccl_version()),
                          transport.host(), transport.device(),
                          transport.across_hosts()};
  return out;
}

}  // namespace apollo
