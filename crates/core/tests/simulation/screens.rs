//! What clients make of the selection they are told: each keeps an order of speakers and a set of people it has to show,
//! adds to both, and forgets only those who leave (as web SDK 2.0.2 does). It keeps both while its connection is broken.
//! After each step what they hold must be what the session says.

use std::collections::{BTreeMap, BTreeSet};

use salon_core::session::{Message, Selected, Selections};
use salon_core::{PeerId, Session};

#[derive(Debug, Default)]
struct Screen {
    order: Vec<PeerId>,
    compulsory: BTreeSet<PeerId>,
    /// Its connection is fine, and its media join was answered.
    hears: bool,
}

#[derive(Debug, Default)]
pub struct Screens {
    screens: BTreeMap<PeerId, Screen>,
}

impl Screen {
    fn takes(&mut self, peer: &PeerId, place: Option<usize>, compulsory: bool) {
        self.order.retain(|other| other != peer);
        self.compulsory.remove(peer);
        if let Some(place) = place {
            self.order.insert(place.min(self.order.len()), peer.clone());
        }
        if compulsory {
            self.compulsory.insert(peer.clone());
        }
    }
}

impl Screens {
    /// The answer to a completed media join.
    pub fn answered(&mut self, to: &PeerId, all: &Selections) {
        let screen = self.screens.entry(to.clone()).or_default();
        for (place, peer) in all.speakers.iter().enumerate() {
            screen.takes(peer, Some(place), false);
        }
        screen.compulsory.extend(all.compulsory.iter().cloned());
        screen.hears = true;
    }

    pub fn told(&mut self, to: &PeerId, message: &Message) {
        match message {
            Message::Selected(news) => {
                let screen = self.screens.get_mut(to).expect("only those with media are told");
                assert!(screen.hears, "{to} has no media");
                for Selected { peer, place, compulsory } in news {
                    screen.takes(peer, *place, *compulsory);
                }
            }
            Message::PeerLeft(view) => {
                if let Some(screen) = self.screens.get_mut(to) {
                    screen.takes(&view.peer, None, false);
                }
            }
            _ => {}
        }
    }

    pub fn hears(&self, peer: &PeerId) -> bool {
        self.screens.get(peer).is_some_and(|screen| screen.hears)
    }

    /// It keeps what it has, and asks again later.
    pub fn broke_off(&mut self, peer: &PeerId) {
        if let Some(screen) = self.screens.get_mut(peer) {
            screen.hears = false;
        }
    }

    /// The next server cannot know what those who were away already had missed, nor who had been selected and was gone:
    /// clients that were away, or hold on to people who were not `here`, begin anew.
    pub fn server_died(&mut self, here: &BTreeSet<PeerId>) {
        self.screens.retain(|_, screen| std::mem::take(&mut screen.hears));
        for screen in self.screens.values_mut() {
            screen.order.retain(|peer| here.contains(peer));
            screen.compulsory.retain(|peer| here.contains(peer));
        }
    }

    /// The client is closed: who comes back starts with nothing.
    pub fn closed(&mut self, peer: &PeerId) {
        self.screens.remove(peer);
    }

    /// Every client that hears of media shows whom the session selects. Those whom it does not know (any more), because
    /// they are hidden or left while it was away, it does not show: it has a new list of people.
    pub fn check(&self, session: &Session, connected: &BTreeSet<PeerId>) {
        let Some(record) = session.record().filter(|record| record.ended.is_none()) else { return };
        let here = |peer: &&PeerId| record.peers.get(*peer).is_some_and(|peer| peer.is_present() && peer.counts());
        for (peer, screen) in self.screens.iter().filter(|(peer, screen)| screen.hears && connected.contains(*peer)) {
            let wanted = session.selections(peer);
            let shown: Vec<&PeerId> = screen.compulsory.iter().filter(here).collect();
            let mut compulsory: Vec<&PeerId> = wanted.compulsory.iter().collect();
            compulsory.sort();
            assert_eq!(shown, compulsory, "{peer} has to show these");
            let order: Vec<&PeerId> = screen.order.iter().filter(here).filter(|other| *other != peer).collect();
            assert!(
                order.iter().take(wanted.speakers.len()).copied().eq(&wanted.speakers),
                "{peer} has {order:?} for {wanted:?}"
            );
        }
    }
}
