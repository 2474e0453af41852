/** People round a table under a warm lamp, seen from above. `index.html` carries the same mark as its icon. */
export function Mark({ size = 32 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <circle class="mark-table" cx="16" cy="16" r="5" />
      <g class="mark-people">
        <circle cx="16" cy="6.2" r="2.4" />
        <circle cx="24.5" cy="11.1" r="2.4" />
        <circle cx="24.5" cy="20.9" r="2.4" />
        <circle cx="16" cy="25.8" r="2.4" />
        <circle cx="7.5" cy="20.9" r="2.4" />
        <circle cx="7.5" cy="11.1" r="2.4" />
      </g>
    </svg>
  );
}

export function Wordmark() {
  return (
    <span class="wordmark">
      <Mark size={28} />
      Salon
    </span>
  );
}
