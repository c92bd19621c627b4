// Recognises what is not Kafka's protocol by its first bytes: people point browsers, proxies' health checks
// and TLS clients at a plaintext port, and deserve to be told so.
#pragma once

#include <string>

#include "base/bytes.h"

namespace moldau::net {

// What a connection that starts with `first` speaks, for a log line: "an HTTP request (GET /)", "a TLS
// handshake"; empty if it may be Kafka's protocol. Needs 4 bytes; more make the description better.
std::string foreign_protocol(ByteView first);

}  // namespace moldau::net
