import { Mark } from '../parts/logo';

export function Loading({ what }: { what: string }) {
  return (
    <main class="loading">
      <Mark size={64} />
      <p role="status">{what}…</p>
    </main>
  );
}
