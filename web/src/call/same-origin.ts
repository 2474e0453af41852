/**
 * Lets the unmodified SDK talk to the server this page came from.
 * The SDK always builds `https://<prefix>.<base>/...` and `wss://socket-edge.<base>/ws`; Salon serves the same paths
 * on the page's own origin, so no certificate is needed on localhost. Only these addresses are touched.
 * Works on text, never on `URL`: `https://api.127.0.0.1/` is not a valid URL, and parsing would throw.
 */

/**
 * The base the SDK is told. `.invalid` never resolves (RFC 6761), so a request that slipped past this file would
 * fail rather than reach a stranger, and it is the same for `localhost`, `127.0.0.1` and `[::1]`.
 */
export const BASE = 'salon.invalid';

const HOSTS = 'api|api-silos|da-collector|flags|location|location-legacy';

/** The page's own address for one of the SDK's, or null when the address is none of the SDK's. */
export function ownAddress(address: string, page: Pick<Location, 'origin' | 'host'>): string | null {
  const bases = [BASE, page.host].map(escapeRegExp).join('|');
  const rest = new RegExp(`^https://(${HOSTS})\\.(?:${bases})(/[^]*)?$`, 'i').exec(address);
  if (!rest) return null;
  const [, prefix = '', path = '/'] = rest;
  // The location hosts serve one thing at their root, where Salon serves the page.
  const local = prefix.toLowerCase().startsWith('location') ? path.replace(/^\//, '/location') : path;
  return page.origin + local;
}

/** The participant details may name another base for the socket; it is this server all the same. */
export function ownSocket(address: string, page: Pick<Location, 'origin'>): string | null {
  const rest = /^wss:\/\/socket-edge\.[^/]+(\/[^]*)$/i.exec(address);
  return rest ? page.origin.replace(/^http/, 'ws') + rest[1] : null;
}

/** Replaces the page's `fetch` and `WebSocket`, which the SDK looks up at call time. Call once, before it loads. */
export function keepSdkOnOwnOrigin(page: Location = location): void {
  const ordinaryFetch = window.fetch.bind(window);
  window.fetch = (input, init) => {
    const local = ownAddress(addressOf(input), page);
    if (!local) return ordinaryFetch(input, init);
    return ordinaryFetch(input instanceof Request ? new Request(local, input) : local, init);
  };

  window.WebSocket = class extends window.WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(ownSocket(String(url), page) ?? url, protocols);
    }
  };
}

function addressOf(input: RequestInfo | URL): string {
  return input instanceof Request ? input.url : String(input);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
