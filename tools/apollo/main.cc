// The command-line client. See `apollo --help`.

#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tools/apollo/channel.h"
#include "tools/apollo/commands.h"
#include "tools/apollo/conversation.h"
#include "tools/apollo/interrupt.h"
#include "tools/apollo/line_editor.h"
#include "tools/apollo/parse.h"

int main(int argc, char** argv) {
  using namespace apollo::client;  // NOLINT

  const Parsed parsed =
      ParseCommandLine(std::vector<std::string>(argv, argv + argc));
  if (parsed.done) {
    (parsed.exit_code == kOk ? std::cout : std::cerr) << parsed.message;
    return parsed.exit_code;
  }

  static Interrupt interrupt;
  CancelOnSigint(interrupt);
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> made =
      MakeChannel(parsed.options);
  if (!made.ok()) {
    std::cerr << "apollo: " << made.status().message() << "\n";
    return kUsage;
  }
  const std::shared_ptr<grpc::Channel>& channel = *made;
  const auto service = apollo::v1::InferenceService::NewStub(channel);
  const auto health = grpc::health::v1::Health::NewStub(channel);
  std::unique_ptr<LineEditor> editor;
  if (parsed.options.command == Command::kChat && isatty(STDIN_FILENO) == 1 &&
      isatty(STDERR_FILENO) == 1) {
    editor = LineEditor::Make(stdin, stderr, ChatCommands());
  }
  Session session{.options = parsed.options,
                  .service = *service,
                  .health = *health,
                  .interrupt = interrupt,
                  .editor = editor.get(),
                  .in = std::cin,
                  .out = std::cout,
                  .err = std::cerr,
                  .in_is_terminal = isatty(STDIN_FILENO) == 1,
                  .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                  .err_is_terminal = isatty(STDERR_FILENO) == 1};
  return RunCommand(session);
}
