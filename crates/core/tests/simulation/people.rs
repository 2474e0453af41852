//! What people do, at random: who they are, and one input at a time.
//! Each answers with what its caller was told, which is all that the ledger hears.

use std::sync::Arc;

use salon_core::event::{Actor, ChatContent, ChatKind, RecordedBy, RecordingKind, StoreItem, Track, TrackKind};
use salon_core::permission::{Changes, Flag, Source};
use salon_core::preset::{CanProduce, ConnectedPermissions, Entry, PollPermissions, PrivateChat, Recorder};
use salon_core::session::{
    Audience, Broadcast, ChatTo, ConnectedView, EarlierChat, Entered, Join, Move, Mute, NewPermissions, NewPoll, NewRecording,
    Refusal, RoomView, Ticket,
};
use salon_core::{
    ChatId, MeetingId, ParticipantId, PeerId, PollId, Preset, PresetId, RecordingId, SessionId, Timestamp, TrackId,
};

use super::World;

pub const PEERS: usize = 12;

/// The one who comes in when a host has said so, and the one who does when a host is there.
pub const WAITS_FOR_A_WORD: usize = 7;
pub const WAITS_FOR_A_HOST: usize = 8;

/// What an input did, as its caller was told.
pub enum Done {
    Nothing,
    /// It is in, or `waits`.
    Entered {
        peer: usize,
        counts: bool,
        robot: bool,
        waits: bool,
        /// When it was moved here, if it was.
        moved: Option<i64>,
    },
    /// A host let this peer's person in, who waited.
    LetIn(usize),
    Refused,
    Broke(usize),
    /// It is in, but without media.
    LeftMedia(usize),
    Left(Vec<usize>),
    /// These were put out, as far as they were here.
    Kicked {
        peers: Vec<usize>,
        /// Somebody was.
        reached: bool,
    },
    Closed,
    /// People are in connected meetings, or no longer.
    Held(bool),
}

impl Done {
    /// Something the ledger need not know of.
    fn or_refused(done: bool) -> Self {
        if done { Done::Nothing } else { Done::Refused }
    }
}

impl World {
    /// One input of somebody.
    pub fn input(&mut self) -> Done {
        let now = Timestamp(self.now);
        let peer = self.dice.roll(PEERS);
        let caller = id(peer);
        let other = self.dice.roll(PEERS);
        // In some meetings people come and go all the time, in others they stay and do things.
        if self.dice.roll(10) < if self.lively { 8 } else { 3 } {
            return self.meet(now, other);
        }
        match self.dice.roll(25) {
            0..=8 => self.come(now, peer),
            9..=11 => {
                self.session.disconnect(now, &caller);
                Done::Broke(peer)
            }
            12..=13 => {
                self.session.leave(now, &caller);
                Done::Left(vec![peer])
            }
            14 => {
                self.session.handle_timeout(now);
                let reached = self.is_here_or_waits(&id(other));
                match self.session.kick(now, &caller, &[id(other), id(other)]) {
                    Ok(()) => Done::Kicked { peers: vec![other], reached },
                    Err(_) => Done::Refused,
                }
            }
            15 => {
                let participant = person(other);
                let peers: Vec<usize> = (0..PEERS).filter(|peer| person(*peer) == participant).collect();
                if self.dice.one_in(2) {
                    self.session.delete_participant(now, &participant);
                    return Done::Left(peers);
                }
                let kicked = self.session.kick_participants(now, &[participant]);
                Done::Kicked { peers, reached: !kicked.is_empty() }
            }
            16 if self.dice.one_in(6) => {
                let by = if self.dice.one_in(2) { Actor::Api } else { Actor::Peer(caller) };
                match self.session.kick_all(now, &by) {
                    Ok(_) => Done::Closed,
                    Err(_) => Done::Refused,
                }
            }
            17 => {
                self.session.handle_timeout(now);
                let waited = (0..PEERS).any(|peer| number(peer) == number(other) && self.session.is_waiting(&id(peer)));
                match self.session.admit(now, &caller, &[person(other)]) {
                    Ok(()) if waited => Done::LetIn(other),
                    done => Done::or_refused(done.is_ok()),
                }
            }
            18 => {
                let done = self.session.deny(now, &caller, &[person(other)]);
                Done::or_refused(done.is_ok())
            }
            19 => {
                let done = self.complete(now, &caller);
                Done::or_refused(done)
            }
            20..=21 => {
                // Now and then an id that is or was in use.
                self.tracks += usize::from(!self.dice.one_in(8));
                let kind = self.dice.pick(&[TrackKind::Audio, TrackKind::Video]);
                let screen_share = self.dice.one_in(3);
                let new = track(self.tracks, kind, screen_share);
                let done = match self.session.take_leftover(now, &caller, kind, screen_share) {
                    Some(id) => self.session.go_on(now, &caller, Track { id, ..new }),
                    None => self.session.publish(now, &caller, new),
                };
                Done::or_refused(done.is_ok())
            }
            22 => {
                let track = TrackId::parse(&format!("t{}", self.tracks.saturating_sub(self.dice.roll(4)))).unwrap();
                let paused = self.dice.one_in(2);
                let done = match self.dice.roll(4) {
                    0 => self.session.unpublish(now, &caller, &track).is_ok(),
                    1 => self.switch(now, &caller, &track, paused),
                    2 => {
                        let everyone: Vec<usize> = (0..PEERS).collect();
                        self.hush(now, &everyone, &[Source::Microphone]);
                        self.session.mute_all(now, paused).is_ok()
                    }
                    _ => self.mute(now, &caller, other),
                };
                Done::or_refused(done)
            }
            23 => self.connect(now, &caller, other),
            _ => {
                let hello = Broadcast { kind: "hi".to_string(), payload: Vec::new(), timestamp: 0, ids: Vec::new() };
                let done = match self.dice.roll(12) {
                    11 => self.session.read_permissions(now, &caller, &[person(other)]).is_ok(),
                    9 => self.permit(now, &caller, other),
                    10 => self.session.rename(now, &caller, &id(other), "renamed").is_ok(),
                    6..=8 => self.collaborate(now, &caller, other),
                    5 => self.chat(now, &caller, other),
                    0 => self.session.broadcast(now, &caller, Audience::Others, hello).is_ok(),
                    1 => self.session.broadcast(now, &caller, Audience::Peers(vec![id(other)]), hello).is_ok(),
                    2 => self.session.rename(now, &caller, &caller, &format!("name {}", self.tracks)).is_ok(),
                    3 if self.session.leave_media(now, &caller).is_ok() => return Done::LeftMedia(peer),
                    _ => self.session.handle_voice(now, &caller).is_ok(),
                };
                Done::or_refused(done)
            }
        }
    }

    fn come(&mut self, now: Timestamp, peer: usize) -> Done {
        let preset = self.preset(peer);
        let robot = preset.recorder != Recorder::None;
        let counts = !preset.hidden && !robot;
        let mut join = self.join(peer, preset);
        if self.dice.one_in(20) {
            return self.steal(join);
        }
        join.meeting_active = !self.dice.one_in(20);
        let moved = join.let_in.map(|at| at.0);
        match self.enter(now, join) {
            Ok(entered) => Done::Entered { peer, counts, robot, waits: matches!(entered, Entered::Waiting(_)), moved },
            Err(_) => Done::Refused,
        }
    }

    /// Somebody else is about to switch these off: of whoever sends them, or is away and would send them on return.
    fn hush(&mut self, now: Timestamp, peers: &[usize], sources: &[Source]) {
        self.session.handle_timeout(now);
        for (peer, source) in peers.iter().flat_map(|peer| sources.iter().map(move |source| (id(*peer), *source))) {
            let found = self.session.record().and_then(|record| record.peers.get(&peer)).filter(|peer| peer.is_present());
            let is_on = |track: &Track| !track.paused && Source::of(track.kind, track.screen_share) == source;
            if found.is_some_and(|found| !found.is_connected() || found.tracks.values().any(is_on)) {
                self.hushes.push((peer, source, true));
            }
        }
    }

    /// A host mutes somebody.
    fn mute(&mut self, now: Timestamp, caller: &PeerId, other: usize) -> bool {
        let video = self.dice.one_in(2);
        let sources = [Source::Microphone, Source::Camera];
        if *caller != id(other) {
            self.hush(now, &[other], if video { &sources } else { &sources[..1] });
        }
        let what = Mute { audio: true, video, screen_share: true };
        self.session.host_mute(now, caller, Some(&id(other)), what).is_ok()
    }

    /// A peer switches a track of its own.
    fn switch(&mut self, now: Timestamp, caller: &PeerId, track: &TrackId, paused: bool) -> bool {
        let own = self.session.record().and_then(|record| record.peers.get(caller)?.tracks.get(track));
        let source = own.map(|track| Source::of(track.kind, track.screen_share));
        self.hushes.extend(source.map(|source| (caller.clone(), source, false)));
        self.session.set_paused(now, caller, track, paused).is_ok()
    }

    fn is_here_or_waits(&self, peer: &PeerId) -> bool {
        let record = self.session.record().filter(|record| record.ended.is_none());
        self.session.is_waiting(peer) || record.and_then(|record| record.peers.get(peer)).is_some_and(|peer| peer.is_present())
    }

    fn is_away(&self, peer: &PeerId) -> bool {
        let record = self.session.record().filter(|record| record.ended.is_none());
        record.and_then(|record| record.peers.get(peer)).is_some_and(|peer| peer.is_present() && !peer.is_connected())
    }

    fn complete(&mut self, now: Timestamp, caller: &PeerId) -> bool {
        let done = self.session.complete_join(now, caller).is_ok();
        if done {
            self.answer = Some((caller.clone(), self.session.selections(caller)));
        }
        done
    }

    /// Somebody who is in does what people do in a call.
    fn meet(&mut self, now: Timestamp, other: usize) -> Done {
        let away = (0..PEERS).find(|peer| self.is_away(&id(*peer)));
        if let Some(peer) = away.filter(|_| self.dice.one_in(3)) {
            return self.come(now, peer);
        }
        let connected: Vec<PeerId> = self.connected().into_iter().collect();
        if connected.len() < self.dice.roll(6) {
            return self.come(now, other);
        }
        let Some(first) = connected.first() else { return Done::Nothing };
        // Who is muted while away is back soon after, and publishes.
        let hushed = self.hushed.iter().next().map(|(peer, source)| (peer.clone(), *source));
        if let Some((peer, source)) = hushed.filter(|(peer, _)| connected.contains(peer) && self.dice.one_in(4)) {
            self.tracks += 1;
            let kind = if source == Source::Microphone { TrackKind::Audio } else { TrackKind::Video };
            return Done::or_refused(self.session.publish(now, &peer, track(self.tracks, kind, false)).is_ok());
        }
        if let Some(caller) = connected.iter().find(|peer| !self.screens.hears(peer)).filter(|_| self.dice.one_in(2)) {
            return Done::or_refused(self.complete(now, &caller.clone()));
        }
        let caller = if self.dice.one_in(3) { first.clone() } else { self.dice.pick(&connected) };
        let tracks = self.session.record().and_then(|record| record.peers.get(&caller)).map(|peer| &peer.tracks);
        let own: Vec<TrackId> = tracks.into_iter().flatten().map(|(id, _)| id.clone()).collect();
        let done = match self.dice.roll(20) {
            18 | 19 => self.record(now, other),
            0 => self.complete(now, &caller),
            1..=3 => {
                self.tracks += 1;
                let kind = self.dice.pick(&[TrackKind::Audio, TrackKind::Video]);
                let screen_share = kind == TrackKind::Video && self.dice.one_in(2);
                self.session.publish(now, &caller, track(self.tracks, kind, screen_share)).is_ok()
            }
            4 if !own.is_empty() => self.session.unpublish(now, &caller, &self.dice.pick(&own)).is_ok(),
            5 => self.session.pin(now, &caller, Some(&id(other))).is_ok(),
            6..=8 => self.session.handle_voice(now, &caller).is_ok(),
            9..=11 => self.chat(now, &caller, other),
            12 => self.session.rename(now, &caller, &caller, &format!("name {}", self.tracks)).is_ok(),
            13 => self.mute(now, first, away.unwrap_or(other)),
            14 if !own.is_empty() => {
                let (track, paused) = (self.dice.pick(&own), self.dice.one_in(2));
                self.switch(now, &caller, &track, paused)
            }
            _ => self.collaborate(now, &caller, other),
        };
        Done::or_refused(done)
    }

    /// Somebody has the session recorded, or no more; or whoever records has something to say.
    fn record(&mut self, now: Timestamp, other: usize) -> bool {
        let by = self.dice.pick(&[RecordedBy::Api, RecordedBy::Meeting, RecordedBy::Participant(person(other))]);
        let known: Vec<RecordingId> = self
            .session
            .recordings()
            .iter()
            .chain(self.session.livestream())
            .map(|found| found.asked.recording.clone())
            .collect();
        let (yes, error) = (self.dice.one_in(2), self.dice.one_in(3).then_some("it broke"));
        let old = RecordingId::parse(&format!("r{}", self.recordings.saturating_sub(self.dice.roll(3)))).unwrap();
        let id = if known.is_empty() || self.dice.one_in(8) { old } else { self.dice.pick(&known) };
        match self.dice.roll(13) {
            0..=2 => {
                self.recordings += 1;
                let kind = self.dice.pick(&[RecordingKind::Composite, RecordingKind::Track, RecordingKind::Livestream]);
                let id = RecordingId::parse(&format!("r{}", self.recordings)).unwrap();
                let max_ms = self.dice.pick(&[60_000, 600_000, 86_400_000]);
                // Of composites never two.
                let beside_others = kind == RecordingKind::Track && yes;
                self.session.start_recording(now, &by, NewRecording { id, kind, max_ms, beside_others }).is_ok()
            }
            3 | 4 => {
                self.session.recording_began(now, &id);
                true
            }
            5 => self.session.may_pause_recording(now, &by, &id).is_ok(),
            6 => {
                self.session.recording_paused(now, &id, yes);
                true
            }
            7 => {
                self.session.recording_ended(now, &id, error);
                true
            }
            10 => {
                self.session.livestream_began(now, &id, "https://example.org/live");
                true
            }
            11 => {
                self.session.livestream_watched(now, &id, u64::from(yes));
                true
            }
            12 => self.session.stop_livestream(now, &by).is_ok(),
            _ => self.session.stop_recording(now, &by, &id).is_ok(),
        }
    }

    /// Somebody writes, or changes what was written.
    fn chat(&mut self, now: Timestamp, caller: &PeerId, other: usize) -> bool {
        let said = |payload: &str| ChatContent { kind: ChatKind::Text, payload: payload.to_string() };
        let past = ChatId::parse(&format!("m{}", self.messages.saturating_sub(self.dice.roll(4)))).unwrap();
        match self.dice.roll(7) {
            6 => self.session.upload(now, &person(other)).is_ok(),
            0 => self.session.edit_message(now, caller, &past, said("rather this")).is_ok(),
            1 => self.session.delete_message(now, caller, &past).is_ok(),
            2 => {
                let pinned = self.dice.one_in(2);
                self.session.pin_message(now, caller, &past, pinned).is_ok()
            }
            _ => {
                self.messages += 1;
                let fresh = ChatId::parse(&format!("m{}", self.messages)).unwrap();
                let to = if self.dice.one_in(2) { ChatTo::Everyone } else { ChatTo::Peers(vec![id(other)]) };
                self.session.say(now, caller, fresh, to, said("hello")).is_ok()
            }
        }
    }

    /// Somebody changes what another may do.
    fn permit(&mut self, now: Timestamp, caller: &PeerId, other: usize) -> bool {
        let mut changes = Changes::default();
        for _ in 0..self.dice.roll(3) {
            changes.flags.insert(self.dice.pick(Flag::ALL), self.dice.one_in(2));
            let leave = self.dice.pick(&[CanProduce::Allowed, CanProduce::NotAllowed, CanProduce::CanRequest]);
            changes.media.insert(self.dice.pick(Source::ALL), leave);
        }
        changes.entry = self.dice.one_in(8).then(|| self.dice.pick(&[Entry::Skip, Entry::OnPrivilegedEntry, Entry::OnAccept]));
        let hidden = self.dice.one_in(8).then_some(false);
        let new = NewPermissions { participant: person(other), changes, hidden, robot: None };
        self.session.change_permissions(now, caller, &[new]).is_ok()
    }

    /// What goes on between this meeting and those connected with it.
    fn connect(&mut self, now: Timestamp, caller: &PeerId, other: usize) -> Done {
        let meeting = MeetingId::parse("another").unwrap();
        let (people, yes) = (vec![person(other)], self.dice.one_in(2));
        let session = &mut self.session;
        match self.dice.roll(8) {
            0..=2 => {
                session.hold_open(now, yes);
                Done::Held(yes)
            }
            3 => Done::or_refused(session.list_connected(now, caller).is_ok()),
            4 => {
                let source = session.facts().meeting.clone();
                let wish = Move { source, destination: meeting, to_parent: yes, people, changes_presets: yes };
                Done::or_refused(session.may_move(now, caller, &wish).is_ok())
            }
            5 => {
                let Ok(found) = session.movable(now, &people, &meeting) else { return Done::Nothing };
                let tickets: Vec<_> = found.into_iter().map(|who| (who.participant, Ticket("t".to_string()))).collect();
                session.send_on(now, &meeting, &tickets);
                Done::Nothing
            }
            6 => {
                let room = RoomView { id: session.facts().meeting.clone(), title: String::new(), people: session.people() };
                session.tell_connected(&Arc::new(ConnectedView { parent: room, meetings: Vec::new() }));
                Done::Nothing
            }
            _ if yes && other == 0 && session.summary().is_some() => {
                // Deleted, and everyone goes where they are sent.
                session.close_deleted(now);
                for peer in (0..PEERS).map(id) {
                    session.leave(now, &peer);
                }
                session.handle_timeout(now);
                Done::Closed
            }
            _ => Done::Nothing,
        }
    }

    /// Polls, shared stores, pins and the stage.
    fn collaborate(&mut self, now: Timestamp, caller: &PeerId, other: usize) -> bool {
        let n = self.dice.roll(4);
        let poll = PollId::parse(&format!("q{n}")).unwrap();
        let (yes, whom) = (self.dice.one_in(2), [person(other)]);
        let session = &mut self.session;
        match self.dice.roll(11) {
            0 => {
                let options = vec!["yes".to_string(), "no".to_string()];
                let new = NewPoll { id: poll, question: "?".to_string(), options, anonymous: yes, hide_votes: n == 0 };
                session.create_poll(now, &Actor::Peer(caller.clone()), "", new).is_ok()
            }
            1..=2 => session.vote(now, caller, &poll, n as u64 % 3).is_ok(),
            3..=4 => {
                let items = vec![StoreItem { key: format!("k{other}"), payload: "1".repeat(n) }];
                session.store_set(now, caller, &format!("s{n}"), items).is_ok()
            }
            5 => session.store_delete(now, caller, &format!("s{n}"), yes.then(|| vec![format!("k{other}")])).is_ok(),
            6 => session.pin(now, caller, yes.then(|| id(other)).as_ref()).is_ok(),
            7 => session.request_stage(now, caller).is_ok(),
            8 => session.decide_stage(now, caller, &whom, yes).is_ok(),
            9 => session.join_stage(now, caller).is_ok(),
            _ => session.leave_stage(now, caller, &whom).is_ok(),
        }
    }

    /// Joins, as the server does it: what an earlier session left is looked up in the store when it is asked for.
    fn enter(&mut self, now: Timestamp, join: Join) -> Result<Entered, Refusal> {
        let entered = self.session.join(now, join.clone())?;
        if entered != Entered::NeedsEarlierChat {
            return Ok(entered);
        }
        // What ended the last session may not be remembered yet: the server waits for that before it looks.
        let last = self.session.record().cloned().or_else(|| self.session_from_store());
        self.session.bring_earlier_chat(last.as_ref().map(EarlierChat::of).unwrap_or_default());
        let entered = self.session.join(now, join)?;
        assert_ne!(entered, Entered::NeedsEarlierChat, "it is asked for once");
        Ok(entered)
    }

    /// Somebody else comes with a peer id that is known here.
    fn steal(&mut self, mut join: Join) -> Done {
        self.session.handle_timeout(Timestamp(self.now));
        let live = self.session.record().filter(|record| record.ended.is_none());
        if live.is_none_or(|record| !record.peers.contains_key(&join.peer)) {
            return Done::Nothing;
        }
        join.participant = ParticipantId::parse("thief").unwrap();
        let refused = self.session.join(Timestamp(self.now), join);
        assert_eq!(refused, Err(Refusal::PeerIdTaken));
        Done::Refused
    }

    fn preset(&mut self, peer: usize) -> Preset {
        let named = Preset::named(PresetId::parse("preset").unwrap(), "preset");
        let host = peer.is_multiple_of(5);
        let mut preset = Preset {
            accept_waiting_requests: host,
            kick_participant: host,
            disable_audio: host,
            disable_video: host,
            disable_screenshare: host,
            private_chat: PrivateChat { can_send: true, can_receive: peer != 6, text: true, files: true },
            pin_participant: host,
            can_record: host,
            can_livestream: host,
            change_permissions: host,
            connected: ConnectedPermissions { can_alter: host, can_switch: peer == 1, can_switch_to_parent: peer == 2 },
            accept_stage_requests: host,
            stage_enabled: host || peer == 11,
            stage_access: (peer == 11).then_some(CanProduce::CanRequest),
            polls: PollPermissions { can_create: true, can_vote: peer != 1, can_view: peer != 2 },
            hidden: peer == 3 || (peer == 4 && self.dice.one_in(2)),
            ..named
        };
        match peer {
            WAITS_FOR_A_WORD => preset.entry = Entry::OnAccept,
            WAITS_FOR_A_HOST => preset.entry = Entry::OnPrivilegedEntry,
            _ => {}
        }
        if peer == 9 {
            preset.recorder = self.dice.pick(&[Recorder::Recorder, Recorder::Livestreamer]);
            preset.hidden = !self.dice.one_in(4);
        }
        preset
    }

    fn join(&mut self, peer: usize, preset: Preset) -> Join {
        Join {
            peer: id(peer),
            participant: person(peer),
            custom_participant_id: String::new(),
            name: format!("peer {peer}"),
            wanted_name: self.dice.one_in(4).then(|| "another".to_string()),
            picture: None,
            preset,
            meeting_active: true,
            origin: None,
            let_in: self.dice.one_in(10).then(|| Timestamp(self.now - self.dice.pick(&[0, 1_000, 60_000]))),
            flowing: (0..8).map(|ago| recent(self.tracks, ago)).filter(|_| !self.dice.one_in(3)).collect(),
            fresh_session: SessionId::parse(&format!("s{}", self.sessions + 1)).unwrap(),
        }
    }
}

pub fn id(peer: usize) -> PeerId {
    PeerId::parse(&format!("peer-{peer}")).unwrap()
}

/// Two tabs each of some people.
pub fn number(peer: usize) -> usize {
    peer % 10
}

pub fn person(peer: usize) -> ParticipantId {
    ParticipantId::parse(&format!("person-{}", number(peer))).unwrap()
}

/// One of the last tracks that somebody published.
fn recent(tracks: usize, ago: usize) -> TrackId {
    TrackId::parse(&format!("t{}", tracks.saturating_sub(ago))).unwrap()
}

fn track(n: usize, kind: TrackKind, screen_share: bool) -> Track {
    let text = String::new;
    let id = TrackId::parse(&format!("t{n}")).unwrap();
    Track { id, kind, screen_share, paused: false, mime_type: text(), app_data: text(), transport: text() }
}
