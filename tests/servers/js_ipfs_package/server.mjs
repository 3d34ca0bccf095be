// An IPFS node with Kubo's RPC for each folder that is asked for, offline, on loopback alone.
//
// One process serves all nodes of a test run, since loading takes seconds and a node does not.
// It reads one JSON line a command: {"start": FOLDER} answers {"port": N}, {"stop": N} answers
// {"stopped": N}. It ends with its standard input, so that it does not outlive who started it.
import { createInterface } from 'node:readline'

// What ipfs-core has come to depend on wants events of Node 19 and promises of Node 22.
globalThis.CustomEvent ??= class extends Event {
  constructor (type, options) {
    super(type, options)
    this.detail = options?.detail ?? null
  }
}
Promise.withResolvers ??= function () {
  const made = {}
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}
const { create } = await import('ipfs-core')
const { HttpApi } = await import('ipfs-http-server')

const running = new Map()

async function start (folder) {
  const node = await create({
    repo: folder,
    silent: true,
    offline: true,
    init: { emptyRepo: true },
    config: {
      Addresses: { Swarm: [], API: '/ip4/127.0.0.1/tcp/0', Gateway: '', Delegates: [], RPC: '' },
      Bootstrap: [],
      Discovery: { MDNS: { Enabled: false }, webRTCStar: { Enabled: false } }
    }
  })
  const api = new HttpApi(node)
  await api.start()
  const port = api._apiServers[0].info.port
  running.set(port, async () => { await api.stop(); await node.stop() })
  return { port }
}

async function stop (port) {
  await running.get(port)()
  running.delete(port)
  return { stopped: port }
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line)
  console.log(JSON.stringify(await ('start' in command ? start(command.start) : stop(command.stop))))
}
process.exit()
