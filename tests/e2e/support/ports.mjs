// Ports that a server has in all its runs.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** The first of so many UDP ports in a row that nobody has. */
export async function freePorts(count) {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000);
    const sockets = Array.from({ length: count }, () => createSocket('udp4'));
    const taken = await Promise.all(
      sockets.map(async (socket, n) => {
        socket.bind(first + n, '0.0.0.0');
        return once(socket, 'listening').then(() => false, () => true);
      }),
    );
    for (const socket of sockets) socket.close();
    if (!taken.includes(true)) return first;
  }
}
