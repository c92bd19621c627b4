// Every message of the schema, at every version: the first bytes choose which. Whatever comes, decoding ends
// cleanly; what decodes encodes again, to the size that encoded_size promised.
#include "base/check.h"
#include "wire/catalog.h"
#include "wire/reader.h"
#include "wire/writer.h"

using namespace moldau;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const auto& catalog = wire::catalog();
  const auto& entry = catalog[load_be<std::uint16_t>(data) % catalog.size()];
  const int versions = entry.max_version - entry.min_version + 1;
  const auto version = static_cast<std::int16_t>(entry.min_version + data[2] % versions);
  wire::Reader reader(ByteView(data + 3, size - 3));
  wire::Writer writer;
  std::size_t promised = 0;
  if (!entry.run(reader, version, nullptr, &writer, &promised)) {
    CHECK(!reader.reason().empty(), "a failure says why");
    return 0;
  }
  if (writer.ok()) CHECK(writer.size() == promised, "encoded_size tells the size");
  return 0;
}
