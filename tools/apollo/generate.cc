#include "tools/apollo/generate.h"

#include <absl/strings/str_cat.h>

#include <map>
#include <memory>
#include <ostream>

#include "tools/apollo/render.h"
#include "tools/apollo/utf8.h"

namespace apollo::client {
namespace {

// Prints the events of an answer for people.
class Printer {
 public:
  explicit Printer(Session& session) : session_(session) {}

  void Print(const v1::GenerateResponse& response) {
    switch (response.event_case()) {
      case v1::GenerateResponse::kStarted:
        Note(StartedLine(response.started()));
        break;
      case v1::GenerateResponse::kPromptLogprobs:
        session_.err << Dim(LogprobLines(response.prompt_logprobs()),
                            session_.err_is_terminal)
                     << std::flush;
        break;
      case v1::GenerateResponse::kDelta:
        PrintDelta(response.delta());
        break;
      case v1::GenerateResponse::kFinished:
        notes_[response.finished().choice()] +=
            FinishedLine(response.finished());
        break;
      case v1::GenerateResponse::EVENT_NOT_SET:
        break;  // An event of a later API version.
    }
  }

  // Prints the held-back text at the end of the stream.
  void Close() {
    EndLine();
    for (const auto& [choice, text] : texts_) {
      session_.out << "--- choice " << choice << " ---\n";
      Write(text);
      EndLine();
    }
    session_.out << std::flush;
    for (const auto& [choice, note] : notes_) {
      if (note.empty()) continue;
      Note(notes_.size() > 1 ? absl::StrCat("choice ", choice, ": ", note)
                             : note);
    }
  }

 private:
  void PrintDelta(const v1::GenerateDelta& delta) {
    if (const std::string lines = LogprobLines(delta); !lines.empty()) {
      // Precedes the summary, which has no line feed at its end.
      absl::StrAppend(&notes_[delta.choice()], lines);
    }
    if (delta.choice() != 0) {
      texts_[delta.choice()] += delta.text();
    } else if (!delta.text().empty()) {
      Write(delta.text());
      session_.out << std::flush;
    }
  }

  void Write(const std::string& text) {
    if (text.empty()) return;
    session_.out << (session_.out_is_terminal ? ForTerminal(text) : text);
    line_is_open_ = text.back() != '\n';
  }

  void EndLine() {
    if (line_is_open_) session_.out << '\n';
    line_is_open_ = false;
  }

  void Note(const std::string& text) {
    session_.err << Dim(text, session_.err_is_terminal) << std::endl;
  }

  Session& session_;
  bool line_is_open_ = false;
  std::map<std::uint32_t, std::string> texts_;  // Of choices other than 0.
  std::map<std::uint32_t, std::string> notes_;  // By choice.
};

}  // namespace

Answer Generate(Session& session, const v1::GenerateRequest& request) {
  Answer answer;
  grpc::ClientContext context;
  SetDeadline(session.options, context);
  Interrupt::Scope scope(session.interrupt, context);
  std::unique_ptr<grpc::ClientReaderInterface<v1::GenerateResponse>> reader =
      session.service.Generate(&context, request);

  Printer printer(session);
  v1::GenerateResponse response;
  while (reader->Read(&response)) {
    if (response.has_delta() && response.delta().choice() == 0) {
      answer.text += response.delta().text();
    }
    if (session.options.json) {
      session.out << JsonLine(response) << std::endl;
    } else {
      printer.Print(response);
    }
    if (!session.out) context.TryCancel();  // For example, a closed pipe.
  }
  answer.status = reader->Finish();
  if (!session.options.json) printer.Close();
  return answer;
}

}  // namespace apollo::client
