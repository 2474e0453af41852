/**
 * Where a person is on this page, and every way to get somewhere else.
 * Owns the `place` signal and the address bar. Draws nothing: `page.tsx` turns a place into a screen.
 */

import { signal } from '@preact/signals';
import type { Call, Ending } from './call/enter';
import * as api from './api';
import { destination, inviteLink, meetingOfToken } from './invite';
import * as memory from './memory';
import { TokenRefused } from './token-refused';

/** What lets a person back into a call they were in. */
export interface Ticket {
  token: string;
  meetingId: string;
}

export type Problem =
  | { kind: 'unreachable' }
  | { kind: 'unknown-meeting' }
  | { kind: 'bad-token' }
  | { kind: 'stale' }
  | { kind: 'not-secure' }
  | { kind: 'needs-token' }
  | { kind: 'failed'; why: string };

export type Place =
  | { at: 'loading'; what: string }
  | { at: 'door' }
  | { at: 'invited'; meeting: api.Meeting }
  | { at: 'call'; call: Call; ticket: Ticket }
  | { at: 'farewell'; how: Ending; title: string; ticket: Ticket }
  | { at: 'problem'; problem: Problem };

export const place = signal<Place>({ at: 'loading', what: 'Opening Salon' });
/** Null until the server has said how it runs. */
export const config = signal<api.PageConfig | null>(null);
/** The meeting the live panel watches. */
export const meeting = signal<api.Meeting | null>(null);

/** Counts departures, so that an answer which arrives after the person went elsewhere changes nothing. */
let journey = 0;

/** Goes where the address bar says. Also what "try again" does. */
export async function arrive(): Promise<void> {
  await travel('Opening Salon', async (go) => {
    meeting.value = null;
    config.value ??= await api.pageConfig();
    const to = destination(new URL(location.href));
    switch (to.kind) {
      case 'nowhere':
        return go({ at: 'door' });
      case 'token':
        return enter(ticketOf(to.token), go);
      case 'meeting': {
        const { keys } = config.value;
        if (!keys) return go({ at: 'problem', problem: { kind: 'needs-token' } });
        const found = await api.findMeeting(keys, to.meetingId);
        meeting.value = found;
        return go({ at: 'invited', meeting: found });
      }
    }
  });
}

/** One click is enough: without a name the kit's setup screen asks for one. */
export async function startMeeting(name: string): Promise<void> {
  const keys = config.value?.keys;
  if (!keys) return;
  await travel('Starting your meeting', async (go) => {
    const started = await api.createMeeting(keys, name ? `${name}’s meeting` : 'A meeting');
    memory.rememberHosting(started.id);
    meeting.value = started;
    history.pushState(null, '', inviteLink('', started.id));
    await enterAs(name, keys, started.id, go);
  });
}

export async function joinMeeting(name: string, id: string): Promise<void> {
  const keys = config.value?.keys;
  if (!keys) return;
  await travel('Joining the meeting', (go) => enterAs(name, keys, id, go));
}

/** Back into the call just left, as the same participant. */
export async function rejoin(ticket: Ticket): Promise<void> {
  await travel('Joining again', (go) => enter(ticket, go));
}

/** Follows a link or id that was typed instead of clicked. */
export function follow(path: string): void {
  history.pushState(null, '', path);
  void arrive();
}

export function goHome(): void {
  follow('/');
}

type Go = (to: Place) => void;

/** Runs one way to a place: shows that something happens, and turns what goes wrong into a problem to show. */
async function travel(what: string, way: (go: Go) => Promise<void>): Promise<void> {
  const mine = ++journey;
  const go: Go = (to) => {
    if (mine === journey) place.value = to;
    else if (to.at === 'call') void to.call.leave();
  };
  const before = place.value;
  if (before.at === 'call') void before.call.leave();
  go({ at: 'loading', what });
  try {
    await way(go);
  } catch (error) {
    go({ at: 'problem', problem: problemOf(error) });
  }
}

async function enterAs(name: string, keys: api.Keys, meetingId: string, go: Go): Promise<void> {
  // A token goes with a name: whoever changes it is added anew.
  const held = name === memory.rememberedName() ? memory.rememberedToken(meetingId) : null;
  if (name) memory.rememberName(name);
  const add = async (): Promise<Ticket> => {
    const token = await api.addParticipant(keys, meetingId, {
      name: name || 'Host',
      preset: memory.hosts(meetingId) ? 'group_call_host' : 'group_call_participant',
      customId: `page-${randomId()}`,
    });
    memory.rememberToken(meetingId, token);
    return { token, meetingId };
  };
  if (!held) return enter(await add(), go);
  try {
    await enter({ token: held, meetingId }, go);
  } catch (error) {
    if (!(error instanceof TokenRefused)) throw error;
    memory.rememberToken(meetingId, null);
    await enter(await add(), go);
  }
}

async function enter(ticket: Ticket, go: Go): Promise<void> {
  // Browsers hand out camera and microphone on https and localhost only.
  if (!window.isSecureContext) return go({ at: 'problem', problem: { kind: 'not-secure' } });
  const { enterCall } = await import('./call/enter');
  const call = await enterCall(ticket.token, {
    onEnding(how) {
      // Only the call on screen says goodbye; one left behind by travelling on is silent.
      if (place.value.at === 'call' && place.value.call === call) {
        place.value = { at: 'farewell', how, title: call.title, ticket };
      }
    },
    onMoved: (meetingId) => void watchAlso(meetingId, ''),
  });
  await watchAlso(call.meetingId, call.title);
  go({ at: 'call', call, ticket });
}

/** The live panel needs the meeting's title and keep-alive time; a call goes on without them. */
async function watchAlso(meetingId: string, title: string): Promise<void> {
  const keys = config.value?.keys;
  if (!keys || meeting.value?.id === meetingId) return;
  meeting.value = await api
    .findMeeting(keys, meetingId)
    .catch(() => ({ id: meetingId, title, keepAliveSecs: 60 }));
}

function ticketOf(token: string): Ticket {
  const meetingId = meetingOfToken(token);
  if (!meetingId) throw new TokenRefused();
  return { token, meetingId };
}

function problemOf(error: unknown): Problem {
  if (error instanceof TokenRefused) return { kind: 'bad-token' };
  if (error instanceof api.ApiError) {
    if (error.trouble === 'unreachable') return { kind: 'unreachable' };
    if (error.trouble === 'missing') return { kind: 'unknown-meeting' };
    return { kind: 'failed', why: error.message };
  }
  // A lazy part of the page that could not be fetched; each browser has its own words for it.
  if (error instanceof TypeError && /import|module/i.test(error.message)) return { kind: 'stale' };
  return { kind: 'failed', why: error instanceof Error ? error.message : String(error) };
}

/** `crypto.randomUUID` exists on secure pages only; this one may still be on its way to saying so. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
