#include "metadata/replay.h"

namespace moldau::metadata {

Status Replay::operator()(const wire::RegisterBrokerRecord& record) {
  BrokerRegistration broker;
  broker.id = BrokerId{record.broker_id};
  broker.epoch = record.broker_epoch;
  broker.incarnation_id = record.incarnation_id;
  broker.endpoints = endpoints(record.end_points);
  broker.features = features(record.features);
  if (record.rack) broker.rack = std::string(*record.rack);
  broker.fenced = record.fenced;
  broker.in_controlled_shutdown = record.in_controlled_shutdown;
  broker.is_migrating_zk_broker = record.is_migrating_zk_broker;
  broker.log_dirs = record.log_dirs;
  broker.cordoned_log_dirs = record.cordoned_log_dirs;
  put(std::move(broker));
  return {};
}

Status Replay::operator()(const wire::UnregisterBrokerRecord& record) {
  if (!registered(record.broker_id, record.broker_epoch))
    return unknown_broker(record.broker_id, record.broker_epoch);
  auto brokers = *image_.brokers_;
  brokers.erase(BrokerId{record.broker_id});
  image_.brokers_ = std::make_shared<const decltype(brokers)>(std::move(brokers));
  return {};
}

Status Replay::operator()(const wire::FenceBrokerRecord& record) {
  return set_fenced(record.id, record.epoch, true);
}

Status Replay::operator()(const wire::UnfenceBrokerRecord& record) {
  return set_fenced(record.id, record.epoch, false);
}

Status Replay::operator()(const wire::BrokerRegistrationChangeRecord& record) {
  const BrokerRegistration* before = registered(record.broker_id, record.broker_epoch);
  if (before == nullptr) return unknown_broker(record.broker_id, record.broker_epoch);
  if (record.fenced < -1 || record.fenced > 1 || record.in_controlled_shutdown < 0 ||
      record.in_controlled_shutdown > 1)
    return contradiction(
        fmt::format("broker {} changes to fenced {} and controlled shutdown {}, neither known",
                    record.broker_id, record.fenced, record.in_controlled_shutdown));
  BrokerRegistration broker = *before;
  if (record.fenced != 0) broker.fenced = record.fenced > 0;
  if (record.in_controlled_shutdown != 0) broker.in_controlled_shutdown = true;
  if (!record.log_dirs.empty()) broker.log_dirs = record.log_dirs;
  if (record.cordoned_log_dirs) broker.cordoned_log_dirs = record.cordoned_log_dirs;
  put(std::move(broker));
  return {};
}

Status Replay::operator()(const wire::RegisterControllerRecord& record) {
  auto controllers = *image_.controllers_;
  const BrokerId id{record.controller_id};
  controllers[id] = ControllerRegistration{id, record.incarnation_id, record.zk_migration_ready,
                                           endpoints(record.end_points), features(record.features)};
  image_.controllers_ = std::make_shared<const decltype(controllers)>(std::move(controllers));
  return {};
}

const BrokerRegistration* Replay::registered(std::int32_t id, std::int64_t epoch) const {
  const BrokerRegistration* broker = image_.find_broker(BrokerId{id});
  return broker != nullptr && broker->epoch == epoch ? broker : nullptr;
}

std::unexpected<Error> Replay::unknown_broker(std::int32_t id, std::int64_t epoch) {
  return contradiction(
      fmt::format("broker {} changes in epoch {}, but is not registered with it", id, epoch));
}

Status Replay::set_fenced(std::int32_t id, std::int64_t epoch, bool fenced) {
  const BrokerRegistration* before = registered(id, epoch);
  if (before == nullptr) return unknown_broker(id, epoch);
  BrokerRegistration broker = *before;
  broker.fenced = fenced;
  put(std::move(broker));
  return {};
}

void Replay::put(BrokerRegistration broker) {
  auto brokers = *image_.brokers_;
  const BrokerId id = broker.id;
  brokers[id] = std::make_shared<const BrokerRegistration>(std::move(broker));
  image_.brokers_ = std::make_shared<const decltype(brokers)>(std::move(brokers));
}

}  // namespace moldau::metadata
