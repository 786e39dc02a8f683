#include "tests/e2e/generate.h"

#include <chrono>

namespace apollo {

Answer Generate(v1::InferenceService::Stub& stub,
                const v1::GenerateRequest& request) {
  Answer answer;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::minutes(2));
  const auto stream = stub.Generate(&context, request);
  v1::GenerateResponse response;
  while (stream->Read(&response)) {
    if (response.has_started()) {
      ++answer.started_events;
      answer.started = response.started();
    } else if (response.has_prompt_logprobs()) {
      v1::PromptLogprobs piece = response.prompt_logprobs();
      answer.contiguous &=
          answer.ids.empty() &&
          static_cast<int>(piece.index()) == answer.prompt.token_ids_size() + 1;
      if (answer.prompt.token_ids_size() > 0) piece.clear_index();
      answer.prompt.MergeFrom(piece);
    } else if (response.has_finished()) {
      ++answer.finished_events;
      answer.finished = response.finished();
    } else {
      const v1::GenerateDelta& delta = response.delta();
      answer.contiguous &= delta.index() == answer.ids.size();
      answer.text += delta.text();
      answer.ids.insert(answer.ids.end(), delta.token_ids().begin(),
                        delta.token_ids().end());
      for (const v1::TokenLogprobs& logprobs : delta.logprobs()) {
        answer.logprobs.push_back(logprobs.logprob());
        answer.alternatives.push_back(
            {logprobs.alternatives().begin(), logprobs.alternatives().end()});
      }
    }
  }
  answer.status = stream->Finish();
  return answer;
}

v1::GenerateRequest GreedyRequest(const std::string& prompt,
                                  int max_new_tokens) {
  v1::GenerateRequest request;
  request.set_prompt(prompt);
  request.set_max_new_tokens(max_new_tokens);
  request.set_logprobs(0);
  return request;
}

v1::GenerateRequest LongRequest(const std::string& prompt) {
  v1::GenerateRequest request = GreedyRequest(prompt, kLongTokens / 8);
  request.set_ignore_eos(true);
  request.set_logprobs(20);
  request.mutable_sampling()->set_choices(8);
  return request;
}

}  // namespace apollo
