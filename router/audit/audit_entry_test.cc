#include "router/audit/audit_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "common/json.h"

namespace apollo {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'700'000'000'123);

AuditEntry Whole() {
  AuditEntry entry;
  entry.request_id = "r-1";
  entry.caller = {"clinic", "ab12"};
  entry.method = "Generate";
  entry.language = "de";
  entry.family = 4;
  entry.prompt_tokens = 7;
  entry.resumed = true;
  entry.model_hash = "cafe";
  entry.code = "OK";
  entry.answer_tokens = 9;
  entry.finish_reasons = {"eos", "stop"};
  entry.duration = absl::Milliseconds(1500);
  return entry;
}

TEST(AuditEntryTest, TheEndOfACallHasAllFields) {
  EXPECT_EQ(
      AuditLine(Whole(), kTime),
      R"({"time":"2023-11-14T22:13:20.123Z","event":"request_ended",)"
      R"("request_id":"r-1","caller":"clinic","certificate_sha256":"ab12",)"
      R"("method":"Generate","language":"de","family":4,"prompt_tokens":7,)"
      R"("resumed":true,"model_hash":"cafe","code":"OK","answer_tokens":9,)"
      R"("finish_reasons":["eos","stop"],"seconds":1.5})"
      "\n");
}

TEST(AuditEntryTest, TheStartOfACallHasNothingOfItsEnd) {
  AuditEntry entry = Whole();
  entry.event = AuditEntry::Event::kStarted;
  const Json line = *ParseJson(AuditLine(entry, kTime), "line");
  EXPECT_EQ(line["event"], "request_started");
  for (const char* field :
       {"code", "answer_tokens", "finish_reasons", "seconds"}) {
    EXPECT_FALSE(line.contains(field)) << field;
  }
}

// A name in a certificate or a policy may be anything.
TEST(AuditEntryTest, OneEntryIsOneLineOfAscii) {
  AuditEntry entry = Whole();
  entry.caller.name = "a\nb\"c\xff\xe2\x80\xa8";
  const std::string line = AuditLine(entry, kTime);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_TRUE(std::all_of(line.begin(), line.end(),
                          [](unsigned char c) { return c < 0x80; }));
  EXPECT_TRUE(ParseJson(line, "line").ok());
}

TEST(AuditEntryTest, EventsOfTheLogItself) {
  EXPECT_EQ(AuditOpenedLine(12, kTime),
            R"({"time":"2023-11-14T22:13:20.123Z","event":"log_opened",)"
            R"("dropped_bytes":12})"
            "\n");
  EXPECT_EQ(AuditResumedLine(3, 4, kTime),
            R"({"time":"2023-11-14T22:13:20.123Z","event":"log_resumed",)"
            R"("refused_calls":3,"lost_entries":4})"
            "\n");
  EXPECT_EQ(AuditRefusedLine(
                {"clinic", "PERMISSION_DENIED", 5, absl::Seconds(60)}, kTime),
            R"({"time":"2023-11-14T22:13:20.123Z","event":"calls_refused",)"
            R"("caller":"clinic","code":"PERMISSION_DENIED","calls":5,)"
            R"("seconds":60.0})"
            "\n");
}

}  // namespace
}  // namespace apollo
