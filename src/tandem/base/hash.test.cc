#include "tandem/base/hash.h"

#include <gmock/gmock.h>

#include "tandem/base/bytes.h"

namespace tandem {
namespace {

TEST(Sha256, gives_the_example_digests_of_fips_180) {
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq").hex(),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, is_the_same_in_pieces) {
  Sha256Stream stream;
  for (int i = 0; i < 1000; ++i) stream.update(std::string(1000, 'a'));
  stream.update("");
  EXPECT_EQ(stream.finish(), sha256(std::string(1'000'000, 'a')));
}

// The first four leaves of the reference tree that implementations of RFC 6962 are checked with.
TEST(MerkleLeaf, gives_the_known_leaf_hashes) {
  const std::vector<std::pair<const char*, const char*>> vectors = {
      {"", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
      {"00", "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"},
      {"10", "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"},
      {"2021", "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7"}};
  for (const auto& [entry, digest] : vectors) EXPECT_EQ(merkle_leaf_hash(*from_hex(entry)).hex(), digest) << entry;
}

// From Python: base64.b32encode(hashlib.sha256("\x1f".join(parts)).digest()).lower()[:26].
TEST(AttemptToken, is_the_base32_head_of_the_hash_of_its_parts) {
  EXPECT_EQ(attempt_token("default", "job_x", "s1", 1), "7eu2jbvnkyfprp5r6i4m3undqi");
  EXPECT_EQ(attempt_token("", "", "", 0), "rqpxwbye7ccy5dgpiyi6lwlsih");
  EXPECT_EQ(attempt_token("t", "j", "s", 4294967295u), "xibj62veot4va2x6osazmojli6");
}

TEST(AttemptToken, parts_do_not_run_into_each_other) {
  EXPECT_NE(attempt_token("a", "bc", "d", 1), attempt_token("ab", "c", "d", 1));
  EXPECT_NE(attempt_token("a", "b", "c1", 1), attempt_token("a", "b", "c", 11));
}

}  // namespace
}  // namespace tandem
