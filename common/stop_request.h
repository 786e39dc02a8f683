#pragma once

namespace apollo {

// Blocks SIGTERM and SIGINT, which then wait until somebody looks for them, and
// ignores SIGPIPE. Call it before any thread starts.
void BlockStopSignals();

// Returns true if SIGTERM or SIGINT has come since, without waiting, so that
// long work before serving can stop. Any thread.
bool StopRequested();

// Returns true if one has come, like StopRequested, and takes it, so that the
// next one is noticed, too. Any thread.
bool TakeStopRequest();

}  // namespace apollo
