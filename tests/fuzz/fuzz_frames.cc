// Request frames as a broker meets them: a header of any key and version, then the message of that key.
#include "wire/catalog.h"
#include "wire/frame.h"

using namespace moldau;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::Reader reader(ByteView(data, size));
  wire::RequestHeader header;
  if (!wire::decode_header(reader, header)) return 0;
  const wire::ApiInfo* api = wire::find_api(header.api_key);
  if (api == nullptr || !api->has(header.api_version)) return 0;
  for (const auto& entry : wire::catalog()) {
    if (entry.key != header.api_key || !entry.name.ends_with("Request")) continue;
    wire::Writer writer;
    std::size_t promised = 0;
    entry.run(reader, header.api_version, nullptr, &writer, &promised);
    return 0;
  }
  return 0;
}
