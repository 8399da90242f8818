// Checks of a broker and a keeper through JavaScript clients: `clients.mjs BROKER KEEPER`; a line per check, exits 1 on a failure.
import assert from 'node:assert/strict'
import kafkajs from 'kafkajs'
import snappy from 'kafkajs-snappy'
import zookeeper from 'node-zookeeper-client'
import * as platformatic from '@platformatic/kafka'

const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, logLevel } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = snappy
const [broker, keeper] = process.argv.slice(2)
const unique = Date.now().toString(36)
const kafka = new Kafka({ brokers: [broker], clientId: 'e2e', logLevel: logLevel.NOTHING })
const admin = kafka.admin()
let failed = 0

async function check(name, body) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error('not done in 40 s')), 40_000).unref())
  try {
    await Promise.race([body(), late])
    console.log(`ok ${name} `)
  } catch (e) {
    failed++
    console.log(`FAILED ${name}: ${e.stack}`)
  }
}

async function eventually(condition, what) {
  for (let i = 0; i < 300; i++) {
    if (await condition()) return
    await new Promise(r => setTimeout(r, 100))
  }
  throw new Error(`${what} not in 30 s`)
}

async function send(topic, messages, more = {}) {
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner, ...more.producer })
  await producer.connect()
  const sent = await producer.send({ topic, messages, ...more.send })
  await producer.disconnect()
  return sent
}

/** A running consumer of a group; what it has seen is in `seen` as [partition, offset, value, headers]. */
async function consume(groupId, topics, options = {}) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, rebalanceTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 200 })
  const seen = []
  let assigned = {}
  consumer.on(consumer.events.GROUP_JOIN, e => { assigned = e.payload.memberAssignment })
  await consumer.connect()
  await consumer.subscribe({ topics, fromBeginning: true })
  await consumer.run({ ...options, eachMessage: async ({ partition, message: m }) => { seen.push([partition, m.offset, m.value?.toString() ?? null, m.headers]) } })
  return { consumer, seen, assigned: () => Object.values(assigned).flat().length }
}

await admin.connect()
await check('kafkajs-topics', async () => {
  const topic = `js-topics-${unique}`
  assert.equal(await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '100000' }] }] }), true)
  assert.equal(await admin.createTopics({ topics: [{ topic }] }), false)
  await admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] })
  assert.equal((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length, 5)
  const resource = { type: ConfigResourceTypes.TOPIC, name: topic }
  await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: [{ name: 'cleanup.policy', value: 'compact' }] }] })
  const { resources } = await admin.describeConfigs({ resources: [{ ...resource, configNames: ['cleanup.policy', 'retention.ms'] }] })
  assert.deepEqual(Object.fromEntries(resources[0].configEntries.map(e => [e.configName, e.configValue])), { 'cleanup.policy': 'compact', 'retention.ms': '604800000' })
  await admin.deleteTopics({ topics: [topic] })
  assert.ok(!(await admin.listTopics()).includes(topic))
})
for (const [name, compression] of [['none', CompressionTypes.None], ['gzip', CompressionTypes.GZIP], ['snappy', CompressionTypes.Snappy]]) {
  await check(`kafkajs-${name}`, async () => {
    const topic = `js-${name}-${unique}`
    const messages = Array.from({ length: 200 }, (_, i) => ({ key: `k${i % 7}`, value: i === 9 ? null : `v${i}`.repeat(20), headers: { n: `${i}`, twice: ['a', 'b'] } }))
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
    const sent = await send(topic, messages, { send: { compression, acks: -1 }, producer: { idempotent: true, maxInFlightRequests: 1 } })
    assert.equal(sent[0].errorCode, 0)
    const { consumer, seen } = await consume(`g-${topic}`, [topic])
    await eventually(() => seen.length >= 200, 'the messages')
    await consumer.disconnect()
    assert.deepEqual(seen.map(s => s[2]), messages.map(m => m.value))
    assert.deepEqual(seen[5][3].twice.map(String), ['a', 'b'])
  })
}
await check('kafkajs-group', async () => {
  const topic = `js-group-${unique}`, group = `g-${topic}`
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 4 }] })
  const one = await consume(group, [topic]), two = await consume(group, [topic])
  await eventually(() => one.assigned() === 2 && two.assigned() === 2, 'two partitions each')
  await send(topic, Array.from({ length: 40 }, (_, i) => ({ partition: i % 4, value: `${i}` })))
  await eventually(() => one.seen.length === 20 && two.seen.length === 20, 'half of it each')
  const described = (await admin.describeGroups([group])).groups[0]
  assert.deepEqual([described.state, described.members.length], ['Stable', 2])
  await one.consumer.disconnect()
  await eventually(() => two.assigned() === 4, 'all to the one who is left')
  await two.consumer.disconnect()
  const [{ partitions }] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  assert.deepEqual(partitions.map(p => p.offset), ['10', '10', '10', '10'])
  await admin.resetOffsets({ groupId: group, topic, earliest: true })
  assert.ok((await admin.listGroups()).groups.some(g => g.groupId === group))
  assert.equal((await admin.deleteGroups([group]))[0].errorCode, 0)
})
await check('kafkajs-offsets', async () => {
  const topic = `js-offsets-${unique}`
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
  await send(topic, Array.from({ length: 10 }, (_, i) => ({ value: `${i}`, timestamp: `${1_000_000 + i}` })))
  assert.equal((await admin.fetchTopicOffsetsByTimestamp(topic, 1_000_004))[0].offset, '4')
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
  assert.deepEqual((await admin.fetchTopicOffsets(topic)).map(o => [o.low, o.high]), [['6', '10']])
  const { consumer, seen } = await consume(`g-${topic}`, [topic])
  consumer.seek({ topic, partition: 0, offset: '8' })
  await eventually(() => seen.at(-1)?.[1] === '9', 'the last one')
  await consumer.disconnect()
  assert.equal(seen[0][1], '8')
})
await admin.disconnect()

await check('platformatic', async () => {
  const topic = `js-modern-${unique}`, options = { clientId: 'e2e', bootstrapBrokers: [broker], retries: 3 }
  const admin = new platformatic.Admin(options)
  await admin.createTopics({ topics: [topic], partitions: 2, replicas: 1 })
  const producer = new platformatic.Producer({ ...options, idempotent: true, serializers: platformatic.stringSerializers })
  const messages = Array.from({ length: 50 }, (_, i) => ({ topic, key: `k${i}`, value: `v${i}`, headers: { n: `${i}` } }))
  await producer.send({ messages, acks: platformatic.ProduceAcks.ALL, compression: 'gzip' })
  await producer.close()
  const consumer = new platformatic.Consumer({ ...options, groupId: `g-${topic}`, deserializers: platformatic.stringDeserializers })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true, sessionTimeout: 10_000, heartbeatInterval: 500, maxWaitTime: 200 })
  const seen = new Set()
  for await (const m of stream) if (seen.add(m.value).size === 50) break
  const groups = await admin.describeGroups({ groups: [`g-${topic}`] })
  assert.equal(groups.get(`g-${topic}`).state, 'STABLE')
  await consumer.close(true)
  await admin.deleteGroups({ groups: [`g-${topic}`] })
  await admin.deleteTopics({ topics: [topic] })
  await admin.close()
})

await check('node-zookeeper-client', async () => {
  const client = zookeeper.createClient(keeper, { sessionTimeout: 6000 })
  const call = (method, ...args) => new Promise((resolve, reject) => client[method](...args, (e, ...r) => (e ? reject(e) : resolve(r))))
  await new Promise(resolve => { client.once('connected', resolve); client.connect() })
  const root = `/js-${unique}`
  await call('mkdirp', `${root}/a/b`)
  const watched = new Promise(resolve => client.getData(`${root}/a`, e => resolve(e.getName()), () => {}))
  await call('setData', `${root}/a`, Buffer.from('new'), -1)
  assert.equal(await watched, 'NODE_DATA_CHANGED')
  const [data, stat] = await call('getData', `${root}/a`)
  assert.deepEqual([data.toString(), stat.version], ['new', 1])
  const [path] = await call('create', `${root}/s-`, Buffer.from('x'), zookeeper.CreateMode.EPHEMERAL_SEQUENTIAL)
  assert.match(path, /s-\d{10}$/)
  await new Promise((resolve, reject) => client.transaction().check(`${root}/a`, 1).create(`${root}/t`).remove(path, -1).commit(e => (e ? reject(e) : resolve())))
  assert.deepEqual((await call('getChildren', root))[0].sort(), ['a', 't'])
  for (const path of ['/a/b', '/a', '/t', '']) await call('remove', root + path, -1)
  assert.equal((await call('exists', root))[0], null)
  client.close()
})
process.exit(failed ? 1 : 0)
