#include <memory>
#include <ostream>
#include <string>

#include "tools/apollo/commands.h"
#include "tools/apollo/conversation.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// Returns false, and says so, if the line cannot be sent.
bool IsUtf8(Session& session, const std::string& line) {
  const std::size_t at = FirstInvalidUtf8(line);
  if (at == kAllValid) return true;
  session.err << "apollo: the message is not valid UTF-8 (at byte " << at << ")"
              << std::endl;
  return false;
}

// Input from a pipe or a file: the first failure ends the run.
int ChatWithPipe(Session& session) {
  Conversation conversation(session);
  StreamLines lines(session.in, nullptr);
  std::string line;
  while (lines.Read(line) == LineReader::Result::kLine) {
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (line == "/quit") break;
    if (line == "/reset") {
      conversation.Reset();
      continue;
    }
    if (!IsUtf8(session, line)) return kUsage;
    if (const int code = conversation.Say(line); code != kOk) return code;
    if (!session.out) return kFailed;
  }
  return kOk;
}

// At a terminal, the user may continue after a failed message.
int ChatWithUser(Session& session) {
  Conversation conversation(session);
  StreamLines plain(session.in, &session.err);
  LineReader* lines = &plain;
  if (session.editor != nullptr) {
    lines = session.editor;
    session.interrupt.KeepRunning();
  }
  session.err << "/help lists the commands, Ctrl-C stops an answer, Ctrl-D "
                 "ends.\n";
  std::string line;
  while (session.out) {
    const LineReader::Result result = lines->Read(line);
    if (result == LineReader::Result::kEnd) return kOk;
    if (result == LineReader::Result::kDropped) continue;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (!IsUtf8(session, line)) continue;
    if (line.rfind("//", 0) == 0) {
      conversation.Say(line.substr(1));
    } else if (line[0] == '/') {
      if (!conversation.Run(line)) return kOk;
    } else {
      conversation.Say(line);
    }
  }
  return kFailed;
}

}  // namespace

int RunChat(Session& session) {
  return session.in_is_terminal ? ChatWithUser(session) : ChatWithPipe(session);
}

}  // namespace apollo::client
