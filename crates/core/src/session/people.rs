//! Who is here, as far as the one who asks may know, and who of them has media.
//! Next: `entry.rs`.

use crate::event::Track;
use crate::ids::{ParticipantId, PeerId};
use crate::permission::Source;
use crate::record::{Peer, Record};
use crate::session::rate::Act;
use crate::session::{Media, Message, Output, PeerView, Refusal, Session};
use crate::time::Timestamp;

impl Session {
    /// Everyone `caller` may know of, itself included, in the order of joining. People whose connection broke stay in
    /// the picture until their grace is over.
    pub fn peers(&self, caller: &PeerId) -> Result<Vec<PeerView>, Refusal> {
        self.caller(caller)?;
        let known = self.live().into_iter().flat_map(Record::present);
        let known = known.filter(|peer| peer.is_announced() || peer.who.peer == *caller);
        Ok(known.map(PeerView::of).collect())
    }

    /// The same for a caller that asks for the list, which it may do only so often. The first time after each join is
    /// free: that is the client, not its application (seen in web SDK 2.0.2).
    pub fn list_peers(&mut self, now: Timestamp, caller: &PeerId) -> Result<Vec<PeerView>, Refusal> {
        self.tick(now);
        if self.caller(caller)?.listed {
            self.take_rate(caller, Act::Listing, 1)?;
        }
        if let Some(member) = self.roster.get_mut(caller) {
            member.listed = true;
        }
        self.peers(caller)
    }

    /// One of [`Session::peers`].
    pub fn peer(&self, caller: &PeerId, peer: &PeerId) -> Result<PeerView, Refusal> {
        self.caller(caller)?;
        let found = self.present(peer).filter(|found| found.is_announced() || peer == caller);
        found.map(PeerView::of).ok_or(Refusal::UnknownPeer)
    }

    /// Whether this is a connection of that participant, here or within its grace.
    pub fn is_in(&self, peer: &PeerId, participant: &ParticipantId) -> bool {
        self.present(peer).is_some_and(|peer| peer.who.participant == *participant)
    }

    /// The caller has its media connections ready: it is told of the others that have, with their tracks, and they of
    /// it.
    ///
    /// Whose connection broke is among them as long as its media go on. A second call means that the client started its
    /// media anew: what it published before is gone.
    pub fn complete_join(&mut self, now: Timestamp, caller: &PeerId) -> Result<Vec<(PeerView, Vec<Track>)>, Refusal> {
        self.tick(now);
        self.caller(caller)?;
        self.take_rate(caller, Act::MediaJoin, 1)?;
        if self.roster.get(caller).is_some_and(|member| member.media) {
            self.unpublish_all(caller);
        }
        let has_media = |peer: &PeerId| self.roster.get(peer).is_some_and(|member| member.media);
        let known = self.live().into_iter().flat_map(Record::present);
        let others = known.filter(|peer| peer.is_announced() && peer.who.peer != *caller);
        let others = others.filter(|peer| has_media(&peer.who.peer) || !peer.tracks.is_empty());
        let others = others.map(|peer| (PeerView::of(peer), peer.tracks.values().cloned().collect())).collect();
        if let Some(member) = self.roster.get_mut(caller) {
            member.media = true;
        }
        if let Some(me) = self.present(caller).filter(|me| me.is_announced()) {
            let message = Message::MediaJoined(PeerView::of(me));
            self.send_media(Some(caller), &message);
        }
        self.tell_former(caller);
        self.tell_own_call(caller);
        self.tell_missed(caller);
        Ok(others)
    }

    /// Tells a client that was away what changed meanwhile and it does not ask for again. Of others' microphones it goes on as
    /// its own end of the connection was when it heard of them last, whatever the list of tracks says; stores it asks for
    /// once (both read in web SDK 2.0.2).
    fn tell_missed(&mut self, comer: &PeerId) {
        let Some(since) = self.roster.get_mut(comer).and_then(|member| member.missed_since.take()) else { return };
        let others = self.live().into_iter().flat_map(Record::present);
        let shown = others.filter(|peer| peer.who.peer != *comer && peer.is_announced());
        let microphone = |peer: &Peer| {
            let track = peer.tracks.values().find(|track| Source::of(track.kind, track.screen_share) == Source::Microphone)?;
            Some(Message::TrackToggled { peer: peer.who.peer.clone(), track: track.clone(), by: None })
        };
        for message in shown.filter_map(microphone).collect::<Vec<_>>() {
            self.send_joined(comer, message);
        }
        self.tell_stores_since(comer, since);
    }

    /// The caller gives up its media connections, but stays in the session.
    pub fn leave_media(&mut self, now: Timestamp, caller: &PeerId) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(caller)?;
        self.unpublish_all(caller);
        let had = self.roster.get_mut(caller).is_some_and(|member| std::mem::replace(&mut member.media, false));
        self.outputs.push(Output::Media(Media::CloseTransports { peer: caller.clone() }));
        if had && self.is_shown(caller) {
            self.send_media(Some(caller), &Message::MediaLeft(caller.clone()));
        }
        Ok(())
    }

    /// Whether others are told about this present peer.
    pub(super) fn is_shown(&self, peer: &PeerId) -> bool {
        self.present(peer).is_some_and(Peer::is_announced)
    }
}
