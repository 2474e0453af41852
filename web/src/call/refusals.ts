/**
 * What the server said when it refused something on the socket. The SDK keeps that to itself: whatever the reason, a
 * failed join is "check the network" with code 0002 (read in web SDK 2.0.2).
 * Reads the envelope of a message and nothing else; the shapes are in `crates/wire/proto`.
 */

/** The event under which a request is said to have failed. */
const ERROR = 65_535;

let last: string | null = null;

/** The text of the last refusal; each is told once. */
export function lastRefusal(): string | null {
  const text = last;
  last = null;
  return text;
}

/** Listens to every socket that is opened from now on. Call once, before the SDK loads. */
export function hearRefusals(): void {
  window.WebSocket = class extends window.WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (data instanceof ArrayBuffer) hear(data);
        else if (data instanceof Blob) void data.arrayBuffer().then(hear);
      });
    }
  };
}

function hear(bytes: ArrayBuffer): void {
  last = refusalIn(new Uint8Array(bytes)) ?? last;
}

/** `SocketMessage { event = 1, payload = 3 }` with `ErrorResponse { error_message = 1 }` in it; null if it is none. */
export function refusalIn(message: Uint8Array): string | null {
  const envelope = fieldsOf(message);
  const payload = envelope.get(3);
  if (envelope.get(1) !== ERROR || !(payload instanceof Uint8Array)) return null;
  const text = fieldsOf(payload).get(1);
  return text instanceof Uint8Array ? new TextDecoder().decode(text) : null;
}

/** The fields of a protobuf message: numbers and byte strings; what is anything else ends the reading. */
function fieldsOf(bytes: Uint8Array): Map<number, number | Uint8Array> {
  const fields = new Map<number, number | Uint8Array>();
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const key = number();
    if ((key & 7) === 0) fields.set(key >> 3, number());
    else if ((key & 7) === 2) {
      const length = number();
      fields.set(key >> 3, bytes.subarray(at, at + length));
      at += length;
    } else break;
  }
  return fields;
}
