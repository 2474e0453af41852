// Ports that a server has in all its runs.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** The first of so many ports in a row that nobody has, with TCP or UDP. No socket that may have any port gets one of them. */
export async function freePorts(count) {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const taken = await Promise.all(Array.from({ length: count }, (_, n) => isTaken(first + n)));
    if (!taken.includes(true)) return first;
  }
}

async function isTaken(port) {
  const [udp, tcp] = [createSocket('udp4').bind(port, '0.0.0.0'), createServer().listen(port, '0.0.0.0')];
  const heard = await Promise.all([udp, tcp].map((it) => once(it, 'listening').then(() => false, () => true)));
  udp.close();
  tcp.close();
  return heard.includes(true);
}
