//! The list of those who wait, in the order of their coming.
//! That somebody was admitted is in the record; who waits is gone with the server.
//! Next: `admission.rs`, who has to and who decides.

use std::collections::BTreeMap;

use crate::ids::{ParticipantId, PeerId};
use crate::preset::Entry;
use crate::session::view::WaitingView;

#[derive(Debug)]
struct Waiting {
    view: WaitingView,
    entry: Entry,
    order: u64,
}

#[derive(Debug, Default)]
pub(super) struct WaitingRoom {
    people: BTreeMap<PeerId, Waiting>,
    next_order: u64,
}

impl WaitingRoom {
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// Another participant waits under this peer id.
    pub fn is_taken(&self, peer: &PeerId, by: &ParticipantId) -> bool {
        self.people.get(peer).is_some_and(|waiting| waiting.view.participant != *by)
    }

    /// Whether the peer was waiting.
    pub fn remove(&mut self, peer: &PeerId) -> bool {
        self.people.remove(peer).is_some()
    }

    pub fn peers_of(&self, participant: &ParticipantId) -> Vec<PeerId> {
        let of = |waiting: &&Waiting| waiting.view.participant == *participant;
        self.people.values().filter(of).map(|waiting| waiting.view.peer.clone()).collect()
    }

    pub fn participant_of(&self, peer: &PeerId) -> Option<&ParticipantId> {
        self.people.get(peer).map(|waiting| &waiting.view.participant)
    }

    pub fn contains(&self, peer: &PeerId) -> bool {
        self.people.contains_key(peer)
    }

    /// Whether those who decide have something new to see. Asking again while waiting keeps one's place.
    pub fn add(&mut self, view: WaitingView, entry: Entry) -> bool {
        let is_news = self.people.get(&view.peer).is_none_or(|waiting| waiting.view != view);
        let order = self.people.get(&view.peer).map_or(self.next_order, |waiting| waiting.order);
        self.next_order = self.next_order.max(order + 1);
        self.people.insert(view.peer.clone(), Waiting { view, entry, order });
        is_news
    }

    /// How somebody waits, and in which place.
    pub fn place_of(&self, peer: &PeerId) -> Option<(&WaitingView, Entry, u64)> {
        self.people.get(peer).map(|waiting| (&waiting.view, waiting.entry, waiting.order))
    }

    /// Somebody who waited in another process goes on waiting in this place.
    pub fn take_up(&mut self, order: u64, view: WaitingView, entry: Entry) {
        self.next_order = self.next_order.max(order.saturating_add(1));
        self.people.insert(view.peer.clone(), Waiting { view, entry, order });
    }

    /// Those who wait for somebody who may let them in.
    pub fn for_a_host(&self) -> Vec<PeerId> {
        let waiting = self.people.values().filter(|waiting| waiting.entry == Entry::OnPrivilegedEntry);
        waiting.map(|waiting| waiting.view.peer.clone()).collect()
    }

    /// Sends everyone off; answers with who they were.
    pub fn clear(&mut self) -> impl Iterator<Item = PeerId> + use<> {
        std::mem::take(&mut self.people).into_keys()
    }

    pub fn views(&self) -> impl Iterator<Item = &WaitingView> {
        self.people.values().map(|waiting| &waiting.view)
    }

    pub fn list(&self) -> Vec<WaitingView> {
        let mut people: Vec<&Waiting> = self.people.values().collect();
        people.sort_by_key(|waiting| waiting.order);
        people.into_iter().map(|waiting| waiting.view.clone()).collect()
    }
}
