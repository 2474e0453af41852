//! Connections that died with the server that had them: until when their clients must not be let back in.
//! A client that is let back in while it takes dead connections for alive publishes on them, fails, and switches its
//! microphone and camera off for good; one that has replaced them goes on with the new ones (seen in web SDK 2.0.2).
//! Pure: takes moments. Invariant: what is known only ever makes the wait shorter than that of those nothing is known of.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use salon_sfu::{Role, Tag};
use tokio::sync::watch;

/// How long it takes clients to replace connections that died and were not refused, or which do not believe it: browsers
/// notice 5 to 8 s after the last packet (seen in Chromium 156), 8 to 10 s (seen in Firefox 153 on a busy machine), the client
/// waits 2 s more, then connects anew; its request for the answer holds for 20 s (seen in web SDK 2.0.2). Lower risks what this
/// is for, higher keeps people apart longer of whom nothing is known.
const REPLACED_AFTER: Duration = Duration::from_millis(13_500);

/// The same from the moment at which the last of its new connections came up here: its browser may know a little later. A client
/// that is let in while a connection is coming up gives that up, and its microphone with it (seen in web SDK 2.0.2).
const KNOWN_AFTER: Duration = Duration::from_millis(300);

/// The same from the moment at which the last of its connections was refused, if no new one came up: the browser believes that
/// at once, the client waits 2 s and connects anew (seen in web SDK 2.0.2), which takes a tenth of a second, more on a busy machine.
const REPLACED_AFTER_REFUSAL: Duration = Duration::from_millis(3_500);

/// How long after all that a client may still be busy: it is let in, and publishes on its new connections before it says that its
/// join is complete (seen in Firefox 153, 60 ms after its answer). Longer costs memory only.
const BUSY_AFTER: Duration = Duration::from_secs(10);

/// Clients that are known of at once. More come back as those nothing is known of.
const CLIENTS: usize = 65_536;

#[derive(Debug, Default)]
pub(crate) struct CutOff {
    clients: HashMap<Tag, Client>,
}

#[derive(Debug)]
struct Client {
    /// When its connections died, once that is known.
    died: Option<Instant>,
    /// What was heard of its sending, and of its receiving connection.
    replaced: [Option<Replaced>; 2],
    until: watch::Sender<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Replaced {
    heard: Instant,
    /// When the connection is replaced, as far as is known.
    at: Instant,
}

impl Client {
    /// When it has replaced its connections, as far as is known: both, as it makes one each way and looks at both. What was
    /// heard before they died is about others, which it had before.
    fn replaced_at(&self) -> Option<Instant> {
        let died = self.died?;
        let slowly = died + REPLACED_AFTER;
        let [sending, receiving] = self.replaced.map(|known| known.filter(|known| known.heard >= died));
        let Some((sending, receiving)) = sending.zip(receiving) else { return Some(slowly) };
        Some(slowly.min(sending.at.max(receiving.at)))
    }

    fn heard_of(&self) -> Option<Instant> {
        self.died.into_iter().chain(self.replaced.into_iter().flatten().map(|known| known.at)).max()
    }
}

impl CutOff {
    /// This client published on connections that died at `at`.
    pub(crate) fn died(&mut self, now: Instant, tag: Tag, at: Instant) {
        self.note(now, tag, |client| client.died = Some(at));
    }

    /// Its connections did not die after all.
    pub(crate) fn lives(&mut self, now: Instant, tag: Tag) {
        if let Some(client) = self.clients.get_mut(&tag) {
            client.died = None;
            client.until.send_replace(now);
        }
    }

    /// A check of this client was refused, for a connection that nobody knows any more.
    pub(crate) fn refused(&mut self, now: Instant, tag: Tag, role: Role) {
        self.note_replaced(now, tag, role, REPLACED_AFTER_REFUSAL);
    }

    /// A new connection of this client came up, in place of one that died if it is one of those.
    pub(crate) fn replaced(&mut self, now: Instant, tag: Tag, role: Role) {
        if self.is_recent(now, tag) {
            self.note_replaced(now, tag, role, KNOWN_AFTER);
        }
    }

    fn note_replaced(&mut self, now: Instant, tag: Tag, role: Role, after: Duration) {
        let known = Replaced { heard: now, at: now + after };
        self.note(now, tag, |client| client.replaced[usize::from(role == Role::Receive)] = Some(known));
    }

    fn note(&mut self, now: Instant, tag: Tag, note: impl FnOnce(&mut Client)) {
        if self.clients.len() >= CLIENTS && !self.clients.contains_key(&tag) {
            self.forget_old(now);
            if self.clients.len() >= CLIENTS {
                return;
            }
        }
        let new = || Client { died: None, replaced: [None; 2], until: watch::Sender::new(now) };
        let client = self.clients.entry(tag).or_insert_with(new);
        note(client);
        if let Some(at) = client.replaced_at() {
            client.until.send_replace(at);
        }
    }

    /// Forgets those who are back by now.
    pub(crate) fn forget_old(&mut self, now: Instant) {
        self.clients.retain(|_, client| client.heard_of().is_some_and(|at| at + REPLACED_AFTER + BUSY_AFTER > now));
    }

    /// Whether the client may still be busy with replacing its connections, whatever is known of it.
    pub(crate) fn is_recent(&self, now: Instant, tag: Tag) -> bool {
        self.clients.get(&tag).and_then(|client| client.died).is_some_and(|at| at + REPLACED_AFTER + BUSY_AFTER > now)
    }

    /// Until when the client is not to be let in, as far as is known; that may change. None if it may come in.
    pub(crate) fn until(&self, now: Instant, tag: Tag) -> Option<watch::Receiver<Instant>> {
        let client = self.clients.get(&tag)?;
        client.replaced_at().filter(|at| *at > now).map(|_| client.until.subscribe())
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.clients.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Step {
        Died,
        Refused(Role),
        Replaced(Role),
    }
    use Step::*;

    /// What happens at which ms after the death, and until when the client waits then; 0 if it does not.
    #[track_caller]
    fn check(steps: &[(u64, Step, u64)]) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let (mut cut_off, tag) = (CutOff::default(), Tag::of(&["meeting", "ada"]));
        for (ms, step, until) in steps {
            match step {
                Died => cut_off.died(at(*ms), tag, start),
                Refused(role) => cut_off.refused(at(*ms), tag, *role),
                Replaced(role) => cut_off.replaced(at(*ms), tag, *role),
            }
            let told = cut_off.until(at(*ms), tag).map_or(start, |until| *until.borrow());
            assert_eq!(told, at(*until), "{ms}");
        }
    }

    #[test]
    fn who_gives_its_connections_up_is_let_in_when_it_has_replaced_them() {
        check(&[(80, Died, 13_500), (600, Refused(Role::Send), 13_500), (1_700, Refused(Role::Receive), 5_200)]);
        check(&[(60, Refused(Role::Receive), 0), (70, Refused(Role::Send), 0), (80, Died, 3_570)]);
        check(&[(80, Died, 13_500), (90, Refused(Role::Send), 13_500), (95, Refused(Role::Send), 13_500)]);
        // Another of its paths is refused later.
        check(&[
            (80, Died, 13_500),
            (600, Refused(Role::Send), 13_500),
            (700, Refused(Role::Receive), 4_200),
            (2_000, Refused(Role::Send), 5_500),
            (10_000, Refused(Role::Send), 13_500),
        ]);
        // As it goes with a browser that believes it.
        check(&[
            (80, Died, 13_500),
            (600, Refused(Role::Send), 13_500),
            (1_600, Refused(Role::Receive), 5_100),
            (2_700, Replaced(Role::Send), 5_100),
            (3_700, Replaced(Role::Receive), 4_000),
        ]);
        // Its browser believes no refusal.
        check(&[(80, Died, 13_500), (9_700, Replaced(Role::Receive), 13_500), (11_800, Replaced(Role::Send), 12_100)]);
        check(&[(80, Died, 13_500), (600, Refused(Role::Receive), 13_500), (10_100, Replaced(Role::Send), 10_400)]);
        check(&[(10, Replaced(Role::Send), 0), (20, Replaced(Role::Receive), 0), (80, Died, 13_500)]);
    }

    /// A node has a client's connections, loses its session to another, and gets it back when that one dies.
    #[test]
    fn what_was_heard_of_earlier_connections_is_not_of_those_that_died() {
        let (start, mut cut_off, tag) = (Instant::now(), CutOff::default(), Tag::of(&["meeting", "ada"]));
        for role in [Role::Send, Role::Receive] {
            cut_off.refused(start, tag, role);
        }
        let died = start + Duration::from_secs(10);
        cut_off.died(died + Duration::from_millis(45), tag, died);
        let until = cut_off.until(died, tag).expect("it waits");
        assert_eq!(*until.borrow(), died + REPLACED_AFTER);
        for role in [Role::Send, Role::Receive] {
            cut_off.refused(died + Duration::from_secs(1), tag, role);
        }
        assert_eq!(*until.borrow(), died + Duration::from_secs(1) + REPLACED_AFTER_REFUSAL);
    }

    #[test]
    fn whose_connections_live_after_all_waits_for_nothing() {
        let (start, mut cut_off, ada) = (Instant::now(), CutOff::default(), Tag::of(&["meeting", "ada"]));
        cut_off.died(start, ada, start);
        let until = cut_off.until(start, ada).expect("it waits");
        cut_off.lives(start, ada);
        assert!(*until.borrow() <= start && cut_off.until(start, ada).is_none() && !cut_off.is_recent(start, ada));
    }

    #[test]
    fn whoever_waits_hears_when_that_is_over_sooner() {
        let (start, mut cut_off) = (Instant::now(), CutOff::default());
        let (ada, bob) = (Tag::of(&["meeting", "ada"]), Tag::of(&["meeting", "bob"]));
        cut_off.died(start, ada, start);
        let mut until = cut_off.until(start, ada).expect("it waits");
        assert!(cut_off.until(start, bob).is_none() && !cut_off.is_recent(start, bob), "who had nothing has nothing to lose");
        until.mark_unchanged();
        cut_off.refused(start, ada, Role::Send);
        cut_off.refused(start, ada, Role::Receive);
        assert!(until.has_changed().unwrap());
        let replaced = *until.borrow();
        assert!(cut_off.until(replaced, ada).is_none() && cut_off.is_recent(replaced, ada));
        let late = start + REPLACED_AFTER + Duration::from_secs(1);
        cut_off.forget_old(late);
        assert!(cut_off.is_recent(late, ada), "let in at the last moment, and not done with coming back");
        cut_off.forget_old(start + REPLACED_AFTER_REFUSAL + REPLACED_AFTER + BUSY_AFTER);
        assert_eq!(cut_off.len(), 0);
    }

    #[test]
    fn what_is_known_is_bounded() {
        let (start, mut cut_off) = (Instant::now(), CutOff::default());
        for client in 0..CLIENTS + 10 {
            cut_off.refused(start, Tag::of(&[&client.to_string()]), Role::Send);
        }
        assert_eq!(cut_off.len(), CLIENTS);
        cut_off.died(start + REPLACED_AFTER_REFUSAL + REPLACED_AFTER + BUSY_AFTER, Tag::of(&["ada"]), start);
        assert_eq!(cut_off.len(), 1, "those of long ago make room");
    }
}
