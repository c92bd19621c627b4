#include "server/node.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <unistd.h>
#include <utility>

#include "broker/connection_state.h"
#include "os/memory.h"
#include "os/open_files.h"

namespace moldau::server {
namespace {

// Descriptors that neither connections nor logs have: listeners, epoll, checkpoints, snapshots.
constexpr std::uint64_t kOtherDescriptors = 64;
constexpr std::uint64_t kMostLogFiles = 2000, kFewestLogFiles = 32;
constexpr env::Duration kDrainGrace = std::chrono::seconds(5);

std::string machine_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

// Changes with every start of the machine: what was written under the same one survived a mere kill.
std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

// A limit of one listener: its own if it is given, or else everybody's.
std::int32_t limit_of(const config::BrokerValues& values, std::string listener, std::string_view name) {
  for (char& c : listener) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  std::int32_t limit = values.number32(name);
  const auto own = values.find("listener.name." + listener + "." + std::string(name)).text;
  if (own) std::from_chars(own->data(), own->data() + own->size(), limit);  // it parses: checked when set
  return limit;
}

net::Options network_options(const config::BrokerValues& values, const config::BrokerConfig& config) {
  net::Options options;
  options.loops = config.num_network_threads_given ? static_cast<unsigned>(config.num_network_threads) : 0;
  options.socket_request_max_bytes = config.socket_request_max_bytes;
  options.max_connections = config.max_connections;
  options.max_connections_per_ip = config.max_connections_per_ip;
  options.max_connections_per_ip_overrides = config.max_connections_per_ip_overrides;
  options.max_connection_creation_rate = config.max_connection_creation_rate;
  options.quota_window_num = config.quota_window_num;
  options.quota_window_size_seconds = config.quota_window_size_seconds;
  for (const config::Listener& listener : config.listeners) {
    options.listener_limits[listener.name] = {
        .max_connections = limit_of(values, listener.name, "max.connections"),
        .max_connection_creation_rate = limit_of(values, listener.name, "max.connection.creation.rate")};
  }
  options.connections_max_idle_ms = config.connections_max_idle_ms;
  options.queued_max_request_bytes = config.queued_max_request_bytes;
  options.socket_send_buffer_bytes = config.socket_send_buffer_bytes;
  options.socket_receive_buffer_bytes = config.socket_receive_buffer_bytes;
  options.socket_listen_backlog_size = config.socket_listen_backlog_size;
  options.on_rest = os::give_back_memory;
  return options;
}

}  // namespace

Node::Node(config::Loaded loaded, Logger& log) : loaded_(std::move(loaded)), log_(log) {}

Node::~Node() = default;

Status Node::start() {
  TRY(open_broker());
  tell_what_was_found();
  TRY(listen());
  TRY(broker_->announce(advertised()));
  follow_limits();
  network_->start(*broker_);
  return {};
}

void Node::tick() {
  broker_->tick();
  follow_limits();
}

// Limits of connections can be changed while the broker runs (kafka-configs.sh).
void Node::follow_limits() {
  const broker::SettingsPtr settings = broker_->services().settings.get();
  if (settings == followed_) return;
  followed_ = settings;
  if (const Status changed = network_->change_limits(network_options(settings->values, settings->config));
      !changed) {
    log_.error("kafka.network.SocketServer",
               "the limits of connections stay as they are: " + changed.error().message);
  }
}

Status Node::open_broker() {
  const std::uint64_t descriptors = os::raise_open_file_limit();
  const std::uint64_t log_files = std::clamp(descriptors / 16, kFewestLogFiles, kMostLogFiles);
  net::Options options = network_options(loaded_.values, loaded_.config);
  options.descriptors =
      std::max(descriptors, 2 * (log_files + kOtherDescriptors)) - log_files - kOtherDescriptors;
  background_ = std::make_unique<os::Background>(
      static_cast<unsigned>(std::clamp(loaded_.config.background_threads, 1, 64)));
  network_ = std::make_unique<net::Server>(
      std::move(options), clock_, [] { return std::make_unique<os::Entropy>(); }, log_.network());
  network_->read_cold_files_with(*background_, page_cache_);
  const broker::World world{.fs = fs_,
                            .clock = clock_,
                            .random = random_,
                            .background = *background_,
                            .events = log_,
                            .boot_id = boot_id(),
                            .loops = network_->loops().size(),
                            .wheels = {network_->loops().begin(), network_->loops().end()},
                            .make_random = [] { return std::make_unique<os::Entropy>(); },
                            .open_files = static_cast<std::uint32_t>(log_files)};
  auto opened = broker::Broker::open(world, {loaded_.values, loaded_.config});
  if (!opened) return std::unexpected(with_place(std::move(opened).error()));
  broker_ = std::move(*opened);
  return {};
}

// Says which line of the configuration names the directory that the error is about.
Error Node::with_place(Error error) const {
  const std::string path = error.message.substr(0, error.message.find(": "));
  const auto is_of = [&](const std::string& directory) {
    return path.starts_with(directory) || directory.starts_with(path + "/");
  };
  if (std::ranges::any_of(loaded_.config.log_dirs, is_of))
    error.message = loaded_.place("log.dirs", "log.dir") + ": " + error.message;
  else if (is_of(loaded_.config.metadata_log_dir))
    error.message = loaded_.place("metadata.log.dir") + ": " + error.message;
  return error;
}

void Node::tell_what_was_found() {
  const broker::OpenReport& found = broker_->report();
  if (found.fresh)
    log_.info("kafka.server.KafkaServer",
              "no metadata found in the log directories: formatted them for a new cluster");
  log_.info("kafka.server.KafkaServer",
            "Cluster ID = " + found.cluster_id + ", node " + std::to_string(found.node.value));
  if (!found.quorum.cut_reason.empty()) {
    log_.warn("kafka.raft.KafkaMetadataLog", "the metadata log lost its torn tail of " +
                                                 std::to_string(found.quorum.bytes_cut) +
                                                 " bytes: " + found.quorum.cut_reason);
  }
  for (const std::string& line : found.logs.lines) log_.warn("kafka.log.LogManager", line);
  log_.info("kafka.log.LogManager", "Loaded " + std::to_string(found.logs.logs) + " logs; " +
                                        std::to_string(found.logs.logs_scanned) + " of them were checked, " +
                                        std::to_string(found.logs.bytes_scanned) + " bytes read, " +
                                        std::to_string(found.logs.bytes_dropped) + " dropped");
  if (found.adopted.empty()) return;
  std::string topics;
  for (const std::string& topic : found.adopted) topics += (topics.empty() ? "" : ", ") + topic;
  log_.info("kafka.server.KafkaServer",
            "took over the topics of a directory without a metadata log: " + topics);
}

Status Node::listen() {
  std::vector<net::ListenerSpec> specs;
  for (const config::Listener& listener : loaded_.config.listeners) {
    if (listener.protocol != config::SecurityProtocol::kPlaintext) {
      return fail(ErrorKind::kUnsupported, loaded_.place("listeners") + ": listener " + listener.to_string() +
                                               ": security protocol " +
                                               std::string(config::to_string(listener.protocol)) +
                                               " is not served yet; use PLAINTEXT");
    }
    // Brokers come in even when clients have used up max.connections.
    const bool exempt =
        loaded_.config.listeners.size() > 1 && listener.name == loaded_.config.inter_broker_listener_name;
    specs.push_back({.name = listener.name,
                     .host = listener.host,
                     .port = listener.port,
                     .exempt_from_max_connections = exempt});
  }
  for (const config::Listener& listener : loaded_.config.controller_listeners) {
    log_.info("kafka.server.KafkaServer",
              "controller listener " + listener.to_string() +
                  " is not opened: this broker is its own and only controller; what tools ask with "
                  "--bootstrap-controller is answered with --bootstrap-server");
  }
  if (Status bound = network_->bind(specs); !bound)
    return fail(bound.error().kind, loaded_.place("listeners") + ": " + bound.error().message);
  for (const net::BoundListener& bound : network_->listeners()) {
    const bool v6 = bound.address.find(':') != std::string::npos;
    addresses_.push_back(bound.name + "://" + (v6 ? "[" + bound.address + "]" : bound.address) + ":" +
                         std::to_string(bound.port));
  }
  return {};
}

std::vector<metadata::Endpoint> Node::advertised() const {
  std::vector<metadata::Endpoint> endpoints;
  for (const config::Listener& listener : loaded_.config.advertised) {
    metadata::Endpoint endpoint{.name = listener.name,
                                .host = listener.host.empty() ? machine_name() : listener.host,
                                .port = listener.port,
                                .security_protocol = static_cast<std::int16_t>(listener.protocol)};
    for (const net::BoundListener& bound : network_->listeners()) {
      if (endpoint.port == 0 && bound.name == endpoint.name) endpoint.port = bound.port;
    }
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

Status Node::stop() {
  broker_->resign_groups();
  // A fetch may wait for records longer than anybody waits for a stop.
  network_->stop(kDrainGrace, [](env::Connection& c) { broker::state_of(c).hurry_all(); });
  // What was accepted is done first: the broker's last metadata work must be the only one.
  background_->stop();
  return broker_->stop();
}

}  // namespace moldau::server
