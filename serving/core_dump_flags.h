#pragma once

namespace apollo {

// Reads --core_dumps, which every program has. Unless it is set, forbids core
// dumps and gRPC's traces (serving/core_dumps.h), and logs what it could not
// forbid. Call after absl::ParseCommandLine, before starting threads.
void ApplyCoreDumpFlags();

}  // namespace apollo
