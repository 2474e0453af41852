// A line between a client and Salon that can be cut or fall silent. Plain TCP: it carries requests and sockets, and looks
// into none of them. Media goes its own way.

import { connect, createServer } from 'node:net';

export class Line {
  #server;
  #ends = new Set();
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

  close() {
    this.#server.close();
    for (const end of this.#ends) end.destroy();
  }

  #join(near, port) {
    const far = connect(port, '127.0.0.1');
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
}
