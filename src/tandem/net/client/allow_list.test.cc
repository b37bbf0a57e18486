#include "tandem/net/client/allow_list.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace tandem::client {
namespace {

/// Any address as a socket would see it.
sockaddr_storage address_of(const std::string& text, std::uint16_t port) {
  sockaddr_storage storage{};
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&storage, &v4, sizeof v4);
  } else if (inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&storage, &v6, sizeof v6);
  } else {
    ADD_FAILURE() << text;
  }
  return storage;
}

bool may_connect(const AllowList& list, const std::string& origin, const std::string& address, std::uint16_t port) {
  const sockaddr_storage storage = address_of(address, port);
  return list.may_connect(*parse_origin(origin), reinterpret_cast<const sockaddr&>(storage));
}

TEST(ParseOrigin, host_and_port_are_read_and_lower_cased) {
  EXPECT_EQ(*parse_origin("API.Example:443"), (Origin{"api.example", 443}));
  EXPECT_EQ(*parse_origin("127.0.0.1:1"), (Origin{"127.0.0.1", 1}));
  EXPECT_EQ(*parse_origin("[2001:DB8::1]:65535"), (Origin{"[2001:db8::1]", 65535}));
}

TEST(ParseOrigin, everything_else_is_refused) {
  for (const char* text :
       {"",        "host",    "host:",     ":443",       "host:0",          "host:65536",    "host:4x",
        "host:+4", "host:-4", "host: 4",   "a b:443",    "http://host:443", "user@host:443", "::1:443",
        "[::1]",   "[]:443",  "[::g]:443", "[host]:443", "a:b:443",         "host:000443"}) {
    const auto origin = parse_origin(text);
    ASSERT_FALSE(origin) << text;
    EXPECT_EQ(origin.error().number, errors::kEgressRefused) << text;
  }
}

TEST(AllowList, only_listed_peers_pass_with_exactly_their_port) {
  const auto list = AllowList::create({"api.example:443", "127.0.0.1:9000"}, {});
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->check_origin({"api.example", 443}));
  EXPECT_TRUE(list->check_origin({"127.0.0.1", 9000}));
  for (const Origin& origin : {Origin{"api.example", 80}, Origin{"x.api.example", 443}, Origin{"api.example.", 443},
                               Origin{"127.0.0.2", 9000}, Origin{"", 443}}) {
    const auto checked = list->check_origin(origin);
    ASSERT_FALSE(checked) << origin.to_string();
    EXPECT_EQ(checked.error().number, errors::kEgressRefused);
  }
}

TEST(AllowList, a_private_entry_must_also_be_allowed) {
  EXPECT_FALSE(AllowList::create({"a.example:443"}, {"b.example:443"}));
  EXPECT_FALSE(AllowList::create({"a.example"}, {}));
}

TEST(AllowList, a_public_name_that_resolves_inside_is_refused_unless_it_was_said_to_be_private) {
  const auto list = AllowList::create({"public.example:443", "device.example:443"}, {"device.example:443"});
  ASSERT_TRUE(list);
  // First and last address of each special network of RFC 6890, RFC 4193, RFC 4291, RFC 6052, RFC 3056, and both
  // neighbours of some.
  for (const char* inside : {"0.0.0.0",
                             "0.255.255.255",
                             "10.0.0.0",
                             "10.255.255.255",
                             "100.64.0.0",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.255",
                             "169.254.169.254",
                             "172.16.0.0",
                             "172.31.255.255",
                             "192.0.0.8",
                             "192.168.0.0",
                             "192.168.255.255",
                             "198.18.0.0",
                             "198.19.255.255",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "fc00::1",
                             "fdff::1",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "ff02::1",
                             "::ffff:10.0.0.1",
                             "::ffff:127.0.0.1",
                             "::127.0.0.1",
                             "64:ff9b::a00:1",
                             "2002:a00:1::1"}) {
    EXPECT_FALSE(may_connect(*list, "public.example:443", inside, 443)) << inside;
    EXPECT_TRUE(may_connect(*list, "device.example:443", inside, 443)) << inside;
  }
  for (const char* outside :
       {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
        "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0",
        "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:4860::1", "::ffff:8.8.8.8"}) {
    EXPECT_TRUE(may_connect(*list, "public.example:443", outside, 443)) << outside;
    EXPECT_FALSE(may_connect(*list, "public.example:443", outside, 80)) << "another port";
    EXPECT_FALSE(may_connect(*list, "other.example:443", outside, 443)) << "not listed";
  }
}

TEST(AllowList, an_address_literal_is_only_itself_and_localhost_only_loopback) {
  const auto list = AllowList::create({"127.0.0.1:9000", "[fd00::1]:9000", "localhost:9000"}, {});
  ASSERT_TRUE(list);
  EXPECT_TRUE(may_connect(*list, "127.0.0.1:9000", "127.0.0.1", 9000));
  EXPECT_FALSE(may_connect(*list, "127.0.0.1:9000", "127.0.0.2", 9000));
  EXPECT_TRUE(may_connect(*list, "[fd00::1]:9000", "fd00::1", 9000));
  EXPECT_FALSE(may_connect(*list, "[fd00::1]:9000", "fd00::2", 9000));
  EXPECT_TRUE(may_connect(*list, "localhost:9000", "127.0.0.1", 9000));
  EXPECT_TRUE(may_connect(*list, "localhost:9000", "::1", 9000));
  EXPECT_FALSE(may_connect(*list, "localhost:9000", "10.0.0.1", 9000));
  EXPECT_FALSE(may_connect(*list, "localhost:9000", "8.8.8.8", 9000));
}

bool may_be_proxy(const std::string& origin, const std::string& address, std::uint16_t port) {
  const sockaddr_storage storage = address_of(address, port);
  return client::may_be_proxy(*parse_origin(origin), reinterpret_cast<const sockaddr&>(storage));
}

TEST(MayBeProxy, a_name_is_of_the_own_network_or_of_the_world_and_nothing_else) {
  for (const char* good : {"10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "fd00::1",
                           "::ffff:10.0.0.1", "8.8.8.8", "2001:4860::1"}) {
    EXPECT_TRUE(may_be_proxy("proxy.example:3128", good, 3128)) << good;
    EXPECT_FALSE(may_be_proxy("proxy.example:3128", good, 80)) << "another port";
  }
  for (const char* bad : {"127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "fd00:ec2::254",
                          "fd20:ce::254", "100.100.100.200", "fe80::1", "224.0.0.1", "ff02::1", "255.255.255.255",
                          "192.0.0.8", "198.18.0.1", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"})
    EXPECT_FALSE(may_be_proxy("proxy.example:3128", bad, 3128)) << bad;
}

TEST(MayBeProxy, an_address_is_only_itself_and_localhost_only_loopback) {
  EXPECT_TRUE(may_be_proxy("127.0.0.1:3128", "127.0.0.1", 3128));
  EXPECT_FALSE(may_be_proxy("127.0.0.1:3128", "127.0.0.2", 3128));
  EXPECT_TRUE(may_be_proxy("169.254.1.1:3128", "169.254.1.1", 3128)) << "whoever writes an address means it";
  EXPECT_TRUE(may_be_proxy("localhost:3128", "::1", 3128));
  EXPECT_FALSE(may_be_proxy("localhost:3128", "10.0.0.1", 3128));
  const sockaddr unix_socket{.sa_family = AF_UNIX, .sa_data = {}};
  EXPECT_FALSE(client::may_be_proxy({"localhost", 9000}, unix_socket));
}

TEST(AllowList, a_socket_that_is_not_of_the_internet_is_refused) {
  const auto list = AllowList::create({"localhost:9000"}, {});
  ASSERT_TRUE(list);
  const sockaddr unix_socket{.sa_family = AF_UNIX, .sa_data = {}};
  EXPECT_FALSE(list->may_connect({"localhost", 9000}, unix_socket));
}

}  // namespace
}  // namespace tandem::client
