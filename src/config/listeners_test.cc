#include "config/listeners.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moldau::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ProtocolMap map() {
  return parse_protocol_map("PLAINTEXT:PLAINTEXT,client:SASL_SSL, Internal : SSL").value();
}

Result<std::vector<Listener>> parse_text(std::vector<std::string> entries, Ports ports = Ports::kDistinct) {
  return parse_listeners(entries, map(), ports);
}

std::string error(std::vector<std::string> entries, Ports ports = Ports::kDistinct) {
  const auto parsed = parse_text(std::move(entries), ports);
  return parsed ? "" : parsed.error().message;
}

TEST(Listeners, NamesHostsAndPorts) {
  const auto listeners =
      parse_text({"PLAINTEXT://:9092", "client://broker-1.example.org:9093", "INTERNAL://[fe80::1%eth0]:0"})
          .value();
  EXPECT_THAT(listeners,
              ElementsAre(Listener{"PLAINTEXT", SecurityProtocol::kPlaintext, "", 9092},
                          Listener{"CLIENT", SecurityProtocol::kSaslSsl, "broker-1.example.org", 9093},
                          Listener{"INTERNAL", SecurityProtocol::kSsl, "fe80::1%eth0", 0}));
  EXPECT_EQ(listeners[0].to_string(), "PLAINTEXT://:9092");
  EXPECT_EQ(listeners[2].to_string(), "INTERNAL://[fe80::1%eth0]:0");
  EXPECT_EQ(parse_text({"PLAINTEXT://::1:9092"}).value()[0].host, "::1");  // as Kafka, without brackets too
}

TEST(Listeners, WhatCannotBeRead) {
  for (const std::string entry : {"9092", ":9092", "PLAINTEXT:9092", "PLAINTEXT://", "PLAINTEXT://h",
                                  "PLAINTEXT://h:", "PLAINTEXT://h:x", "://h:1", "PLAINTEXT://[::1:9092",
                                  "PLAINTEXT://a b:1", "PLAINTEXT://a_b:1x", "PLAINTEXT//:9092"})
    EXPECT_THAT(error({entry}),
                HasSubstr("Error creating broker listeners from '" + entry + "': Unable to parse " + entry))
        << entry;
  EXPECT_THAT(error({"PLAINTEXT://h:65536"}), HasSubstr("between 0 and 65535"));
  EXPECT_THAT(error({"PLAINTEXT://h:-1"}), HasSubstr("between 0 and 65535"));
  EXPECT_THAT(error({"PLAINTEXT://a:b:1"}), HasSubstr("neither a host name nor an IPv6 address"));
  EXPECT_THAT(error({"OTHER://h:1"}), HasSubstr("No security protocol defined for listener OTHER"));
}

TEST(Listeners, NamesAreDifferent) {
  EXPECT_EQ(error({"PLAINTEXT://a:1", "plaintext://b:2"}),
            "Each listener must have a different name, listeners: PLAINTEXT://a:1,plaintext://b:2");
}

TEST(Listeners, PortsAreDifferentButForTheTwoStacks) {
  EXPECT_THAT(error({"PLAINTEXT://a:1", "CLIENT://b:1"}),
              HasSubstr("Each listener must have a different port, listeners: "));
  EXPECT_THAT(error({"PLAINTEXT://127.0.0.1:1", "CLIENT://b:1"}),
              HasSubstr("Each listener must have a different port"));
  EXPECT_THAT(error({"PLAINTEXT://127.0.0.1:1", "CLIENT://127.0.0.2:1"}),
              HasSubstr("one needs to be IPv4 and the other IPv6"));
  EXPECT_THAT(error({"PLAINTEXT://127.0.0.1:1", "CLIENT://[::1]:1", "INTERNAL://[::2]:1"}),
              HasSubstr("unless exactly one listener"));
  EXPECT_EQ(error({"PLAINTEXT://127.0.0.1:1", "CLIENT://[::1]:1"}), "");
  EXPECT_EQ(error({"PLAINTEXT://a:0", "CLIENT://b:0"}), "");
  EXPECT_EQ(error({"PLAINTEXT://a:1", "CLIENT://b:1"}, Ports::kMayRepeat), "");
}

TEST(Listeners, ProtocolMap) {
  EXPECT_THAT(map(), ElementsAre(testing::Pair("CLIENT", SecurityProtocol::kSaslSsl),
                                 testing::Pair("INTERNAL", SecurityProtocol::kSsl),
                                 testing::Pair("PLAINTEXT", SecurityProtocol::kPlaintext)));
  EXPECT_THAT(parse_protocol_map("A:TLS").error().message,
              HasSubstr("Invalid security protocol `TLS` defined in listener.security.protocol.map"));
  EXPECT_THAT(parse_protocol_map("A").error().message, HasSubstr("expected NAME:PROTOCOL, found `A`"));
  EXPECT_EQ(to_string(SecurityProtocol::kSaslPlaintext), "SASL_PLAINTEXT");
}

TEST(Listeners, Addresses) {
  for (const char* good : {"0.0.0.0", "127.0.0.1", "255.255.255.255"}) EXPECT_TRUE(is_ipv4(good)) << good;
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.x", "1.2.3.", "+1.2.3.4"})
    EXPECT_FALSE(is_ipv4(bad)) << bad;
  for (const char* good :
       {"::", "::1", "1::", "fe80::1%eth0", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "2001:db8::8a2e:370:7334"})
    EXPECT_TRUE(is_ipv6(good)) << good;
  for (const char* bad : {"", "1", ":1", "1:", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
                          "::g", "::1.2.3", ":::"})
    EXPECT_FALSE(is_ipv6(bad)) << bad;
}

AdvertisedCheck check(const std::string& listener, const std::string& advertised) {
  return check_advertised(parse_text({listener}).value(),
                          parse_text({advertised}, Ports::kMayRepeat).value());
}

TEST(Listeners, AdvertisedAddressesThatCannotWork) {
  EXPECT_THAT(check("PLAINTEXT://:9092", "PLAINTEXT://0.0.0.0:9092").errors,
              ElementsAre("advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a "
                          "routable IP address."));
  EXPECT_THAT(check("PLAINTEXT://:9092", "PLAINTEXT://[::]:9092").warnings,
              ElementsAre(HasSubstr("no client can connect")));
  EXPECT_THAT(check("PLAINTEXT://:9092", "PLAINTEXT://host:0").warnings,
              ElementsAre(HasSubstr("has port 0")));
  EXPECT_THAT(check("PLAINTEXT://:9092", "PLAINTEXT://localhost:9092").warnings,
              ElementsAre(HasSubstr("this machine only")));
  for (const auto& [listener, advertised] : std::vector<std::pair<std::string, std::string>>{
           {"PLAINTEXT://127.0.0.1:9092", "PLAINTEXT://127.0.0.1:9092"},
           {"PLAINTEXT://:9092", "PLAINTEXT://:9092"},
           {"PLAINTEXT://:9092", "PLAINTEXT://broker:19092"},
           {"PLAINTEXT://localhost:0", "PLAINTEXT://localhost:0"}}) {
    EXPECT_THAT(check(listener, advertised).errors, IsEmpty()) << advertised;
    EXPECT_THAT(check(listener, advertised).warnings, IsEmpty()) << advertised;
  }
}

TEST(Listeners, TwoAdvertisedAtOnePlace) {
  const auto listeners = parse_text({"PLAINTEXT://:1", "CLIENT://:2"}).value();
  const auto advertised = parse_text({"PLAINTEXT://h:1", "CLIENT://h:1"}, Ports::kMayRepeat).value();
  EXPECT_THAT(check_advertised(listeners, advertised).warnings, ElementsAre(HasSubstr("are the same place")));
}

}  // namespace
}  // namespace moldau::config
