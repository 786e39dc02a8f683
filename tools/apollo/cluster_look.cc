#include "tools/apollo/cluster_look.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tools/apollo/channel.h"
#include "tools/apollo/merged_status.h"
#include "tools/apollo/status_table.h"

namespace apollo::client {
namespace {

using Router = v1::InferenceService::StubInterface;

// A call of one router.
struct Question {
  using Reader =
      grpc::ClientAsyncResponseReaderInterface<v1::GetStatusResponse>;

  grpc::ClientContext context;
  std::unique_ptr<Reader> reader;
  v1::GetStatusResponse response;
  grpc::Status status;
};

struct Asked {
  RouterAnswer answer;
  std::optional<Failure> failure = std::nullopt;
};

Asked AnswerTo(Question& question, const std::string& server) {
  Asked asked{.answer = {.server = server}};
  const grpc::Status& status = question.status;
  if (status.ok()) {
    asked.answer.status = std::move(question.response);
    return asked;
  }
  asked.failure = MakeFailure(status, question.context);
  asked.answer.reason =
      absl::StrCat(CodeName(status.error_code()), ": ", status.error_message());
  return asked;
}

// Returns once all calls have ended.
std::deque<Question> AskAll(Session& session,
                            const std::vector<Router*>& routers) {
  std::deque<Question> questions(routers.size());
  std::vector<grpc::ClientContext*> contexts;
  const auto deadline = DeadlineOf(session.options);
  for (Question& question : questions) {
    if (deadline) question.context.set_deadline(*deadline);
    contexts.push_back(&question.context);
  }
  const Interrupt::Scope scope(session.interrupt, std::move(contexts));
  grpc::CompletionQueue ended;
  for (std::size_t i = 0; i < routers.size(); ++i) {
    Question& question = questions[i];
    question.reader =
        routers[i]->AsyncGetStatus(&question.context, WholeStatus(), &ended);
    question.reader->Finish(&question.response, &question.status, &question);
  }
  ended.Shutdown();
  void* question = nullptr;
  bool ok = false;
  while (ended.Next(&question, &ok)) {
  }
  return questions;
}

}  // namespace

v1::GetStatusRequest WholeStatus() {
  v1::GetStatusRequest request;
  request.set_max_response_bytes(kMaxResponseBytes);
  return request;
}

ClusterLook LookAtCluster(Session& session) {
  std::vector<Router*> routers = {&session.service};
  routers.insert(routers.end(), session.other_services.begin(),
                 session.other_services.end());
  const std::vector<std::string> servers =
      absl::StrSplit(session.options.server, ',');
  std::deque<Question> questions = AskAll(session, routers);
  ClusterLook look;
  if (session.interrupt.cancelled()) {
    look.failure = {.status = grpc::Status(grpc::StatusCode::CANCELLED,
                                           "cancelled by the user")};
    return look;
  }
  std::vector<RouterAnswer> answers;
  bool answered = false;
  look.all_ready = true;
  for (std::size_t i = 0; i < routers.size(); ++i) {
    Asked asked = AnswerTo(questions[i], i < servers.size() ? servers[i] : "");
    const std::optional<v1::GetStatusResponse>& status = asked.answer.status;
    answered = answered || status.has_value();
    look.all_ready = look.all_ready && status && AllReady(*status);
    answers.push_back(std::move(asked.answer));
    if (!look.failure) look.failure = std::move(asked.failure);
  }
  if (answered) look.failure.reset();
  look.status = MergedStatus(answers);
  return look;
}

}  // namespace apollo::client
