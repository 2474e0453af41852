/** The frame of every screen but the call: the name of the house above, one card in the middle. */

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Wordmark } from './logo';

export function Stage({ title, children }: { title: string; children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  // A new screen is a new page to a screen reader: it starts at the heading, unless a field took the focus.
  useEffect(() => {
    document.title = `${title} · Salon`;
    if (!document.activeElement || document.activeElement === document.body) heading.current?.focus();
  }, [title]);
  return (
    <div class="stage">
      <header class="stage-head">
        <a class="home" href="/" aria-label="Salon, start page">
          <Wordmark />
        </a>
      </header>
      <main class="stage-main">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {children}
      </main>
    </div>
  );
}
