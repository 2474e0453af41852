/**
 * What happens in a call that the kit does not say, or says where nobody looks: who waits at the door, and that camera
 * or microphone do not work. From the SDK's events; draws nothing.
 */

import type Client from '@cloudflare/realtimekit';

export interface Waiting {
  id: string;
  name: string;
}

export type Device = 'camera' | 'microphone';
/** Why a device is silent. */
export type Silence = 'none' | 'forbidden' | 'forbidden-by-system' | 'in-use';

export interface Happening {
  /** In the meeting: not in front of the setup screen, and not in the waiting room. */
  joined: boolean;
  waitsToBeLetIn: boolean;
  /** Who waits for this person to decide; empty for those who may not. */
  waiting: Waiting[];
  silent: Partial<Record<Device, Silence>>;
  /** Whether people are invited to watch. */
  audience: boolean;
}

export const NOTHING_YET: Happening = {
  joined: false,
  waitsToBeLetIn: false,
  waiting: [],
  silent: {},
  audience: false,
};

const SILENCES: Record<string, Silence> = {
  NO_DEVICES_AVAILABLE: 'none',
  DENIED: 'forbidden',
  SYSTEM_DENIED: 'forbidden-by-system',
  COULD_NOT_START: 'in-use',
};

/** How being in a meeting ends. A line that breaks is none of them: the SDK comes back by itself. */
const OVER = ['left', 'kicked', 'ended', 'rejected', 'failed', 'waitlisted', 'connected-meeting'];

/** Something of the SDK that tells of changes. */
interface Emitter {
  addListener(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
}

/** Tells now and after each change, until the answer is called. */
export function happenings(meeting: Client, tell: (now: Happening) => void): () => void {
  let was = false;
  const look = (): void => {
    const now = lookAt(meeting);
    was = now.joined || (was && !OVER.includes(meeting.self.roomState));
    tell({ ...now, joined: was });
  };
  const { self, participants } = meeting;
  const sources: [unknown, string[]][] = [
    [self, ['roomJoined', 'roomLeft', 'waitlisted', 'mediaPermissionUpdate', 'audioUpdate', 'videoUpdate', 'deviceListUpdate']],
    [self.permissions, ['permissionsUpdate']],
    [participants.waitlisted, ['participantJoined', 'participantLeft', 'participantsCleared', 'participantsUpdate']],
  ];
  const each = (act: (source: Emitter, event: string) => void): void => {
    for (const [source, events] of sources) for (const event of events) act(source as Emitter, event);
  };
  each((source, event) => source.addListener(event, look));
  look();
  return () => each((source, event) => source.removeListener(event, look));
}

function lookAt({ self, participants, meta }: Client): Happening {
  const may = self.permissions;
  const decides = self.roomState === 'joined' && may.acceptWaitingRequests;
  const silent: Happening['silent'] = {};
  const { video, audio } = self.mediaPermissions as { video?: string; audio?: string };
  if (may.canProduceVideo !== 'NOT_ALLOWED') note('camera', video, self.videoEnabled);
  if (may.canProduceAudio !== 'NOT_ALLOWED') note('microphone', audio, self.audioEnabled);
  function note(device: Device, permission: string | undefined, works: boolean): void {
    const silence = SILENCES[permission ?? ''];
    if (silence && !works) silent[device] = silence;
  }
  return {
    joined: self.roomState === 'joined',
    waitsToBeLetIn: self.roomState === 'waitlisted',
    waiting: decides ? participants.waitlisted.toArray().map(({ id, name }) => ({ id, name: name ?? '' })) : [],
    silent,
    audience: meta.viewType === 'WEBINAR' || meta.viewType === 'LIVESTREAM',
  };
}
