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
  for (const std::string& text : {std::string(),
                                  std::string("8642"),
                                  std::string("localhost"),
                                  std::string("localhost:"),
                                  std::string(":8642"),
                                  std::string("localhost:65536"),
                                  std::string("localhost:-1"),
                                  std::string("localhost:+1"),
                                  std::string("localhost: 1"),
                                  std::string("localhost:1 "),
                                  std::string("localhost:0x1"),
                                  std::string("local host:1"),
                                  std::string("::1:80"),
                                  std::string("[::1]"),
                                  std::string("[::1]80"),
                                  std::string("[]:80"),
                                  std::string("[abc]:80"),
                                  std::string("[127.0.0.1]:80"),
                                  std::string("[::1%eth0]:80"),
                                  std::string("http://localhost:80"),
                                  std::string("a/b:80"),
                                  std::string("a\n:80"),
                                  std::string("unix:/run/tandem.sock"),
                                  std::string(254, 'a') + ":80",
                                  std::string("localhost:99999999999999999999")}) {
    const auto address = parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().number, errors::kBadAddress);
    EXPECT_NE(address.error().message.find("HOST:PORT"), std::string::npos) << address.error().message;
  }
}

}  // namespace
}  // namespace tandem::server
