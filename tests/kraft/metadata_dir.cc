// Writes and prints a directory's cluster metadata, for run.py.
//
//   metadata_dir write DIR TOPIC:PARTITIONS[:KEY=VALUE…]…   as a broker that starts, makes topics, and stops
//   metadata_dir print DIR                                   what is in it, one thing a line
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "controller/driver.h"
#include "log/meta_properties.h"
#include "metadata/features.h"
#include "os/filesystem.h"
#include "quorum/local.h"

using namespace moldau;  // NOLINT(google-build-using-namespace): one small program

namespace {

struct NoFollower final : controller::Follower {
  void image_changed(const metadata::ImagePtr&, const metadata::Changes&) override {}
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "metadata_dir: %s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T good(Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}

struct Node {
  explicit Node(const std::string& directory) {
    if (const Status made = files.create_directories(directory); !made) die(made.error().message);
    auto properties = good(log::load_meta_properties(files, directory)).value_or(log::MetaProperties{});
    if (!properties.cluster_id) properties.cluster_id = random.uuid().to_string();
    if (!properties.node_id) properties.node_id = BrokerId{1};
    if (!properties.directory_id) properties.directory_id = random.uuid();
    if (const Status stored = log::store_meta_properties(files, directory, properties); !stored)
      die(stored.error().message);
    cluster_id = *properties.cluster_id;
    directory_id = *properties.directory_id;
    quorum = good(quorum::LocalQuorum::open(
        files, clock, {.directory = directory, .node_id = *properties.node_id, .directory_id = directory_id},
        controller::bootstrap_records()));
    driver = good(controller::Driver::open({*quorum, clock, random, follower},
                                           {.node_id = *properties.node_id, .static_broker_config = {}},
                                           cluster_id));
  }

  void start_broker() {
    controller::RegisterBroker request;
    request.id = BrokerId{1};
    request.cluster_id = cluster_id;
    request.incarnation_id = random.uuid();
    request.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
    for (const auto& f : metadata::supported_features())
      request.features.push_back({std::string(f.name), f.min, f.max});
    request.log_dirs = {directory_id};
    const auto reply = good(driver->execute(request));
    if (!reply.error.ok()) die(reply.error.message);
    epoch = reply.broker_epoch;
    heartbeat(false);
  }
  void heartbeat(bool stop) {
    controller::BrokerHeartbeat beat;
    beat.id = BrokerId{1};
    beat.broker_epoch = epoch;
    beat.current_metadata_offset = driver->image()->provenance().last_offset;
    beat.want_shut_down = stop;
    good(driver->execute(beat));
  }

  os::FileSystem files;
  os::Clock clock;
  os::Entropy random;
  NoFollower follower;
  std::string cluster_id;
  Uuid directory_id;
  std::int64_t epoch = -1;
  std::unique_ptr<quorum::LocalQuorum> quorum;
  std::unique_ptr<controller::Driver> driver;
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

void write(const std::string& directory, const std::vector<std::string>& topics) {
  Node node(directory);
  node.start_broker();
  controller::CreateTopics request;
  for (const std::string& text : topics) {
    const auto parts = split(text, ':');
    controller::NewTopic& topic = request.topics.emplace_back();
    topic.name = parts.at(0);
    topic.num_partitions = std::stoi(parts.at(1));
    for (std::size_t i = 2; i < parts.size(); ++i) {
      const auto equals = parts[i].find('=');
      topic.configs.push_back({parts[i].substr(0, equals), parts[i].substr(equals + 1)});
    }
  }
  for (const auto& topic : good(node.driver->execute(request)).topics)
    if (!topic.error.ok()) die(topic.name + ": " + topic.error.message);
  controller::AllocateProducerIds ids;
  ids.broker = BrokerId{1};
  ids.broker_epoch = node.epoch;
  good(node.driver->execute(ids));
  node.heartbeat(true);
  const metadata::Provenance& at = node.driver->image()->provenance();
  const auto snapshot = node.quorum->write_snapshot(at.last_offset, at.epoch, at.timestamp_ms,
                                                    node.driver->image()->to_records(), node.clock.wall_ms());
  if (!snapshot) die(snapshot.error().message);
  if (const Status closed = node.quorum->close(); !closed) die(closed.error().message);
}

void print(const std::string& directory) {
  Node node(directory);
  const metadata::Image& image = *node.driver->image();
  std::printf("cluster %s\n", image.cluster_id().c_str());
  for (const auto& [name, level] : image.features()) std::printf("feature %s %d\n", name.c_str(), level);
  for (const metadata::TopicPtr& topic : image.topics_sorted())
    std::printf("topic %s %s %zu\n", topic->name.c_str(), topic->id.to_string().c_str(),
                topic->partitions.size());
  for (const metadata::Resource& resource : image.configured_resources())
    for (const auto& [name, value] : image.config(resource.type, resource.name))
      std::printf("config %d %s %s=%s\n", static_cast<int>(resource.type), resource.name.c_str(),
                  name.c_str(), value.c_str());
  std::printf("producer-ids %lld\n", static_cast<long long>(image.next_producer_id()));
  std::printf("unknown-records %zu\n", image.unknown_records().size());
  if (const Status closed = node.quorum->close(); !closed) die(closed.error().message);
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() > 2 && words[0] == "write") {
    write(words[1], {words.begin() + 2, words.end()});
  } else if (words.size() == 2 && words[0] == "print") {
    print(words[1]);
  } else {
    die("expected: write DIR TOPIC:PARTITIONS[:KEY=VALUE]… | print DIR");
  }
}
