//! The minutes of a meeting: each line says at which second who did what, the lines below it who was told what, and the
//! last what `active-session` answers then.
//! After each step the record is folded anew from the events and compared, and the roster with the record.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::event::{ChatContent, ChatKind, Event, Track, TrackKind};
use crate::ids::{ChatId, ParticipantId, PeerId, PresetId, SessionId, TrackId};
use crate::limits::{Limits, MAX_CHAT_PAYLOAD_BYTES};
use crate::preset::{Entry, Preset};
use crate::record::Record;
use crate::session::{
    ChatNews, ChatTo, ConnectedNews, Entered, Join, Media, MeetingFacts, Message, Output, PeerView, Refusal, Selected, Session,
    StageNews,
};
use crate::time::Timestamp;

/// Any moment will do; a real one keeps the sums honest.
const BEGIN: i64 = 1_770_000_000_000;

/// A meeting under test. Grace is 15 s, keep-alive 60 s.
pub struct Minutes {
    pub session: Session,
    limits: Limits,
    /// What the present session has had remembered.
    events: Vec<Event>,
    sessions: usize,
    last: Timestamp,
    text: String,
}

/// A preset that may do what an ordinary guest may.
pub fn guest() -> Preset {
    Preset::named(PresetId::parse("guest").unwrap(), "guest")
}

/// A preset that may do everything.
pub fn host() -> Preset {
    Preset {
        accept_waiting_requests: true,
        kick_participant: true,
        disable_audio: true,
        disable_video: true,
        disable_screenshare: true,
        pin_participant: true,
        can_record: true,
        can_livestream: true,
        change_permissions: true,
        can_spotlight: true,
        ..Preset::named(PresetId::parse("host").unwrap(), "host")
    }
}

/// A guest's preset, changed.
pub fn preset(change: impl FnOnce(&mut Preset)) -> Preset {
    let mut preset = guest();
    change(&mut preset);
    preset
}

/// A guest that must wait.
pub fn waits(entry: Entry) -> Preset {
    preset(|preset| preset.entry = entry)
}

pub fn id(peer: &str) -> PeerId {
    PeerId::parse(peer).unwrap()
}

/// The participant whose connections are called `name`, `name-2` and so on.
pub fn participant(peer: &str) -> ParticipantId {
    ParticipantId::parse(peer.split('-').next().unwrap()).unwrap()
}

/// `mic`, `cam`, `screen` or `sound` of somebody, as a track that is on.
pub fn track(peer: &str, what: &str) -> Track {
    Track {
        id: TrackId::parse(&format!("{peer}-{what}")).unwrap(),
        kind: if matches!(what, "mic" | "sound") { TrackKind::Audio } else { TrackKind::Video },
        screen_share: matches!(what, "screen" | "sound"),
        paused: false,
        mime_type: String::new(),
        app_data: String::new(),
        transport: format!("{peer}-send"),
    }
}

/// A request of `peer` to come in.
pub fn join(peer: &str, preset: &Preset, fresh_session: &str) -> Join {
    Join {
        peer: id(peer),
        participant: participant(peer),
        custom_participant_id: format!("custom {}", participant(peer)),
        name: participant(peer).to_string(),
        wanted_name: None,
        picture: None,
        preset: preset.clone(),
        meeting_active: true,
        origin: None,
        let_in: None,
        flowing: Vec::new(),
        fresh_session: SessionId::parse(fresh_session).unwrap(),
    }
}

pub fn facts() -> MeetingFacts {
    MeetingFacts {
        meeting: crate::MeetingId::parse("meeting").unwrap(),
        app: crate::AppId::parse("app").unwrap(),
        title: "Planning".to_string(),
        keep_alive_ms: 60_000,
        persist_chat: false,
        parent: None,
    }
}

impl Minutes {
    pub fn new() -> Self {
        Self::with_limits(Limits { grace_ms: 15_000, ..Limits::default() })
    }

    pub fn with_limits(limits: Limits) -> Self {
        let session = Session::new(facts(), limits.clone());
        Self { session, limits, events: Vec::new(), sessions: 0, last: Timestamp(BEGIN), text: String::new() }
    }

    /// What the present session, or the last, has had remembered.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What was written down so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Joins and has its media ready, as clients do.
    pub fn enters(&mut self, second: i64, peer: &str, preset: &Preset) {
        self.joins(second, peer, preset);
        self.completes(second, peer);
    }

    pub fn joins(&mut self, second: i64, peer: &str, preset: &Preset) {
        // Whether it was let in is in the minutes.
        let _ = self.tries_to_join(second, peer, preset);
    }

    pub fn tries_to_join(&mut self, second: i64, peer: &str, preset: &Preset) -> Result<Entered, Refusal> {
        self.joins_with(second, &format!("{peer} joins"), join(peer, preset, &format!("s{}", self.sessions + 1)))
    }

    pub fn joins_with(&mut self, second: i64, what: &str, join: Join) -> Result<Entered, Refusal> {
        let outcome = |entered: &Entered| match entered {
            Entered::Joined(_) => String::new(),
            Entered::Waiting(_) => " and has to wait".to_string(),
            Entered::NeedsEarlierChat => ": not before the earlier chat is there".to_string(),
        };
        self.act_and_tell(second, what, |session, now| session.join(now, join), outcome)
    }

    pub fn completes(&mut self, second: i64, peer: &str) {
        let what = format!("{peer} has media");
        let outcome = |others: &Vec<(PeerView, Vec<Track>)>| {
            let others = others.iter().map(|(other, tracks)| {
                let tracks: Vec<String> = tracks.iter().map(describe).collect();
                format!(" and finds {} [{}]", other.peer, tracks.join(", "))
            });
            others.collect()
        };
        // Whether it was refused is in the minutes.
        let _ = self.act_and_tell(second, &what, |session, now| session.complete_join(now, &id(peer)), outcome);
    }

    pub fn publishes(&mut self, second: i64, peer: &str, what: &str) -> Result<Track, Refusal> {
        let track = track(peer, what);
        self.act(second, &format!("{peer} publishes {what}"), |session, now| session.publish(now, &id(peer), track))
    }

    pub fn speaks(&mut self, second: i64, peer: &str) -> Result<(), Refusal> {
        self.act(second, &format!("{peer} speaks"), |session, now| session.handle_voice(now, &id(peer)))
    }

    /// The longest message there may be, a second after what was last decided. No minutes are kept of it: to fold the record
    /// anew after each of thousands takes too long.
    pub fn says_much(&mut self, peer: &str, name: &str) {
        let now = self.session.record().unwrap().updated_at.plus_ms(1_000);
        let content = ChatContent { kind: ChatKind::Custom, payload: "x".repeat(MAX_CHAT_PAYLOAD_BYTES) };
        self.session.say(now, &id(peer), ChatId::parse(name).unwrap(), ChatTo::Everyone, content).unwrap();
        self.session.take_outputs();
    }

    pub fn leaves(&mut self, second: i64, peer: &str) {
        self.does(second, &format!("{peer} leaves"), |session, now| session.leave(now, &id(peer)));
    }

    pub fn drops(&mut self, second: i64, peer: &str) {
        self.does(second, &format!("{peer}'s socket breaks"), |session, now| session.disconnect(now, &id(peer)));
    }

    pub fn time_passes(&mut self, second: i64) {
        self.does(second, "time passes", |session, now| session.handle_timeout(now));
    }

    /// The server dies at one second and another one goes on with the record at another.
    pub fn dies(&mut self, second: i64, back: i64) {
        self.dies_but(second, back, &[]);
    }

    /// The media of these tracks go on all the same.
    pub fn dies_but(&mut self, second: i64, back: i64, flowing: &[crate::ids::TrackId]) {
        let seen = at(second);
        let record = Record::fold(&self.events).expect("something was remembered");
        self.does(back, &format!("the server is back, dead since {}", clock(seen)), |session, now| {
            *session = Session::recover(session.facts().clone(), session.limits.clone(), record, now, seen, flowing);
        });
    }

    /// Something that cannot be refused.
    pub fn does<R>(&mut self, second: i64, what: &str, act: impl FnOnce(&mut Session, Timestamp) -> R) -> R {
        let Ok(result) = self.act(second, what, |session, now| Ok(act(session, now))) else {
            unreachable!("the closure answers with Ok")
        };
        result
    }

    /// Something that may be refused.
    pub fn act<R>(
        &mut self,
        second: i64,
        what: &str,
        act: impl FnOnce(&mut Session, Timestamp) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.act_and_tell(second, what, act, |_| String::new())
    }

    fn act_and_tell<R>(
        &mut self,
        second: i64,
        what: &str,
        act: impl FnOnce(&mut Session, Timestamp) -> Result<R, Refusal>,
        outcome: impl FnOnce(&R) -> String,
    ) -> Result<R, Refusal> {
        self.last = at(second);
        let result = act(&mut self.session, self.last);
        let outcome = result.as_ref().map_or_else(|refusal| format!(": {refusal:?}"), outcome);
        writeln!(self.text, "{} {what}{outcome}", clock(self.last)).unwrap();
        self.write_outputs();
        self.write_answer();
        self.check();
        result
    }

    /// What `active-session` answers at a second, without anything happening.
    pub fn answer(&mut self, second: i64) {
        self.last = at(second);
        writeln!(self.text, "{}", clock(self.last)).unwrap();
        self.write_answer();
    }

    fn note(&mut self, text: &str) {
        writeln!(self.text, "     {text}").unwrap();
    }

    fn write_outputs(&mut self) {
        let mut told: Option<(Vec<String>, String)> = None;
        for output in self.session.take_outputs() {
            let line = match output {
                Output::Remember { event, .. } => {
                    // The next session's record begins.
                    if event.seq == 1 {
                        self.events.clear();
                        self.sessions += 1;
                    }
                    self.events.push(event);
                    continue;
                }
                Output::Send { to, message } => {
                    let message = tell(&message);
                    match &mut told {
                        Some((who, same)) if *same == message => who.push(to.to_string()),
                        _ => {
                            self.write_told(told.take());
                            told = Some((vec![to.to_string()], message));
                        }
                    }
                    continue;
                }
                Output::Media(Media::CloseTrack { track }) => format!("media: close {track}"),
                Output::Media(Media::PauseTrack { track, paused: true }) => format!("media: pause {track}"),
                Output::Media(Media::PauseTrack { track, paused: false }) => format!("media: pass on {track}"),
                Output::Media(Media::CloseTransports { peer }) => format!("media: close connections of {peer}"),
                // Comes with every coming and going.
                Output::Media(Media::Inside { .. }) => continue,
                Output::StopRecording { recording, .. } => format!("stop recording {recording}"),
                Output::Hangup { peer } => format!("hang up on {peer}"),
            };
            self.write_told(told.take());
            self.note(&line);
        }
        self.write_told(told);
    }

    fn write_told(&mut self, told: Option<(Vec<String>, String)>) {
        if let Some((who, what)) = told {
            self.note(&format!("to {}: {what}", who.join(", ")));
        }
    }

    fn write_answer(&mut self) {
        let answer = match self.session.summary() {
            None => "no session".to_string(),
            Some(summary) => format!(
                "{}: {} live, {} at most, {:.2} min",
                summary.session,
                summary.live,
                summary.max_concurrent,
                summary.minutes_consumed(self.last)
            ),
        };
        self.note(&format!("= {answer}"));
    }

    /// What must hold after every step.
    fn check(&self) {
        assert_eq!(Record::fold(&self.events).as_ref(), self.session.record(), "the record is the fold of its events");
        for (event, seq) in self.events.iter().zip(1..) {
            assert_eq!(event.seq, seq, "events are numbered without gaps");
        }
        assert!(self.events.is_sorted_by_key(|event| event.at), "times never fall");
        let record = self.session.record().filter(|record| record.ended.is_none());
        let connected: BTreeSet<&PeerId> = record
            .into_iter()
            .flat_map(|record| record.peers.iter())
            .filter(|(_, peer)| peer.is_connected())
            .map(|(peer, _)| peer)
            .collect();
        assert_eq!(self.session.roster.peers().collect::<BTreeSet<_>>(), connected, "the roster holds the connected peers");
        assert_eq!(self.session.limits, self.limits);
    }
}

pub fn at(second: i64) -> Timestamp {
    Timestamp(BEGIN + second * 1_000)
}

fn clock(at: Timestamp) -> String {
    let seconds = (at.0 - BEGIN) / 1_000;
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

fn describe(track: &Track) -> String {
    format!("{}{}", track.id, if track.paused { " off" } else { " on" })
}

fn tell(message: &Message) -> String {
    match message {
        Message::PeerJoined(peer) => format!("{} is here", peer.peer),
        Message::PeerLeft(peer) => format!("{} is gone", peer.peer),
        Message::MediaJoined(peer) => format!("{} has media", peer.peer),
        Message::MediaLeft(peer) => format!("{peer} has no media"),
        Message::TrackPublished { track, .. } => format!("new {}", describe(track)),
        Message::TrackToggled { track, by, .. } => {
            format!("{} by {}", describe(track), by.as_ref().map_or("the server", PeerId::as_str))
        }
        Message::TrackUnpublished { track, .. } => format!("no more {}", track.id),
        Message::Renamed { peer, name } => format!("{peer} is called {name}"),
        Message::WaitingList(waiting) => {
            let names: Vec<&str> = waiting.iter().map(|waiting| waiting.peer.as_str()).collect();
            format!("[{}] wait", names.join(", "))
        }
        Message::Broadcast(broadcast) => format!("'{}' from an application", broadcast.kind),
        Message::Chat(ChatNews::Said(message)) => {
            let parties: Vec<&str> = message.parties.iter().map(ParticipantId::as_str).collect();
            let private = if parties.is_empty() { String::new() } else { format!(" (to {})", parties.join(", ")) };
            format!("{} says '{}'{private}", message.name, message.content.payload)
        }
        Message::Chat(ChatNews::Edited(message)) => {
            format!("{} says '{}' instead", message.name, message.content.payload)
        }
        Message::Chat(ChatNews::Pinned(message)) => {
            format!("'{}' is {}pinned", message.content.payload, if message.pinned { "" } else { "un" })
        }
        Message::Chat(ChatNews::Deleted(message)) => format!("{message} is deleted"),
        Message::Poll { poll, new } => {
            let options = poll.options.iter().map(|option| {
                let voters: Vec<&str> = option.votes.iter().map(|(_, name)| name.as_str()).collect();
                format!("{} {} [{}]", option.text, option.count, voters.join(" "))
            });
            let voted: Vec<&str> = poll.voted.iter().map(ParticipantId::as_str).collect();
            let options: Vec<String> = options.collect();
            let word = if *new { "asks" } else { "votes on" };
            format!("{word} '{}': {}; [{}] voted", poll.question, options.join(", "), voted.join(" "))
        }
        Message::Store { news, deleted } => {
            let items = news.items.iter().map(|(key, stored)| format!("{key}={}", stored.payload));
            let word = if *deleted { "deleted" } else { "written" };
            format!("{} {word}: {}", news.store, items.collect::<Vec<_>>().join(", "))
        }
        Message::Pinned(peer) => format!("{} is pinned", peer.as_ref().map_or("nobody", PeerId::as_str)),
        Message::Stage(StageNews::Status { peer, stage, .. }) => format!("stage of {peer}: {stage:?}"),
        Message::Stage(StageNews::Requests(requests)) => {
            let peers: Vec<&str> = requests.iter().map(|request| request.peer.as_str()).collect();
            format!("[{}] ask for the stage", peers.join(", "))
        }
        Message::Stage(news) => format!("{news:?}"),
        Message::Connected(ConnectedNews::Rooms(view)) => {
            let rooms = [&view.parent].into_iter().chain(&view.meetings).map(|room| {
                let people: Vec<&str> = room.people.iter().map(|who| who.name.as_str()).collect();
                format!("{} [{}]", room.title, people.join(" "))
            });
            format!("meetings: {}", rooms.collect::<Vec<_>>().join(", "))
        }
        Message::Connected(ConnectedNews::Go { meeting, ticket }) => format!("go to {meeting} with {}", ticket.0),
        Message::Connected(news) => format!("{news:?}"),
        Message::PermissionsChanged { participant, changes } => {
            let flags = changes.flags.iter().map(|(flag, value)| format!("{} {value}", flag.path()));
            let media = changes.media.iter().map(|(source, value)| format!("{} {value:?}", source.path()));
            let entry = changes.entry.iter().map(|entry| format!("waiting_room_type {entry:?}"));
            format!("{participant} may: {}", flags.chain(media).chain(entry).collect::<Vec<_>>().join(", "))
        }
        Message::Selected(news) => {
            let selected = news.iter().map(|Selected { peer, place, compulsory }| {
                let place = place.map_or("not in the order".to_string(), |place| format!("in place {place}"));
                format!("{peer} is {place}{}", if *compulsory { " and has to be seen" } else { "" })
            });
            selected.collect::<Vec<_>>().join(", ")
        }
        Message::Livestream(news) => format!("livestream: {news:?}"),
        Message::Recording { recording, kind, news } => format!("{kind:?} recording {recording}: {news:?}"),
        Message::Transcript(spoken) => {
            let word = if spoken.is_partial { "is saying" } else { "said" };
            format!("{} {word} '{}'", spoken.name, spoken.text)
        }
        Message::Kicked | Message::Ended | Message::Admitted | Message::Denied => format!("{message:?}"),
    }
}
