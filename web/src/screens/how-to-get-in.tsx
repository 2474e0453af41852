/** Shown where the page may not make participants itself: the API does it, and a link carries the result. */

import { CopyButton } from '../parts/copy-button';

export function HowToGetIn() {
  const add = [
    `curl -X POST ${location.origin}/accounts/$ACCOUNT/realtime/kit/$APP/meetings/$MEETING/participants \\`,
    '  -H "Authorization: Bearer $API_TOKEN" \\',
    '  -H "Content-Type: application/json" \\',
    `  -d '{"name": "Ada", "preset_name": "group_call_host", "custom_participant_id": "ada"}'`,
  ].join('\n');
  return (
    <section class="card" aria-labelledby="get-in">
      <h2 id="get-in">You need a link of your own</h2>
      <p>
        This server keeps its keys to itself, so meetings and people are added through its API. With a
        meeting from <code>POST …/meetings</code>, add a participant:
      </p>
      <pre class="code" tabIndex={0}>
        <code>{add}</code>
      </pre>
      <CopyButton text={add} label="Copy command" />
      <p>
        The answer holds a <code>token</code>. This link lets that person in, and should go to nobody
        else:
      </p>
      <pre class="code" tabIndex={0}>
        <code>{`${location.origin}/#token=<token>`}</code>
      </pre>
    </section>
  );
}
