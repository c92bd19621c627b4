// One run: the broker's machine, the network, the clients' knowledge, and time. Everything that is drawn by
// lot comes from the seed, so a run repeats exactly. The first violation ends it. One thread; worlds share
// nothing but settings.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "record/compression.h"
#include "sim/connection.h"
#include "sim/events.h"
#include "sim/ledger.h"
#include "sim/machine.h"
#include "simenv/clock.h"
#include "simenv/disk.h"

namespace moldau::sim {

// How bad a world is, beside the faults that come and go.
struct Climate {
  std::size_t loops = 1;
  std::size_t directories = 1;
  int settings = 0;             // which of machine.cc's
  env::Duration network{};      // longest delay of a frame, most of the time
  env::Duration background{};   // longest delay of a job
  std::uint64_t forgetful = 0;  // one look-up in so many finds a file gone from memory; 0: none
};

class World {
 public:
  World(std::uint64_t seed, bool tracing);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- for everyone
  // -------------------------------------------------------------------------------------------------
  // What happened, for the trace; `text` is only asked for when somebody wants one.
  template <typename Text>
  void note(Text text) {
    if (tracing_) trace_.push_back(stamp() + text());
  }
  void violate(std::string what);
  bool over() const { return violation_.has_value(); }
  const std::optional<std::string>& violation() const { return violation_; }
  const std::vector<std::string>& trace() const { return trace_; }

  // --- for connections
  // ----------------------------------------------------------------------------------------------
  env::Duration network_delay();
  env::Duration sending_delay();
  void replied(const RequestNote& request, env::Instant arrived);
  // A slice could not be read when it was to be sent: fine only where the disk was told to fail.
  void slice_failed();

  // --- for clients
  // --------------------------------------------------------------------------------------------------
  // A connection to the broker, or nothing: nobody listens there.
  std::shared_ptr<Connection> connect(Peer& peer, bool slow_client);
  broker::Broker* broker() { return machine.broker(); }

  // Looks at every partition. After each event.
  void inspect();
  // Reads every log from start to end as a consumer would, and what the metadata promise.
  void audit();
  void check_metadata();
  // What a request may take longer because it misses something: jobs that are late, a few times.
  env::Duration reading_in() const {
    // Of a compacted log a look-up may have to go through several segments that have nothing left for it.
    return climate.forgetful > 0 ? (any_compacted() ? 30 : 10) * climate.background : env::Duration{};
  }
  bool any_compacted() const;
  // The disk's faults are over, the broker has not died since: only now may everything be expected to work.
  bool disk_is_well() const { return !disk_faulty && !disk.down(); }
  bool anything_rotted() const;

  const std::uint64_t seed;
  simenv::Random random;
  simenv::Clock clock;
  Events events;
  simenv::Disk disk;
  Ledger ledger;
  Climate climate;
  Machine machine;
  record::Decompressor& decompressor;
  record::Compressor& compressor;

  bool calm = false;              // no faults any more: everything must get done now
  bool disk_faulty = false;       // something of the disk fails, or it is full
  env::Duration disk_slowness{};  // what the slowest operation takes
  std::vector<std::weak_ptr<Connection>> connections;

 private:
  std::string stamp() const;
  void audit_partition(Partition& p, broker::Broker& broker);

  bool tracing_;
  std::vector<std::string> trace_;
  std::optional<std::string> violation_;
  std::uint64_t next_connection_ = 1;
};

}  // namespace moldau::sim
