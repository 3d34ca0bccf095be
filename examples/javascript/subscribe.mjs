// Reads the log of Lota and holds every event to the committed schema of its type.
//
//   node subscribe.mjs [--follow] [FILTER]
//
// Prints how many events of each type there are. It ends with code 1 at the first event that does
// not fit its schema. Types that this checkout has no schema for come from a newer version: they
// are counted and passed over, as every reader should.

import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import Ajv from "ajv/dist/2020.js";
import { connect } from "nats";

const STREAM = "LOTA";
const SCHEMAS = new URL("../../docs/events/", import.meta.url);
const BATCH = 500;
const EXPIRES_MS = 2000;
const RETRY_MS = 500;
const TYPE = /^lota\.[a-z]+\.[a-z]+\.v\d+$/;

const words = process.argv.slice(2);
const follow = words.includes("--follow");
const filter = words.find((word) => !word.startsWith("--")) ?? "lota.ev.>";

const ajv = new Ajv({
  allErrors: true,
  allowUnionTypes: true, // an extension attribute may be text, a number or a boolean
  strictTuples: false, // a later version may add to the end of a row
  formats: { "date-time": true }, // the pattern beside it is stricter
});
const validators = new Map();

/** Return the compiled schema of a type, null when there is none. */
async function validatorOf(type) {
  if (!validators.has(type)) {
    validators.set(type, TYPE.test(type) ? await compiled(type) : null);
  }
  return validators.get(type);
}

async function compiled(type) {
  try {
    return ajv.compile(JSON.parse(await readFile(new URL(`${type}.schema.json`, SCHEMAS))));
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
}

/** Return what is wrong with a message, "" when nothing is, and the type it says it has. */
async function check(message) {
  let event;
  try {
    event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(message.data));
  } catch (error) {
    return { wrong: `no JSON document: ${error.message}` };
  }
  if (typeof event?.type !== "string") return { wrong: "no CloudEvents document: it has no type" };
  const validate = await validatorOf(event.type);
  if (validate === null) return { wrong: "", type: `${event.type} (unknown)` };
  return { wrong: validate(event) ? "" : ajv.errorsText(validate.errors), type: event.type };
}

/**
 * Return the connection's options. As everywhere in Lota, there may be several URLs between commas,
 * and a login may stand in the first.
 */
function optionsOf(text) {
  const texts = text.split(",").map((one) => one.trim());
  if (!texts.every((one) => URL.canParse(one))) {
    throw new Error("LOTA_SERVER is not like nats://127.0.0.1:4222");
  }
  const urls = texts.map((one) => new URL(one));
  const [url] = urls;
  const options = { servers: urls.map((one) => one.host), name: "lota-subscriber" };
  if (url.password) {
    options.user = decodeURIComponent(url.username);
    options.pass = decodeURIComponent(url.password);
  } else if (url.username) {
    options.token = decodeURIComponent(url.username);
  }
  return options;
}

/**
 * Yield the messages of the log, once and in order, until `stopped`.
 *
 * A consumer lives on one server and is gone with it; then there is another one, which begins
 * behind the last message. Deliveries are counted, so that none is missing unnoticed.
 */
async function* messagesOf(connection, stopped) {
  const manager = await connection.jetstreamManager();
  let consumer, batch, delivered;
  let next = 1;
  let begun = false;
  stopped.addEventListener("abort", () => batch?.stop());
  while (!stopped.aborted) {
    try {
      if (!consumer) {
        const { name, num_pending } = await manager.consumers.add(STREAM, consumerFrom(next));
        if (!follow && num_pending === 0) return;
        consumer = await connection.jetstream().consumers.get(STREAM, name);
        [delivered, begun] = [0, true];
      }
      batch = await consumer.fetch({ max_messages: BATCH, expires: EXPIRES_MS });
      for await (const message of batch) {
        delivered += 1;
        if (message.info.deliverySequence !== delivered) throw new Error("messages are missing");
        next = message.seq + 1;
        yield message;
        if (!follow && message.info.pending === 0) return;
      }
    } catch (error) {
      if (!begun || error.message === "stream not found") throw error;
      consumer = undefined;
      await delay(RETRY_MS); // the servers may be electing a leader
    }
  }
}

function consumerFrom(position) {
  return {
    deliver_policy: "by_start_sequence",
    opt_start_seq: position,
    filter_subject: filter,
    ack_policy: "none",
    max_deliver: 1,
    mem_storage: true,
    num_replicas: 1,
    inactive_threshold: 60e9, // nanoseconds; then the server forgets it
  };
}

/** Read to the end of what is stored or, with --follow, until Ctrl-C; return the counts by type. */
async function read(connection) {
  const counts = new Map();
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort());
  for await (const message of messagesOf(connection, interrupted.signal)) {
    const { wrong, type } = await check(message);
    if (wrong) throw new Error(`${message.seq} ${message.subject}: ${wrong}`);
    counts.set(type, (counts.get(type) ?? 0) + 1);
    if (follow) console.log(`${message.seq} ${type} ${message.subject}`);
  }
  return counts;
}

function show(counts) {
  let total = 0;
  for (const [type, count] of [...counts].sort()) {
    console.log(`${String(count).padStart(8)}  ${type}`);
    total += count;
  }
  console.log(`${total} events, all valid`);
}

const server = process.env.LOTA_SERVER ?? "nats://127.0.0.1:4222";
let connection;
try {
  const options = optionsOf(server);
  connection = await connect(options).catch((error) => {
    throw new Error(`no server admits us at ${options.servers}: ${error.message}`);
  });
  show(await read(connection));
} catch (error) {
  console.error(`subscribe.mjs: ${error.message}`);
  process.exitCode = 1;
} finally {
  await connection?.close();
}
