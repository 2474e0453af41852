/** The page's entry: draws, then goes where the address bar says. Next: `page.tsx` and `place.ts`. */

import { render } from 'preact';
import { Page } from './page';
import { arrive } from './place';
import './style/base.css';
import './style/screens.css';
import './style/call.css';
import './style/live.css';

const root = document.getElementById('page');
if (!root) throw new Error('index.html has the element to draw into');
render(<Page />, root);

// Also fires when somebody pastes a link that differs only behind the `#`.
window.addEventListener('popstate', () => void arrive());
void arrive();
