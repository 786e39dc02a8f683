#pragma once

namespace apollo {

// The trailer of a call of Run that ended with an error of the dense worker
// itself. Its value is the name of a SequenceEnd (sequence/sequence_end.h):
// "answered", or "moved" if the worker gives the sequence up because it is
// about to stop. Without it, the error comes from gRPC, so the worker was lost,
// or from a worker of an older release. Metadata, because routers of older
// releases refuse events that they do not know.
inline constexpr char kRunEndTrailer[] = "apollo-run-end";

}  // namespace apollo
