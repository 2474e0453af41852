/** What keeps somebody out of a meeting, said plainly, with what to do about it. The words are in `problems.ts`. */

import { arrive, goHome } from '../place';
import { WORDS, type Problem } from '../problems';
import { Stage } from '../parts/stage';
import { HowToGetIn } from './how-to-get-in';

export function ProblemScreen({ problem }: { problem: Problem }) {
  const words = WORDS[problem];
  return (
    <Stage title={words.title}>
      <p class="lead" role="alert">
        {words.text}
      </p>
      {problem === 'needs-token' && <HowToGetIn />}
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
  if (problem === 'stale') location.reload();
  else void arrive();
}
