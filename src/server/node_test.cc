// A whole node in this process, real files and sockets, and clients on threads of their own that all write to
// and read from the same partition: what the thread sanitizer should see.
#include <array>
#include <atomic>
#include <gtest/gtest.h>
#include <set>
#include <thread>

#include "record/builder.h"
#include "record/records.h"
#include "server/node_fixture.h"
#include "wire/gen/fetch.h"
#include "wire/gen/produce.h"

namespace moldau::server {
namespace {

Bytes one_record(std::string_view value) {
  record::BatchBuilder builder({});
  builder.append({.timestamp = 1, .value = as_bytes(value)});
  record::Compressor compressor;
  return std::move(builder).finish(compressor);
}

// The error that the broker answered, or -1000 if it did not.
std::int16_t produce_batch(Client& client, const Bytes& batch, std::int16_t acks = -1,
                           std::int32_t timeout_ms = 10'000) {
  wire::ProduceRequest request{
      .transactional_id = std::nullopt, .acks = acks, .timeout_ms = timeout_ms, .topic_data = {}};
  request.topic_data.push_back({.name = "shared",
                                .topic_id = {},
                                .partition_data = {{.index = 0, .records = wire::Records::view(batch)}}});
  wire::ProduceResponse response;
  if (!client.ask(9, request, response)) return -1000;
  return response.responses.at(0).partition_responses.at(0).error_code;
}

bool produce(Client& client, std::string_view value) { return produce_batch(client, one_record(value)) == 0; }

// A text of some hundred bytes that compresses, but not to nothing.
std::string text_of(int writer, int batch, int record) {
  std::string text =
      std::to_string(writer) + ":" + std::to_string(batch) + ":" + std::to_string(record) + " ";
  std::uint32_t state = static_cast<std::uint32_t>(writer * 1'000'003 + batch * 1009 + record);
  while (text.size() < 300) text += std::to_string((state = state * 1'664'525u + 1'013'904'223u) >> 20) + ",";
  return text;
}

Bytes compressed_batch(record::Codec codec, int writer, int number, int records) {
  record::BatchBuilder builder({.compression = codec});
  for (int i = 0; i < records; ++i) {
    const std::string text = text_of(writer, number, i);
    builder.append({.timestamp = 1, .value = as_bytes(text)});
  }
  record::Compressor compressor;
  return std::move(builder).finish(compressor);
}

// A client of old reads all from the start, in its format: the broker converts for it.
bool fetch_as_of_old(Client& client, int times) {
  for (int i = 0; i < times; ++i) {
    wire::FetchRequest request;
    request.max_wait_ms = 0;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.topics.push_back(
        {.topic = "shared",
         .topic_id = {},
         .partitions = {{.partition = 0, .fetch_offset = 0, .partition_max_bytes = 1 << 20}}});
    wire::FetchResponse response;
    if (!client.ask(3, request, response)) return false;
    const auto& partition = response.responses.at(0).partitions.at(0);
    if (partition.error_code != 0 || partition.records.bytes.empty()) return false;
  }
  return true;
}

// Reads from `offset` on, waiting up to half a second; the values go into `seen`.
bool fetch(Client& client, std::int64_t& offset, std::set<std::string>& seen) {
  wire::FetchRequest request;
  request.cluster_id = std::nullopt;
  request.max_wait_ms = 500;
  request.min_bytes = 1;
  request.topics.push_back(
      {.topic = "shared",
       .topic_id = {},
       .partitions = {{.partition = 0, .fetch_offset = offset, .partition_max_bytes = 1 << 20}}});
  wire::FetchResponse response;
  if (!client.ask(12, request, response)) return false;
  const auto& partition = response.responses.at(0).partitions.at(0);
  if (partition.error_code != 0) return false;
  record::Decompressor decompressor;
  record::BatchIterator batches(partition.records.bytes);
  while (const auto batch = batches.next()) {
    record::RecordIterator records(*batch, decompressor);
    while (const auto record = records.next()) {
      if (record->offset.value < offset) continue;
      offset = record->offset.value + 1;
      seen.emplace(as_text(*record->value));
    }
  }
  return true;
}

TEST_F(NodeTest, ManyClientsShareOnePartition) {
  constexpr int kWriters = 4, kReaders = 2, kEach = 100;
  auto node = start();
  make_topic();
  std::vector<std::thread> threads;
  std::vector<int> written(kWriters, 0);
  std::vector<std::set<std::string>> seen(kReaders);
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      Client client(port);
      for (int i = 0; i < kEach; ++i)
        written[static_cast<std::size_t>(w)] += produce(client, std::to_string(w) + ":" + std::to_string(i));
    });
  }
  for (int r = 0; r < kReaders; ++r) {
    threads.emplace_back([&, r] {
      Client client(port);
      std::int64_t offset = 0;
      auto& mine = seen[static_cast<std::size_t>(r)];
      while (mine.size() < kWriters * kEach && fetch(client, offset, mine)) {
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const int count : written) EXPECT_EQ(count, kEach);
  for (const auto& values : seen) EXPECT_EQ(values.size(), static_cast<std::size_t>(kWriters * kEach));
  node->tick();
  EXPECT_TRUE(node->stop());
}

// Both loops unpack and pack batches at once, each with tools of its own. Shared ones would spoil batches,
// and the thread sanitizer would say so.
TEST_F(NodeTest, TwoLoopsCompressAtOnce) {
  using record::Codec;
  constexpr int kBatches = 25, kRecords = 40;
  constexpr std::array kCodecs = {Codec::kGzip, Codec::kSnappy, Codec::kLz4, Codec::kZstd};
  for (const std::string own : {"producer", "gzip", "lz4"}) {
    auto node = start("compression.type=" + own + "\n");
    make_topic();
    {
      Client client(port);
      ASSERT_EQ(produce_batch(client, compressed_batch(Codec::kGzip, 99, 0, 1)), 0);
    }
    std::vector<std::thread> threads;
    std::array<int, kCodecs.size()> written{};
    std::atomic<int> converted = 0;
    for (std::size_t w = 0; w < kCodecs.size(); ++w) {
      threads.emplace_back([&, w] {
        Client client(port);
        for (int i = 0; i < kBatches; ++i)
          written[w] +=
              produce_batch(client, compressed_batch(kCodecs[w], static_cast<int>(w), i, kRecords)) == 0;
      });
    }
    for (int r = 0; r < 2; ++r) {
      threads.emplace_back([&] {
        Client client(port);
        converted += fetch_as_of_old(client, 10) ? 1 : 0;
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(converted, 2);
    Client client(port);
    std::int64_t offset = 0;
    std::set<std::string> seen;
    constexpr std::size_t kAll = kCodecs.size() * kBatches * kRecords + 1;
    while (seen.size() < kAll && fetch(client, offset, seen)) {
    }
    EXPECT_EQ(seen.size(), kAll);
    for (int w = 0; w < static_cast<int>(kCodecs.size()); ++w) {
      EXPECT_EQ(written[static_cast<std::size_t>(w)], kBatches);
      for (int i = 0; i < kBatches; ++i) {
        for (int record = 0; record < kRecords; ++record) EXPECT_TRUE(seen.contains(text_of(w, i, record)));
      }
    }
    EXPECT_TRUE(node->stop());
    std::filesystem::remove_all(folder + "/data");
  }
}

// A timeout below 0 is one that is over at once, as in Kafka: whoever need not wait gets his offset all the
// same.
TEST_F(NodeTest, ANegativeTimeoutIsAnErrorOnlyForWhoWaitsForOthers) {
  for (const std::string flush : {"9223372036854775807", "1"}) {
    auto node = start("log.flush.interval.messages=" + flush + "\n");
    make_topic();
    Client client(port);
    int written = 0;
    for (const std::int16_t acks : {-1, 1}) {
      for (const std::int32_t timeout_ms : {-1, 0, INT32_MIN}) {
        const std::int16_t error =
            produce_batch(client, one_record(std::to_string(++written)), acks, timeout_ms);
        const bool too_late = acks == -1 && flush == "1" && error == 7;  // the disk has not been quick enough
        EXPECT_TRUE(error == 0 || too_late) << "error " << error << ", acks " << acks << ", timeout "
                                            << timeout_ms << ", flush.messages " << flush;
      }
    }
    std::int64_t offset = 0;
    std::set<std::string> seen;
    EXPECT_TRUE(fetch(client, offset, seen));
    EXPECT_EQ(offset, written);
    EXPECT_TRUE(node->stop());
    std::filesystem::remove_all(folder + "/data");
  }
}

TEST_F(NodeTest, WhatWasWrittenIsThereAfterARestart) {
  {
    auto node = start();
    make_topic();
    Client client(port);
    ASSERT_TRUE(produce(client, "kept"));
    ASSERT_TRUE(node->stop());
  }
  auto node = start();
  EXPECT_FALSE(node->report().fresh);
  Client client(port);
  std::int64_t offset = 0;
  std::set<std::string> seen;
  ASSERT_TRUE(fetch(client, offset, seen));
  EXPECT_EQ(seen, (std::set<std::string>{"kept"}));
  EXPECT_TRUE(node->stop());
}

TEST_F(NodeTest, ASecondNodeOnTheSameDirectoryIsRefused) {
  auto node = start();
  auto loaded = config::load("test.properties",
                             "listeners=PLAINTEXT://127.0.0.1:0\nlog.dirs=" + folder + "/data\n", {});
  Node second(std::move(*loaded), log);
  const Status refused = second.start();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find(".lock"), std::string::npos) << refused.error().message;
  EXPECT_TRUE(node->stop());
}

}  // namespace
}  // namespace moldau::server
