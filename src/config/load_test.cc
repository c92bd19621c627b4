// Whole files, as people have them, and every mistake that gets a message.
#include "config/load.h"

#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sstream>

namespace moldau::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Loaded good(std::string_view text, std::vector<std::string> overrides = {}) {
  auto loaded = load("f", text, overrides);
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message;
  return loaded ? *std::move(loaded) : Loaded();
}

std::string error(std::string_view text, std::vector<std::string> overrides = {}) {
  const auto loaded = load("f", text, overrides);
  return loaded ? "" : loaded.error().message;
}

std::vector<std::string> warnings(std::string_view text) {
  std::vector<std::string> texts;
  for (const Notice& notice : good(text).notices)
    if (notice.level == Notice::Level::kWarning) texts.push_back(notice.text);
  return texts;
}

// ---- files of the versions

TEST(Load, AFileOf08) {
  const Loaded loaded = good(
      "broker.id=0\nport=9092\nhost.name=localhost\nnum.network.threads=3\nnum.io.threads=8\n"
      "socket.send.buffer.bytes=102400\nlog.dirs=/tmp/"
      "kafka-logs\nnum.partitions=2\nnum.recovery.threads.per.data.dir=1\n"
      "log.flush.interval.messages=10000\nlog.retention.hours=168\nlog.segment.bytes=1073741824\nlog.cleaner."
      "enable=false\n"
      "zookeeper.connect=localhost:2181/"
      "kafka\nzookeeper.connection.timeout.ms=6000\nreplica.lag.max.messages=4000\n");
  EXPECT_EQ(loaded.config.node_id, 0);
  EXPECT_EQ(loaded.config.listeners[0].to_string(), "PLAINTEXT://localhost:9092");
  EXPECT_EQ(loaded.config.zookeeper_connect, "localhost:2181/kafka");
  EXPECT_FALSE(loaded.config.has_roles);
  EXPECT_FALSE(loaded.config.log_cleaner_enable);
  EXPECT_EQ(loaded.values.find("node.id").text, "0");
  EXPECT_THAT(warnings("broker.id=0\nzookeeper.connect=z:2181\nreplica.lag.max.messages=1\n"), IsEmpty());
}

TEST(Load, AFileOf2) {
  const Loaded loaded = good(
      "broker.id=3\nlisteners=PLAINTEXT://:9092,SSL://:9093\nadvertised.listeners=PLAINTEXT://b:9092,SSL://"
      "b:9093\n"
      "inter.broker.protocol.version=2.5\nlog.message.format.version=2.5\nzookeeper.connect=a:2181,b:2181\n"
      "listener.name.ssl.ssl.keystore.password=secret\nsuper.users=User:a;User:b\ngroup.initial.rebalance."
      "delay.ms=0\n");
  EXPECT_EQ(loaded.config.listeners.size(), 2u);
  EXPECT_EQ(loaded.config.group_initial_rebalance_delay_ms, 0);
  std::vector<std::string> infos;
  for (const Notice& notice : loaded.notices) {
    EXPECT_EQ(notice.level, Notice::Level::kInfo) << notice.text;
    infos.push_back(notice.text);
  }
  EXPECT_THAT(infos,
              testing::UnorderedElementsAre(HasSubstr("f:4: inter.broker.protocol.version has no effect"),
                                            HasSubstr("log.message.format.version has no effect"),
                                            HasSubstr("super.users belongs to the authorizer")));
}

TEST(Load, TheFilesThatComeWithUs) {
  for (const std::string name : {"server", "kraft/server", "broker", "controller"}) {
    const std::string path = MOLDAU_SOURCE_DIR "/config/" + name + ".properties";
    std::ifstream file(path);
    ASSERT_TRUE(file.good()) << path;
    std::stringstream text;
    text << file.rdbuf();
    const auto loaded = load(path, text.str(), {});
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    for (const Notice& notice : loaded->notices)
      EXPECT_THAT(notice.text, HasSubstr("PLAINTEXT://localhost:9092 is this machine only")) << path;
    if (name == "server") {
      EXPECT_EQ(loaded->config.listeners[0].to_string(), "PLAINTEXT://127.0.0.1:9092");
      EXPECT_THAT(loaded->config.log_dirs, ElementsAre("data"));
    }
  }
}

// ---- overrides

TEST(Load, OverridesWinTheLastOneMost) {
  const Loaded loaded =
      good("num.partitions=1\nnode.id=1\n", {"num.partitions=2", "num.partitions=3", "broker.rack=a=b"});
  EXPECT_EQ(loaded.config.num_partitions, 3);
  EXPECT_EQ(loaded.config.rack, "a=b");
  EXPECT_EQ(error("num.partitions=x\n", {"num.partitions=2"}), "");
}

TEST(Load, BadOverrides) {
  EXPECT_EQ(error("", {"num.partitions=x"}),
            "--override num.partitions=x: Invalid value x for configuration num.partitions: Not a number of "
            "type INT");
  EXPECT_EQ(error("", {"num.partitions"}), "--override num.partitions: expected name=value");
  EXPECT_EQ(error("", {"=5"}), "--override =5: expected name=value");
}

// ---- mistakes

TEST(Load, MistakesNameTheLine) {
  EXPECT_EQ(error("\n# x\nnum.partitions = 0\n"),
            "f:3: Invalid value 0 for configuration num.partitions: Value must be at least 1");
  EXPECT_EQ(
      error("node.id=1\nprocess.roles=boss\n"),
      "f:2: Invalid value boss for configuration process.roles: String must be one of: broker, controller");
  EXPECT_THAT(error("a=1\nlisteners=PLAINTEXT//:9092\n"),
              HasSubstr("f:2: Error creating broker listeners from 'PLAINTEXT//:9092'"));
  EXPECT_EQ(error("\nlog.retention.hours=0\n"),
            "f:2: log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
  EXPECT_THAT(error("\nadvertised.listeners=PLAINTEXT://0.0.0.0:9092\n"),
              HasSubstr("f:2: advertised.listeners cannot use"));
  EXPECT_THAT(error("x=\\u12\n"), HasSubstr("f:1: malformed"));
  EXPECT_THAT(error("\nlistener.name.a.ssl.client.auth=maybe\n"), HasSubstr("f:2: Invalid value maybe"));
}

TEST(Load, PunctuationFromABlog) {
  EXPECT_EQ(error("\nlog.dirs=/a\uFF0C/b\n"),
            "f:2: log.dirs: found the full-width comma `\uFF0C` (U+FF0C) where an ASCII `,` is expected");
  EXPECT_THAT(error("listeners=PLAINTEXT\uFF1A//h:1\n"),
              HasSubstr("f:1: listeners: found the full-width colon"));
  EXPECT_THAT(
      error("num.partitions=\uFF13\n"),
      HasSubstr("num.partitions: found the full-width character `\uFF13` (U+FF13) where an ASCII `3`"));
  EXPECT_THAT(error("controller.quorum.voters=1@a:1\u30012@b:1\n"), HasSubstr("ideographic comma"));
  EXPECT_THAT(error("num.partitions\uFF1D3\n"),
              HasSubstr("f:1: in the name `num.partitions\uFF1D3`: found the full-width equals sign"));
  EXPECT_THAT(error("zookeeper.connect=a:2181\uFF0Cb:2181\n"), HasSubstr("full-width comma"));
  EXPECT_THAT(error("", {"log.dirs=/a\uFF0C/b"}),
              HasSubstr("--override log.dirs=/a\uFF0C/b: log.dirs: found"));
  EXPECT_EQ(error("broker.rack=\u6771\u4EAC\uFF0C1\nssl.key.password=\uFF0C\n"),
            "");                                           // free text may hold anything
  EXPECT_EQ(error("log.dirs=/\u30C7\u30FC\u30BF\n"), "");  // and so may a path
}

TEST(Load, UnknownNames) {
  EXPECT_THAT(warnings("\nnum.partition=3\n"),
              ElementsAre("f:2: unknown configuration num.partition, did you mean num.partitions?"));
  EXPECT_THAT(warnings("of.nobody.at.all=3\n"),
              ElementsAre("f:1: unknown configuration of.nobody.at.all, it has no effect"));
  EXPECT_THAT(warnings("listener.name.a.ssl.keystore.tipe=x\n"), testing::SizeIs(1));
}

TEST(Load, NamesOfOtherRolesAreAccepted) {
  EXPECT_THAT(warnings("bootstrap.servers=a:1\nacks=all\ngroup.id=g\nkey.converter=x\ndataDir=/"
                       "zk\nclientPort=2181\nserver.1=a:2888:3888\n"
                       "producer.linger.ms=5\nconfluent.metrics.enable=true\nrsm.config.bucket=b\nconfig."
                       "providers.file.class=x\n"),
              IsEmpty());
  const Loaded loaded = good("tickTime=2000\n");
  EXPECT_THAT(loaded.notices,
              ElementsAre(Notice{Notice::Level::kInfo,
                                 "f:1: tickTime belongs to the zookeeper server, a broker does not use it"}));
}

}  // namespace
}  // namespace moldau::config
