#include "net/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <unistd.h>
#include <vector>

#include "net/address.h"
#include "net/testing.h"

namespace moldau::net::testing {
namespace {

using ::testing::HasSubstr;

std::string error_of(const std::vector<ListenerSpec>& specs) {
  const auto listeners = listen_on_all(specs, Options{});
  return listeners ? "none" : listeners.error().message;
}

bool has_ipv6() { return listen_on({"V6", "::1"}, Options{}, false).has_value(); }

TEST(Listener, AUsedPortIsToldWithItsOwner) {
  const auto first = listen_on({"FIRST", "127.0.0.1"}, Options{}, false);
  ASSERT_TRUE(first);
  ASSERT_GT(first->bound().port, 0);
  const std::string error = error_of({{"SECOND", "127.0.0.1", first->bound().port}});
  EXPECT_THAT(error,
              HasSubstr("listener SECOND cannot listen on 127.0.0.1:" + std::to_string(first->bound().port)));
  EXPECT_THAT(error, HasSubstr("the port is used by process " + std::to_string(getpid()) + " (net_test)"));
}

TEST(Listener, AnAddressOfAnotherMachineAndANameThatIsNone) {
  EXPECT_THAT(error_of({{"FAR", "192.0.2.1"}}), HasSubstr("this machine has no such address"));
  EXPECT_THAT(error_of({{"ODD", "no such host"}}),
              HasSubstr("expected a host name or address, found 'no such host'"));
}

TEST(Listener, AllOrNone) {
  const auto held = listen_on({"HELD", "127.0.0.1"}, Options{}, false);
  const auto free = listen_on({"FREE", "127.0.0.1"}, Options{}, false);
  ASSERT_TRUE(held && free);
  const std::uint16_t port = free->bound().port;
  const_cast<Listener&>(*free).close();
  EXPECT_NE(error_of({{"A", "127.0.0.1", port}, {"B", "127.0.0.1", held->bound().port}}), "none");
  EXPECT_EQ(error_of({{"A", "127.0.0.1", port}}), "none") << "let go again after the failure";
}

TEST(Listener, AnEmptyHostServesIPv4AndTellsTheAddressThatWasReached) {
  TestServer test({}, {{"ANY", ""}});
  EXPECT_EQ(test.connect().ask(echo("hi")), "hi");
  const std::lock_guard lock(test.handler.mutex);
  EXPECT_EQ(test.handler.last_info.client_host, "/127.0.0.1") << "not the mapped form";
  EXPECT_EQ(test.handler.last_info.local_address, "127.0.0.1");
}

TEST(Listener, BothWildcardsMayHaveTheSamePort) {
  if (!has_ipv6()) GTEST_SKIP() << "this machine has no IPv6";
  const auto free = listen_on({"FREE", "0.0.0.0"}, Options{}, false);
  ASSERT_TRUE(free);
  const std::uint16_t port = free->bound().port;
  const_cast<Listener&>(*free).close();
  EXPECT_EQ(error_of({{"V4", "0.0.0.0", port}, {"V6", "::", port}}), "none");
}

TEST(Address, NamesResolveToIPv4First) {
  const auto addresses = resolve("localhost");
  ASSERT_TRUE(addresses);
  EXPECT_EQ(addresses->front().to_string(), "127.0.0.1");
  EXPECT_EQ(resolve("::1")->front().to_string(), "::1");
}

TEST(Server, ABadOverrideIsToldAtBind) {
  ManualClock clock;
  Options options;
  options.max_connections_per_ip_overrides = {{"no such host", 5}};
  Server server(
      options, clock, [] { return std::make_unique<TestRandom>(1); }, [](LogLevel, const std::string&) {});
  const Status bound = server.bind({});
  ASSERT_FALSE(bound);
  EXPECT_THAT(bound.error().message, HasSubstr("max.connections.per.ip.overrides: expected a host name"));
}

}  // namespace
}  // namespace moldau::net::testing
