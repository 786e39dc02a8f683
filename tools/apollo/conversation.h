#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/apollo/v1/inference.pb.h"
#include "tools/apollo/generate.h"
#include "tools/apollo/options.h"
#include "tools/apollo/session.h"

namespace apollo::client {

// A chat: its messages so far, the settings that the user can change, and the
// sums for /stats. Single-threaded.
class Conversation {
 public:
  // The session must outlive the conversation.
  explicit Conversation(Session& session);

  // Sends a message with the conversation so far, and prints the answer.
  // Reports failures, and forgets the message then; an answer that the user has
  // stopped stays, as far as it came. Returns 0, or the exit code of the
  // failure.
  int Say(const std::string& text);

  // Runs a command of the user: a line that begins with "/". Prints to `err`,
  // but for the answer of /retry. Returns false if the user wants to end.
  bool Run(const std::string& line);

  // Forgets all messages; keeps the settings.
  void Reset();

 private:
  struct Sums {
    int answers = 0;
    std::uint64_t prompt_tokens = 0, cached_tokens = 0, generated_tokens = 0;
    double seconds = 0;
  };

  // The commands; `text` is what follows the name.
  void Help();
  void Retry();
  void SetSystem(const std::string& text);
  void SetLanguage(const std::string& text);
  void SetRouting(const std::string& text);
  void PrintStats();
  void Unknown(const std::string& name);

  void Count(const Answer& answer);
  void Tell(const std::string& text);

  Session& session_;
  Options options_;  // Those of the session, with the user's changes.
  v1::Chat chat_;
  std::string last_message_;  // Of the user; empty: none.
  bool last_stays_ = false;   // It and its answer are in the chat.
  Answer last_answer_;
  Sums sums_;
};

// Returns the names of all commands, each with its "/".
std::vector<std::string> ChatCommands();

}  // namespace apollo::client
