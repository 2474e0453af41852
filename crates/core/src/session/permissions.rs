//! Changing what people may do while they do it.
//! Invariant: a change is in force when it is told: what people lost leave to send is off, and every later question is
//! judged by it, on all connections of that person, over reconnects and crashes, until the session ends.
//! Whoever may change permissions may give those it lacks itself, as in RealtimeKit.
//! Next: `permission.rs`, what there is to change.

use std::collections::BTreeMap;

use crate::event::{Actor, EventBody};
use crate::ids::{ParticipantId, PeerId};
use crate::limits::MAX_PERMISSION_TARGETS;
use crate::permission::{Changes, Flag, Source};
use crate::record::Record;
use crate::session::rate::Act;
use crate::session::{Message, Refusal, Session};
use crate::time::Timestamp;

/// What one person may do from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPermissions {
    pub participant: ParticipantId,
    pub changes: Changes,
    /// Be seen or not, be a robot or not: settled on joining. Saying again what is so is fine.
    pub hidden: Option<bool>,
    pub robot: Option<bool>,
}

impl Session {
    /// Changes the permissions of people who are here, of all of them or of none.
    ///
    /// # Errors
    /// `NotAllowed`; `UnknownParticipant` if one is not here, or not for the caller to see; `Settled` for what cannot be
    /// changed; `TooLarge`, `TooOften`.
    pub fn change_permissions(&mut self, now: Timestamp, caller: &PeerId, wanted: &[NewPermissions]) -> Result<(), Refusal> {
        self.tick(now);
        self.authorise(&Actor::Peer(caller.clone()), |preset| preset.change_permissions)?;
        if wanted.len() > MAX_PERMISSION_TARGETS {
            return Err(Refusal::TooLarge);
        }
        let people = self.tabs();
        for new in wanted {
            let peers = people.get(&new.participant).filter(|peers| self.may_know(caller, peers));
            let settled = peers.ok_or(Refusal::UnknownParticipant)?.iter().filter_map(|peer| self.present(peer)).all(|peer| {
                new.hidden.is_none_or(|hidden| hidden == peer.who.hidden)
                    && new.robot.is_none_or(|robot| robot == peer.is_robot())
            });
            if !settled {
                return Err(Refusal::Settled);
            }
        }
        self.take_rate(caller, Act::PermissionChange, wanted.len())?;
        let mut hosts = Vec::new();
        for new in wanted {
            let news = new.changes.beyond(&self.permission_changes(&new.participant));
            if news.is_empty() {
                continue;
            }
            let (participant, by) = (new.participant.clone(), caller.clone());
            self.emit(EventBody::PermissionsChanged { participant, by, changes: news.clone() });
            for peer in &people[&new.participant] {
                self.put_in_force(caller, peer, &news);
            }
            if news.flags.get(&Flag::AcceptWaitingRequests) == Some(&true) {
                hosts.extend(&people[&new.participant]);
            }
        }
        // One of them is enough: all are told who waits.
        if let Some(host) = hosts.into_iter().find(|peer| self.roster.get(peer).is_some()) {
            self.admit_those_waiting_for_a_host(host);
        }
        Ok(())
    }

    /// What was changed of the permissions of these people, for a caller who asks what they may do.
    ///
    /// # Errors
    /// `UnknownParticipant` as in [`Session::change_permissions`], `TooLarge`, `TooOften`.
    pub fn read_permissions(
        &mut self,
        now: Timestamp,
        caller: &PeerId,
        participants: &[ParticipantId],
    ) -> Result<Vec<(PeerId, Changes)>, Refusal> {
        self.tick(now);
        self.caller(caller)?;
        if participants.len() > MAX_PERMISSION_TARGETS {
            return Err(Refusal::TooLarge);
        }
        let people = self.tabs();
        let read = |participant| {
            let peers = people.get(participant).filter(|peers| self.may_know(caller, peers));
            let peer = peers.and_then(|peers| peers.first()).ok_or(Refusal::UnknownParticipant)?;
            Ok((peer.clone(), self.permission_changes(participant)))
        };
        let found = participants.iter().map(read).collect::<Result<Vec<_>, Refusal>>()?;
        self.take_rate(caller, Act::PermissionRead, participants.len())?;
        Ok(found)
    }

    /// What was changed of somebody's permissions in this session.
    pub fn permission_changes(&self, participant: &ParticipantId) -> Changes {
        self.live().and_then(|record| record.permissions.get(participant)).cloned().unwrap_or_default()
    }

    /// Everyone who is here, with all connections of theirs.
    fn tabs(&self) -> BTreeMap<ParticipantId, Vec<PeerId>> {
        let mut people: BTreeMap<ParticipantId, Vec<PeerId>> = BTreeMap::new();
        for peer in self.live().into_iter().flat_map(Record::present) {
            people.entry(peer.who.participant.clone()).or_default().push(peer.who.peer.clone());
        }
        people
    }

    /// Whether somebody with these connections is for the caller to see.
    fn may_know(&self, caller: &PeerId, peers: &[PeerId]) -> bool {
        peers.iter().any(|peer| peer == caller || self.is_shown(peer))
    }

    fn put_in_force(&mut self, by: &PeerId, peer: &PeerId, news: &Changes) {
        if let Some(member) = self.roster.get_mut(peer) {
            news.apply(&mut member.preset);
        }
        self.stop_what_may_not_be_sent(by, peer, news);
        self.tell_permissions(peer, news);
    }

    /// Switches off what a peer has lost leave to send. Someone within the grace has no preset to look at, and publishes
    /// anew on coming back anyway.
    fn stop_what_may_not_be_sent(&mut self, by: &PeerId, peer: &PeerId, news: &Changes) {
        let preset = self.roster.get(peer).map(|member| &member.preset);
        let lost = |source: Source| news.media.contains_key(&source) && !preset.is_some_and(|preset| preset.may_produce(source));
        let tracks = self.present(peer).into_iter().flat_map(|found| found.tracks.values());
        let stopped: Vec<_> = tracks.filter(|track| lost(Source::of(track.kind, track.screen_share))).cloned().collect();
        for track in stopped {
            self.stop_track(peer, &track, &Actor::Peer(by.clone()));
        }
    }

    /// Tells a peer what was changed of its own permissions.
    ///
    /// About polls it is told everything at once: a client that hears of one poll permission and not of the leave to see
    /// polls takes that for lost (read in web SDK 2.0.2).
    pub(super) fn tell_permissions(&mut self, peer: &PeerId, news: &Changes) {
        let Some(member) = self.roster.get(peer) else { return };
        let Some(found) = self.present(peer) else { return };
        let mut changes = news.clone();
        let polls = member.preset.polls;
        let polls = [(Flag::PollsCreate, polls.can_create), (Flag::PollsVote, polls.can_vote), (Flag::PollsView, polls.can_view)];
        if polls.iter().any(|(flag, _)| changes.flags.contains_key(flag)) {
            changes.flags.extend(polls);
        }
        let participant = found.who.participant.clone();
        self.send(peer.clone(), Message::PermissionsChanged { participant, changes });
    }

    /// Someone came in or came back: what it missed meanwhile, and what it may have learnt before, it is told.
    pub(super) fn tell_earlier_changes(&mut self, peer: &PeerId) {
        let Some(found) = self.present(peer) else { return };
        let changes = self.permission_changes(&found.who.participant);
        if !changes.is_empty() {
            self.tell_permissions(peer, &changes);
        }
    }
}
