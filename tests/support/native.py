"""What Python lacks or does slowly, from the C libraries that the server itself needs: decompression of every codec of record
batches, lz4 frames, CRC-32C."""
import ctypes, functools, struct, zlib

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
XERIAL = b"\x82SNAPPY\0"  # snappy as Java frames it: this, two int32 versions, then blocks, each after its int32 size
LZ4_MAGIC = b"\x04\x22\x4d\x18"
MOST = 1 << 26  # bytes of one batch; more is an error


@functools.cache
def library(name):
    return ctypes.CDLL(name)


def decompress(codec, data):
    return {NONE: bytes, GZIP: lambda d: zlib.decompress(d, 31), SNAPPY: unsnappy, LZ4: unlz4, ZSTD: unzstd}[codec](data)


def unsnappy(data):
    if not data.startswith(XERIAL):
        return snappy_block(data)
    out, at = [], len(XERIAL) + 8
    while at < len(data):
        size = struct.unpack_from(">i", data, at)[0]
        out.append(snappy_block(data[at + 4:at + 4 + size]))
        at += 4 + size
    return b"".join(out)


def snappy_block(data):
    size = ctypes.c_size_t()
    if library("libsnappy.so.1").snappy_uncompressed_length(data, ctypes.c_size_t(len(data)), ctypes.byref(size)) or size.value > MOST:
        raise ValueError("snappy: no length")
    out = ctypes.create_string_buffer(max(1, size.value))
    if library("libsnappy.so.1").snappy_uncompress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size)):
        raise ValueError("snappy: broken block")
    return out.raw[:size.value]


def unlz4(data):
    """One frame. Its header's checksum is not looked at: with magic 0 it is wrong, and clients rely on that."""
    if not data.startswith(LZ4_MAGIC):
        raise ValueError("lz4: no frame")
    flags, largest = data[4], 1 << (8 + 2 * (data[5] >> 4 & 7))  # block sizes 4 to 7: 64 KiB, 256 KiB, 1 MiB, 4 MiB
    out, at = [], 7 + (8 if flags & 8 else 0)
    while size := struct.unpack_from("<I", data, at)[0]:
        packed = data[at + 4:at + 4 + (size & 0x7FFFFFFF)]
        at += 4 + len(packed) + (4 if flags & 16 else 0)
        if size & 0x80000000:
            out.append(packed)
            continue
        block = ctypes.create_string_buffer(largest)
        found = library("liblz4.so.1").LZ4_decompress_safe(packed, block, len(packed), largest)
        if found < 0:
            raise ValueError("lz4: broken block")
        out.append(block.raw[:found])
    return b"".join(out)


def unzstd(data):
    """Frames of streams do not tell their content's size: we try."""
    zstd = library("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    size = max(4096, 8 * len(data))
    while size <= MOST:
        out = ctypes.create_string_buffer(size)
        found = zstd.ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
        if not zstd.ZSTD_isError(ctypes.c_size_t(found)):
            return out.raw[:found]
        size *= 4
    raise ValueError("zstd: broken frame")


def lz4_frame(data):
    """Of blocks of 64 KiB that do not need one another, as Kafka's clients write and expect it."""
    lz4 = library("liblz4.so.1")
    lz4.LZ4F_compressFrameBound.restype = lz4.LZ4F_compressFrame.restype = ctypes.c_size_t
    independent = struct.pack("<4iQIi iII12x", 4, 1, 0, 0, 0, 0, 0, 0, 0, 0)  # LZ4F_preferences_t
    room = lz4.LZ4F_compressFrameBound(ctypes.c_size_t(len(data)), independent)
    out = ctypes.create_string_buffer(room)
    size = lz4.LZ4F_compressFrame(out, ctypes.c_size_t(room), data, ctypes.c_size_t(len(data)), independent)
    if lz4.LZ4F_isError(ctypes.c_size_t(size)):
        raise ValueError("lz4: no frame made")
    return out.raw[:size]


def crc32c(data):
    isal = library("libisal.so.2")
    isal.crc32_iscsi.restype = ctypes.c_uint32
    return isal.crc32_iscsi(data, len(data), ctypes.c_uint32(0xFFFFFFFF)) ^ 0xFFFFFFFF
