/** What must not be missed in a call, between its head and the kit, where it covers nothing. */

import { useState } from 'preact/hooks';
import type { Device, Happening, Silence, Waiting } from '../call/happenings';

/** More would take the room of the call; they come up as those before them are let in. */
const SHOWN = 3;

interface Door {
  waiting: Waiting[];
  admit(ids: string[]): void;
  deny(id: string): void;
}

/** For those who decide who comes in. */
export function AtTheDoor({ waiting, admit, deny }: Door) {
  return (
    <div role="status" aria-label="Waiting room">
      {waiting.length > 0 && (
        <div class="notice door">
          <strong>{waiting.length === 1 ? '1 person waits' : `${waiting.length} people wait`}</strong>
          <ul>
            {waiting.slice(0, SHOWN).map(({ id, name }) => (
              <li key={id}>
                <span class="door-name">{name || 'Somebody'}</span>
                <button type="button" class="button tiny primary" onClick={() => admit([id])}>
                  Admit<span class="unseen"> {name}</span>
                </button>
                <button type="button" class="button tiny" onClick={() => deny(id)}>
                  Deny<span class="unseen"> {name}</span>
                </button>
              </li>
            ))}
          </ul>
          {waiting.length > 1 && (
            <button type="button" class="button tiny" onClick={() => admit(waiting.map(({ id }) => id))}>
              Admit all
            </button>
          )}
        </div>
      )}
    </div>
  );
}

const WHY: Record<Silence, (device: Device) => string> = {
  none: (device) => `No ${device} was found.`,
  forbidden: (device) => `This page may not use your ${device}: allow it left of the address.`,
  'forbidden-by-system': (device) => `Your system does not let the browser use the ${device}.`,
  'in-use': (device) => `Your ${device} could not be started: another program may be using it.`,
};

const SO: Record<Device, string> = { camera: 'Others do not see you.', microphone: 'Others do not hear you.' };

/** Says why somebody is not seen or heard, until they have read it. */
export function SilentDevices({ silent }: { silent: Happening['silent'] }) {
  const [read, setRead] = useState<string[]>([]);
  const devices = (Object.keys(silent) as Device[]).filter((device) => !read.includes(`${device} ${silent[device]}`));
  return (
    <div role="status" aria-label="Camera and microphone">
      {devices.map((device) => (
        <div class="notice" key={device}>
          <p>
            {WHY[silent[device]!](device)} {SO[device]}
          </p>
          <button type="button" class="button tiny" onClick={() => setRead([...read, `${device} ${silent[device]}`])}>
            OK
          </button>
        </div>
      ))}
    </div>
  );
}
