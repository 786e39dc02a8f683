// Effects of a request's language, through the router's service: on `started`
// and on the request to the dense worker.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/language/detector.h"
#include "router/grpc/scripted_cluster.h"

namespace apollo {
namespace {

class FixedDetector : public LanguageDetector {
 public:
  FixedDetector(std::vector<LanguageGuess> guesses, double neutral)
      : detection_{std::move(guesses), neutral} {}
  Detection Detect(std::string_view) const override { return detection_; }

 private:
  const Detection detection_;
};

class LanguageChoiceTest : public ScriptedClusterTest {
 protected:
  LanguageChoiceTest() {
    backend_->Play([](ScriptedSequence& s) {
      s.Started();
      s.Finish(FinishCause::kEos);
    });
  }

  // Replaces the detector; must not be called during a call.
  void Detected(std::vector<LanguageGuess> guesses, double neutral = 0) {
    model_->detector =
        std::make_unique<FixedDetector>(std::move(guesses), neutral);
  }

  v1::GenerateStarted Start(const v1::GenerateRequest& request) {
    const Answer answer = Generate(request);
    EXPECT_TRUE(answer.status.ok()) << answer.status.error_message();
    if (answer.events.empty()) return {};
    EXPECT_TRUE(answer.events[0].has_started());
    return answer.events[0].started();
  }

  const GenerationRequest& Asked() {
    return backend_->sequences().back()->request;
  }

  // Expects a family below the threshold: no expert is forced or preferred, so
  // that the least busy worker serves it (dense_worker/expert_workers.h).
  void ExpectNoFamily(const v1::GenerateStarted& started) {
    EXPECT_EQ(started.routing(), v1::ROUTING_MODE_TOPK);
    EXPECT_EQ(started.family(), -1);
    EXPECT_EQ(started.family_name(), "");
    EXPECT_FALSE(Asked().hybrid);
    EXPECT_EQ(Asked().family, -1);
    EXPECT_EQ(Asked().language, "");  // Counted as undetermined.
  }
};

v1::GenerateRequest Hybrid(const std::string& prompt) {
  v1::GenerateRequest request;
  request.set_prompt(prompt);
  request.set_routing(v1::ROUTING_MODE_HYBRID);
  return request;
}

TEST_F(LanguageChoiceTest, AConfidentFamilyIsForced) {
  Detected({{"ne", 0.51}, {"hi", 0.49}});
  const v1::GenerateStarted started = Start(Hybrid("x"));
  EXPECT_EQ(started.language(), "ne");
  EXPECT_NEAR(started.confidence(), 0.51, 1e-6);
  EXPECT_EQ(started.routing(), v1::ROUTING_MODE_HYBRID);
  EXPECT_EQ(started.family(), 1);
  EXPECT_EQ(started.family_name(), "korean_japanese_nepali");
  EXPECT_TRUE(Asked().hybrid);
  EXPECT_EQ(Asked().family, 1);
  EXPECT_EQ(Asked().language, "ne");
}

TEST_F(LanguageChoiceTest, BelowTheThresholdItIsTopk) {
  Detected({{"ne", 0.49}, {"hi", 0.45}});
  const v1::GenerateStarted started = Start(Hybrid("x"));
  EXPECT_EQ(started.language(), "ne");  // The guess is reported nevertheless.
  EXPECT_NEAR(started.confidence(), 0.49, 1e-6);
  ExpectNoFamily(started);
}

TEST_F(LanguageChoiceTest, LanguagesOfOneFamilyAddUp) {
  Detected({{"ne", 0.40}, {"hi", 0.35}, {"mai", 0.20}});
  const v1::GenerateStarted started = Start(Hybrid("x"));
  EXPECT_EQ(started.language(), "ne");
  EXPECT_EQ(started.family(), 4);
  EXPECT_EQ(started.routing(), v1::ROUTING_MODE_HYBRID);
}

TEST_F(LanguageChoiceTest, NoLanguageAtAllIsTopk) {
  const v1::GenerateStarted started = Start(Hybrid("120/80, 20 mg?"));
  EXPECT_EQ(started.language(), "");
  EXPECT_EQ(started.confidence(), 0);
  ExpectNoFamily(started);
}

TEST_F(LanguageChoiceTest, AGivenLanguageIsNotDoubted) {
  Detected({{"ne", 0.99}});
  v1::GenerateRequest request = Hybrid("x");
  request.set_language("sw");
  const v1::GenerateStarted started = Start(request);
  EXPECT_EQ(started.language(), "sw");
  EXPECT_EQ(started.family(), 6);
  EXPECT_EQ(started.routing(), v1::ROUTING_MODE_HYBRID);
  EXPECT_EQ(Asked().language, "sw");
}

// DetectLanguage reports the choice that Generate would make.
TEST_F(LanguageChoiceTest, DetectLanguageHasTheSameThreshold) {
  const auto detect = [this] {
    v1::DetectLanguageRequest request;
    request.set_text("x");
    v1::DetectLanguageResponse response;
    grpc::ClientContext context;
    EXPECT_TRUE(stub_->DetectLanguage(&context, request, &response).ok());
    return response;
  };
  Detected({{"ne", 0.49}, {"hi", 0.45}});
  v1::DetectLanguageResponse response = detect();
  EXPECT_EQ(response.language(), "ne");
  EXPECT_EQ(response.family(), -1);
  EXPECT_EQ(response.family_name(), "");
  ASSERT_EQ(response.candidates_size(), 2);
  EXPECT_EQ(response.candidates(0).family(), 1);
  EXPECT_EQ(response.likely_family(), 1);
  EXPECT_NEAR(response.family_confidence(), 0.49, 1e-6);
  EXPECT_EQ(response.language_threshold(), 0.5f);
  EXPECT_EQ(response.no_family_reason(), v1::NO_FAMILY_REASON_UNCERTAIN);
  EXPECT_EQ(response.neutral(), 0);
  Detected({{"ne", 0.51}, {"hi", 0.49}});
  response = detect();
  EXPECT_EQ(response.family(), 1);
  EXPECT_EQ(response.family_name(), "korean_japanese_nepali");
  EXPECT_EQ(response.no_family_reason(), v1::NO_FAMILY_REASON_UNSPECIFIED);
}

TEST_F(LanguageChoiceTest, StartedTellsHowTheFamilyWasJudged) {
  Detected({{"ne", 0.40}, {"hi", 0.35}, {"mai", 0.20}});
  v1::GenerateStarted started = Start(Hybrid("x"));
  EXPECT_FALSE(started.language_given());
  EXPECT_EQ(started.likely_family(), 4);
  EXPECT_NEAR(started.family_confidence(), 0.55, 1e-6);
  EXPECT_EQ(started.language_threshold(), 0.5f);
  EXPECT_EQ(started.no_family_reason(), v1::NO_FAMILY_REASON_UNSPECIFIED);

  v1::GenerateRequest request = Hybrid("x");
  request.set_language("Kiswahili");
  started = Start(request);
  EXPECT_TRUE(started.language_given());
  EXPECT_EQ(started.language(), "sw");
  EXPECT_EQ(started.likely_family(), 6);
  EXPECT_EQ(started.family_confidence(), 1);
  EXPECT_EQ(started.no_family_reason(), v1::NO_FAMILY_REASON_UNSPECIFIED);
}

TEST_F(LanguageChoiceTest, StartedTellsWhyThereIsNoFamily) {
  const struct {
    std::vector<LanguageGuess> guesses;
    double neutral;
    v1::NoFamilyReason reason;
    int likely;
  } kCases[] = {
      {{}, 1, v1::NO_FAMILY_REASON_NOT_DETECTED, -1},
      {{}, 0, v1::NO_FAMILY_REASON_NOT_IN_FAMILIES, -1},
      {{{"de", 0.2}}, 0.1, v1::NO_FAMILY_REASON_NOT_IN_FAMILIES, 4},
      {{{"de", 0.2}}, 0.7, v1::NO_FAMILY_REASON_UNCERTAIN, 4},
      {{{"de", 0.3}, {"sw", 0.45}}, 0, v1::NO_FAMILY_REASON_UNCERTAIN, 6},
  };
  for (const auto& c : kCases) {
    Detected(c.guesses, c.neutral);
    const v1::GenerateStarted started = Start(Hybrid("x"));
    ExpectNoFamily(started);
    EXPECT_EQ(started.no_family_reason(), c.reason);
    EXPECT_EQ(started.likely_family(), c.likely);
  }
}

TEST_F(LanguageChoiceTest, TheThresholdIsThatOfTheModel) {
  model_->language_threshold = 0.9;
  Detected({{"ne", 0.89}});
  v1::GenerateStarted started = Start(Hybrid("x"));
  ExpectNoFamily(started);
  EXPECT_EQ(started.no_family_reason(), v1::NO_FAMILY_REASON_UNCERTAIN);
  EXPECT_EQ(started.language_threshold(), 0.9f);
  Detected({{"ne", 0.9}});
  started = Start(Hybrid("x"));
  EXPECT_EQ(started.routing(), v1::ROUTING_MODE_HYBRID);
  // A given language needs no confidence.
  v1::GenerateRequest request = Hybrid("x");
  request.set_language("sw");
  EXPECT_EQ(Start(request).routing(), v1::ROUTING_MODE_HYBRID);
}

v1::GenerateRequest Chat(const std::vector<std::string>& turns) {
  v1::GenerateRequest request;
  request.set_routing(v1::ROUTING_MODE_HYBRID);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    v1::ChatMessage* message = request.mutable_chat()->add_messages();
    message->set_role(i % 2 == 0 ? v1::ROLE_USER : v1::ROLE_ASSISTANT);
    message->set_content(turns[i]);
  }
  return request;
}

TEST_F(LanguageChoiceTest, AChatIsJudgedByTheUsersLastMessage) {
  const std::string english =
      "Take a rest, and drink as much water as you can.";
  EXPECT_EQ(Start(Chat({"Mein Kind hat seit drei Tagen Fieber.", english,
                        "¿Qué medicamento le puedo dar a mi hijo?"}))
                .language(),
            "es");
  // A message without a language of its own takes that of the chat before it.
  EXPECT_EQ(Start(Chat({"Nina maumivu ya kichwa na homa kwa siku tatu.",
                        english, "20 mg?"}))
                .language(),
            "sw");
  EXPECT_EQ(Asked().family, 6);
}

TEST_F(LanguageChoiceTest, TextOfUsersHoldsNoControlTokens) {
  const auto special = [this] {
    return std::count_if(
        Asked().prompt.begin(), Asked().prompt.end(),
        [this](TokenId id) { return model_->tokenizer->IsSpecial(id); });
  };
  ASSERT_TRUE(model_->tokenizer->SpecialTokenId("<|im_end|>").has_value());
  const std::string text = "a<|im_end|>b";

  Start(Hybrid(text));
  EXPECT_EQ(special(), 0);
  v1::GenerateRequest request = Hybrid(text);
  request.set_parse_special_tokens(true);
  Start(request);
  EXPECT_EQ(special(), 1);

  Start(Chat({"ab"}));
  const auto of_the_format = special();
  Start(Chat({text}));
  EXPECT_EQ(special(), of_the_format);
}

}  // namespace
}  // namespace apollo
