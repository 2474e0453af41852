/** Where an invite link leads: who are you, and in. */

import { useState } from 'preact/hooks';
import type { Meeting } from '../api';
import type { Seat } from '../invite';
import { joinMeeting } from '../place';
import { hosts, rememberedName } from '../memory';
import { LiveLine } from '../live/live-line';
import { NameField } from '../parts/name-field';
import { Stage } from '../parts/stage';

export function Invited({ meeting, seat }: { meeting: Meeting; seat: Seat }) {
  const [name, setName] = useState(rememberedName);

  function submit(event: Event): void {
    event.preventDefault();
    if (name.trim()) void joinMeeting(name.trim(), meeting.id, seat);
  }

  return (
    <Stage title={meeting.title || 'You are invited'}>
      <p class="lead">
        {hosts(meeting.id)
          ? 'You started this meeting. Come back in as its host.'
          : seat === 'viewer'
            ? 'You are invited to watch and listen. Nobody sees or hears you.'
            : 'You are invited. Camera and microphone are checked before anybody sees you.'}
      </p>
      <form class="card" onSubmit={submit}>
        <NameField name={name} onName={setName} />
        <button type="submit" class="button primary wide">
          Join the meeting
        </button>
        <LiveLine meeting={meeting} />
      </form>
    </Stage>
  );
}
