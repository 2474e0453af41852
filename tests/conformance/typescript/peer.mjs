/**
 * The smallest participant: a websocket that joins a meeting and stays until it is closed.
 * Sessions begin when somebody joins, which no REST call can do. Plain sockets, so that nothing but the SDK under
 * test needs to be installed.
 */

import { randomBytes, randomUUID } from 'node:crypto';
import { request } from 'node:http';

const JOIN_ROOM = 3;

/** Joins a meeting; resolves once the peer is in. */
export async function join(baseURL, meetingId, token) {
  const id = randomUUID();
  const query = new URLSearchParams({ roomID: meetingId, peerID: id, authToken: token, ping: 'true', capabilities: '2' });
  const socket = await open(new URL(`/ws?${query}`, baseURL));
  const send = (kind, payload) => socket.write(frame(kind, payload));
  let unread = Buffer.alloc(0);
  await new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the socket')));
    socket.on('data', (piece) => {
      unread = Buffer.concat([unread, piece]);
      for (let taken; (taken = take(unread)); ) {
        unread = unread.subarray(taken.length);
        if (taken.kind === 1 && taken.payload.toString() === '2') send(1, Buffer.from('3'));
        if (taken.kind === 9) send(10, taken.payload);
        // The answer echoes the id; keepalives and pushes may come before it.
        if (taken.kind === 2 && taken.payload.includes('join')) {
          const joined = taken.payload[0] === 0x08 && taken.payload[1] === JOIN_ROOM;
          joined ? resolve() : reject(new Error(`joining failed: ${taken.payload}`));
        }
      }
    });
    // SocketMessage {event, id} with an empty payload.
    send(2, Buffer.concat([Buffer.from([0x08, JOIN_ROOM, 0x12, 4]), Buffer.from('join')]));
  });
  socket.unref();
  return { id, leave: () => socket.end(frame(8, Buffer.from([0x03, 0xe8]))) };
}

function open(url) {
  const headers = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': randomBytes(16).toString('base64'),
  };
  return new Promise((resolve, reject) => {
    const upgrade = request(url, { headers });
    upgrade.on('upgrade', (_, socket, head) => {
      socket.unshift(head);
      resolve(socket);
    });
    upgrade.on('response', (response) => reject(new Error(`the socket was refused: ${response.statusCode}`)));
    upgrade.on('error', reject);
    upgrade.end();
  });
}

/** One masked frame; everything sent here is short. */
function frame(kind, payload) {
  const mask = randomBytes(4);
  const masked = Buffer.from(payload.map((byte, at) => byte ^ mask[at % 4]));
  return Buffer.concat([Buffer.from([0x80 | kind, 0x80 | payload.length]), mask, masked]);
}

/** The first whole frame, if one has arrived. */
function take(bytes) {
  if (bytes.length < 2) return null;
  let [head, size] = [2, bytes[1] & 0x7f];
  if (size === 126) [head, size] = bytes.length < 4 ? [4, Infinity] : [4, bytes.readUInt16BE(2)];
  else if (size === 127) [head, size] = bytes.length < 10 ? [10, Infinity] : [10, Number(bytes.readBigUInt64BE(2))];
  if (bytes.length < head + size) return null;
  return { kind: bytes[0] & 0x0f, payload: bytes.subarray(head, head + size), length: head + size };
}
