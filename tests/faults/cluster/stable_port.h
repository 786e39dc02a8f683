#pragma once

namespace apollo {

// Returns a port of 127.0.0.1 that is free and that nobody gets by asking for
// any port: it is outside the range from which the system gives ports to
// programs and connections, so that it stays free while its process is
// replaced. Returns each port once, and 0, any port, if it finds none.
// Single-threaded.
int StablePort();

}  // namespace apollo
