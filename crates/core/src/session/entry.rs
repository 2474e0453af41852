//! Coming in and going out: join, come back, break off, leave.
//! Invariant: after each call the roster and the record agree on who is connected.
//! Next: `admission.rs` for those who may not come in yet.

use std::cmp::Reverse;

use crate::event::{EventBody, LeaveReason, PeerJoined, SessionStarted};
use crate::ids::{ParticipantId, PeerId, SessionId, TrackId};
use crate::limits::{MAX_NAME_CHARS, MAX_ROBOTS, RESERVE_OF_THE_RECORD, UNNOTICED_MS, host_places};
use crate::name;
use crate::preset::Preset;
use crate::record::{self, Presence, Record};
use crate::session::rate::Act;
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
    /// Of the tracks the peer had when its connection broke, those whose media still come in.
    pub flowing: Vec<TrackId>,
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
    /// `PeerIdTaken` for another participant's peer id, `PutOut` for a peer that was removed while it was away, `MeetingInactive`, `Full`, `RecordFull`, `TooOften`; `NoSession` for a robot that comes
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
            Some(Presence::Connected { .. }) => {
                self.take_join(&join, false)?;
                Ok(self.replace_connection(join))
            }
            Some(Presence::Disconnected { .. }) => {
                self.take_join(&join, false)?;
                Ok(self.come_back(join))
            }
            // Its client comes back by itself, as if nothing had been. Who wants to come again comes as another peer.
            Some(Presence::Left { .. }) if known.is_some_and(|peer| peer.put_out_unheard) => {
                self.tell_put_out(&join.peer);
                Err(Refusal::PutOut)
            }
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
        let gives_way = self.place_for(&join)?;
        let waits = self.must_wait(&join);
        let earlier = match waits {
            true => None,
            false => match self.take_earlier_chat() {
                None => return Ok(Entered::NeedsEarlierChat),
                earlier => earlier,
            },
        };
        if self.live().is_none() {
            // Whatever was written before is in another record.
            self.rates.forget_written();
            self.deletions.clear();
        }
        self.take_join(&join, true)?;
        if let Some(peer) = gives_way {
            self.remove(&peer, LeaveReason::Lost);
        }
        let Some(earlier) = earlier else { return Ok(Entered::Waiting(self.wait(join))) };
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
        self.outputs.push(Output::Media(Media::Inside { participant: join.participant, inside: true }));
        let view = self.connect(&join.peer, join.preset);
        if waited {
            self.tell_waiting_list();
        }
        self.tell_earlier_changes(&join.peer);
        self.admit_those_waiting_for_a_host(&join.peer);
        Ok(Entered::Joined(view))
    }

    /// Whether there is a place for this one; answers with those who give theirs up for it.
    ///
    /// One who waits has a place, and some are kept for people who keep order. People within their grace keep theirs as
    /// long as there are others: then one of somebody who has most goes, and of equals whoever is away longest.
    fn place_for(&self, join: &Join) -> Result<Option<PeerId>, Refusal> {
        let Some(record) = self.live() else { return self.place_to_wait(join) };
        let limits = &self.limits;
        let is_robot = join.preset.is_robot();
        let entries = record.entries_of(&join.participant);
        let kept_ever = if join.preset.is_host() { 0 } else { host_places(limits.max_peers_ever) };
        if entries >= limits.max_entries
            || (entries == 0 && !is_robot && record.people_ever() + kept_ever >= limits.max_peers_ever)
        {
            return Err(Refusal::Full);
        }
        if is_robot {
            let robots = record.present_count() - record.people_count();
            return if robots >= MAX_ROBOTS { Err(Refusal::Full) } else { Ok(None) };
        }
        if self.tabs_of(join) >= limits.max_tabs {
            let of_its_own = self.away().find(|peer| peer.who.participant == join.participant);
            return of_its_own.map(|peer| Some(peer.who.peer.clone())).ok_or(Refusal::Full);
        }
        let hosts = self.roster.iter().filter(|(_, member)| member.preset.is_host()).count();
        let kept = if join.preset.is_host() { 0 } else { host_places(limits.max_peers).saturating_sub(hosts) };
        let waiting = self.waiting.len() - usize::from(self.waiting.contains(&join.peer));
        if record.people_count() + waiting + kept < limits.max_peers {
            return Ok(None);
        }
        let tabs = |participant: &ParticipantId| {
            let present = record.present().filter(|peer| peer.who.participant == *participant).count();
            present + self.waiting.peers_of(participant).len()
        };
        let goes = self.away().min_by_key(|peer| (Reverse(tabs(&peer.who.participant)), peer.last_seen(), peer.order));
        goes.map(|peer| Some(peer.who.peer.clone())).ok_or(Refusal::Full)
    }

    /// The same while no session is live.
    fn place_to_wait(&self, join: &Join) -> Result<Option<PeerId>, Refusal> {
        let others = self.waiting.len() - usize::from(self.waiting.contains(&join.peer));
        let kept = if join.preset.is_host() { 0 } else { host_places(self.limits.max_peers) };
        let is_full = others + kept >= self.limits.max_peers || self.tabs_of(join) >= self.limits.max_tabs;
        if is_full { Err(Refusal::Full) } else { Ok(None) }
    }

    /// How many tabs this participant has besides the one that comes.
    fn tabs_of(&self, join: &Join) -> usize {
        let present = self.peers_where(|peer| peer.who.participant == join.participant);
        let waiting = self.waiting.peers_of(&join.participant);
        present.len() + waiting.len() - usize::from(waiting.contains(&join.peer))
    }

    /// People whose connection broke, in the order of joining.
    fn away(&self) -> impl Iterator<Item = &record::Peer> {
        let present = self.live().into_iter().flat_map(Record::present);
        present.filter(|peer| !peer.is_connected() && !peer.is_robot())
    }

    /// Counts a join against the rate of its participant, and refuses it if the record has no room.
    fn take_join(&mut self, join: &Join, is_new: bool) -> Result<(), Refusal> {
        if let Some(record) = self.live() {
            let most = self.limits.max_events;
            let reserve = if is_new && !join.preset.is_host() { 0 } else { most / RESERVE_OF_THE_RECORD };
            if record.seq as usize >= most + reserve {
                return Err(Refusal::RecordFull);
            }
        }
        self.rates.take(self.now, &join.participant, Act::Join, 1)
    }

    /// A second connection with the same peer id: the first is dead, the server only does not know it yet.
    fn replace_connection(&mut self, join: Join) -> Entered {
        self.leave_over(&join);
        self.rename_on_return(&join);
        self.add_again(&join.peer, join.preset, self.now);
        self.tell_earlier_changes(&join.peer);
        self.tell_missed_livestream(&join.participant);
        self.admit_those_waiting_for_a_host(&join.peer);
        Entered::Joined(self.view(&join.peer))
    }

    /// Puts a peer on the roster that was heard until then.
    fn add_again(&mut self, peer: &PeerId, preset: Preset, heard: Timestamp) {
        self.roster.add(peer.clone(), preset);
        if let Some(member) = self.roster.get_mut(peer) {
            member.missed_since = Some(heard.plus_ms(-UNNOTICED_MS));
        }
    }

    fn come_back(&mut self, join: Join) -> Entered {
        let heard = self.present(&join.peer).and_then(record::Peer::last_seen).unwrap_or(self.now);
        self.grace.remove(&join.peer);
        self.leave_over(&join);
        self.emit(EventBody::PeerReconnected { peer: join.peer.clone() });
        let renamed = self.rename_on_return(&join);
        self.add_again(&join.peer, join.preset, heard);
        // The others have shown this peer all along, and those that came meanwhile found it in the list. Clients take
        // a second announcement for a leave and a join (seen in web SDK 2.0.2), which only a new name is worth.
        let view = if renamed { self.announce(&join.peer) } else { self.view(&join.peer) };
        self.tell_earlier_changes(&join.peer);
        self.tell_missed_livestream(&join.participant);
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
        PeerView::of(self.present(peer).expect("the record has everyone on the roster as present"))
    }

    /// The connection is gone without a goodbye: the peer may come back within the grace time.
    ///
    /// Its media goes on meanwhile, because only the socket broke, and a while longer when it comes back: see
    /// `leftovers.rs`.
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
        let view = found.is_announced().then(|| PeerView::of(found));
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
        let asked = found.stage_wish.is_some();
        let participant = found.who.participant.clone();
        self.forget_connection(peer);
        self.selection.leave(peer, self.is_compulsory(peer));
        self.emit(EventBody::PeerLeft { peer: peer.clone(), left_at, reason });
        self.outputs.push(Output::Media(Media::CloseTransports { peer: peer.clone() }));
        if asked {
            self.tell_stage_requests();
        }
        if !self.is_inside(&participant) {
            self.outputs.push(Output::Media(Media::Inside { participant, inside: false }));
        }
    }

    /// Whether this person is in the session, with whatever peer.
    pub fn is_inside(&self, participant: &ParticipantId) -> bool {
        self.live().into_iter().flat_map(Record::present).any(|peer| peer.who.participant == *participant)
    }

    /// Drops all that only a connection has.
    fn forget_connection(&mut self, peer: &PeerId) {
        self.grace.remove(peer);
        self.leftovers.forget(peer);
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
        let name = name::checked(name).map_err(|_| Refusal::BadName)?;
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(Refusal::TooLarge);
        }
        if self.present(peer).is_some_and(|found| found.who.name == name) {
            return Ok(());
        }
        self.take_rate(caller, Act::Rename, 1)?;
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

    /// The name this peer will have: the wanted one where the preset allows it and it is one, else the participant's.
    fn display_name(&self) -> String {
        let wanted = self.wanted_name.as_deref().and_then(|name| name::checked(name).ok());
        let name = wanted.filter(|_| self.preset.can_edit_display_name).unwrap_or(&self.name);
        name.chars().take(MAX_NAME_CHARS).collect()
    }
}
