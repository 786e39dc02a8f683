#include "tools/apollo/generate.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <absl/time/time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/answer_record.h"
#include "clients/cpp/attempts.h"
#include "clients/cpp/retry.h"
#include "tools/apollo/render.h"
#include "tools/apollo/request_id.h"
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

using Deadline = std::optional<std::chrono::system_clock::time_point>;

// A server that wants more is not waited for: its error tells the user when to
// try again.
constexpr absl::Duration kLongestWait = absl::Seconds(10);

using Router = v1::InferenceService::StubInterface;

// An answer, over all streams that it takes.
class Run {
 public:
  Run(Session& session, const v1::GenerateRequest& request)
      : session_(session),
        request_id_(request.request_id()),
        printer_(session),
        record_(request) {}

  // Makes the call once: it continues what is there. Returns whether it is to
  // be made again.
  clients::Retry Attempt(Router& router, const Deadline& deadline) {
    grpc::ClientContext context;
    if (deadline) context.set_deadline(*deadline);
    Interrupt::Scope scope(session_.interrupt, context);
    std::unique_ptr<grpc::ClientReaderInterface<v1::GenerateResponse>> reader =
        router.Generate(&context, record_.NextRequest());
    brought_news_ = false;
    absl::Status wrong;
    v1::GenerateResponse response;
    while (reader->Read(&response)) {
      if (!wrong.ok()) continue;
      const absl::StatusOr<bool> news = record_.Take(&response);
      if (news.ok() && *news) Take(response);
      wrong.Update(news.status());
      // Of the output, for example, a closed pipe.
      if (!wrong.ok() || !session_.out) context.TryCancel();
    }
    return Judge(reader->Finish(), wrong, context);
  }

  // Returns true if the last attempt brought events that are new.
  bool brought_news() const { return brought_news_; }
  // Returns true if any attempt has.
  bool begun() const { return begun_; }
  bool complete() const { return record_.complete(); }

  // Ends the output.
  Answer Close() {
    if (!session_.options.json) printer_.Close();
    return std::move(answer_);
  }
  void SetFailure(const grpc::Status& status) {
    answer_.failure.status = status;
  }

 private:
  // Notes how an attempt has ended. `wrong`: why an event was no part of the
  // answer.
  clients::Retry Judge(grpc::Status status, const absl::Status& wrong,
                       const grpc::ClientContext& context) {
    clients::Retry retry;
    if (record_.complete()) {
      status = grpc::Status::OK;
    } else if (!wrong.ok()) {
      status = grpc::Status(grpc::StatusCode::DATA_LOSS,
                            std::string(wrong.message()));
      retry.wanted = true;
    } else {
      retry = clients::JudgeStream(context, &status);
    }
    answer_.failure = MakeFailure(status, context, request_id_);
    if (!session_.out) return {};  // Cancelled here.
    return retry;
  }

  void Take(const v1::GenerateResponse& response) {
    brought_news_ = begun_ = true;
    if (response.has_started()) answer_.started = response.started();
    if (response.has_delta() && response.delta().choice() == 0) {
      answer_.text += response.delta().text();
    }
    if (response.has_finished() && response.finished().choice() == 0) {
      answer_.finished = response.finished();
    }
    if (session_.options.json) {
      session_.out << JsonLine(response) << std::endl;
    } else {
      printer_.Print(response);
    }
  }

  Session& session_;
  const std::string request_id_;
  Printer printer_;
  clients::AnswerRecord record_;
  Answer answer_;
  bool brought_news_ = false;
  bool begun_ = false;
};

}  // namespace

Answer Generate(Session& session, v1::GenerateRequest request) {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  if (session.options.verbose) {
    session.err << "request " << ForTerminal(request.request_id()) << " to "
                << session.options.server << std::endl;
  }
  const Deadline deadline = DeadlineOf(session.options);
  std::vector<Router*> routers = {&session.service};
  routers.insert(routers.end(), session.other_services.begin(),
                 session.other_services.end());
  // A server that cannot be reached is told soon; what has begun is worth more.
  const int before_start = static_cast<int>(routers.size()) + 1;
  const int afterwards = std::max(clients::kMaxAttempts, before_start);
  Run run(session, request);
  clients::Attempts attempts({.routers = routers.size()});
  for (;;) {
    const clients::Retry retry =
        run.Attempt(*routers[attempts.router()], deadline);
    if (run.complete()) return run.Close();
    if (run.brought_news()) attempts.Progressed();
    const auto pause =
        attempts.Next(retry, run.begun() ? afterwards : before_start);
    if (!pause || *pause > kLongestWait ||
        (deadline && absl::Now() + *pause >= absl::FromChrono(*deadline))) {
      return run.Close();
    }
    if (session.options.verbose) {
      session.err << "not available; trying again in "
                  << absl::ToInt64Milliseconds(*pause) << " ms" << std::endl;
    }
    if (!session.interrupt.Pause(absl::ToChronoMilliseconds(*pause))) {
      run.SetFailure(
          grpc::Status(grpc::StatusCode::CANCELLED, "cancelled by the user"));
      return run.Close();
    }
  }
}

}  // namespace apollo::client
