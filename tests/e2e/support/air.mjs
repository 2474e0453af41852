// A network for media between the clients and Salon, as bad as one likes: slow, far, lossy. Salon listens behind it, and
// clients are told the address of this side.
// What it does it does on the way to the clients only: those who send to them have a good line.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** The address clients are told; the one behind it is Salon's. */
const FRONT = '127.0.0.2';
const BEHIND = '127.0.0.1';

/** How long a packet may wait for those before it. A full queue loses what comes. */
const QUEUE_MS = 300;

export class Air {
  #front;
  #clients = new Map();
  #random = 1;
  /** Bit/s to each connection, ms, and the share that is lost. */
  rate = Infinity;
  delay = 0;
  loss = 0;
  /** Whether nothing passes, in either direction. */
  cut = false;

  /** Takes a free port on both sides. */
  static async open() {
    const air = new Air();
    air.#front = createSocket('udp4');
    air.#front.bind(0, FRONT);
    await once(air.#front, 'listening');
    air.#front.on('message', (bytes, from) => {
      if (!air.cut) air.#client(from).socket.send(bytes);
    });
    return air;
  }

  get #port() {
    return this.#front.address().port;
  }

  /** The settings of a Salon behind it, which carries one port only. */
  get settings() {
    return { 'media.ip': BEHIND, 'media.port': this.#port, 'media.announce': FRONT, 'media.threads': 1 };
  }

  close() {
    this.#front.close();
    for (const { socket } of this.#clients.values()) socket.close();
  }

  #client({ address, port }) {
    const key = `${address}:${port}`;
    if (!this.#clients.has(key)) {
      const client = { socket: createSocket('udp4'), free: 0, waiting: [] };
      client.socket.connect(this.#port, BEHIND);
      client.socket.on('message', (bytes) => {
        if (!this.cut) this.#carry(client, bytes, port, address);
      });
      // Salon may not be there yet, or no more.
      client.socket.on('error', () => {});
      // Before it is connected a socket cannot send; clients ask again.
      const send = client.socket.send.bind(client.socket);
      client.socket.send = (given) => {
        try {
          send(given);
        } catch {
          // Lost.
        }
      };
      this.#clients.set(key, client);
    }
    return this.#clients.get(key);
  }

  /** Packets arrive in the order they were sent. */
  #carry(client, bytes, port, address) {
    const now = performance.now();
    const begins = Math.max(client.free, now);
    if (this.#lost() || begins - now > QUEUE_MS) return;
    client.free = begins + ((bytes.length + 28) * 8 * 1000) / this.rate;
    client.waiting.push({ at: client.free + this.delay, bytes });
    if (client.waiting.length === 1) this.#deliver(client, port, address);
  }

  #deliver(client, port, address) {
    const now = performance.now();
    while (client.waiting.length > 0 && client.waiting[0].at <= now) {
      this.#front.send(client.waiting.shift().bytes, port, address, () => {});
    }
    if (client.waiting.length > 0) {
      setTimeout(() => this.#deliver(client, port, address), Math.max(1, client.waiting[0].at - now));
    }
  }

  /** The same packets in each run, if as many come. */
  #lost() {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32 < this.loss;
  }
}
