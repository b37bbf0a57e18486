#include "tandem/base/bytes.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "tandem/base/testing/matchers.h"

namespace tandem {
namespace {

constexpr std::string_view kHelloText = "hello gzip\n";
constexpr std::string_view kSecondText = "second\n";
constexpr std::uint64_t kNoLimit = 1u << 30;

/// Made by Python: gzip.compress(text, mtime=0).hex().
Bytes hello_member() { return *from_hex("1f8b0800000000000203cb48cdc9c95748afca2ce00200397c63560b000000"); }
Bytes second_member() { return *from_hex("1f8b08000000000002032b4e4dcecf4be102007ec00f0607000000"); }

Bytes every_byte() {
  Bytes all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  return all;
}

TEST(Hex, reads_back_what_it_wrote) {
  EXPECT_EQ(to_hex(std::string_view("\x00\x7f\xff", 3)), "007fff");
  EXPECT_EQ(*from_hex(to_hex(every_byte())), every_byte());
  EXPECT_EQ(*from_hex(""), "");
}

TEST(Hex, refuses_everything_else) {
  for (const char* text : {"0", "0g", "g0", "AB", "0x", " 0"})
    EXPECT_THAT(from_hex(text), FailsWith(errors::kBadEncoding)) << text;
}

// RFC 4648 section 10 has these vectors; base32 here is lower case without padding.
TEST(Base32, gives_the_vectors_of_rfc_4648) {
  const std::vector<std::pair<const char*, const char*>> vectors = {{"", ""},
                                                                    {"f", "my"},
                                                                    {"fo", "mzxq"},
                                                                    {"foo", "mzxw6"},
                                                                    {"foob", "mzxw6yq"},
                                                                    {"fooba", "mzxw6ytb"},
                                                                    {"foobar", "mzxw6ytboi"}};
  for (const auto& [plain, encoded] : vectors) EXPECT_EQ(to_base32(plain), encoded);
}

TEST(Base64, gives_and_reads_the_vectors_of_rfc_4648) {
  const std::vector<std::pair<const char*, const char*>> vectors = {{"", ""},
                                                                    {"f", "Zg=="},
                                                                    {"fo", "Zm8="},
                                                                    {"foo", "Zm9v"},
                                                                    {"foob", "Zm9vYg=="},
                                                                    {"fooba", "Zm9vYmE="},
                                                                    {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(to_base64(plain), encoded);
    EXPECT_EQ(*from_base64(encoded), plain);
  }
  EXPECT_EQ(*from_base64(to_base64(every_byte())), every_byte());
}

TEST(Base64, has_one_spelling_for_each_value) {
  for (const char* text : {"Zg=", "Zg", "Zh==", "Zm9=", "====", "Z===", "Zg==Zg==", "Zm 8", "Zm8-", "Zm8\n"}) {
    EXPECT_THAT(from_base64(text), FailsWith(errors::kBadEncoding)) << text;
  }
}

TEST(Gunzip, inflates_one_member_and_several) {
  EXPECT_EQ(*gunzip(hello_member(), kNoLimit), kHelloText);
  EXPECT_EQ(*gunzip(hello_member() + second_member() + hello_member(), kNoLimit),
            std::string(kHelloText) + std::string(kSecondText) + std::string(kHelloText));
}

TEST(Gunzip, refuses_every_truncation) {
  const Bytes whole = hello_member() + second_member();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    if (size == hello_member().size()) continue;  // a whole file of one member
    EXPECT_THAT(gunzip(whole.substr(0, size), kNoLimit), FailsWith(errors::kBadGzip)) << size;
  }
}

TEST(Gunzip, refuses_damage_in_data_and_checksum_and_trailing_bytes) {
  for (const std::size_t at : {2u, 12u, 20u, 23u, 27u}) {
    Bytes damaged = hello_member();
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    EXPECT_THAT(gunzip(damaged, kNoLimit), FailsWith(errors::kBadGzip)) << at;
  }
  EXPECT_THAT(gunzip(hello_member() + "x", kNoLimit), FailsWith(errors::kBadGzip));
  EXPECT_THAT(gunzip(hello_member() + std::string("\0\0\0", 3), kNoLimit), FailsWith(errors::kBadGzip));
  EXPECT_THAT(gunzip("plain text", kNoLimit), FailsWith(errors::kBadGzip));
}

Bytes compress_zeros(std::size_t size) {
  const Bytes plain(size, '\0');
  Bytes out(compressBound(size) + 64, '\0');
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Gunzip, stops_at_the_limit_of_output) {
  EXPECT_EQ(*gunzip(hello_member(), kHelloText.size()), kHelloText);
  EXPECT_THAT(gunzip(hello_member(), kHelloText.size() - 1), FailsWith(errors::kInputTooLarge));
  EXPECT_THAT(gunzip(hello_member() + hello_member(), kHelloText.size()), FailsWith(errors::kInputTooLarge));
  // A thousand zeros for each compressed byte.
  const Bytes bomb = compress_zeros(64u << 20);
  EXPECT_LT(bomb.size(), 100'000u);
  EXPECT_THAT(gunzip(bomb, 1u << 20), FailsWith(errors::kInputTooLarge));
  const auto whole = gunzip(bomb, 64u << 20);
  EXPECT_EQ(whole->size(), 64u << 20);
  EXPECT_LE(whole->capacity(), (64u << 20) + 2);  // one byte tells whether there is more; std::string rounds up by one
}

TEST(Gunzip, is_gzip_looks_at_the_magic_bytes_only) {
  EXPECT_TRUE(is_gzip(hello_member()));
  EXPECT_TRUE(is_gzip("\x1f\x8b"));
  EXPECT_FALSE(is_gzip("\x1f"));
  EXPECT_FALSE(is_gzip(""));
  EXPECT_FALSE(is_gzip("{\"problem\": 1}"));
}

}  // namespace
}  // namespace tandem
