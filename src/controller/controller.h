// The controller: decides which records change the cluster's metadata. The four doors of a replicated machine
// (docs/architecture.md): handle decides and changes nothing, apply is the only mutator, tick and
// next_deadline are time. Always holds: the records of an Outcome, applied in order, make exactly what its
// reply says. One thread at a time; usually reached through driver.h. (Kafka: QuorumController and its
// ControlManagers.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "config/values.h"
#include "controller/requests.h"
#include "env/clock.h"
#include "env/random.h"
#include "metadata/delta.h"
#include "metadata/image.h"

namespace moldau::controller {

// `records`: values with framing, to be appended as one unit; may be empty.
template <typename Reply>
struct Outcome {
  std::vector<Bytes> records;
  Reply reply;
};

struct Options {
  BrokerId node_id{1};                          // this controller's own
  std::int32_t default_num_partitions = 1;      // num.partitions
  std::int16_t default_replication_factor = 1;  // default.replication.factor
  // server.properties: what the settings of topics and groups fall back to, and the bounds they have.
  config::Layer static_broker_config{};
  std::int16_t kraft_version = 1;
};

class Controller {
 public:
  Controller(Options options, metadata::ImagePtr image);

  // Every request of requests.h. `random` is asked for topic ids and where a placement starts.
  template <typename Request>
  using OutcomeOf = Outcome<typename Request::Reply>;
  OutcomeOf<CreateTopics> handle(const CreateTopics&, env::Instant now, env::Random& random) const;
  OutcomeOf<DeleteTopics> handle(const DeleteTopics&, env::Instant now, env::Random& random) const;
  OutcomeOf<CreatePartitions> handle(const CreatePartitions&, env::Instant now, env::Random& random) const;
  OutcomeOf<ElectLeaders> handle(const ElectLeaders&, env::Instant now, env::Random& random) const;
  OutcomeOf<AlterConfigs> handle(const AlterConfigs&, env::Instant now, env::Random& random) const;
  OutcomeOf<IncrementalAlterConfigs> handle(const IncrementalAlterConfigs&, env::Instant now,
                                            env::Random& random) const;
  OutcomeOf<UpdateFeatures> handle(const UpdateFeatures&, env::Instant now, env::Random& random) const;
  OutcomeOf<AllocateProducerIds> handle(const AllocateProducerIds&, env::Instant now,
                                        env::Random& random) const;
  OutcomeOf<RegisterBroker> handle(const RegisterBroker&, env::Instant now, env::Random& random) const;
  OutcomeOf<BrokerHeartbeat> handle(const BrokerHeartbeat&, env::Instant now, env::Random& random) const;
  OutcomeOf<UnregisterBroker> handle(const UnregisterBroker&, env::Instant now, env::Random& random) const;
  OutcomeOf<AssignReplicasToDirs> handle(const AssignReplicasToDirs&, env::Instant now,
                                         env::Random& random) const;
  OutcomeOf<RegisterController> handle(const RegisterController&, env::Instant now,
                                       env::Random& random) const;
  OutcomeOf<AdoptTopics> handle(const AdoptTopics&, env::Instant now, env::Random& random) const;

  // One committed or just appended batch, and what it changed. The only mutator. Errors are Delta::apply's;
  // after one the controller is to be thrown away.
  Result<metadata::Changes> apply(std::span<const ByteView> records, const metadata::Provenance& provenance);

  // All that was applied, an open metadata transaction left out.
  const metadata::ImagePtr& image() const { return image_; }

 private:
  void follow(const metadata::Changes& changes);

  Options options_;
  config::BrokerValues values_;  // options_.static_broker_config, and the image's dynamic layers
  metadata::ImagePtr image_;
  std::optional<metadata::Delta> transaction_;               // open: records that nobody may see yet
  std::map<std::string, std::set<std::string>> collisions_;  // topics with '.' or '_', by collision_key
};

}  // namespace moldau::controller
