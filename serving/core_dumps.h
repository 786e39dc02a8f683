#pragma once

namespace apollo {

// Keeps the memory of this process, in which text and tokens of patients are,
// out of files: no core dump is written (RLIMIT_CORE is 1), and a program that
// the kernel hands dumps to in spite of that gets no memory
// (/proc/self/coredump_filter is 0). Child processes inherit both. Call before
// starting threads. Returns false if one of them could not be set.
bool ForbidCoreDumps();

// Stops gRPC from writing what it sends and receives to standard error: removes
// GRPC_TRACE from the environment. Returns true if it was set. Call before the
// first use of gRPC and before starting threads.
bool ForbidGrpcTraces();

}  // namespace apollo
