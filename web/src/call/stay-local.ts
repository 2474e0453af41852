/**
 * The official kit fetches sounds, fonts, emoji and help pictures from its makers' hosts. A self-hosted server keeps
 * its people's addresses to itself: each of these is answered from here instead, and the kit does not notice.
 * Owns the list of those hosts. Replaces page functions only, never a byte of the kit.
 */

import { chime, type Chime } from './chimes';
import { emojiData } from './emoji';
import { permissionHelp } from './permission-help';

const OUTSIDE = /^https?:\/\/(?:[\w-]+\.)*(?:cloudflare\.com|dyte\.io|dyte\.in|googleapis\.com|gstatic\.com)(?:[/:?#]|$)/i;

/** Call once, before the kit loads. */
export function keepKitLocal(): void {
  answerFetches();
  answerSounds();
  answerFonts();
  stopOutsideLinks();
}

function answerFetches(): void {
  const ordinaryFetch = window.fetch;
  window.fetch = async (input, init) => {
    const address = input instanceof Request ? input.url : String(input);
    if (!OUTSIDE.test(address)) return ordinaryFetch(input, init);
    if (address.endsWith('/emojis-data.json')) return Response.json(emojiData());
    if (address.includes('/permissions/')) {
      return new Response(permissionHelp(), { headers: { 'content-type': 'image/svg+xml' } });
    }
    return new Response(null, { status: 404 });
  };
}

/** The kit sets `src` on plain audio elements. */
function answerSounds(): void {
  const src = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'src');
  if (!src?.set) return;
  const { set } = src;
  Object.defineProperty(HTMLMediaElement.prototype, 'src', {
    ...src,
    set(this: HTMLMediaElement, address: string) {
      set.call(this, OUTSIDE.test(address) ? chime(chimeFor(address)) : address);
    },
  });
}

function chimeFor(address: string): Chime {
  if (address.includes('speaker-test')) return 'speaker-test';
  return address.includes('message') ? 'message' : 'join';
}

/**
 * The kit's default look asks for a web font and warms up connections for it; a preset may ask for another.
 * A link without an address fetches nothing. `enter.ts` names the local fonts to draw with.
 */
function answerFonts(): void {
  const href = Object.getOwnPropertyDescriptor(HTMLLinkElement.prototype, 'href');
  if (!href?.set) return;
  const { set } = href;
  Object.defineProperty(HTMLLinkElement.prototype, 'href', {
    ...href,
    set(this: HTMLLinkElement, address: string) {
      if (!OUTSIDE.test(address)) set.call(this, address);
    },
  });
}

/**
 * After a failed join the setup screen links to its makers' test site with the participant token in the address. Such a
 * link is stripped as it is drawn: there is nothing to click, to copy or to drag.
 */
function stopOutsideLinks(): void {
  const href = Object.getOwnPropertyDescriptor(HTMLAnchorElement.prototype, 'href');
  if (href?.set) {
    const { set } = href;
    Object.defineProperty(HTMLAnchorElement.prototype, 'href', {
      ...href,
      set(this: HTMLAnchorElement, address: string) {
        if (!OUTSIDE.test(address)) set.call(this, address);
      },
    });
  }
  const { setAttribute } = HTMLAnchorElement.prototype;
  HTMLAnchorElement.prototype.setAttribute = function (name, value) {
    if (name.toLowerCase() !== 'href' || !OUTSIDE.test(value)) setAttribute.call(this, name, value);
  };
}
