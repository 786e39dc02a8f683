#include "tools/apollo/generate.h"

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "clients/cpp/answer_record.h"
#include "clients/cpp/sent_by_router.h"
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

// The longest time that a user waits without being told why.
constexpr std::chrono::seconds kLongestPause{10};

// Returns the time that the server wants to pass before the call is repeated;
// nullopt if it should not be.
std::optional<std::chrono::milliseconds> PauseBeforeRetry(
    const grpc::Status& status, const grpc::ClientContext& context) {
  const bool cut = status.error_code() == grpc::StatusCode::CANCELLED &&
                   !clients::SentByRouter(context);
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE && !cut) {
    return std::nullopt;
  }
  std::chrono::milliseconds pause =
      RetryDelay(status).value_or(std::chrono::milliseconds(0));
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto it = trailers.find("grpc-retry-pushback-ms");
  if (it != trailers.end()) {
    std::int64_t milliseconds = 0;
    // As gRPC does: what is no number forbids a retry.
    if (!absl::SimpleAtoi(
            absl::string_view(it->second.data(), it->second.size()),
            &milliseconds) ||
        milliseconds < 0) {
      return std::nullopt;
    }
    pause = std::chrono::milliseconds(milliseconds);
  }
  if (pause > kLongestPause) return std::nullopt;
  return pause;
}

using Router = v1::InferenceService::StubInterface;

// An answer, over all streams that it takes.
class Run {
 public:
  // With `resume`, each stream continues the one before.
  Run(Session& session, const v1::GenerateRequest& request, bool resume)
      : session_(session), request_(request), printer_(session) {
    if (resume) record_.emplace(request);
  }

  // Makes the call once. Returns the time before it may be repeated, if it may.
  std::optional<std::chrono::milliseconds> Attempt(Router& router,
                                                   const Deadline& deadline) {
    grpc::ClientContext context;
    if (deadline) context.set_deadline(*deadline);
    Interrupt::Scope scope(session_.interrupt, context);
    std::unique_ptr<grpc::ClientReaderInterface<v1::GenerateResponse>> reader =
        router.Generate(&context, record_ ? record_->NextRequest() : request_);
    brought_news_ = false;
    absl::Status wrong;
    v1::GenerateResponse response;
    while (reader->Read(&response)) {
      const absl::StatusOr<bool> news =
          record_ ? record_->Take(&response) : absl::StatusOr<bool>(true);
      if (!news.ok()) {
        wrong = news.status();
        context.TryCancel();
        continue;
      }
      if (*news) Take(response);
      if (!session_.out) context.TryCancel();  // For example, a closed pipe.
    }
    grpc::Status status = reader->Finish();
    if (!wrong.ok()) {
      status = grpc::Status(grpc::StatusCode::DATA_LOSS,
                            std::string(wrong.message()));
    }
    answer_.failure = MakeFailure(status, context, request_.request_id());
    if (brought_news_ && !record_) return std::nullopt;
    if (!session_.out) return std::nullopt;  // Cancelled here.
    return PauseBeforeRetry(status, context);
  }

  // Returns true if the last attempt brought events that are new.
  bool brought_news() const { return brought_news_; }

  // Ends the output.
  Answer Close() {
    if (!session_.options.json) printer_.Close();
    return std::move(answer_);
  }
  void SetFailure(const grpc::Status& status) {
    answer_.failure.status = status;
  }

 private:
  void Take(const v1::GenerateResponse& response) {
    brought_news_ = true;
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
  const v1::GenerateRequest& request_;
  Printer printer_;
  std::optional<clients::AnswerRecord> record_;
  Answer answer_;
  bool brought_news_ = false;
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
  Run run(session, request, /*resume=*/routers.size() > 1);
  std::size_t failures = 0;  // In a row, without news.
  for (std::size_t attempt = 0;; ++attempt) {
    const auto pause =
        run.Attempt(*routers[attempt % routers.size()], deadline);
    failures = run.brought_news() ? 1 : failures + 1;
    if (!pause || failures > routers.size() ||
        (deadline && std::chrono::system_clock::now() + *pause >= *deadline)) {
      return run.Close();
    }
    if (session.options.verbose) {
      session.err << "not available; trying again in " << pause->count()
                  << " ms" << std::endl;
    }
    if (!session.interrupt.Pause(*pause)) {
      run.SetFailure(
          grpc::Status(grpc::StatusCode::CANCELLED, "cancelled by the user"));
      return run.Close();
    }
  }
}

}  // namespace apollo::client
