/**
 * Opens a call: the official SDK and kit as they ship, loaded only now. Everything under `call/` is one lazy part
 * of the page. Knows tokens and the kit's events; what to show next is decided by `place.ts`.
 */

import type Client from '@cloudflare/realtimekit';
import { signal, type ReadonlySignal } from '@preact/signals';
import { drawEachMessageOnce } from './each-message-once';
import { makeFit } from './fitting';
import { NOTHING_YET, happenings, type Happening } from './happenings';
import { hearRefusals, lastRefusal } from './refusals';
import { BASE, keepSdkOnOwnOrigin } from './same-origin';
import { keepKitLocal } from './stay-local';
import { TokenRefused } from '../token-refused';

/** How a call came to its end. */
export type Ending = 'left' | 'kicked' | 'ended' | 'rejected' | 'disconnected';

export interface Call {
  /** The kit's element, ready to be put on the page. */
  element: HTMLElement;
  meetingId: string;
  title: string;
  /** What the page shows of the call beside the kit. */
  now: ReadonlySignal<Happening>;
  /** Lets these people in from the waiting room. */
  admit(ids: string[]): void;
  deny(id: string): void;
  leave(): Promise<void>;
}

export interface CallNews {
  onEnding(how: Ending): void;
  /** Joining failed; `said` is why the server refused it, if it did. */
  onRefused(error: unknown, said: string | null): void;
  onJoined(): void;
  /** A breakout room is another meeting; the call goes on there. */
  onMoved(meetingId: string): void;
  /** A recording that this person may have has ended, or the call did before it. */
  onRecorded(id: string): void;
}

/**
 * A lost socket can come back by itself (the server restarts, the network returns): the SDK tries again for minutes, up
 * to 10 s apart, and is back about 10 s after a restart. Lower shows the farewell too early, higher leaves people in
 * front of a dead grid.
 */
const RETURN_GRACE_MS = 45_000;

/** How long the SDK may take to say goodbye before the devices are switched off under it. */
const LEAVE_PATIENCE_MS = 1_000;

const LOCAL_FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

let prepared: Promise<typeof Client> | null = null;

export async function enterCall(token: string, news: CallNews): Promise<Call> {
  const client = await loadKit();
  const meeting = await client
    .init({ authToken: token, baseURI: BASE, defaults: { audio: true, video: true } })
    .catch((error: unknown) => {
      throw (error as { code?: string }).code === '0004' ? new TokenRefused() : error;
    });

  const element = document.createElement('rtk-meeting') as KitElement;
  element.setAttribute('mode', 'fill');
  makeFit(element);
  const now = signal<Happening>(NOTHING_YET);
  let current = meeting;
  let stop = (): void => {};
  show(meeting);

  function show(next: Client): void {
    current = next;
    drawWithLocalFonts(element, next);
    element.meeting = next;
    watchEnding(next, news.onEnding);
    tellRefusals(next, news.onRefused);
    watchRecordings(next, news.onRecorded);
    next.self.on('roomJoined', () => news.onJoined());
    stop();
    stop = happenings(next, (happening) => (now.value = happening));
    // The SDK leaves this meeting for a breakout room and hands over the new one; its type is not published.
    const moves = next.connectedMeetings as unknown as {
      once(event: 'meetingChanged', listener: (moved: Client) => void): void;
    };
    moves.once('meetingChanged', (moved) => {
      show(moved);
      news.onMoved(moved.meta.meetingId);
    });
  }

  return {
    element,
    meetingId: meeting.meta.meetingId,
    title: meeting.meta.meetingTitle,
    now,
    admit: (ids) => void current.participants.acceptAllWaitingRoomRequest(ids),
    deny: (id) => void current.participants.rejectWaitingRoomRequest(id),
    leave: () => {
      stop();
      return leave(current);
    },
  };
}

type KitElement = HTMLElement & { meeting: Client };

/** Once per page; after a failed download the next attempt starts afresh. */
function loadKit(): Promise<typeof Client> {
  prepared ??= prepare().catch((error: unknown) => {
    prepared = null;
    throw error;
  });
  return prepared;
}

let pageReady = false;

async function prepare(): Promise<typeof Client> {
  if (!pageReady) {
    keepSdkOnOwnOrigin();
    keepKitLocal();
    drawEachMessageOnce();
    hearRefusals();
    pageReady = true;
  }
  const [sdk, kit] = await Promise.all([
    import('@cloudflare/realtimekit'),
    import('@cloudflare/realtimekit-ui/loader'),
  ]);
  kit.defineCustomElements();
  return sdk.default;
}

/** A preset may name a font; it is used where the person has it, and never fetched. */
function drawWithLocalFonts(element: HTMLElement, meeting: Client): void {
  const look = meeting.self.config as { designTokens?: { fontFamily?: string; googleFont?: string } };
  const wanted = look?.designTokens?.fontFamily ?? look?.designTokens?.googleFont;
  element.style.setProperty('--rtk-font-family', wanted ? `${wanted}, ${LOCAL_FONTS}` : LOCAL_FONTS);
}

/** The kit says the same of every failed join, so the page says why. */
function tellRefusals(meeting: Client, onRefused: CallNews['onRefused']): void {
  const join = meeting.join.bind(meeting);
  meeting.join = async () => {
    try {
      await join();
    } catch (error) {
      onRefused(error, lastRefusal());
      void leave(meeting);
      throw error;
    }
  };
}

/** Tells of each recording when it is not under way any more, to those who may record. */
function watchRecordings(meeting: Client, onRecorded: (id: string) => void): void {
  const { recording, self } = meeting;
  let running: string[] = [];
  function look(still: string[]): void {
    const ended = running.filter((id) => !still.includes(id));
    running = still;
    if (self.permissions.canRecord) ended.forEach(onRecorded);
  }
  recording.on('recordingUpdate', () => look(recording.recordings.map(({ id }) => id)));
  self.on('roomJoined', () => look([...new Set([...running, ...recording.recordings.map(({ id }) => id)])]));
  self.on('roomLeft', () => look([]));
}

function watchEnding(meeting: Client, onEnding: (how: Ending) => void): void {
  let goodbye: ReturnType<typeof setTimeout> | undefined;

  /** The SDK keeps camera and socket when somebody is turned away or cut off; the page does not. */
  function end(how: Ending): void {
    onEnding(how);
    void leave(meeting);
  }

  meeting.self.on('roomJoined', () => clearTimeout(goodbye));
  meeting.self.on('roomLeft', ({ state }) => {
    switch (state) {
      case 'left':
      case 'kicked':
      case 'ended':
        clearTimeout(goodbye);
        onEnding(state);
        break;
      case 'rejected':
        end(state);
        break;
      case 'failed':
        clearTimeout(goodbye);
        end('disconnected');
        break;
      case 'disconnected':
        clearTimeout(goodbye);
        goodbye = setTimeout(() => end('disconnected'), RETURN_GRACE_MS);
        break;
      case 'connected-meeting':
      case 'stageLeft':
        // The call goes on elsewhere, or off stage.
        break;
    }
  });
}

/**
 * Leaving must not fail: the person is going anyway, also before they ever joined. With its socket gone the SDK would
 * leave camera and microphone on, so the page switches them off itself.
 */
async function leave(meeting: Client): Promise<void> {
  const { self } = meeting;
  const devices = [self.rawAudioTrack, self.audioTrack, self.rawVideoTrack, self.videoTrack];
  const screen = [self.screenShareTracks?.video, self.screenShareTracks?.audio];
  await Promise.race([meeting.leave().catch(() => {}), after(LEAVE_PATIENCE_MS)]);
  for (const track of [...devices, ...screen]) track?.stop();
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
