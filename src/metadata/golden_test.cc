// Every recorded metadata record goes through an image, and comes out of a snapshot.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include "metadata/delta.h"

namespace moldau::metadata {
namespace {

TEST(Golden, recorded_metadata_records_are_known) {
  const std::size_t lines =
      golden::for_each("payloads/cluster-metadata", [](const boost::json::object& line) {
        SCOPED_TRACE(std::string(golden::string(line, "name")) + " " +
                     std::to_string(golden::number(line, "version")));
        Delta delta(Image::empty("cluster"));
        const Status status = delta.apply(golden::hex(line, "hex"));
        // Alone, a record may contradict the empty image; it must never be malformed or unknown.
        if (!status) {
          EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
          EXPECT_EQ(status.error().message.find("expected"), std::string::npos) << status.error().message;
          return;
        }
        if (delta.in_transaction()) return;
        const ImagePtr image = std::move(delta).finish({}).image;
        EXPECT_TRUE(image->unknown_records().empty());
      });
  EXPECT_GT(lines, 50u);
}

}  // namespace
}  // namespace moldau::metadata
