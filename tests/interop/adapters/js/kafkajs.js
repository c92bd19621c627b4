// kafkajs behind the line protocol of tests/interop (see its README): node kafkajs.js BOOTSTRAP DIRECTORY-OF-NODE_MODULES
// Its consumer works by group only; reading goes through the cluster and broker objects beneath it (broker.fetch), with the
// protocol versions and decoders that its consumer uses.
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const path = require('path')
const readline = require('readline')
const { createRequire } = require('module')

const [, , bootstrap, directory] = process.argv
const load = createRequire(path.join(directory, 'package.json'))
const { Kafka, CompressionTypes, CompressionCodecs, Partitioners, logLevel } = load('kafkajs')
const Cluster = load('kafkajs/src/cluster')
const { createLogger } = load('kafkajs/src/loggers')
const LoggerConsole = load('kafkajs/src/loggers/console')
const socketFactory = load('kafkajs/src/network/socketFactory')
const { createErrorFromCode } = load('kafkajs/src/protocol/error')

// snappy as Java frames it: a magic, two versions, then blocks of (int32 size, raw snappy)
const SNAPPY_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
CompressionCodecs[CompressionTypes.Snappy] = () => {
  const snappy = load('snappyjs')
  return {
    async compress(encoder) {
      const block = Buffer.from(snappy.compress(encoder.buffer))
      const size = Buffer.alloc(4)
      size.writeInt32BE(block.length)
      return Buffer.concat([SNAPPY_MAGIC, size, block])
    },
    async decompress(buffer) {
      if (!buffer.subarray(0, 8).equals(SNAPPY_MAGIC.subarray(0, 8))) return Buffer.from(snappy.uncompress(buffer))
      const blocks = []
      for (let at = 16; at < buffer.length; ) {
        const size = buffer.readInt32BE(at)
        blocks.push(Buffer.from(snappy.uncompress(buffer.subarray(at + 4, at + 4 + size))))
        at += 4 + size
      }
      return Buffer.concat(blocks)
    },
  }
}
CompressionCodecs[CompressionTypes.LZ4] = () => {
  const lz4 = load('lz4-napi')
  return {
    compress: async encoder => lz4.compressFrameSync(encoder.buffer),
    decompress: async buffer => lz4.decompressFrameSync(buffer),
  }
}
CompressionCodecs[CompressionTypes.ZSTD] = () => {
  const { ZstdCodec } = load('zstd-codec')
  const streaming = new Promise(resolve => ZstdCodec.run(zstd => resolve(new zstd.Streaming())))
  return {
    compress: async encoder => Buffer.from((await streaming).compress(encoder.buffer)),
    decompress: async buffer => Buffer.from((await streaming).decompress(buffer)),
  }
}
const TYPES = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4, zstd: CompressionTypes.ZSTD }

const decode = field => (field === '-' ? null : Buffer.from(field, 'base64'))
function encode(bytes) {
  if (bytes === null || bytes === undefined) return '-'
  const buffer = Buffer.from(bytes)
  if (buffer.length <= 4096) return buffer.toString('base64')
  return `#${buffer.length}:${crypto.createHash('sha1').update(buffer).digest('hex')}`
}

function message(line, partition) {
  const [key, value, timestamp, headers] = line.split('\t')
  const m = { key: decode(key), value: decode(value), partition, headers: {} }
  if (timestamp !== '-') m.timestamp = timestamp
  if (headers !== '-')
    for (const header of headers.split(',')) {
      const [name, content] = header.split(':')
      const text = decode(name).toString()
      m.headers[text] = text in m.headers ? [m.headers[text], decode(content)].flat() : decode(content)
    }
  return m
}

const kafka = new Kafka({ brokers: [bootstrap], clientId: 'interop-kafkajs', logLevel: logLevel.NOTHING, retry: { retries: 8 } })

async function produce(fields) {
  const lines = fs.readFileSync(fields.file, 'utf8').split('\n').slice(0, -1)
  const idempotent = fields.idempotence === 'true'
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, idempotent })
  await producer.connect()
  try {
    const offsets = []
    // kafkajs makes one batch of one call, however large: calls of some 400 kB, as the application must
    for (let at = 0; at < lines.length; ) {
      const messages = []
      for (let size = 0; at < lines.length && (messages.length === 0 || size + lines[at].length < 550000); at++) {
        size += lines[at].length
        messages.push(message(lines[at], Number(fields.partition)))
      }
      const acks = fields.acks === undefined || fields.acks === 'all' ? -1 : Number(fields.acks)
      const [result] = await producer.send({ topic: fields.topic, acks, compression: TYPES[fields.codec], messages })
      messages.forEach((_, i) => offsets.push(acks === 0 ? -1n : BigInt(result.baseOffset) + BigInt(i)))
    }
    return offsets.join(',')
  } finally {
    await producer.disconnect()
  }
}

let reader = null
async function cluster() {
  if (reader === null) {
    reader = new Cluster({
      logger: createLogger({ level: logLevel.NOTHING, logCreator: LoggerConsole }), socketFactory: socketFactory(), brokers: [bootstrap],
      clientId: 'interop-kafkajs', connectionTimeout: 5000, authenticationTimeout: 10000, reauthenticationThreshold: 10000,
      enforceRequestTimeout: true, metadataMaxAge: 300000, allowAutoTopicCreation: false, maxInFlightRequests: null, isolationLevel: 0,
      retry: { retries: 8 },
    })
    await reader.connect()
  }
  return reader
}

async function consume(fields) {
  const c = await cluster()
  const partition = Number(fields.partition)
  await c.addTargetTopic(fields.topic)
  const { leader } = c.findTopicPartitionMetadata(fields.topic).find(p => p.partitionId === partition)
  const broker = await c.findBroker({ nodeId: leader })
  const out = fs.createWriteStream(fields.file)
  const until = BigInt(fields.until)
  const deadline = Date.now() + Number(fields.deadline) * 1000
  let next = BigInt(fields.from)
  while (next < until) {
    if (Date.now() > deadline) throw new Error(`expected records up to offset ${until}, found none from ${next} on within ${fields.deadline} s`)
    const maxBytes = Number(fields.fetch || 1048576)
    const answer = await broker.fetch({ maxWaitTime: Number(fields.wait), isolationLevel: 0, maxBytes: Math.max(maxBytes, 10485760),
      topics: [{ topic: fields.topic, partitions: [{ partition, fetchOffset: next.toString(), maxBytes }] }] })
    const [{ errorCode, messages }] = answer.responses[0].partitions
    if (errorCode !== 0) throw createErrorFromCode(errorCode)
    for (const m of messages) {
      const offset = BigInt(m.offset)
      if (offset < next || offset >= until || m.isControlRecord) continue
      const headers = Object.entries(m.headers || {})
        .flatMap(([name, values]) => [values].flat().map(value => `${encode(Buffer.from(name))}:${encode(value)}`))
      out.write(`${offset}\t${encode(m.key)}\t${encode(m.value)}\t${m.timestamp}\t${headers.join(',') || '-'}\n`)
      next = offset + 1n
    }
  }
  await new Promise((resolve, reject) => out.end(error => (error ? reject(error) : resolve())))
  return ''
}

async function withAdmin(work) {
  const admin = kafka.admin()
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.disconnect()
  }
}

const create = fields => withAdmin(async admin => {
  const configEntries = Object.entries(fields).filter(([name]) => name.startsWith('config.')).map(([name, value]) => ({ name: name.slice(7), value }))
  await admin.createTopics({ topics: [{ topic: fields.topic, numPartitions: Number(fields.partitions), replicationFactor: 1, configEntries }] })
  return ''
})

const partitions = fields => withAdmin(async admin => {
  const { topics } = await admin.fetchTopicMetadata({ topics: [fields.topic] })
  return String(topics[0].partitions.length)
})

const offsets = fields => withAdmin(async admin => {
  const found = (await admin.fetchTopicOffsets(fields.topic)).find(p => p.partition === Number(fields.partition))
  return `${found.low},${found.high}`
})

const commands = { produce, consume, create, partitions, offsets }

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [verb, ...rest] = line.split('\t')
    if (verb === 'quit') break
    const fields = Object.fromEntries(rest.map(field => [field.slice(0, field.indexOf('=')), field.slice(field.indexOf('=') + 1)]))
    try {
      process.stdout.write(`ok\t${await commands[verb](fields)}\n`)
    } catch (e) {
      if (process.env.INTEROP_TRACE) console.error(e)
      process.stdout.write(`error\t${String(e).split(/\s+/).join(' ')}\n`)
    }
  }
  process.exit(0)
}

main()
