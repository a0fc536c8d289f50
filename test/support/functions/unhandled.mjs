/**
 * Loaded before a bundle (NODE_OPTIONS=--import …): an error that nobody handles ends the process while the packet that
 * contains UNHANDLED_AT is being sent, with the packet's text at hand.
 */
import { Socket } from 'node:net';

const { write } = Socket.prototype;
Socket.prototype.write = function (chunk, ...rest) {
  const text = Buffer.from(chunk).toString('latin1');
  if (text.includes(process.env.UNHANDLED_AT)) {
    setImmediate(() => {
      throw new Error('nobody handles this');
    });
  }
  return write.call(this, chunk, ...rest);
};
