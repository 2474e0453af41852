// A line between a client and Salon that can be cut or fall silent. Plain TCP: it carries requests and sockets, and looks
// into none of them. Media goes its own way.

import { connect, createServer } from 'node:net';

export class Line {
  #server;
  #ends = new Set();
  /** What waits until it is clear; `null` while it is. */
  #waiting = null;
  origin;

  /** Opens a line to `port` of this machine. */
  static async open(port) {
    const line = new Line();
    line.#server = createServer((near) => line.#join(near, port));
    await new Promise((resolve) => line.#server.listen(0, '127.0.0.1', resolve));
    line.origin = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  /** Breaks everything that is under way; new connections work. */
  cut() {
    for (const end of this.#ends) end.resetAndDestroy();
  }

  /** What is open stays open, but nothing passes any more in either direction and nobody is told; new connections work. */
  fallSilent() {
    for (const end of this.#ends) end.pause();
  }

  /** New connections wait until it is clear; what is open goes on. */
  holdsNew() {
    this.#waiting ??= [];
  }

  /** Nothing passes any more and nobody is told, until it is clear: what was sent waits as well. */
  blocks() {
    this.holdsNew();
    for (const end of this.#ends) end.pause();
  }

  clears() {
    const waiting = this.#waiting ?? [];
    this.#waiting = null;
    for (const goes of waiting) goes();
    for (const end of this.#ends) end.resume();
  }

  close() {
    this.clears();
    this.#server.close();
    for (const end of this.#ends) end.destroy();
  }

  async #join(near, port) {
    near.on('error', () => {});
    const said = this.#waiting ? await this.#waits(near) : [];
    if (!said) return;
    const far = connect(port, '127.0.0.1');
    for (const bytes of said) far.write(bytes);
    for (const [end, other] of [[near, far], [far, near]]) {
      this.#ends.add(end);
      end.on('data', (bytes) => other.write(bytes));
      end.on('error', () => other.destroy());
      end.on('close', () => {
        this.#ends.delete(end);
        other.destroy();
      });
    }
  }

  /** Until it is clear; answers with what was said by then, or `null` if whoever said it has gone. */
  async #waits(near) {
    const said = [];
    const hears = (bytes) => said.push(bytes);
    near.on('data', hears);
    await new Promise((goes) => {
      this.#waiting.push(goes);
      near.once('end', goes);
      near.once('close', goes);
    });
    near.off('data', hears);
    if (near.readableEnded || near.destroyed) return null;
    return said;
  }
}
