#include <istream>
#include <ostream>
#include <string>

#include "tools/apollo/commands.h"
#include "tools/apollo/generate.h"
#include "tools/apollo/parse.h"
#include "tools/apollo/requests.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

v1::Chat NewChat(const Options& options) {
  v1::Chat chat;
  if (!options.system.empty()) {
    AddMessage(chat, v1::ROLE_SYSTEM, options.system);
  }
  return chat;
}

// Reads the next nonblank line. Returns false at the end of the input.
bool ReadLine(Session& session, std::string& line) {
  do {
    if (session.in_is_terminal) session.err << "> " << std::flush;
    if (!std::getline(session.in, line)) return false;
    if (!line.empty() && line.back() == '\r') line.pop_back();
  } while (line.find_first_not_of(" \t") == std::string::npos);
  return true;
}

}  // namespace

// At a terminal, the user may continue after a failed message. For input from a
// pipe or a file, the first failure ends the run.
int RunChat(Session& session) {
  v1::Chat chat = NewChat(session.options);
  if (session.in_is_terminal) {
    session.err
        << "/reset forgets the conversation, /quit ends, Ctrl-C stops an "
           "answer.\n";
  }
  std::string line;
  while (ReadLine(session, line)) {
    if (line == "/quit") break;
    if (line == "/reset") {
      chat = NewChat(session.options);
      continue;
    }
    if (std::size_t at = FirstInvalidUtf8(line); at != kAllValid) {
      session.err << "apollo: the message is not valid UTF-8 (at byte " << at
                  << ")" << std::endl;
      if (!session.in_is_terminal) return kUsage;
      continue;
    }

    AddMessage(chat, v1::ROLE_USER, line);
    v1::GenerateRequest request = GenerateRequestWithoutInput(session.options);
    *request.mutable_chat() = chat;
    const Answer answer = Generate(session, request);
    if (answer.status.ok()) {
      AddMessage(chat, v1::ROLE_ASSISTANT, answer.text);
    } else {
      const int code = ReportFailure(session, answer.status);
      if (!session.in_is_terminal) return code;
      chat.mutable_messages()->RemoveLast();
    }
    if (!session.out) return kFailed;
  }
  return kOk;
}

}  // namespace apollo::client
