/**
 * Loaded before a bundle (NODE_OPTIONS=--import …) it kills the process, once, at a chosen moment of its traffic:
 *   CRASH_AT=send:TEXT     instead of sending the first packet that contains TEXT
 *   CRASH_AT=answer:TEXT   when something is received after TEXT was sent
 *   CRASH_AT=receive:TEXT  when the first packet that contains TEXT is received
 * CRASH_FILE is written first, and while it is there no other process crashes.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';

const { CRASH_AT = '', CRASH_FILE = '' } = process.env;
const [moment, text] = [CRASH_AT.slice(0, CRASH_AT.indexOf(':')), CRASH_AT.slice(CRASH_AT.indexOf(':') + 1)];
const asked = new WeakSet();

function crash() {
  if (existsSync(CRASH_FILE)) return;
  writeFileSync(CRASH_FILE, CRASH_AT);
  process.kill(process.pid, 'SIGKILL');
}

/** @param {string | Uint8Array | null} chunk */
const contains = (chunk) => chunk !== null && Buffer.from(chunk).includes(text);

const { write } = Socket.prototype;
/**
 * @param {string | Uint8Array} chunk
 * @param {unknown[]} rest
 */
Socket.prototype.write = function (chunk, ...rest) {
  if (contains(chunk)) {
    if (moment === 'send') crash();
    asked.add(this);
  }
  return Reflect.apply(write, this, [chunk, ...rest]);
};

const { push } = Socket.prototype;
Socket.prototype.push = function (chunk, ...rest) {
  const answered = moment === 'answer' && asked.has(this);
  if (chunk !== null && (answered || (moment === 'receive' && contains(chunk)))) crash();
  return push.call(this, chunk, ...rest);
};
