/** One screen per place. The only file that knows all screens. */

import { place } from './place';
import { CallScreen } from './screens/call';
import { Door } from './screens/door';
import { Farewell } from './screens/farewell';
import { Invited } from './screens/invited';
import { Loading } from './screens/loading';
import { ProblemScreen } from './screens/problem';

export function Page() {
  const here = place.value;
  switch (here.at) {
    case 'loading':
      return <Loading what={here.what} />;
    case 'door':
      return <Door />;
    case 'invited':
      return <Invited meeting={here.meeting} seat={here.seat} />;
    case 'call':
      return <CallScreen call={here.call} />;
    case 'farewell':
      return <Farewell how={here.how} title={here.title} ticket={here.ticket} />;
    case 'problem':
      return <ProblemScreen problem={here.problem} />;
  }
}
