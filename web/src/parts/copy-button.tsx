/** Copies a text and says so, to the eye and to a screen reader. */

import { useEffect, useState } from 'preact/hooks';
import { copyText } from '../clipboard';

interface Props {
  text: string;
  label: string;
  class?: string;
}

export function CopyButton({ text, label, class: look = 'button quiet' }: Props) {
  const [outcome, setOutcome] = useState<'copied' | 'refused' | null>(null);

  useEffect(() => {
    if (!outcome) return;
    const timer = setTimeout(() => setOutcome(null), 2_500);
    return () => clearTimeout(timer);
  }, [outcome]);

  async function copy(): Promise<void> {
    setOutcome((await copyText(text)) ? 'copied' : 'refused');
  }

  return (
    <>
      <button type="button" class={look} onClick={copy}>
        {outcome === 'copied' ? 'Copied' : outcome === 'refused' ? 'Could not copy' : label}
      </button>
      <span class="unseen" role="status">
        {outcome === 'copied' ? 'Copied to the clipboard' : ''}
      </span>
    </>
  );
}
