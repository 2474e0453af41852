/** The picture the kit shows when camera or microphone are blocked. It fits every browser, so it says where to look. */
export function permissionHelp(): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 150" width="100%" role="img" aria-label="Open the site settings left of the address and allow camera and microphone">
  <rect x="8" y="14" width="304" height="36" rx="18" fill="#2a313b"/>
  <circle cx="28" cy="32" r="10" fill="#e8b26a"/>
  <path d="M24 31v-3a4 4 0 0 1 8 0v3m-9 0h10v6h-10z" fill="none" stroke="#181c22" stroke-width="1.6"/>
  <text x="46" y="37" font-family="sans-serif" font-size="13" fill="#c9d1da">yoursite.com</text>
  <path d="M28 46v16" stroke="#e8b26a" stroke-width="2"/>
  <rect x="8" y="62" width="220" height="74" rx="10" fill="#2a313b"/>
  <g font-family="sans-serif" font-size="13" fill="#e9edf2">
    <text x="24" y="90">Camera</text><text x="24" y="118">Microphone</text>
    <text x="140" y="90" fill="#72c79a">Allow</text><text x="140" y="118" fill="#72c79a">Allow</text>
  </g>
</svg>`;
}
