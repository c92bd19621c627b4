#include "controller/driver.h"

#include <utility>

#include "metadata/features.h"
#include "metadata/records.h"
#include "wire/gen/metadata_records.h"

namespace moldau::controller {
namespace {

using metadata::Delta;
using metadata::Provenance;

std::vector<ByteView> views(const std::vector<Bytes>& records) { return {records.begin(), records.end()}; }

Bytes abort_record() {
  wire::AbortTransactionRecord record;
  record.reason = "the controller stopped in the middle";
  return metadata::encode_record(record, 0);
}

}  // namespace

std::vector<Bytes> bootstrap_records() {
  std::vector<Bytes> records{metadata::feature_record(
      metadata::kMetadataVersion, metadata::find_feature(metadata::kMetadataVersion)->fresh)};
  for (const metadata::SupportedFeature& feature : metadata::supported_features())
    if (feature.fresh > 0 && feature.name != metadata::kMetadataVersion)
      records.push_back(metadata::feature_record(feature.name, feature.fresh));
  return records;
}

Driver::Driver(const Environment& environment, Options options, std::string cluster_id)
    : environment_(environment),
      options_(std::move(options)),
      cluster_id_(std::move(cluster_id)),
      published_(metadata::Image::empty(cluster_id_)) {}

Result<std::unique_ptr<Driver>> Driver::open(Environment environment, Options options,
                                             const std::string& cluster_id) {
  options.kraft_version = environment.quorum.state().kraft_version;
  std::unique_ptr<Driver> driver(new Driver(environment, std::move(options), cluster_id));
  TRY(driver->load());
  TRY(driver->write_what_is_missing());
  return driver;
}

// Reads the whole log into one image. A transaction that nobody finished is taken back, and the log says so.
Status Driver::load() {
  Delta delta(metadata::Image::empty(cluster_id_));
  Provenance provenance;
  TRY(environment_.quorum.replay([&](const quorum::ReplayedBatch& batch) -> Status {
    for (const ByteView value : batch.values) TRY(delta.apply(value));
    provenance = {batch.last_offset, batch.epoch, batch.timestamp_ms};
    return {};
  }));
  if (delta.in_transaction()) {
    const Bytes abort = abort_record();
    provenance.timestamp_ms = environment_.clock.wall_ms();
    TRY_ASSIGN(offset, environment_.quorum.append({&abort, 1}, provenance.timestamp_ms));
    TRY(environment_.quorum.sync());
    TRY(delta.apply(abort));
    provenance.last_offset = offset;
  }
  const metadata::ImagePtr image = std::move(delta).finish(provenance).image;
  controller_ = std::make_unique<Controller>(options_, image);
  const metadata::ImagePtr before = std::exchange(published_, image);
  environment_.follower.image_changed(published_, metadata::difference(*before, *published_));
  return {};
}

// While eligible leader replicas are in use, the cluster's min.insync.replicas stands in the log (KIP-966).
Status Driver::write_what_is_missing() {
  constexpr std::string_view kMinIsr = "min.insync.replicas";
  const metadata::ConfigMap& defaults = published_->config(metadata::ResourceType::kBroker, "");
  if (published_->feature("eligible.leader.replicas.version") < 1 || defaults.contains(kMinIsr)) return {};
  const auto value = config::BrokerValues(options_.static_broker_config).find(kMinIsr).text;
  return write(
      {metadata::config_record({metadata::ResourceType::kBroker, ""}, kMinIsr, value.value_or("1"))});
}

// The log and the machine may no longer agree: both go back to what is durable.
Status Driver::recover_from(const Error& error) {
  controller_.reset();
  if (environment_.quorum.reload()) (void)load();
  return std::unexpected(error);
}

Status Driver::write(const std::vector<Bytes>& records) {
  // Once more, and on the side: a record that cannot be applied must never reach the log.
  Delta trial(controller_->image());
  for (const Bytes& record : records) TRY(trial.apply(record));

  quorum::Quorum& quorum = environment_.quorum;
  const std::int64_t now_ms = environment_.clock.wall_ms();
  const auto offset = quorum.append(records, now_ms);
  if (!offset) return recover_from(offset.error());
  TRY_ASSIGN(changes, controller_->apply(views(records), {*offset, quorum.state().epoch, now_ms}));
  if (const Status synced = quorum.sync(); !synced) return recover_from(synced.error());
  published_ = controller_->image();
  environment_.follower.image_changed(published_, changes);
  return {};
}

template <typename Request>
Result<typename Request::Reply> Driver::execute(const Request& request) {
  if (!controller_) {
    TRY(environment_.quorum.reload());
    TRY(load());
  }
  auto outcome = controller_->handle(request, environment_.clock.now(), environment_.random);
  if (!outcome.records.empty()) TRY(write(outcome.records));
  return std::move(outcome.reply);
}

template Result<CreateTopicsReply> Driver::execute(const CreateTopics&);
template Result<DeleteTopicsReply> Driver::execute(const DeleteTopics&);
template Result<CreatePartitionsReply> Driver::execute(const CreatePartitions&);
template Result<ElectLeadersReply> Driver::execute(const ElectLeaders&);
template Result<AlterConfigsReply> Driver::execute(const AlterConfigs&);
template Result<AlterConfigsReply> Driver::execute(const IncrementalAlterConfigs&);
template Result<UpdateFeaturesReply> Driver::execute(const UpdateFeatures&);
template Result<AllocateProducerIdsReply> Driver::execute(const AllocateProducerIds&);
template Result<RegisterBrokerReply> Driver::execute(const RegisterBroker&);
template Result<BrokerHeartbeatReply> Driver::execute(const BrokerHeartbeat&);
template Result<UnregisterBrokerReply> Driver::execute(const UnregisterBroker&);
template Result<AssignReplicasToDirsReply> Driver::execute(const AssignReplicasToDirs&);
template Result<RegisterController::Reply> Driver::execute(const RegisterController&);
template Result<AdoptTopics::Reply> Driver::execute(const AdoptTopics&);

Status Driver::maintain() {
  if (!controller_ || !environment_.quorum.wants_snapshot(environment_.clock.wall_ms())) return {};
  const Provenance& at = published_->provenance();
  return environment_.quorum.write_snapshot(at.last_offset, at.epoch, at.timestamp_ms,
                                            published_->to_records(), environment_.clock.wall_ms());
}

}  // namespace moldau::controller
