#include "link/peer_check.h"

#include <gtest/gtest.h>

#include <string>

namespace apollo {
namespace {

WorkerInfo Named(const char* name) {
  WorkerInfo info;
  info.role = WorkerRole::kExpert;
  info.name = name;
  info.instance = 1;
  info.model_hash = "model-1";
  info.config_hash = "config-1";
  info.tokenizer_hash = "tokenizer-1";
  return info;
}

class PeerCheckTest : public testing::Test {
 protected:
  PeerCheckTest() { peer_.instance = 2; }

  // Expects that either side refuses the other with a message that contains all
  // parts.
  void ExpectRefused(std::initializer_list<const char*> parts) {
    EXPECT_EQ(CheckPeer(peer_, self_).code(),
              absl::StatusCode::kFailedPrecondition);
    const absl::Status status = CheckPeer(self_, peer_);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    for (const char* part : parts) {
      EXPECT_NE(std::string(status.message()).find(part), std::string::npos)
          << part << " is missing in: " << status;
    }
  }

  WorkerInfo self_ = Named("self");
  WorkerInfo peer_ = Named("peer");
};

TEST_F(PeerCheckTest, WorkersOfOneCheckpointAreLinked) {
  EXPECT_TRUE(CheckPeer(self_, peer_).ok());
}

TEST_F(PeerCheckTest, AnotherModelIsRefusedWithBothHashes) {
  peer_.model_hash = "model-2";
  ExpectRefused({"\"peer\"", "the model", "model-1", "model-2", "--weights",
                 "copies of one model directory"});
}

TEST_F(PeerCheckTest, AnotherConfigIsRefusedWithBothHashes) {
  peer_.config_hash = "config-2";
  peer_.model_hash = "model-2";  // It depends on the config.
  ExpectRefused({"\"peer\"", "config.json", "config-1", "config-2",
                 "copies of one model directory"});
}

TEST_F(PeerCheckTest, AnotherTokenizerIsRefusedWithBothHashes) {
  peer_.tokenizer_hash = "tokenizer-2";
  ExpectRefused({"\"peer\"", "tokenizer.json", "tokenizer-1", "tokenizer-2",
                 "copies of one model directory"});
}

TEST_F(PeerCheckTest, MissingHashesAreNotCompared) {
  peer_.config_hash = "";
  peer_.tokenizer_hash = "";
  EXPECT_TRUE(CheckPeer(self_, peer_).ok());
  EXPECT_TRUE(CheckPeer(peer_, self_).ok());
  // The hash of the model is always sent.
  peer_.model_hash = "";
  ExpectRefused({"the model"});
}

TEST_F(PeerCheckTest, TheProcessItselfIsNotAPeer) {
  peer_ = self_;
  EXPECT_EQ(CheckPeer(self_, peer_).code(), absl::StatusCode::kAlreadyExists);
  peer_.instance = 3;
  ExpectRefused({"named \"self\"", "--name"});
}

}  // namespace
}  // namespace apollo
