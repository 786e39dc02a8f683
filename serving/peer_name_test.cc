#include "serving/peer_name.h"

#include <gtest/gtest.h>

namespace apollo {
namespace {

TEST(PeerNameTest, AUriOfTheTrustDomainNamesRoleAndHolder) {
  for (const PeerRole role :
       {PeerRole::kRouter, PeerRole::kDenseWorker, PeerRole::kExpertWorker,
        PeerRole::kClient, PeerRole::kPrometheus, PeerRole::kEdge,
        PeerRole::kAdmin}) {
    const PeerName peer{role, "a-7"};
    EXPECT_EQ(FindPeerName({PeerUri("apollo", peer)}, "apollo"), peer);
    EXPECT_EQ(RoleOf(RoleName(role)), role);
  }
  EXPECT_EQ(PeerUri("health.example", {PeerRole::kDenseWorker, "d0"}),
            "spiffe://health.example/dense-worker/d0");
}

TEST(PeerNameTest, UrisOfOthersDoNotMatter) {
  EXPECT_EQ(FindPeerName({"https://apollo/router/r", "spiffe://other/client/x",
                          "spiffe://apollo/router/r"},
                         "apollo"),
            (PeerName{PeerRole::kRouter, "r"}));
  EXPECT_EQ(FindPeerName({"spiffe://apollo2/router/r"}, "apollo"),
            std::nullopt);
  EXPECT_EQ(FindPeerName({}, "apollo"), std::nullopt);
}

TEST(PeerNameTest, OtherFormsNameNobody) {
  for (const char* uri :
       {"spiffe://apollo/router", "spiffe://apollo/router/",
        "spiffe://apollo/king/r", "spiffe://apollo/router/r/s",
        "spiffe://apollo//r", "SPIFFE://apollo/router/r"}) {
    EXPECT_EQ(FindPeerName({uri}, "apollo"), std::nullopt) << uri;
  }
}

TEST(PeerNameTest, TwoUrisOfTheTrustDomainNameNobody) {
  EXPECT_EQ(FindPeerName(
                {"spiffe://apollo/client/c", "spiffe://apollo/expert-worker/e"},
                "apollo"),
            std::nullopt);
}

TEST(PeerNameTest, AllNamesOfTheTrustDomainAreFound) {
  EXPECT_EQ(PeerNamesIn({"spiffe://apollo/client/c", "spiffe://other/router/r",
                         "spiffe://apollo/king/k", "spiffe://apollo/router/r"},
                        "apollo"),
            (std::vector<PeerName>{{PeerRole::kClient, "c"},
                                   {PeerRole::kRouter, "r"}}));
}

TEST(PeerNameTest, AClaimMustBeProven) {
  PeerIdentity peer;
  peer.proven = true;
  peer.uris = {"spiffe://apollo/dense-worker/d0"};
  EXPECT_TRUE(
      CheckProvenName(peer, "apollo", {PeerRole::kDenseWorker, "d0"}).ok());
  for (const PeerName& claimed : {PeerName{PeerRole::kDenseWorker, "d1"},
                                  PeerName{PeerRole::kExpertWorker, "d0"}}) {
    EXPECT_EQ(CheckProvenName(peer, "apollo", claimed).code(),
              absl::StatusCode::kPermissionDenied);
  }
  EXPECT_FALSE(
      CheckProvenName(peer, "other", {PeerRole::kDenseWorker, "d0"}).ok());
  EXPECT_FALSE(CheckProvenName({}, "apollo", {}).ok());
}

}  // namespace
}  // namespace apollo
