// The command-line client. See `apollo --help`.

#include <absl/strings/str_split.h>
#include <absl/strings/string_view.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tools/apollo/channel.h"
#include "tools/apollo/commands.h"
#include "tools/apollo/conversation.h"
#include "tools/apollo/curses_screen.h"
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

  // The default of older versions of gRPC; newer ones would also print what is
  // no error.
  setenv("GRPC_VERBOSITY", "ERROR", /*overwrite=*/0);
  static Interrupt interrupt;
  CancelOnSigint(interrupt);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (const absl::string_view server :
       absl::StrSplit(parsed.options.server, ',')) {
    Options one = parsed.options;
    one.server = std::string(server);
    auto channel = MakeChannel(one);
    if (!channel.ok()) {
      std::cerr << "apollo: " << channel.status().message() << "\n";
      return kUsage;
    }
    channels.push_back(*std::move(channel));
  }
  const auto service = apollo::v1::InferenceService::NewStub(channels[0]);
  const auto health = grpc::health::v1::Health::NewStub(channels[0]);
  std::vector<std::unique_ptr<apollo::v1::InferenceService::Stub>> others;
  std::vector<apollo::v1::InferenceService::StubInterface*> other_services;
  for (std::size_t i = 1; i < channels.size(); ++i) {
    others.push_back(apollo::v1::InferenceService::NewStub(channels[i]));
    other_services.push_back(others.back().get());
  }
  std::unique_ptr<LineEditor> editor;
  if (parsed.options.command == Command::kChat && isatty(STDIN_FILENO) == 1 &&
      isatty(STDERR_FILENO) == 1) {
    editor = LineEditor::Make(stdin, stderr, ChatCommands());
  }
  std::unique_ptr<CursesScreen> screen;
  if (parsed.options.command == Command::kTop && !parsed.options.once &&
      !parsed.options.json && isatty(STDIN_FILENO) == 1 &&
      isatty(STDOUT_FILENO) == 1) {
    screen = CursesScreen::Make();
  }
  Session session{.options = parsed.options,
                  .service = *service,
                  .health = *health,
                  .interrupt = interrupt,
                  .editor = editor.get(),
                  .screen = screen.get(),
                  .other_services = other_services,
                  .in = std::cin,
                  .out = std::cout,
                  .err = std::cerr,
                  .in_is_terminal = isatty(STDIN_FILENO) == 1,
                  .out_is_terminal = isatty(STDOUT_FILENO) == 1,
                  .err_is_terminal = isatty(STDERR_FILENO) == 1};
  return RunCommand(session);
}
