/**
 * Where a person is on this page, and every way to get somewhere else.
 * Owns the `place` signal and the address bar. Draws nothing: `page.tsx` turns a place into a screen.
 */

import { signal } from '@preact/signals';
import type { Call, Ending } from './call/enter';
import * as api from './api';
import { destination, inviteLink, meetingOfToken, type Seat } from './invite';
import * as memory from './memory';
import { follow as followRecording } from './recorded';
import { problemOf, type Problem } from './problems';
import { TokenRefused } from './token-refused';

/** What lets a person back into a call they were in. */
export interface Ticket {
  token: string;
  meetingId: string;
}

export type Place =
  | { at: 'loading'; what: string }
  | { at: 'door' }
  | { at: 'invited'; meeting: api.Meeting; seat: Seat }
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
        return enterByLink(ticketOf(to.token), go);
      case 'meeting': {
        const link = memory.rememberedLink(to.meetingId);
        if (link) return enterByLink({ token: link, meetingId: to.meetingId }, go);
        const { keys } = config.value;
        if (!keys) return go({ at: 'problem', problem: 'needs-token' });
        const found = await api.findMeeting(keys, to.meetingId);
        if (!found.open) return go({ at: 'problem', problem: 'inactive' });
        meeting.value = found;
        return go({ at: 'invited', meeting: found, seat: to.seat });
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
    await enterAs(name, keys, started.id, 'member', go);
  });
}

export async function joinMeeting(name: string, id: string, seat: Seat): Promise<void> {
  const keys = config.value?.keys;
  if (!keys) return;
  await travel('Joining the meeting', (go) => enterAs(name, keys, id, seat, go));
}

/** Back into the call just left, as the same participant. */
export async function rejoin(ticket: Ticket): Promise<void> {
  await travel('Joining again', (go) => enter(ticket, go));
}

/** Gives up before anybody has let the person in. */
export function stopWaiting(): void {
  const here = place.value;
  if (here.at !== 'call') return;
  place.value = { at: 'farewell', how: 'left', title: here.call.title, ticket: here.ticket };
  void here.call.leave();
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

async function enterAs(name: string, keys: api.Keys, meetingId: string, seat: Seat, go: Go): Promise<void> {
  // A token goes with a name: whoever changes it is added anew.
  const held = name === memory.rememberedName() ? memory.rememberedToken(meetingId) : null;
  if (name) memory.rememberName(name);
  const add = async (): Promise<Ticket> => {
    const token = await api.addParticipant(keys, meetingId, {
      name: name || 'Host',
      preset: memory.hosts(meetingId) ? 'group_call_host' : PRESETS[seat],
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

const PRESETS = { member: 'group_call_participant', viewer: 'webinar_viewer' } as const;

/** A link's token that the server refuses will not be found again by a reload. */
async function enterByLink(ticket: Ticket, go: Go): Promise<void> {
  try {
    await enter(ticket, go, true);
  } catch (error) {
    if (error instanceof TokenRefused) memory.rememberLink(ticket.meetingId, null);
    throw error;
  }
}

async function enter(ticket: Ticket, go: Go, byLink = false): Promise<void> {
  // Browsers hand out camera and microphone on https and localhost only.
  if (!window.isSecureContext) return go({ at: 'problem', problem: 'not-secure' });
  const known = await lookUp(ticket.meetingId);
  if (known && !known.open) return go({ at: 'problem', problem: 'inactive' });
  const { enterCall } = await import('./call/enter');
  const call = await enterCall(ticket.token, {
    onEnding(how) {
      // Only the call on screen says goodbye; one left behind by travelling on is silent.
      if (place.value.at === 'call' && place.value.call === call) {
        place.value = { at: 'farewell', how, title: call.title, ticket };
      }
    },
    onRefused(error, said) {
      if (place.value.at === 'call' && place.value.call === call) {
        place.value = { at: 'problem', problem: problemOf(error, said) };
      }
    },
    onJoined() {
      if (byLink && place.value.at === 'call' && place.value.call === call) hideToken(ticket);
    },
    onRecorded: (id) => void followRecording(id, ticket.token),
    onMoved: async (meetingId) => watch(meetingId, await lookUp(meetingId), ''),
  });
  watch(call.meetingId, known, call.title);
  go({ at: 'call', call, ticket });
}

/** The address of a call is seen by whoever looks at the screen, and stays in the history. */
function hideToken(ticket: Ticket): void {
  if (destination(new URL(location.href)).kind !== 'token') return;
  memory.rememberLink(ticket.meetingId, ticket.token);
  history.replaceState(null, '', inviteLink('', ticket.meetingId));
}

/** What the API says of a meeting, where this page may ask; a call goes on without it. */
async function lookUp(meetingId: string): Promise<api.Meeting | null> {
  const keys = config.value?.keys;
  if (!keys) return null;
  return api.findMeeting(keys, meetingId).catch(() => null);
}

function watch(id: string, known: api.Meeting | null, title: string): void {
  if (config.value?.keys) meeting.value = known ?? { id, title, keepAliveSecs: null, open: true };
}

function ticketOf(token: string): Ticket {
  const meetingId = meetingOfToken(token);
  if (!meetingId) throw new TokenRefused();
  return { token, meetingId };
}

/** `crypto.randomUUID` exists on secure pages only; this one may still be on its way to saying so. */
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('');
}
