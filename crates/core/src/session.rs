//! The session of one meeting: not begun, live or ended; who may do what, and who is told.
//! Owns the `Record` (durable, the fold of events) and the roster of connections (gone when the server is).
//! Invariant: the record changes only through `emit`, so what is remembered is all there is to remember.
//! Each question has its own file under `session/`; this one holds the state, the outputs and the clock.
//! Next: `session/entry.rs`, how people come in and go out.

mod admission;
mod broadcast;
mod carried;
mod chat;
mod connected;
mod earlier_chat;
mod entry;
mod going_on;
mod kept_chat;
mod leftovers;
mod message;
mod moderation;
mod output;
mod people;
mod permissions;
mod pins;
mod polls;
mod rate;
mod recordings;
mod refusal;
mod roster;
mod selecting;
mod selection;
mod stage;
mod stores;
mod tracks;
mod transcripts;
mod uploads;
mod view;
mod waiting_room;

#[cfg(test)]
mod tests;

pub use broadcast::Audience;
pub use carried::{Carried, Standing};
pub use chat::{ChatOnly, ChatPage, ChatTo};
pub use connected::Move;
pub use earlier_chat::EarlierChat;
pub use entry::{Entered, Join};
pub use message::{Broadcast, ChatNews, ConnectedNews, LivestreamNews, Message, RecordingNews, Spoken, StageNews, Ticket};
pub use moderation::Mute;
pub use output::{Media, Output};
pub use permissions::NewPermissions;
pub use polls::NewPoll;
pub use rate::Act;
pub use recordings::NewRecording;
pub use refusal::Refusal;
pub use view::{
    ConnectedView, OptionView, PeerView, PersonView, PollView, RoomView, Selected, Selections, Stage, StageRequest, StoreView,
    WaitingView, people_of,
};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::event::{Actor, EndReason, Event, EventBody, LeaveReason, Parent};
use crate::ids::{AppId, MeetingId, ParticipantId, PeerId, TrackId};
use crate::limits::{Limits, SHARES_OF_THE_RECORD};
use crate::notice::Notice;
use crate::record::{self, Record, Summary};
use crate::time::Timestamp;

/// What a session takes from its meeting when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingFacts {
    pub meeting: MeetingId,
    pub app: AppId,
    /// Empty if the meeting has none.
    pub title: String,
    pub keep_alive_ms: i64,
    /// A session begins with what was said in the one before it.
    pub persist_chat: bool,
    /// Of a connected meeting: what it is connected to.
    pub parent: Option<Parent>,
}

impl MeetingFacts {
    /// The meeting that those of its family were made in, which may be itself.
    pub fn head_of_family(&self) -> &MeetingId {
        self.parent.as_ref().map_or(&self.meeting, |parent| &parent.meeting)
    }
}

/// The session of one meeting.
#[derive(Debug)]
pub struct Session {
    // Given once.
    facts: MeetingFacts,
    limits: Limits,
    // Durable: changed by `emit` only.
    record: Option<Record>,
    // Of the connections: gone when the server is.
    roster: roster::Roster,
    waiting: waiting_room::WaitingRoom,
    selection: selection::Selection,
    leftovers: leftovers::Leftovers,
    // Of people, whatever connection they use.
    rates: rate::Rates,
    /// What was deleted from shared stores of late, for those who could not hear of it.
    deletions: VecDeque<Arc<StoreView>>,
    /// What the next session begins with, once somebody has looked it up.
    earlier_chat: Option<EarlierChat>,
    // Until when disconnected peers may come back.
    grace: BTreeMap<PeerId, Timestamp>,
    // Of the present call: emptied by `take_outputs`.
    outputs: Vec<Output>,
    now: Timestamp,
}

impl Session {
    /// A meeting in which nothing has happened yet.
    pub fn new(facts: MeetingFacts, limits: Limits) -> Self {
        Self {
            facts,
            limits,
            record: None,
            roster: roster::Roster::default(),
            waiting: waiting_room::WaitingRoom::default(),
            selection: selection::Selection::default(),
            leftovers: leftovers::Leftovers::default(),
            rates: rate::Rates::default(),
            deletions: VecDeque::new(),
            earlier_chat: None,
            grace: BTreeMap::new(),
            outputs: Vec::new(),
            now: Timestamp::default(),
        }
    }

    /// Goes on with a live session after the server that held it died.
    ///
    /// `seen` is the last moment that server is known to have been alive, and so to have seen its peers. They are
    /// disconnected since then and have the grace time from `now`; those not seen for longer than both the grace and
    /// the keep-alive time are given up at once. If that leaves nobody, and the keep-alive time is over as well, the
    /// session ended by its own rule meanwhile, but not before `seen` if somebody was still in then.
    pub fn recover(
        facts: MeetingFacts,
        limits: Limits,
        record: Record,
        now: Timestamp,
        seen: Timestamp,
        flowing: &[TrackId],
    ) -> Self {
        let mut session = Self::new(facts, limits);
        let seen = seen.max(record.updated_at);
        session.now = now.max(seen);
        let not_over_before = match (record.people_count(), record.present_count()) {
            (0, 0) => Timestamp::default(),
            // Records of earlier versions have robots that kept their sessions going: what is in them was so.
            (0, _) => record.updated_at,
            _ => seen,
        };
        let patience_ms = session.limits.grace_ms.max(record.started.keep_alive_ms);
        session.record = Some(record);
        session.keep_flowing(flowing);
        for peer in session.peers_where(|peer| peer.is_connected()) {
            session.emit(EventBody::PeerDisconnected { peer, seen });
        }
        let deadline = session.now.plus_ms(session.limits.grace_ms);
        let given_up_before = session.now.plus_ms(-patience_ms);
        for peer in session.peers_where(|_| true) {
            session.grace.insert(peer, deadline);
        }
        for peer in session.peers_where(|peer| peer.last_seen().is_some_and(|at| at < given_up_before)) {
            session.remove(&peer, LeaveReason::Lost);
        }
        if let Some(over_at) = session.over_at().filter(|at| *at <= session.now) {
            session.end(over_at.max(not_over_before), session.end_reason());
        }
        session.tell_who_is_inside();
        session
    }

    /// What the next session will take from its meeting.
    pub fn facts(&self) -> &MeetingFacts {
        &self.facts
    }

    /// The meeting was changed: its next session starts with this; a live one keeps what it started with.
    pub fn set_facts(&mut self, facts: MeetingFacts) {
        self.facts = facts;
    }

    /// Everything to do since the last call, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    /// The durable state of the session that is live or was last; `None` before the first.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }

    /// What `active-session` answers; `None` when no session is live.
    pub fn summary(&self) -> Option<Summary> {
        self.live().map(Record::summary)
    }

    /// No session is live, and nobody waits for one: the meeting can be forgotten until someone comes.
    pub fn is_idle(&self) -> bool {
        self.live().is_none() && self.waiting.is_empty()
    }

    /// When time alone will change something; call [`Session::handle_timeout`] then.
    pub fn wake_at(&self) -> Option<Timestamp> {
        self.grace.values().copied().chain(self.leftovers.wake_at()).chain(self.over_at()).chain(self.recordings_wake_at()).min()
    }

    /// Lets time pass: the lost are recorded as left, and an empty session ends when its keep-alive is over.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.tick(now);
    }

    // --- shared by the parts ---

    /// Takes the time of an input, which never runs backwards. What fell due before it happens first, each at its own
    /// moment, so that it makes no difference how late the timer was.
    fn tick(&mut self, now: Timestamp) {
        while let Some(due) = self.wake_at().filter(|due| *due <= now) {
            self.now = self.now.max(due);
            let over: Vec<PeerId> =
                self.grace.iter().filter(|(_, until)| **until <= self.now).map(|(peer, _)| peer.clone()).collect();
            for peer in over {
                self.remove(&peer, LeaveReason::Lost);
            }
            self.drop_leftovers();
            self.end_overdue_recordings();
            if self.over_at().is_some_and(|at| at <= self.now) {
                self.end_for_all(self.end_reason());
            }
        }
        self.now = self.now.max(now);
    }

    fn over_at(&self) -> Option<Timestamp> {
        self.record.as_ref().and_then(Record::over_at)
    }

    fn live(&self) -> Option<&Record> {
        self.record.as_ref().filter(|record| record.ended.is_none())
    }

    /// Writes an event: the only way the record changes.
    fn emit(&mut self, body: EventBody) {
        let seq = self.live().map_or(1, |record| record.seq + 1);
        let event = Event { seq, at: self.now, body };
        match &mut self.record {
            Some(record) if record.ended.is_none() => record.apply(&event),
            record => *record = Record::begin(&event),
        }
        let record = self.record.as_ref().expect("the first event of a session is its start");
        let notices = Notice::of(record, &event).collect();
        self.outputs.push(Output::Remember { session: record.started.session.clone(), event, notices });
    }

    fn send(&mut self, to: PeerId, message: Message) {
        self.outputs.push(Output::Send { to, message });
    }

    /// Tells one peer something that only joined peers may hear.
    fn send_joined(&mut self, to: &PeerId, message: Message) {
        if self.roster.get(to).is_some() {
            self.send(to.clone(), message);
        }
    }

    /// Tells every joined peer but `except`.
    fn send_all(&mut self, except: Option<&PeerId>, message: &Message) {
        let to: Vec<PeerId> = self.roster.peers().filter(|peer| Some(*peer) != except).cloned().collect();
        for peer in to {
            self.send(peer, message.clone());
        }
    }

    /// Tells every peer that has completed its media join, but `except`.
    fn send_media(&mut self, except: Option<&PeerId>, message: &Message) {
        let to: Vec<PeerId> = self.roster.media_peers().filter(|peer| Some(*peer) != except).cloned().collect();
        for peer in to {
            self.send(peer, message.clone());
        }
    }

    /// A present peer of the live session.
    fn present(&self, peer: &PeerId) -> Option<&record::Peer> {
        self.live()?.peers.get(peer).filter(|peer| peer.is_present())
    }

    /// The present peers that are `wanted`, in the order of joining.
    fn peers_where(&self, wanted: impl Fn(&record::Peer) -> bool) -> Vec<PeerId> {
        let present = self.live().into_iter().flat_map(Record::present);
        present.filter(|peer| wanted(peer)).map(|peer| peer.who.peer.clone()).collect()
    }

    /// Drops the tracks of an earlier process that do not flow any more.
    fn keep_flowing(&mut self, flowing: &[TrackId]) {
        for peer in self.peers_where(|_| true) {
            let tracks = self.present(&peer).into_iter().flat_map(|found| found.tracks.keys());
            let gone: Vec<TrackId> = tracks.filter(|track| !flowing.contains(track)).cloned().collect();
            for track in gone {
                self.drop_track(&peer, &track);
            }
        }
    }

    /// Has media know whose connections are of people who are in: whoever kept them from an earlier process does not.
    fn tell_who_is_inside(&mut self) {
        let present = self.live().into_iter().flat_map(Record::present);
        let inside: BTreeSet<ParticipantId> = present.map(|peer| peer.who.participant.clone()).collect();
        self.outputs.extend(inside.into_iter().map(|participant| Output::Media(Media::Inside { participant, inside: true })));
    }

    /// The session is over: everyone still here leaves with it.
    fn end(&mut self, ended_at: Timestamp, reason: EndReason) {
        for peer in self.peers_where(|_| true) {
            self.take_out(&peer, LeaveReason::Ended);
        }
        self.selection = selection::Selection::default();
        self.end_recordings();
        self.emit(EventBody::SessionEnded { ended_at, reason });
    }

    /// The joined, connected caller of a request.
    fn caller(&self, peer: &PeerId) -> Result<&roster::Member, Refusal> {
        self.roster.get(peer).ok_or(Refusal::NotJoined)
    }

    /// The preset of whoever acts; the API may do everything.
    fn authorise(&self, by: &Actor, allowed: impl Fn(&crate::Preset) -> bool) -> Result<(), Refusal> {
        match by {
            Actor::Api => Ok(()),
            Actor::Peer(peer) if allowed(&self.caller(peer)?.preset) => Ok(()),
            Actor::Peer(_) => Err(Refusal::NotAllowed),
        }
    }

    /// Counts a question, or something that happens outside of the session, for a caller who is here.
    ///
    /// # Errors
    /// `NotJoined`, `TooOften`, and `RecordFull` for what would be written.
    pub fn ask(&mut self, now: Timestamp, caller: &PeerId, act: Act) -> Result<(), Refusal> {
        self.tick(now);
        self.caller(caller)?;
        self.take_rate(caller, act, 1)
    }

    /// The same for a participant who need not have come in.
    pub fn ask_of(&mut self, now: Timestamp, participant: &ParticipantId, act: Act) -> Result<(), Refusal> {
        self.tick(now);
        self.take_rate_of(participant, act, 1)
    }

    /// Counts something that a present caller does, so many times, against the limit of its participant.
    fn take_rate(&mut self, caller: &PeerId, what: Act, times: usize) -> Result<(), Refusal> {
        let who = self.present(caller).ok_or(Refusal::NotJoined)?.who.participant.clone();
        self.take_rate_of(&who, what, times)
    }

    /// The same for a participant, whatever its connections.
    fn take_rate_of(&mut self, who: &ParticipantId, what: Act, times: usize) -> Result<(), Refusal> {
        let most = self.limits.max_events;
        let seq = self.live().map_or(0, |record| record.seq) as usize;
        if what.is_written() && (seq >= most || self.rates.written(who) >= most / SHARES_OF_THE_RECORD) {
            return Err(Refusal::RecordFull);
        }
        self.rates.take(self.now, who, what, times)
    }
}
