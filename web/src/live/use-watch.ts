import { useEffect, useState } from 'preact/hooks';
import type { Keys } from '../api';
import { watchMeeting, type Watched } from './watch';

/** Watches a meeting for as long as the component is on the page. */
export function useWatch(keys: Keys | null | undefined, meetingId: string): Watched {
  const [watched, setWatched] = useState<Watched>({ look: null, trouble: null });
  useEffect(() => {
    if (!keys) return;
    const watch = watchMeeting(keys, meetingId);
    const unsubscribe = watch.now.subscribe(setWatched);
    return () => {
      unsubscribe();
      watch.stop();
    };
  }, [keys, meetingId]);
  return watched;
}
