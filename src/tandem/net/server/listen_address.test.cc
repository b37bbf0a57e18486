#include "tandem/net/server/listen_address.h"

#include <gtest/gtest.h>

namespace tandem::server {
namespace {

TEST(ListenAddress, host_and_port_are_read_and_written_back) {
  const std::pair<std::string, ListenAddress> cases[] = {
      {"127.0.0.1:8642", {"127.0.0.1", 8642}},
      {"localhost:0", {"localhost", 0}},
      {"[::1]:65535", {"::1", 65535}},
      {"[2001:DB8::1]:80", {"2001:DB8::1", 80}},
      {"my-host.example:1", {"my-host.example", 1}},
      {"[::ffff:1.2.3.4]:2", {"::ffff:1.2.3.4", 2}},
  };
  for (const auto& [text, expected] : cases) {
    const auto address = parse_listen_address(text);
    ASSERT_TRUE(address) << text << ": " << address.error().to_string();
    EXPECT_EQ(*address, expected);
    EXPECT_EQ(format_address(address->host, address->port), text);
  }
}

TEST(ListenAddress, everything_else_is_refused_with_the_text_and_what_to_write) {
  std::string too_long(254, 'a');
  too_long += ":80";
  for (const char* text : {"",
                           "8642",
                           "localhost",
                           "localhost:",
                           ":8642",
                           "localhost:65536",
                           "localhost:-1",
                           "localhost:+1",
                           "localhost: 1",
                           "localhost:1 ",
                           "localhost:0x1",
                           "local host:1",
                           "::1:80",
                           "[::1]",
                           "[::1]80",
                           "[]:80",
                           "[abc]:80",
                           "[127.0.0.1]:80",
                           "[::1%eth0]:80",
                           "http://localhost:80",
                           "a/b:80",
                           "a\n:80",
                           "unix:/run/tandem.sock",
                           too_long.c_str(),
                           "localhost:99999999999999999999"}) {
    const auto address = parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().number, errors::kBadAddress);
    EXPECT_NE(address.error().message.find("HOST:PORT"), std::string::npos) << address.error().message;
  }
}

}  // namespace
}  // namespace tandem::server
