#include "router/access/edge_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace apollo {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(EdgeIdentityTest, TheNearestProxyCounts) {
  EXPECT_THAT(UrisOfForwardedClient("URI=spiffe://apollo/client/a"),
              ElementsAre("spiffe://apollo/client/a"));
  EXPECT_THAT(
      UrisOfForwardedClient("By=spiffe://edge;Hash=00;URI=spiffe://x/forged,"
                            "By=spiffe://edge;Hash=01;Subject=\"CN=a,O=b\";"
                            "URI=spiffe://x/real;DNS=a.example"),
      ElementsAre("spiffe://x/real"));
  EXPECT_THAT(UrisOfForwardedClient("uri=u:1;URI=u:2"),
              ElementsAre("u:1", "u:2"));
}

// A client chooses the subject of its certificate, if the CA lets it.
TEST(EdgeIdentityTest, QuotedValuesAreNoKeys) {
  EXPECT_THAT(
      UrisOfForwardedClient(R"(Subject="CN=a;URI=u:forged";URI="u:\"b\"")"),
      ElementsAre("u:\"b\""));
  EXPECT_THAT(UrisOfForwardedClient(R"(Subject="a\";URI=u:forged,URI=u:f")"),
              IsEmpty());
  EXPECT_THAT(UrisOfForwardedClient(R"(URI=u:a,Subject="x\\",Hash=1)"),
              IsEmpty());
}

TEST(EdgeIdentityTest, ValuesWithoutUris) {
  for (const char* header : {"", ",", "URI", "URI=", "By=u:edge", ";;=;"}) {
    EXPECT_THAT(UrisOfForwardedClient(header), IsEmpty()) << header;
  }
}

TEST(EdgeIdentityTest, OneHeaderWithOneCaller) {
  CallEvidence evidence;
  EXPECT_FALSE(NamesCaller(evidence));
  evidence.caller_san = {"u:a"};
  EXPECT_TRUE(NamesCaller(evidence));
  EXPECT_THAT(*UrisFromEdge(evidence), ElementsAre("u:a"));
  evidence.forwarded_client = {"URI=u:b"};
  EXPECT_EQ(UrisFromEdge(evidence).status().code(),
            absl::StatusCode::kUnauthenticated);
  evidence.caller_san.clear();
  EXPECT_THAT(*UrisFromEdge(evidence), ElementsAre("u:b"));
  evidence.forwarded_client.push_back("URI=u:c");
  EXPECT_FALSE(UrisFromEdge(evidence).ok());
  evidence.forwarded_client = {"By=u:edge"};
  EXPECT_FALSE(UrisFromEdge(evidence).ok());
}

}  // namespace
}  // namespace apollo
