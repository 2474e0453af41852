//! Coming in and going out: join, come back, break off, leave.
//! Invariant: after each call the roster and the record agree on who is connected.
//! Next: `admission.rs` for those who may not come in yet.

use crate::event::{EventBody, LeaveReason, PeerJoined, SessionStarted};
use crate::ids::{ParticipantId, PeerId, SessionId};
use crate::limits::{MAX_NAME_CHARS, MAX_ROBOTS};
use crate::preset::Preset;
use crate::record::{Presence, Record};
use crate::session::{Media, Message, Output, PeerView, Refusal, Session};
use crate::time::Timestamp;

/// A request to come in.
#[derive(Debug, Clone)]
pub struct Join {
    pub peer: PeerId,
    pub participant: ParticipantId,
    pub custom_participant_id: String,
    /// The participant's own name.
    pub name: String,
    /// The name the client asks for; taken only if the preset lets people name themselves.
    pub wanted_name: Option<String>,
    pub picture: Option<String>,
    pub preset: Preset,
    /// The meeting accepts joins (`status` is `ACTIVE`).
    pub meeting_active: bool,
    /// Of somebody moved here from a connected meeting: the participant there whom this one stands for.
    pub origin: Option<ParticipantId>,
    /// When somebody who may moved this person here, if that was just now: there is no waiting.
    pub let_in: Option<Timestamp>,
    /// The id of the session that begins if none is live.
    pub fresh_session: SessionId,
}

/// What came of a [`Join`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entered {
    /// In, as others see it.
    Joined(PeerView),
    /// In the waiting room.
    Waiting(PeerView),
    /// Not yet: a session would begin that goes on with the chat of the one before. Nothing has happened; hand that to
    /// [`Session::bring_earlier_chat`] and join again.
    NeedsEarlierChat,
}

impl Session {
    /// Lets a peer in, back in, or into the waiting room.
    ///
    /// # Errors
    /// `PeerIdTaken` for another participant's peer id, `MeetingInactive`, `Full`; `NoSession` for a robot that comes
    /// before the people.
    pub fn join(&mut self, now: Timestamp, mut join: Join) -> Result<Entered, Refusal> {
        self.tick(now);
        self.permission_changes(&join.participant).apply(&mut join.preset);
        let known = self.live().and_then(|record| record.peers.get(&join.peer));
        if known.is_some_and(|peer| peer.who.participant != join.participant)
            || self.waiting.is_taken(&join.peer, &join.participant)
        {
            return Err(Refusal::PeerIdTaken);
        }
        match known.map(|peer| peer.presence) {
            Some(Presence::Connected { .. }) => Ok(self.replace_connection(join)),
            Some(Presence::Disconnected { .. }) => Ok(self.come_back(join)),
            Some(Presence::Left { .. }) | None => self.enter(join),
        }
    }

    fn enter(&mut self, join: Join) -> Result<Entered, Refusal> {
        if !join.meeting_active {
            return Err(Refusal::MeetingInactive);
        }
        if join.preset.is_robot() && self.live().is_none() {
            return Err(Refusal::NoSession);
        }
        if self.is_full(&join) {
            return Err(Refusal::Full);
        }
        if self.must_wait(&join) {
            return Ok(Entered::Waiting(self.wait(join)));
        }
        let earlier = match self.take_earlier_chat() {
            None => return Ok(Entered::NeedsEarlierChat),
            Some(earlier) => earlier,
        };
        let waited = self.waiting.remove(&join.peer);
        if self.live().is_none() {
            self.emit(EventBody::SessionStarted(SessionStarted {
                session: join.fresh_session.clone(),
                meeting: self.facts.meeting.clone(),
                app: self.facts.app.clone(),
                title: self.facts.title.clone(),
                keep_alive_ms: self.facts.keep_alive_ms,
                started_at: self.now,
                parent: self.facts.parent.clone(),
            }));
            self.keep_chat(earlier);
        }
        self.note_let_in(&join);
        self.emit(EventBody::PeerJoined(join.who()));
        let view = self.connect(&join.peer, join.preset);
        if waited {
            self.tell_waiting_list();
        }
        self.tell_earlier_changes(&join.peer);
        self.admit_those_waiting_for_a_host(&join.peer);
        Ok(Entered::Joined(view))
    }

    /// Nobody else fits in. People within their grace keep their place, and one who waits has one.
    fn is_full(&self, join: &Join) -> bool {
        let record = self.live();
        let people = record.map_or(0, Record::people_count);
        let is_full = if join.preset.is_robot() {
            record.map_or(0, Record::present_count) - people >= MAX_ROBOTS
        } else {
            people + self.waiting.len() - usize::from(self.waiting.contains(&join.peer)) >= self.limits.max_peers
        };
        is_full || record.map_or(0, Record::stay_count) >= self.limits.max_peers_ever
    }

    /// A second connection with the same peer id: the first is dead, the server only does not know it yet.
    fn replace_connection(&mut self, join: Join) -> Entered {
        self.unpublish_all(&join.peer);
        self.forget_stage_request(&join.peer);
        self.rename_on_return(&join);
        self.roster.add(join.peer.clone(), join.preset);
        self.tell_earlier_changes(&join.peer);
        self.admit_those_waiting_for_a_host(&join.peer);
        Entered::Joined(self.view(&join.peer))
    }

    fn come_back(&mut self, join: Join) -> Entered {
        self.grace.remove(&join.peer);
        self.unpublish_all(&join.peer);
        self.emit(EventBody::PeerReconnected { peer: join.peer.clone() });
        let renamed = self.rename_on_return(&join);
        self.roster.add(join.peer.clone(), join.preset);
        // The others have shown this peer all along, and those that came meanwhile found it in the list. Clients take
        // a second announcement for a leave and a join (seen in web SDK 2.0.2), which only a new name is worth.
        let view = if renamed { self.announce(&join.peer) } else { self.view(&join.peer) };
        self.tell_earlier_changes(&join.peer);
        self.admit_those_waiting_for_a_host(&join.peer);
        Entered::Joined(view)
    }

    /// Whether it has another name now. One that somebody else gave it stays: its client, which has not heard of that
    /// (seen in web SDK 2.0.2), still calls it by the old one.
    fn rename_on_return(&mut self, join: &Join) -> bool {
        let name = join.display_name();
        let may = |peer: &crate::record::Peer| peer.who.name != name && !peer.named_by_other;
        let changed = join.wanted_name.is_some() && self.present(&join.peer).is_some_and(may);
        if changed {
            self.emit(EventBody::PeerRenamed { peer: join.peer.clone(), name, by_other: false });
        }
        changed
    }

    /// Puts a peer that the record has as connected on the roster.
    fn connect(&mut self, peer: &PeerId, preset: Preset) -> PeerView {
        self.roster.add(peer.clone(), preset);
        let view = self.announce(peer);
        self.select_by_return(peer);
        view
    }

    /// Tells everybody else that this peer is here, unless it is hidden.
    fn announce(&mut self, peer: &PeerId) -> PeerView {
        let view = self.view(peer);
        if self.is_shown(peer) {
            self.send_all(Some(peer), &Message::PeerJoined(view.clone()));
        }
        view
    }

    fn view(&self, peer: &PeerId) -> PeerView {
        PeerView::of(&self.present(peer).expect("the record has everyone on the roster as present").who)
    }

    /// The connection is gone without a goodbye: the peer may come back within the grace time.
    ///
    /// Its media goes on meanwhile, because only the socket broke. A client that comes back keeps its media connections
    /// but publishes anew (seen in web SDK 2.0.2), so its tracks end when it does, or when it is given up.
    pub fn disconnect(&mut self, now: Timestamp, peer: &PeerId) {
        self.tick(now);
        if self.waiting.remove(peer) {
            self.tell_waiting_list();
            return;
        }
        if self.roster.get(peer).is_none() {
            return;
        }
        self.forget_connection(peer);
        let seen = self.now;
        self.emit(EventBody::PeerDisconnected { peer: peer.clone(), seen });
        self.grace.insert(peer.clone(), self.now.plus_ms(self.limits.grace_ms));
    }

    /// The peer leaves on purpose. Someone who is not here may leave too: nothing happens.
    pub fn leave(&mut self, now: Timestamp, peer: &PeerId) {
        self.tick(now);
        if self.waiting.remove(peer) {
            self.tell_waiting_list();
            return;
        }
        self.remove(peer, LeaveReason::Left);
    }

    /// Takes a present peer out, and tells the others. Someone who is not present is passed over.
    pub(super) fn remove(&mut self, peer: &PeerId, reason: LeaveReason) {
        let Some(found) = self.present(peer) else { return };
        let view = found.is_announced().then(|| PeerView::of(&found.who));
        self.unpublish_all(peer);
        self.tell_unpinned(peer);
        self.take_out(peer, reason);
        if let Some(view) = view {
            self.send_media(Some(peer), &Message::MediaLeft(peer.clone()));
            self.send_all(Some(peer), &Message::PeerLeft(view));
        }
    }

    /// Takes a present peer out without a word. It left when it was last seen.
    pub(super) fn take_out(&mut self, peer: &PeerId, reason: LeaveReason) {
        let Some(found) = self.present(peer) else { return };
        let left_at = found.last_seen().unwrap_or(self.now);
        self.forget_connection(peer);
        self.selection.leave(peer, self.is_compulsory(peer));
        self.emit(EventBody::PeerLeft { peer: peer.clone(), left_at, reason });
        self.outputs.push(Output::Media(Media::CloseTransports { peer: peer.clone() }));
    }

    /// Drops all that only a connection has.
    fn forget_connection(&mut self, peer: &PeerId) {
        self.grace.remove(peer);
        self.forget_stage_request(peer);
        self.roster.remove(peer);
    }

    /// Gives a peer a new name: the caller itself, or another if the caller may change what others may do.
    pub fn rename(&mut self, now: Timestamp, caller: &PeerId, peer: &PeerId, name: &str) -> Result<(), Refusal> {
        self.tick(now);
        let preset = &self.caller(caller)?.preset;
        let by_other = caller != peer;
        if !(if by_other { preset.change_permissions } else { preset.can_edit_display_name }) {
            return Err(Refusal::NotAllowed);
        }
        self.peer(caller, peer)?;
        if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
            return Err(Refusal::TooLarge);
        }
        if self.present(peer).is_some_and(|found| found.who.name == name) {
            return Ok(());
        }
        self.emit(EventBody::PeerRenamed { peer: peer.clone(), name: name.to_string(), by_other });
        if self.is_shown(peer) {
            self.send_all(Some(caller), &Message::Renamed { peer: peer.clone(), name: name.to_string() });
        }
        Ok(())
    }
}

impl Join {
    /// Who comes in, as the record will have it.
    pub(super) fn who(&self) -> PeerJoined {
        PeerJoined {
            peer: self.peer.clone(),
            participant: self.participant.clone(),
            custom_participant_id: self.custom_participant_id.clone(),
            name: self.display_name(),
            picture: self.picture.clone(),
            preset: self.preset.id.clone(),
            preset_name: self.preset.name.clone(),
            hidden: self.preset.hidden,
            recorder: self.preset.recorder,
            on_stage: self.preset.joins_on_stage(),
            origin: self.origin.clone(),
        }
    }

    /// The name this peer will have: the wanted one where the preset allows it, else the participant's.
    fn display_name(&self) -> String {
        let wanted = self.wanted_name.as_deref().map(str::trim).filter(|name| !name.is_empty());
        let name = wanted.filter(|_| self.preset.can_edit_display_name).unwrap_or(&self.name);
        name.chars().take(MAX_NAME_CHARS).collect()
    }
}
