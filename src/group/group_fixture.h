// A machine of the group coordinator with a log in memory: requests go in, answers come out, time passes when
// told to, and a restart is a new machine that reads the log.
#pragma once

#include <deque>
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "config/broker_config.h"
#include "group/machine.h"
#include "metadata/delta.h"
#include "metadata/records.h"
#include "simenv/clock.h"
#include "wire/gen/consumer_protocol.h"
#include "wire/gen/metadata_records.h"
#include "wire/reader.h"

namespace moldau::group {

class GroupTest : public testing::Test {
 protected:
  GroupTest() : image_(metadata::Image::empty("cluster")) {
    config::Layer layer;
    layer["group.initial.rebalance.delay.ms"] = "3000";
    config_ = *config::BrokerConfig::from(config::BrokerValues(std::move(layer)));
    add_topic("t", 4);
    restart();
  }

  void add_topic(const std::string& name, int partitions) {
    metadata::Delta delta(image_);
    Uuid id{};
    id.bytes[0] = static_cast<std::uint8_t>(name.front());
    id.bytes[15] = static_cast<std::uint8_t>(name.size());
    CHECK(delta.apply(metadata::encode_record(wire::TopicRecord{.name = name, .topic_id = id})));
    for (int i = 0; i < partitions; ++i) add_partition(delta, id, i);
    image_ = std::move(delta).finish({Offset{++metadata_offset_}, LeaderEpoch{1}, 1}).image;
  }
  // The next one of a topic that is there.
  void add_partition(std::string_view topic, int index) {
    metadata::Delta delta(image_);
    add_partition(delta, image_->find_topic(topic)->id, index);
    image_ = std::move(delta).finish({Offset{++metadata_offset_}, LeaderEpoch{1}, 1}).image;
  }
  static void add_partition(metadata::Delta& delta, const Uuid& topic, int index) {
    const metadata::Partition partition{.index = PartitionIndex{index},
                                        .leader = BrokerId{1},
                                        .replicas = {BrokerId{1}},
                                        .isr = {BrokerId{1}},
                                        .directories = {metadata::kDirectoryUnassigned}};
    CHECK(delta.apply(metadata::to_record(partition, topic, 25)));
  }

  Context context() {
    return {.now = {clock_.now(), clock_.wall_ms()},
            .random = random_,
            .image = *image_,
            .config = config_,
            .max_batch_bytes = 1 << 20};
  }

  // Bytes that live as long as the test: requests are views.
  ByteView keep(Bytes bytes) { return kept_.emplace_back(std::move(bytes)); }
  // What a consumer of a classic group says to its leader: the topics that it wants, and what it has of each.
  using Owned = std::map<std::string, std::vector<std::int32_t>>;
  ByteView subscription(const std::vector<std::string>& topics = {"t"}, const Owned& owned = {}) {
    wire::ConsumerProtocolSubscription said{.topics = {topics.begin(), topics.end()}};
    for (const auto& [topic, partitions] : owned)
      said.owned_partitions.push_back({.topic = topic, .partitions = partitions});
    wire::Writer writer;
    writer.number(std::int16_t{1});
    encode(writer, 1, said);
    return keep(writer.to_bytes());
  }
  // A consumer that joins group g; its assignor is range, and `metadata` what it says.
  static wire::JoinGroupRequest join_request(ByteView metadata, std::string_view member = "",
                                             std::optional<std::string_view> instance = {}) {
    return {.group_id = "g",
            .session_timeout_ms = 10'000,
            .rebalance_timeout_ms = 60'000,
            .member_id = member,
            .group_instance_id = instance,
            .protocol_type = "consumer",
            .protocols = {{.name = "range", .metadata = metadata}},
            .reason = {}};
  }

  // Asks, and returns the ticket of the answer.
  template <typename Request>
  Ticket ask(const Request& request, std::int16_t version = Request::kMaxVersion) {
    const Ticket ticket = next_ticket_++;
    take(machine_->handle(context(), {{ticket, version}, client_id_, "/127.0.0.1"}, request));
    versions_[ticket] = version;
    return ticket;
  }
  bool answered(Ticket ticket) const { return answers_.contains(ticket); }
  // The answer: views into bytes that the fixture keeps.
  template <typename Response>
  Response answer(Ticket ticket) {
    const auto found = answers_.find(ticket);
    EXPECT_NE(found, answers_.end()) << "not answered: " << ticket;
    Response response;
    if (found == answers_.end()) return response;
    wire::Reader reader(found->second);
    EXPECT_TRUE(decode(reader, versions_[ticket], response)) << reader.reason();
    EXPECT_EQ(reader.remaining(), 0u);
    return response;
  }

  // Time passes; what is due happens.
  void pass(std::int64_t ms) {
    const env::Instant end = clock_.now() + std::chrono::milliseconds(ms);
    for (;;) {
      while (auto decision = machine_->tick(context())) take(std::move(*decision));
      const auto next = machine_->next_deadline();
      if (!next || *next > end) break;
      if (*next > clock_.now())
        clock_.advance(*next - clock_.now());
      else
        clock_.advance(env::TimerWheel::kTick);
    }
    if (end > clock_.now()) clock_.advance(end - clock_.now());
    while (auto decision = machine_->tick(context())) take(std::move(*decision));
  }

  void restart() {
    machine_ = std::make_unique<Machine>(clock_.now());
    for (const Record& record : log_) apply(record);
    take(machine_->loaded(context()));
  }

  void take(Decision decision) {
    for (Record& record : decision.records) {
      apply(record);
      log_.push_back(std::move(record));
    }
    for (Answer& answer : decision.answers) {
      EXPECT_FALSE(answers_.contains(answer.ticket)) << "answered twice: " << answer.ticket;
      answers_[answer.ticket] = std::move(answer.body);
    }
    for (std::string& note : decision.notes) notes_.push_back(std::move(note));
  }
  void apply(const Record& record) {
    const auto value = record.value ? std::optional(ByteView(*record.value)) : std::nullopt;
    const Status applied = machine_->apply({record.key, value});
    EXPECT_TRUE(applied) << applied.error().message;
  }

  simenv::Clock clock_;
  simenv::Random random_{7};
  metadata::ImagePtr image_;
  config::BrokerConfig config_;
  std::string client_id_ = "client";
  std::unique_ptr<Machine> machine_;
  std::vector<Record> log_;
  std::map<Ticket, Bytes> answers_;
  std::map<Ticket, std::int16_t> versions_;
  std::vector<std::string> notes_;
  std::deque<Bytes> kept_;
  Ticket next_ticket_ = 1;
  std::int64_t metadata_offset_ = 0;
};

}  // namespace moldau::group
