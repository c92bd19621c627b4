// One broker's settings, typed, and what must fit together. Loading from files: load_test.cc.
#include "config/broker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace moldau::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

BrokerConfig good(Layer layer) {
  auto config = BrokerConfig::from(BrokerValues(std::move(layer)));
  EXPECT_TRUE(config.has_value()) << config.error().message;
  return config ? *std::move(config) : BrokerConfig();
}

// "name: message" of what does not fit; "" if all is well.
std::string misfit(Layer layer) {
  const auto config = BrokerConfig::from(BrokerValues(std::move(layer)));
  return config ? "" : config.error().name + ": " + config.error().message;
}

TEST(BrokerConfig, NothingAtAllIsKafkasDefaults) {
  const BrokerConfig config = good({});
  EXPECT_EQ(config.node_id, std::nullopt);
  EXPECT_TRUE(config.is_broker && config.is_controller && !config.has_roles);
  EXPECT_THAT(config.listeners, ElementsAre(Listener{"PLAINTEXT", SecurityProtocol::kPlaintext, "", 9092}));
  EXPECT_EQ(config.advertised, config.listeners);
  EXPECT_EQ(config.inter_broker_listener_name, "PLAINTEXT");
  EXPECT_THAT(config.log_dirs, ElementsAre("/tmp/kafka-logs"));
  EXPECT_EQ(config.metadata_log_dir, "/tmp/kafka-logs");
  EXPECT_EQ(config.num_partitions, 1);
  EXPECT_EQ(config.socket_request_max_bytes, 104'857'600);
  EXPECT_EQ(config.message_max_bytes, 1'048'588);
  EXPECT_EQ(config.connections_max_idle_ms, 600'000);
  EXPECT_EQ(config.max_connections_per_ip, INT32_MAX);
  EXPECT_EQ(config.queued_max_request_bytes, -1);
  EXPECT_EQ(config.fetch_max_bytes, 57'671'680);
  EXPECT_EQ(config.max_incremental_fetch_session_cache_slots, 1000);
  EXPECT_EQ(config.producer_id_expiration_ms, 86'400'000);
  EXPECT_EQ(config.log_cleaner_io_max_bytes_per_second, 1.7976931348623157E308);
  EXPECT_FALSE(config.num_network_threads_given);
  EXPECT_THAT(doubts(config), IsEmpty());
}

TEST(BrokerConfig, Identity) {
  EXPECT_EQ(good({{"broker.id", "7"}}).node_id, 7);
  EXPECT_EQ(good({{"node.id", "7"}, {"broker.id", "7"}}).node_id, 7);
  EXPECT_EQ(good({{"broker.id", "-1"}}).node_id, std::nullopt);
  EXPECT_EQ(misfit({{"node.id", "1"}, {"broker.id", "2"}}),
            "broker.id: You must set `node.id` to the same value as `broker.id`.");
  EXPECT_THAT(misfit({{"process.roles", "broker,controller"}}),
              HasSubstr("Missing configuration `node.id` which is required"));
  EXPECT_THAT(misfit({{"broker.id.generation.enable", "false"}}),
              HasSubstr("broker.id must be greater than or equal to 0"));
  EXPECT_THAT(misfit({{"broker.id", "-2"}}), HasSubstr("broker.id must be greater than or equal to 0"));
}

TEST(BrokerConfig, Directories) {
  EXPECT_THAT(good({{"log.dir", "/a"}, {"log.dirs", "/b, /c"}}).log_dirs, ElementsAre("/b", "/c"));
  EXPECT_THAT(good({{"log.dir", "/a"}}).log_dirs, ElementsAre("/a"));
  EXPECT_EQ(good({{"log.dirs", "/b,/c"}}).metadata_log_dir, "/b");
  EXPECT_EQ(good({{"log.dirs", "/b"}, {"metadata.log.dir", "/m"}}).metadata_log_dir, "/m");
  EXPECT_EQ(misfit({{"log.dirs", " "}}),
            "log.dirs: At least one log directory must be defined via log.dirs or log.dir.");
  EXPECT_EQ(misfit({{"log.dirs", "/a,/a"}}), "log.dirs: log.dirs names a directory twice");
}

TEST(BrokerConfig, ControllerListenersStandApart) {
  const BrokerConfig config = good({{"process.roles", "broker,controller"},
                                    {"node.id", "1"},
                                    {"controller.quorum.voters", "1@[::1]:9093, 2@b:9094"},
                                    {"listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"},
                                    {"advertised.listeners", "PLAINTEXT://h:1,CONTROLLER://h:2"},
                                    {"controller.listener.names", "controller"}});
  EXPECT_THAT(config.listeners, ElementsAre(testing::Field(&Listener::name, "PLAINTEXT")));
  EXPECT_THAT(config.controller_listeners,
              ElementsAre(Listener{"CONTROLLER", SecurityProtocol::kPlaintext, "", 9093}));
  EXPECT_THAT(config.advertised, ElementsAre(Listener{"PLAINTEXT", SecurityProtocol::kPlaintext, "h", 1}));
  EXPECT_THAT(config.controller_quorum_voters, ElementsAre(Voter{1, "::1", 9093}, Voter{2, "b", 9094}));
  EXPECT_TRUE(config.has_roles);
}

TEST(BrokerConfig, ControllerListenersNeedAMapWhereSomethingIsSecured) {
  EXPECT_THAT(misfit({{"listeners", "PLAINTEXT://:1,SSL://:2,CONTROLLER://:3"},
                      {"controller.listener.names", "CONTROLLER"}}),
              HasSubstr("No security protocol defined for listener CONTROLLER"));
}

TEST(BrokerConfig, InterBrokerListener) {
  const Layer named = {{"listeners", "A://:1,B://:2"},
                       {"listener.security.protocol.map", "A:SSL,B:PLAINTEXT"},
                       {"inter.broker.listener.name", "b"}};
  EXPECT_EQ(good(named).inter_broker_listener_name, "B");
  Layer both = named;
  both["security.inter.broker.protocol"] = "SSL";
  EXPECT_THAT(
      misfit(both),
      HasSubstr("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set."));
  Layer unknown = named;
  unknown["inter.broker.listener.name"] = "C";
  EXPECT_THAT(misfit(unknown),
              HasSubstr("Listener with name C defined in inter.broker.listener.name not found"));
  Layer missing = named;
  missing.erase("inter.broker.listener.name");
  EXPECT_THAT(misfit(missing),
              HasSubstr("must be a listener name defined in advertised.listeners. The valid options based on "
                        "currently configured listeners are A,B"));
}

TEST(BrokerConfig, AdvertisedNamesAreThoseOfListeners) {
  EXPECT_THAT(
      misfit({{"listeners", "PLAINTEXT://:1"}, {"advertised.listeners", "PLAINTEXT://h:1,SSL://h:2"}}),
      HasSubstr("listener names must be equal to or a subset of the ones defined in listeners. Found "
                "PLAINTEXT,SSL. The "
                "valid options based on the current configuration are PLAINTEXT"));
  EXPECT_THAT(misfit({{"advertised.listeners", "PLAINTEXT://0.0.0.0:1"}}),
              HasSubstr("nonroutable meta-address 0.0.0.0"));
}

TEST(BrokerConfig, HostAndPortOfTheFirstVersions) {
  const BrokerConfig config = good({{"host.name", "h"}, {"port", "99"}, {"advertised.host.name", "public"}});
  EXPECT_EQ(config.listeners[0].to_string(), "PLAINTEXT://h:99");
  EXPECT_EQ(config.advertised[0].to_string(), "PLAINTEXT://public:99");
  EXPECT_EQ(good({{"port", "99"}}).listeners[0].to_string(), "PLAINTEXT://:99");
  EXPECT_EQ(good({{"advertised.port", "98"}}).advertised[0].to_string(), "PLAINTEXT://:98");
  EXPECT_EQ(good({{"port", "99"}, {"listeners", "PLAINTEXT://x:1"}}).listeners[0].to_string(),
            "PLAINTEXT://x:1");
  EXPECT_EQ(good({{"host.name", "::1"}}).listeners[0].to_string(), "PLAINTEXT://[::1]:9092");
  EXPECT_THAT(misfit({{"port", "70000"}}), HasSubstr("port: Error creating broker listeners"));
}

TEST(BrokerConfig, Roles) {
  const Layer broker = {{"process.roles", "broker"},
                        {"node.id", "2"},
                        {"controller.listener.names", "CONTROLLER"},
                        {"controller.quorum.voters", "1@h:1"}};
  EXPECT_EQ(misfit(broker), "");
  EXPECT_FALSE(good(broker).is_controller);
  auto with = [](Layer layer, const std::string& name, const std::string& value) {
    layer[name] = value;
    return layer;
  };
  EXPECT_THAT(misfit(with(broker, "controller.quorum.voters", "")),
              HasSubstr("either controller.quorum.bootstrap.servers must contain"));
  EXPECT_THAT(misfit(with(broker, "controller.quorum.voters", "2@h:1")),
              HasSubstr("just the 'broker' role, the node id 2 must not be included"));
  EXPECT_THAT(misfit(with(broker, "controller.listener.names", "")),
              HasSubstr("must contain at least one value"));
  EXPECT_THAT(misfit(with(broker, "controller.listener.names", "PLAINTEXT")),
              HasSubstr("must not contain a value appearing in the 'listeners'"));
  EXPECT_THAT(misfit(with(broker, "controller.quorum.voters", "x")),
              HasSubstr("expected id@host:port such as 1@localhost:9093, found `x`"));

  const Layer controller = {{"process.roles", "controller"},
                            {"node.id", "1"},
                            {"controller.listener.names", "CONTROLLER"},
                            {"listeners", "CONTROLLER://:9093"},
                            {"controller.quorum.voters", "1@h:1"}};
  EXPECT_EQ(misfit(controller), "");
  EXPECT_FALSE(good(controller).is_broker);
  EXPECT_THAT(misfit(with(controller, "node.id", "5")), HasSubstr("must be included in the set of voters"));
  EXPECT_THAT(misfit(with(controller, "listeners", "PLAINTEXT://:1,CONTROLLER://:2")),
              HasSubstr("must only contain KRaft controller listeners"));
  EXPECT_THAT(misfit(with(controller, "listeners", "PLAINTEXT://:1")),
              HasSubstr("must only contain values appearing in the 'listeners'"));
  Layer combined = controller;
  combined["process.roles"] = "broker,controller";
  EXPECT_THAT(misfit(combined), HasSubstr("Perhaps all listeners appear in controller.listener.names?"));
}

TEST(BrokerConfig, ConnectionLimits) {
  const auto config = good(
      {{"max.connections.per.ip", "0"}, {"max.connections.per.ip.overrides", "127.0.0.1:5, h : 6 ,::1:7"}});
  EXPECT_THAT(config.max_connections_per_ip_overrides,
              ElementsAre(testing::Pair("127.0.0.1", 5), testing::Pair("::1", 7), testing::Pair("h", 6)));
  EXPECT_THAT(misfit({{"max.connections.per.ip", "0"}}), HasSubstr("can be set to zero only if"));
  for (const char* text : {"h", "h:x", ":5", "h:-1"})
    EXPECT_THAT(misfit({{"max.connections.per.ip.overrides", text}}),
                HasSubstr("expected host:count, found `" + std::string(text) + "`"));
}

TEST(BrokerConfig, TimesAndSizesFitTogether) {
  EXPECT_THAT(misfit({{"log.retention.ms", "0"}}),
              HasSubstr("log.retention.ms must be unlimited (-1) or, greater than or equal to 1"));
  EXPECT_THAT(misfit({{"log.roll.ms", "0"}}), HasSubstr("log.roll.ms must be greater than or equal to 1"));
  EXPECT_THAT(misfit({{"log.roll.jitter.ms", "-1"}}),
              HasSubstr("log.roll.jitter.ms must be greater than or equal to 0"));
  EXPECT_THAT(
      misfit({{"log.cleaner.min.compaction.lag.ms", "9"}, {"log.cleaner.max.compaction.lag.ms", "8"}}),
      HasSubstr("(9) > max.compaction.lag.ms (8)"));
  EXPECT_THAT(misfit({{"log.cleaner.dedupe.buffer.size", "1048576"}}),
              HasSubstr("at least 1MB per cleaner thread."));
  EXPECT_EQ(misfit({{"log.cleaner.dedupe.buffer.size", "1"}, {"log.cleaner.threads", "0"}}), "");
  EXPECT_THAT(misfit({{"queued.max.request.bytes", "100"}}),
              HasSubstr("must be larger or equal to socket.request.max.bytes"));
  EXPECT_THAT(misfit({{"replica.fetch.wait.max.ms", "30001"}}),
              HasSubstr("replica.socket.timeout.ms should always be at least"));
  EXPECT_THAT(misfit({{"replica.lag.time.max.ms", "100"}}),
              HasSubstr("less than or equal to replica.lag.time.max.ms"));
  EXPECT_THAT(misfit({{"connections.max.idle.ms", "100"}}),
              HasSubstr("connection.failed.authentication.delay.ms=100 should always be less"));
  EXPECT_EQ(misfit({{"connections.max.idle.ms", "-1"}}), "");
}

TEST(BrokerConfig, Doubts) {
  EXPECT_THAT(doubts(good({{"advertised.listeners", "PLAINTEXT://localhost:9092"}})),
              ElementsAre(HasSubstr("this machine only")));
  EXPECT_THAT(doubts(good({{"message.max.bytes", "200000000"}})),
              ElementsAre(HasSubstr("such a batch cannot arrive")));
  EXPECT_THAT(doubts(good({{"min.insync.replicas", "2"}})),
              ElementsAre(HasSubstr("new topics will refuse writes with acks=all")));
}

}  // namespace
}  // namespace moldau::config
