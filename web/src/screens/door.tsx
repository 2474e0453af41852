/** The start page: begin a meeting, or go to one somebody else began. */

import { useState } from 'preact/hooks';
import { config, follow, startMeeting } from '../place';
import { destinationFromText, inviteLink } from '../invite';
import { rememberedName } from '../memory';
import { NameField } from '../parts/name-field';
import { Stage } from '../parts/stage';
import { HowToGetIn } from './how-to-get-in';

export function Door() {
  const mayStart = Boolean(config.value?.keys);
  return (
    <Stage title="Meet on your own server">
      <p class="lead">
        Everything said and shown here goes through this server and no other.
        {mayStart && ' Start a meeting and pass its link on.'}
      </p>
      {mayStart && <Start />}
      <JoinByLink />
      {!mayStart && <HowToGetIn />}
    </Stage>
  );
}

function Start() {
  const [name, setName] = useState(rememberedName);

  function submit(event: Event): void {
    event.preventDefault();
    void startMeeting(name.trim());
  }

  return (
    <form class="card" onSubmit={submit}>
      <NameField name={name} onName={setName} optional />
      <button type="submit" class="button primary wide">
        Start a meeting
      </button>
    </form>
  );
}

function JoinByLink() {
  const [text, setText] = useState('');
  const [wrong, setWrong] = useState(false);

  function submit(event: Event): void {
    event.preventDefault();
    const to = destinationFromText(text);
    setWrong(to.kind === 'nowhere');
    if (to.kind === 'meeting') follow(inviteLink('', to.meetingId, to.seat));
    if (to.kind === 'token') follow(`/#token=${to.token}`);
  }

  return (
    <form class="card flat" onSubmit={submit} noValidate>
      <div class="field">
        <label for="link">Invited by somebody?</label>
        <div class="field-row">
          <input
            id="link"
            type="text"
            inputMode="url"
            autoComplete="off"
            placeholder="Invite link or meeting id"
            value={text}
            aria-invalid={wrong}
            aria-describedby={wrong ? 'link-wrong' : undefined}
            onInput={(event) => {
              setText(event.currentTarget.value);
              setWrong(false);
            }}
          />
          <button type="submit" class="button">
            Join
          </button>
        </div>
        {wrong && (
          <p id="link-wrong" class="field-wrong" role="alert">
            This is neither an invite link nor a meeting id.
          </p>
        )}
      </div>
    </form>
  );
}
