/** After a call: how it ended, and the way back where there is one. */

import type { Ending } from '../call/enter';
import { goHome, meeting, rejoin, type Ticket } from '../place';
import { LiveLine } from '../live/live-line';
import { Stage } from '../parts/stage';
import { Recordings } from './recordings';

interface Words {
  title: string;
  text: string;
  back: string;
  /** Whether going back is what most people want. */
  welcome: boolean;
}

const WORDS: Record<Ending, Words> = {
  left: { title: 'You left the meeting', text: 'The others can go on without you.', back: 'Join again', welcome: true },
  kicked: {
    title: 'You were removed',
    text: 'A host removed you from this meeting. If that was a mistake, ask them before you come back.',
    back: 'Join again',
    welcome: false,
  },
  ended: {
    title: 'The meeting has ended',
    text: 'A host ended it for everybody. Joining again starts a new session in the same meeting.',
    back: 'Start it again',
    welcome: true,
  },
  rejected: {
    title: 'You were not let in',
    text: 'A host declined your request to join.',
    back: 'Ask again',
    welcome: false,
  },
  disconnected: {
    title: 'Connection lost',
    text: 'The server could not be reached any more. The meeting itself may well go on.',
    back: 'Join again',
    welcome: true,
  },
};

export function Farewell({ how, title, ticket }: { how: Ending; title: string; ticket: Ticket }) {
  const words = WORDS[how];
  const back = (
    <button
      type="button"
      key="back"
      class={`button wide ${words.welcome ? 'primary' : ''}`}
      onClick={() => void rejoin(ticket)}
    >
      {words.back}
    </button>
  );
  const home = (
    <button type="button" key="home" class={`button wide ${words.welcome ? '' : 'primary'}`} onClick={goHome}>
      Go to the start page
    </button>
  );
  return (
    <Stage title={words.title}>
      {title && <p class="eyebrow">{title}</p>}
      <p class="lead">{words.text}</p>
      <div class="card">
        {words.welcome ? [back, home] : [home, back]}
        <Recordings />
        {meeting.value && <LiveLine meeting={meeting.value} />}
      </div>
    </Stage>
  );
}
