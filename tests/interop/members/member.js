// A member by kafkajs (see groups.py): node member.js BOOTSTRAP GROUP TOPIC PROTOCOL DIRECTORY-OF-NODE_MODULES
'use strict'
const path = require('path')
const { createRequire } = require('module')

const [, , bootstrap, groupId, topic, , directory] = process.argv
const { Kafka, logLevel } = createRequire(path.join(directory, 'package.json'))('kafkajs')

const say = (...words) => process.stdout.write(words.join(' ') + '\n')

async function main() {
  const kafka = new Kafka({ clientId: 'member', brokers: [bootstrap], logLevel: logLevel.NOTHING, retry: { retries: 30, initialRetryTime: 100, maxRetryTime: 1000 } })
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 500, rebalanceTimeout: 10000 })
  consumer.on(consumer.events.GROUP_JOIN, e => say('assigned', (e.payload.memberAssignment[topic] || []).sort().join(',')))
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, isRunning, isStale, heartbeat }) => {
      if (!isRunning() || isStale()) return
      for (const m of batch.messages) say('read', batch.partition, m.offset)
      const next = String(Number(batch.lastOffset()) + 1)
      try {
        await consumer.commitOffsets([{ topic, partition: batch.partition, offset: next, metadata: 'by a member' }])
        say('committed', batch.partition, next)
      } catch (error) {
        say('uncommitted', error.message)
        throw error
      }
      await heartbeat()
    },
  })
  process.stdin.resume()
  process.stdin.on('end', async () => {
    await consumer.disconnect()
    say('closed')
    process.exit(0)
  })
}

main().catch(error => {
  say('failed', error.message)
  process.exit(1)
})
