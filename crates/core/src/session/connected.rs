//! Connected meetings (breakout rooms): who may make them and move between them, and who is told.
//! A connected meeting is a meeting of its own with a session of its own; this is what each session knows of the others.
//! Invariant: nobody is sent on twice while on the way, and who is elsewhere is told to those only who may go there.
//! Next: `admission.rs`, where people who were moved do not wait.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{EndReason, EventBody};
use crate::ids::{MeetingId, ParticipantId, PeerId};
use crate::limits::{LEAVE_DELETED_WITHIN_MS, MAX_CONNECTED_MEETINGS, MAX_CONNECTED_TITLE_CHARS, MAX_MOVED, ON_THE_WAY_MS};
use crate::name::{Fault, checked};
use crate::preset::ConnectedPermissions;
use crate::session::broadcast::check_size;
use crate::session::rate::Act;
use crate::session::{Broadcast, ConnectedNews, ConnectedView, Message, PersonView, Refusal, Session, Ticket, people_of};
use crate::time::Timestamp;

/// A wish to move people from one connected meeting to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub source: MeetingId,
    pub destination: MeetingId,
    /// The destination is the meeting the others were made in.
    pub to_parent: bool,
    pub people: Vec<ParticipantId>,
    /// Somebody is to have another preset there.
    pub changes_presets: bool,
}

/// Whether somebody may see who is in other meetings: who may go there finds out anyway.
fn sees_others(permissions: ConnectedPermissions) -> bool {
    permissions.can_alter || permissions.can_switch || permissions.can_switch_to_parent
}

fn may_go(permissions: ConnectedPermissions, to_parent: bool) -> bool {
    permissions.can_alter || if to_parent { permissions.can_switch_to_parent } else { permissions.can_switch }
}

impl Session {
    /// Those in this meeting, see [`people_of`].
    pub fn people(&self) -> Vec<PersonView> {
        self.live().map(people_of).unwrap_or_default()
    }

    /// Everyone who is connected, but no robots: they go nowhere.
    pub fn everyone(&self) -> Vec<ParticipantId> {
        let all: BTreeSet<ParticipantId> = self.people_connected().into_iter().map(|(_, who)| who.participant).collect();
        all.into_iter().collect()
    }

    /// Whether this caller may make, delete and move.
    pub fn alters_connected(&self, caller: &PeerId) -> bool {
        self.caller(caller).is_ok_and(|member| member.preset.connected.can_alter)
    }

    /// Whether anyone is in who keeps the parent's session alive: connected, or within the grace.
    pub fn is_peopled(&self) -> bool {
        self.live().is_some_and(|record| record.people_count() > 0)
    }

    /// Lets a caller ask for the connected meetings; answers with whether it may see who is in the others.
    pub fn list_connected(&mut self, now: Timestamp, caller: &PeerId) -> Result<bool, Refusal> {
        self.tick(now);
        let permissions = self.caller(caller)?.preset.connected;
        self.take_rate(caller, Act::ConnectedList, 1)?;
        Ok(sees_others(permissions))
    }

    /// Lets a caller make connected meetings with these titles.
    ///
    /// # Errors
    /// `NotAllowed`, `Untitled`, `BadName`, `TooLarge` for too many at once or a long title, `TooOften`.
    pub fn may_create_connected(&mut self, now: Timestamp, caller: &PeerId, titles: &[String]) -> Result<(), Refusal> {
        self.may_alter_connected(now, caller, titles.len())?;
        for title in titles {
            checked(title).map_err(|fault| if fault == Fault::Blank { Refusal::Untitled } else { Refusal::BadName })?;
        }
        match titles.iter().any(|title| title.chars().count() > MAX_CONNECTED_TITLE_CHARS) {
            true => Err(Refusal::TooLarge),
            false => Ok(()),
        }
    }

    /// Lets a caller change so many connected meetings.
    pub fn may_alter_connected(&mut self, now: Timestamp, caller: &PeerId, meetings: usize) -> Result<(), Refusal> {
        self.tick(now);
        if !self.caller(caller)?.preset.connected.can_alter {
            return Err(Refusal::NotAllowed);
        }
        self.take_change(caller)?;
        if meetings > MAX_CONNECTED_MEETINGS { Err(Refusal::TooLarge) } else { Ok(()) }
    }

    /// Lets a caller move people: anyone, with leave to alter; itself, with leave to go there. Whoever moves others may
    /// choose their presets, but nobody their own.
    ///
    /// Answers with whether those moved come in without waiting, whatever their presets say: always, but for people who
    /// go back to the parent by themselves.
    pub fn may_move(&mut self, now: Timestamp, caller: &PeerId, wish: &Move) -> Result<bool, Refusal> {
        self.tick(now);
        let permissions = self.caller(caller)?.preset.connected;
        let own = self.present(caller).map(|me| &me.who.participant);
        let only_itself = wish.source == self.facts.meeting && wish.people.iter().all(|person| Some(person) == own);
        let names_itself = wish.people.iter().any(|person| Some(person) == own);
        let allowed = permissions.can_alter || (only_itself && may_go(permissions, wish.to_parent));
        if !allowed || (wish.changes_presets && (names_itself || !permissions.can_alter)) {
            return Err(Refusal::NotAllowed);
        }
        self.take_change(caller)?;
        if wish.people.len() > MAX_MOVED { Err(Refusal::TooLarge) } else { Ok(permissions.can_alter || !wish.to_parent) }
    }

    fn take_change(&mut self, caller: &PeerId) -> Result<(), Refusal> {
        self.take_rate(caller, Act::ConnectedChange, 1)
    }

    /// Those of `people` who can be sent to `destination`, as they are called here. Those on the way there already are
    /// passed over.
    ///
    /// # Errors
    /// If there is none: `OnTheWay` if they were just sent elsewhere, else `UnknownPeer`.
    pub fn movable(&self, now: Timestamp, people: &[ParticipantId], destination: &MeetingId) -> Result<Vec<PersonView>, Refusal> {
        let wanted: BTreeSet<&ParticipantId> = people.iter().collect();
        let here = self.people_connected().into_iter().filter(|(_, person)| wanted.contains(&person.participant));
        let (mut free, mut on_the_way, mut there) = (Vec::new(), false, false);
        for (peer, person) in here {
            match self.on_the_way(now, &peer) {
                Some(to) if to == destination => there = true,
                Some(_) => on_the_way = true,
                None => free.push(person),
            }
        }
        match free.is_empty() {
            true if there => Ok(free),
            true if on_the_way => Err(Refusal::OnTheWay),
            true => Err(Refusal::UnknownPeer),
            false => {
                let mut once = BTreeSet::new();
                free.retain(|person| once.insert(person.participant.clone()));
                Ok(free)
            }
        }
    }

    /// Every connection on the roster with whose it is; hidden people are people here, robots are not.
    fn people_connected(&self) -> Vec<(PeerId, PersonView)> {
        let here = self.roster.peers().filter_map(|peer| self.present(peer)).filter(|peer| !peer.is_robot());
        here.map(|peer| (peer.who.peer.clone(), PersonView::of(peer))).collect()
    }

    fn on_the_way(&self, now: Timestamp, peer: &PeerId) -> Option<&MeetingId> {
        let (to, since) = self.roster.get(peer)?.sent_to.as_ref()?;
        (now.since(*since) < ON_THE_WAY_MS).then_some(to)
    }

    /// Sends people to another meeting: all their connections that are not on the way already.
    pub fn send_on(&mut self, now: Timestamp, to: &MeetingId, tickets: &[(ParticipantId, Ticket)]) {
        self.tick(now);
        for (peer, person) in self.people_connected() {
            let Some((_, ticket)) = tickets.iter().find(|(participant, _)| *participant == person.participant) else { continue };
            if self.on_the_way(self.now, &peer).is_some() {
                continue;
            }
            let now = self.now;
            if let Some(member) = self.roster.get_mut(&peer) {
                member.sent_to = Some((to.clone(), now));
            }
            let go = ConnectedNews::Go { meeting: to.clone(), ticket: ticket.clone() };
            self.send(peer, Message::Connected(go));
        }
    }

    /// Tells everyone here of all connected meetings, each what they may see.
    pub fn tell_connected(&mut self, all: &Arc<ConnectedView>) {
        let inside = Arc::new(all.from_inside(&self.facts.meeting));
        let sees_all = |peer: &PeerId| self.roster.get(peer).is_some_and(|member| sees_others(member.preset.connected));
        let (full, own): (Vec<PeerId>, Vec<PeerId>) = self.roster.peers().cloned().partition(sees_all);
        for (peers, view) in [(full, all), (own, &inside)] {
            for peer in peers {
                self.send(peer, Message::Connected(ConnectedNews::Rooms(view.clone())));
            }
        }
    }

    /// Tells one peer of all connected meetings, as far as it may see them.
    pub fn tell_rooms(&mut self, to: &PeerId, all: &ConnectedView) {
        let Some(sees_all) = self.roster.get(to).map(|member| sees_others(member.preset.connected)) else { return };
        let view = if sees_all { all.clone() } else { all.from_inside(&self.facts.meeting) };
        self.send(to.clone(), Message::Connected(ConnectedNews::Rooms(Arc::new(view))));
    }

    /// Tells everyone here that connected meetings were made, renamed or deleted.
    pub fn tell_connected_news(&mut self, news: &ConnectedNews) {
        self.send_all(None, &Message::Connected(news.clone()));
    }

    /// Lets a caller's message go to other meetings: to those it may go to itself.
    pub fn may_broadcast_to(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        to: &[(MeetingId, bool)],
        message: &Broadcast,
    ) -> Result<(), Refusal> {
        self.tick(now);
        let permissions = self.caller(caller)?.preset.connected;
        if to.iter().any(|(meeting, is_parent)| *meeting != self.facts.meeting && !may_go(permissions, *is_parent)) {
            return Err(Refusal::NotAllowed);
        }
        self.may_broadcast(caller, message)?;
        check_size(message, to.len())?;
        self.take_rate(caller, Act::Broadcast, 1)
    }

    /// Passes on what somebody in a connected meeting says, to everyone here but `except`.
    pub fn relay(&mut self, now: Timestamp, except: Option<&PeerId>, message: Broadcast) {
        self.tick(now);
        self.send_all(except, &Message::Broadcast(message));
    }

    /// People are in meetings connected with this one, or no longer: while they are, the session goes on.
    pub fn hold_open(&mut self, now: Timestamp, held: bool) {
        self.tick(now);
        if self.live().is_some_and(|record| record.held_open != held) {
            self.emit(EventBody::HeldOpen { held });
        }
    }

    /// The meeting was deleted. Those in it were sent elsewhere, and are put out if they do not go; with nobody in, the
    /// session is over at once.
    pub fn close_deleted(&mut self, now: Timestamp) {
        self.tick(now);
        if self.live().is_some_and(|record| record.leave_by.is_none()) {
            self.emit(EventBody::MeetingDeleted { leave_by: self.now.plus_ms(LEAVE_DELETED_WITHIN_MS) });
        }
        let waiting = self.waiting.clear();
        self.put_out(waiting);
        self.tick(now);
    }

    /// Why a session that runs out ends.
    pub(super) fn end_reason(&self) -> EndReason {
        let deleted = self.live().is_some_and(|record| record.leave_by.is_some());
        if deleted { EndReason::Closed } else { EndReason::AllLeft }
    }
}
