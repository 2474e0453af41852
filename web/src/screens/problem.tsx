/** What can keep somebody out of a meeting, said plainly, with what to do about it. */

import { arrive, goHome, type Problem } from '../place';
import { Stage } from '../parts/stage';
import { HowToGetIn } from './how-to-get-in';

interface Words {
  title: string;
  text: string;
  again: boolean;
}

export function ProblemScreen({ problem }: { problem: Problem }) {
  const words = wordsFor(problem);
  return (
    <Stage title={words.title}>
      <p class="lead" role="alert">
        {words.text}
      </p>
      {problem.kind === 'needs-token' && <HowToGetIn />}
      <div class="card flat">
        {words.again && (
          <button type="button" class="button primary wide" onClick={() => tryAgain(problem)}>
            Try again
          </button>
        )}
        <button type="button" class="button wide" onClick={goHome}>
          Go to the start page
        </button>
      </div>
    </Stage>
  );
}

/** A browser remembers that a part of the page failed to load; only a fresh page forgets. */
function tryAgain(problem: Problem): void {
  if (problem.kind === 'stale') location.reload();
  else void arrive();
}

function wordsFor(problem: Problem): Words {
  switch (problem.kind) {
    case 'unreachable':
      return {
        title: 'The server does not answer',
        text: 'It may be starting, or your network may be down. Nothing is lost: try again in a moment.',
        again: true,
      };
    case 'stale':
      return {
        title: 'This page is out of date',
        text: 'A part of it could not be loaded. The server may have been updated, or be starting again.',
        again: true,
      };
    case 'unknown-meeting':
      return {
        title: 'No such meeting',
        text: 'The server does not know this meeting. The link may be incomplete, or from another server.',
        again: false,
      };
    case 'bad-token':
      return {
        title: 'This link no longer opens the door',
        text: 'The server does not accept its token: it may have expired, or been withdrawn. Ask for a new link.',
        again: false,
      };
    case 'not-secure':
      return {
        title: 'No camera on this address',
        text: 'Browsers give camera and microphone only to pages on https or on localhost. Open Salon under such an address.',
        again: false,
      };
    case 'needs-token':
      return {
        title: 'This link needs a token',
        text: 'On this server a meeting id alone does not let anybody in.',
        again: false,
      };
    case 'failed':
      return { title: 'That did not work', text: problem.why, again: true };
  }
}
