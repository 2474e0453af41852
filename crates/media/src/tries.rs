//! How often clients tried in vain to connect their media, as they count it themselves, and what that means. Pure: it is
//! told the time.
//! Owns the counts; a client is a peer's connection to a meeting, and counts each direction for itself.
//! Next: `owners.rs`, which knows of each connection that is opened, comes up or goes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use salon_core::{MeetingId, PeerId};
use salon_sfu::{Role, TransportId};

/// After more tries in vain than this a client that loses its connection uses relays alone, for good: nothing makes it
/// forget them (read in web SDK 2.0.2). Without a relay it never has media again. It does so only with an open socket.
const SPARE: u8 = 2;

/// How long a try may take whose failure would be one too many. Clients connect within a second, and give up after 15 s
/// (seen in Chromium 156); lower ends the sockets of slow ones, higher comes too late for other browsers.
const TRY_FOR: Duration = Duration::from_secs(8);

/// A client that has no try to spare is quiet for so long: its connection is broken. Browsers notice after 5 s, and the
/// client replaces the connection 2 s later (seen in Chromium 156).
const QUIET_FOR: Duration = Duration::from_millis(4_500);

/// By then it has.
const REPLACED_AFTER: Duration = Duration::from_secs(9);

/// Clients whose tries are remembered. With more, those are forgotten that are not trying right now.
const CLIENTS: usize = 10_000;

type Client = (MeetingId, PeerId);

/// What is to be expected of a client's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It may lose its connection and find another.
    Bright,
    /// One more failure and it will not. Look again in a second.
    Narrow,
    /// It is failing. Its socket must not be open when it notices: it comes back with the next socket, and connects anew.
    Lost,
}

#[derive(Default)]
pub(crate) struct Tries {
    clients: HashMap<Client, Tried>,
    /// Of connections that are coming up.
    whose: HashMap<TransportId, Client>,
}

#[derive(Default)]
struct Tried {
    ways: [Way; 2],
    /// Its socket was ended; the next one is to be taken in from then on.
    back_at: Option<Instant>,
}

#[derive(Default)]
struct Way {
    in_vain: u8,
    under_way: Option<(TransportId, Instant)>,
}

impl Way {
    fn give_up(&mut self) -> Option<TransportId> {
        let (transport, _) = self.under_way.take()?;
        self.in_vain = self.in_vain.saturating_add(1);
        Some(transport)
    }
}

impl Tries {
    /// The client tries to connect; if it was trying already, that was in vain.
    pub(crate) fn opened(&mut self, now: Instant, meeting: &MeetingId, peer: &PeerId, role: Role, transport: &TransportId) {
        let client = (meeting.clone(), peer.clone());
        if self.clients.len() >= CLIENTS {
            self.clients.retain(|_, tried| tried.ways.iter().any(|way| way.under_way.is_some()));
        }
        let way = &mut self.clients.entry(client.clone()).or_default().ways[usize::from(role == Role::Receive)];
        if let Some(before) = way.give_up() {
            self.whose.remove(&before);
        }
        way.under_way = Some((transport.clone(), now));
        self.whose.insert(transport.clone(), client);
    }

    /// A connection came up, or is gone: it is not tried any more. Whose it was, and which way, if it was tried until now.
    pub(crate) fn over(&mut self, transport: &TransportId) -> Option<(MeetingId, PeerId, Role)> {
        let client = self.whose.remove(transport)?;
        let tried = self.clients.get_mut(&client)?;
        let mut role = None;
        for (way, of) in tried.ways.iter_mut().zip([Role::Send, Role::Receive]) {
            if way.under_way.take_if(|(id, _)| id == transport).is_some() {
                role = Some(of);
            }
        }
        if tried.ways.iter().all(|way| way.in_vain == 0 && way.under_way.is_none()) {
            self.clients.remove(&client);
        }
        Some((client.0, client.1, role?))
    }

    /// Nothing came from the client for `quiet`. Of one that is lost it is taken that its socket ends now.
    pub(crate) fn outlook(&mut self, now: Instant, meeting: &MeetingId, peer: &PeerId, quiet: Duration) -> Outlook {
        let Some(tried) = self.clients.get_mut(&(meeting.clone(), peer.clone())) else { return Outlook::Bright };
        let mut outlook = Outlook::Bright;
        for way in &mut tried.ways {
            match &way.under_way {
                Some((_, since)) if way.in_vain >= SPARE => {
                    let failing = now.saturating_duration_since(*since) >= TRY_FOR;
                    outlook = if failing { Outlook::Lost } else { outlook.or_narrow() };
                }
                None if way.in_vain > SPARE => {
                    outlook = if quiet >= QUIET_FOR { Outlook::Lost } else { outlook.or_narrow() };
                    tried.back_at = (quiet >= QUIET_FOR).then(|| now + REPLACED_AFTER.saturating_sub(quiet));
                }
                _ => {}
            }
            if outlook == Outlook::Lost {
                break;
            }
        }
        if outlook == Outlook::Lost {
            // Its next socket begins with giving up what is under way.
            let given_up = tried.ways.iter_mut().filter_map(Way::give_up);
            given_up.for_each(|transport| drop(self.whose.remove(&transport)));
        }
        outlook
    }

    /// When a client whose socket was ended may have the next one.
    pub(crate) fn back_at(&self, meeting: &MeetingId, peer: &PeerId) -> Option<Instant> {
        self.clients.get(&(meeting.clone(), peer.clone()))?.back_at
    }
}

impl Outlook {
    fn or_narrow(self) -> Self {
        if self == Self::Lost { self } else { Self::Narrow }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Client {
        tries: Tries,
        began: Instant,
        opened: u32,
    }

    impl Client {
        fn new() -> Self {
            Self { tries: Tries::default(), began: Instant::now(), opened: 0 }
        }

        fn at(&self, second: u64) -> Instant {
            self.began + Duration::from_secs(second)
        }

        fn who() -> (MeetingId, PeerId) {
            (MeetingId::parse("m").unwrap(), PeerId::parse("ada").unwrap())
        }

        fn opens(&mut self, second: u64, role: Role) -> TransportId {
            self.opened += 1;
            let transport = TransportId::from(self.opened.to_string().as_str());
            let ((meeting, peer), at) = (Self::who(), self.at(second));
            self.tries.opened(at, &meeting, &peer, role, &transport);
            transport
        }

        fn outlook(&mut self, second: u64, quiet_ms: u64) -> Outlook {
            let ((meeting, peer), at) = (Self::who(), self.at(second));
            self.tries.outlook(at, &meeting, &peer, Duration::from_millis(quiet_ms))
        }
    }

    #[test]
    fn a_third_try_that_fails_is_one_too_many() {
        let mut ada = Client::new();
        for (n, second) in [(1, 0), (2, 17), (3, 34)] {
            ada.opens(second, Role::Send);
            assert_eq!(ada.outlook(second + 7, 0), if n < 3 { Outlook::Bright } else { Outlook::Narrow }, "try {n}");
        }
        assert_eq!(ada.outlook(42, 0), Outlook::Lost);
        assert_eq!(ada.outlook(42, 0), Outlook::Narrow, "its socket is ended once");
        assert_eq!(ada.tries.whose.len(), 0);
    }

    #[test]
    fn tries_count_for_each_direction_and_only_in_vain() {
        let mut ada = Client::new();
        for second in 0..20 {
            let role = if second % 2 == 0 { Role::Send } else { Role::Receive };
            let transport = ada.opens(second, role);
            ada.tries.over(&transport);
            assert_eq!(ada.outlook(second + 10, 20_000), Outlook::Bright);
        }
        assert!(ada.tries.clients.is_empty(), "nothing is remembered of who has nothing in vain");
        for role in [Role::Send, Role::Receive, Role::Send, Role::Receive] {
            ada.opens(40, role);
        }
        assert_eq!(ada.outlook(60, 0), Outlook::Bright, "each has failed once, and is trying");
    }

    #[test]
    fn who_has_no_try_to_spare_is_looked_after_when_it_falls_quiet() {
        let mut ada = Client::new();
        let last = (0..4).map(|n| ada.opens(n, Role::Receive)).last().unwrap();
        ada.tries.over(&last);
        assert_eq!(ada.outlook(50, 4_000), Outlook::Narrow);
        let (meeting, peer) = Client::who();
        assert_eq!(ada.tries.back_at(&meeting, &peer), None);
        assert_eq!(ada.outlook(51, 5_000), Outlook::Lost);
        assert_eq!(ada.tries.back_at(&meeting, &peer), Some(ada.at(55)), "when it has replaced its connection");
    }

    #[test]
    fn so_many_clients_are_remembered() {
        let mut tries = Tries::default();
        let now = Instant::now();
        let meeting = MeetingId::parse("m").unwrap();
        for n in 0..2 * CLIENTS {
            let peer = PeerId::parse(&format!("p{n}")).unwrap();
            let transports = [TransportId::from(format!("{n}a").as_str()), TransportId::from(format!("{n}b").as_str())];
            transports.iter().for_each(|transport| tries.opened(now, &meeting, &peer, Role::Send, transport));
            tries.over(&transports[1]);
        }
        assert!(tries.clients.len() <= CLIENTS);
        assert!(tries.whose.is_empty());
    }
}
