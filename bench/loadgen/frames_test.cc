// Frames and batches against bytes worked out by hand from the protocol's documents. That a real broker takes
// them and a real consumer reads them is checked by `bench/check_frames.py`.
#include "loadgen/frames.h"

#include <gtest/gtest.h>
#include <string>

#include "base/crc.h"
#include "loadgen/batch.h"
#include "loadgen/replies.h"

namespace moldau::bench {
namespace {

// Hex digits to bytes; blanks are skipped and 'text' stands for its characters.
Bytes bytes_of(std::string_view notation) {
  Bytes out;
  for (std::size_t i = 0; i < notation.size();) {
    if (notation[i] == ' ') {
      ++i;
    } else if (notation[i] == '\'') {
      for (++i; notation[i] != '\''; ++i) out.push_back(static_cast<std::uint8_t>(notation[i]));
      ++i;
    } else {
      out.push_back(static_cast<std::uint8_t>(std::stoi(std::string(notation.substr(i, 2)), nullptr, 16)));
      i += 2;
    }
  }
  return out;
}

// The same behind its length, as frames are.
Bytes frame_of(std::string_view notation) {
  const Bytes body = bytes_of(notation);
  Bytes out(4);
  store_be(out.data(), static_cast<std::int32_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// The frame as it goes over the wire.
Bytes joined(const Frame& frame) {
  Bytes out;
  std::size_t from = 0;
  for (const std::size_t cut : frame.cuts) {
    out.insert(out.end(), frame.text.begin() + static_cast<std::ptrdiff_t>(from),
               frame.text.begin() + static_cast<std::ptrdiff_t>(cut));
    out.insert(out.end(), frame.batch.begin(), frame.batch.end());
    from = cut;
  }
  out.insert(out.end(), frame.text.begin() + static_cast<std::ptrdiff_t>(from), frame.text.end());
  return out;
}

TEST(Frames, produce_7_has_the_old_form) {
  const Bytes batch = bytes_of("'BATCH'");
  const Frame frame = produce_frame(7, 1, {{"t", 3}}, batch, 258);
  EXPECT_EQ(joined(frame), frame_of("0000 0007 00000102 000e 'moldau-loadgen' ffff 0001 00007530"
                                    "00000001 0001 't' 00000001 00000003 00000005 'BATCH'"));
  EXPECT_EQ(frame.size(), joined(frame).size());
}

TEST(Frames, produce_9_is_flexible_and_groups_by_topic) {
  const Bytes batch = bytes_of("'BATCH'");
  const Frame frame = produce_frame(9, -1, {{"t", 0}, {"t", 1}, {"u", 0}}, batch, 1);
  EXPECT_EQ(joined(frame), frame_of("0000 0009 00000001 000e 'moldau-loadgen' 00 00 ffff 00007530 03"
                                    "02 't' 03 00000000 06 'BATCH' 00 00000001 06 'BATCH' 00 00"
                                    "02 'u' 02 00000000 06 'BATCH' 00 00 00"));
}

TEST(Frames, fetch_11_and_12) {
  const FetchLimits limits{.max_wait_ms = 500, .min_bytes = 1, .max_bytes = 256, .partition_max_bytes = 16};
  EXPECT_EQ(
      fetch_frame(11, limits, {7, 2}, {{{"t", 3}, 9}}, 1),
      frame_of("0001 000b 00000001 000e 'moldau-loadgen' ffffffff 000001f4 00000001 00000100 00 00000007"
               "00000002 00000001 0001 't' 00000001 00000003 ffffffff 0000000000000009 ffffffffffffffff"
               "00000010 00000000 0000"));
  EXPECT_EQ(
      fetch_frame(12, limits, {0, -1}, {{{"t", 3}, 9}}, 1),
      frame_of("0001 000c 00000001 000e 'moldau-loadgen' 00 ffffffff 000001f4 00000001 00000100 00"
               "00000000 ffffffff 02 02 't' 02 00000003 ffffffff 0000000000000009 ffffffff ffffffffffffffff"
               "00000010 00 00 01 01 00"));
}

TEST(Batches, one_record_byte_by_byte) {
  const Batch batch = build_batch({.records = 1, .value_bytes = 2, .timestamp_ms = 5});
  ASSERT_EQ(batch.bytes.size(), kBatchHeaderBytes + 9);
  Bytes expected = bytes_of(
      "0000000000000000 0000003a ffffffff 02 00000000 0000 00000000 0000000000000005"
      "0000000000000005 ffffffffffffffff ffff ffffffff 00000001 10 00 00 00 01 04 0000 00");
  for (const std::size_t at : {17U, 18U, 19U, 20U, 67U, 68U})
    expected[at] = batch.bytes[at];  // the CRC; the value
  EXPECT_EQ(batch.bytes, expected);
  EXPECT_EQ(load_be<std::uint32_t>(&batch.bytes[17]), crc32c(ByteView(batch.bytes).subspan(21)));
}

TEST(Batches, every_size_of_varint_reads_back) {
  for (const int size : {0, 1, 57, 58, 63, 64, 8185, 8186, 8192, 1'100'000}) {
    const Batch batch = build_batch({.records = 70, .value_bytes = size, .timestamp_ms = 5});
    int seen = 0;
    EXPECT_TRUE(for_each_value(batch.bytes, [&](ByteView value) {
      EXPECT_EQ(value.size(), static_cast<std::size_t>(size));
      if (size > 0) EXPECT_EQ(value.data(), &batch.bytes[batch.values[static_cast<std::size_t>(seen)]]);
      ++seen;
    })) << size;
    EXPECT_EQ(seen, 70);
  }
}

TEST(Batches, a_cut_one_is_no_batch) {
  const Batch batch = build_batch({.records = 3, .value_bytes = 10, .timestamp_ms = 5});
  const BatchHead head = peek_batch(batch.bytes);
  EXPECT_EQ(head.size, batch.bytes.size());
  EXPECT_EQ(head.records, 3);
  EXPECT_EQ(head.next_offset, 3);
  for (std::size_t size = 0; size < batch.bytes.size(); ++size)
    EXPECT_EQ(peek_batch(ByteView(batch.bytes).first(size)).size, 0U) << size;
}

TEST(Batches, a_stamp_is_in_every_value_and_under_the_crc) {
  Batch batch = build_batch({.records = 5, .value_bytes = 8, .timestamp_ms = 5});
  stamp_batch(batch, 0x0102030405060708, 77);
  EXPECT_EQ(load_be<std::uint32_t>(&batch.bytes[17]), crc32c(ByteView(batch.bytes).subspan(21)));
  EXPECT_EQ(load_be<std::int64_t>(&batch.bytes[35]), 77);
  int seen = 0;
  EXPECT_TRUE(for_each_value(batch.bytes, [&](ByteView value) {
    EXPECT_EQ(load_be<std::int64_t>(value.data()), 0x0102030405060708);
    ++seen;
  }));
  EXPECT_EQ(seen, 5);
}

TEST(Replies, produce_errors_show) {
  const Bytes good = bytes_of(
      "00000001 00000001 0001 't' 00000001 00000000 0000 0000000000000009 ffffffffffffffff"
      "0000000000000000 00000000");
  Bytes bad = good;
  bad[20] = 6;
  EXPECT_EQ(produce_error(7, good), 0);
  EXPECT_EQ(produce_error(7, bad), 6);
  for (std::size_t size = 4; size + 4 < good.size(); ++size)
    EXPECT_EQ(produce_error(7, ByteView(good).first(size)), kMalformedReply) << size;
}

TEST(Replies, fetch_12_with_two_partitions) {
  const Bytes reply = bytes_of(
      "00000001 00 00000000 0000 00000007 02 02 't' 03"
      "00000000 0000 0000000000000005 0000000000000005 0000000000000000 00 ffffffff 04 'abc' 00"
      "00000001 0003 ffffffffffffffff ffffffffffffffff ffffffffffffffff 00 ffffffff 01 00 00 00");
  FetchReply out;
  ASSERT_TRUE(read_fetch_reply(12, reply, out));
  EXPECT_EQ(out.session_id, 7);
  ASSERT_EQ(out.partitions.size(), 2U);
  EXPECT_EQ(out.partitions[0].topic, "t");
  EXPECT_EQ(out.partitions[0].high_watermark, 5);
  EXPECT_EQ(as_text(out.partitions[0].records), "abc");
  EXPECT_EQ(out.partitions[1].error, 3);
  EXPECT_FALSE(read_fetch_reply(12, ByteView(reply).first(60), out));
}

}  // namespace
}  // namespace moldau::bench
