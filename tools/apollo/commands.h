#pragma once

#include "tools/apollo/session.h"

namespace apollo::client {

// Runs the command selected by the options. Returns the exit code (see
// parse.h).
int RunCommand(Session& session);

// The individual commands, called by RunCommand.
int RunAsk(Session& session);
int RunChat(Session& session);
int RunScore(Session& session);
int RunDetect(Session& session);
int RunTokenize(Session& session);
int RunModel(Session& session);
int RunRouting(Session& session);
int RunStatus(Session& session);
int RunTop(Session& session);
int RunPlacement(Session& session);
int RunHealth(Session& session);
int RunAdmin(Session& session);

}  // namespace apollo::client
