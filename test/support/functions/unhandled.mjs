/**
 * Loaded before a bundle (NODE_OPTIONS=--import …): an error that nobody handles ends the process while the packet that
 * contains UNHANDLED_AT is being sent, with the packet's text at hand.
 */
import { Socket } from 'node:net';

const { UNHANDLED_AT = '' } = process.env;
const { write } = Socket.prototype;
/**
 * @param {string | Uint8Array} chunk
 * @param {unknown[]} rest
 */
Socket.prototype.write = function (chunk, ...rest) {
  const text = Buffer.from(chunk).toString('latin1');
  if (text.includes(UNHANDLED_AT)) {
    setImmediate(() => {
      throw new Error('nobody handles this');
    });
  }
  return Reflect.apply(write, this, [chunk, ...rest]);
};
