#include "broker/call.h"

#include <utility>

#include "broker/services.h"
#include "wire/frame.h"

namespace moldau::broker {

Call::Call(Services& services, std::shared_ptr<env::Connection> connection, std::uint64_t slot,
           env::Inbound frame, const Header& header)
    : services_(services),
      connection_(std::move(connection)),
      slot_(slot),
      frame_(std::move(frame)),
      header_(header),
      received_(connection_->loop().now()) {}

wire::Writer::Mark Call::begin_reply(wire::Writer& writer) const {
  const wire::Writer::Mark frame = writer.begin_frame();
  wire::encode_response_header(writer, header_.api->key, header_.version, header_.correlation_id);
  return frame;
}

void Call::send(std::shared_ptr<wire::Writer> writer, wire::Writer::Mark frame,
                std::vector<env::FileSlice> slices) {
  if (!writer->ok()) return close("the answer cannot be written: " + std::string(writer->error()));
  writer->end_frame(frame);
  env::Outbound out;
  const ByteView all = writer->view();
  std::size_t at = 0;
  out.pieces.reserve(2 * writer->holes().size() + 1);
  for (const wire::Hole& hole : writer->holes()) {
    if (hole.position > at)
      out.pieces.emplace_back(env::SharedBytes{writer, all.subspan(at, hole.position - at)});
    at = hole.position;
    out.pieces.emplace_back(std::move(slices[hole.external_id]));
  }
  if (at < all.size()) out.pieces.emplace_back(env::SharedBytes{writer, all.subspan(at)});
  done();
  connection_->reply(slot_, std::move(out));
}

void Call::release_frame() {
  if (header_.client_id) header_.client_id = keep(std::string(*header_.client_id));
  header_.size = 0;
  frame_ = {};
}

void Call::reply_body(ByteView body) {
  auto writer = std::make_shared<wire::Writer>();
  writer->reserve(16 + body.size());
  const wire::Writer::Mark frame = begin_reply(*writer);
  writer->raw(body);
  send(std::move(writer), frame, {});
}

void Call::reply_nothing() {
  done();
  connection_->reply(slot_, {});
}

void Call::close(std::string why) {
  const env::ConnectionInfo& peer = connection_->info();
  services_.events.write(env::Level::kInfo, "kafka.server.KafkaApis",
                         "Closing connection of " + peer.client_host + ":" +
                             std::to_string(peer.client_port) + ", client id '" + std::string(client_id()) +
                             "', at " + std::string(api().name) + " " + std::to_string(version()) + ": " +
                             why);
  connection_->close(std::move(why));
}

void Call::malformed(std::string reason) {
  services_.metrics.malformed_requests.add();
  close("the request cannot be read: " + std::move(reason));
}

void Call::count_error() { services_.metrics.apis[static_cast<std::size_t>(api().key)].errors.add(); }

void Call::done() {
  ApiMetrics& metrics = services_.metrics.apis[static_cast<std::size_t>(api().key)];
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(loop().now() - received_).count();
  metrics.total_time_us.add(took > 0 ? static_cast<std::uint64_t>(took) : 0);
}

}  // namespace moldau::broker
