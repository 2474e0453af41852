//! The server that may die, and the rules checked after every input.
//! Owns the session under test, the list that stands for the store, and the ledger.
//! Invariant: the ledger hears only what was acknowledged, and an input whose events were not remembered never was.
//! Next: `people.rs`, the inputs.

#[path = "people.rs"]
mod people;

use std::collections::BTreeSet;

use salon_core::event::{Event, EventBody, LeaveReason, RecordingEnd, RecordingKind};
use salon_core::limits::{Limits, MAX_RECORDINGS};
use salon_core::permission::Source;
use salon_core::preset::{CanProduce, Recorder};
use salon_core::session::{ChatNews, ConnectedNews, MeetingFacts, Message, Output, PollView, Selections, StageNews};
use salon_core::{AppId, MeetingId, PeerId, Record, Session, SessionId, Timestamp};

use crate::dice::Dice;
use crate::doors::Doors;
use crate::ledger::Ledger;
use crate::screens::Screens;
use people::{Done, PEERS, WAITS_FOR_A_HOST, WAITS_FOR_A_WORD, id, number, person};

const BEGIN: i64 = 1_770_000_000_000;

/// Milliseconds between two inputs.
const PAUSES: [i64; 10] = [0, 0, 1, 40, 250, 700, 3_000, 14_999, 15_000, 40_000];

/// How the server dies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deaths {
    /// All events of an input are remembered, or none.
    BetweenInputs,
    /// Some of them may be: then the ledger cannot know what was acknowledged and is begun anew from what others see.
    AmongEvents,
}

pub struct World {
    dice: Dice,
    deaths: Deaths,
    /// People stay for longer and do more.
    lively: bool,
    facts: MeetingFacts,
    limits: Limits,
    session: Session,
    now: i64,
    sessions: usize,
    tracks: usize,
    messages: usize,
    recordings: usize,
    /// The store: the events of the last session.
    remembered: Vec<Event>,
    /// The fold of those that are of people.
    of_people: Option<Record>,
    ledger: Option<Ledger>,
    answered: Option<Answer>,
    screens: Screens,
    doors: Doors,
    /// What was switched off by others, and has not been switched by the peer itself since.
    hushed: BTreeSet<(PeerId, Source)>,
    /// What the present input adds to that (`true`) or takes away, if it is remembered.
    hushes: Vec<(PeerId, Source, bool)>,
    /// What the caller of a media join is to be told, unless the server dies first.
    answer: Option<(PeerId, Selections)>,
    /// Everything that came out, for comparison between runs.
    pub journal: Vec<String>,
}

/// What `active-session` answered last.
#[derive(Debug)]
struct Answer {
    session: SessionId,
    consumed_ms: i64,
    live: u32,
    max_concurrent: u32,
    participants: u32,
}

impl World {
    pub fn new(seed: u64, deaths: Deaths) -> Self {
        let mut dice = Dice::new(seed);
        let lively = dice.one_in(2);
        let grace_ms = dice.pick(&[1_000, 15_000, 15_000, 90_000]);
        let limits = Limits {
            grace_ms,
            max_peers: dice.pick(&[4, PEERS, 100]),
            max_peers_ever: dice.pick(&[8, 10_000]),
            max_tabs: dice.pick(&[1, 16]),
            max_entries: dice.pick(&[6, 500]),
            max_events: dice.pick(&[200, 2_000_000]),
        };
        let facts = MeetingFacts {
            meeting: MeetingId::parse("meeting").unwrap(),
            app: AppId::parse("app").unwrap(),
            title: "Simulation".to_string(),
            keep_alive_ms: dice.pick(&[60_000, 60_000, 600_000]),
            persist_chat: dice.one_in(2),
            parent: None,
        };
        Self {
            dice,
            deaths,
            lively,
            session: Session::new(facts.clone(), limits.clone()),
            facts,
            limits,
            now: BEGIN,
            sessions: 0,
            tracks: 0,
            messages: 0,
            recordings: 0,
            remembered: Vec::new(),
            of_people: None,
            ledger: None,
            answered: None,
            screens: Screens::default(),
            doors: Doors::default(),
            hushed: BTreeSet::new(),
            hushes: Vec::new(),
            answer: None,
            journal: Vec::new(),
        }
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            let longest = if self.lively { 7 } else { PAUSES.len() };
            self.now += self.dice.pick(&PAUSES[..longest]);
            if self.dice.one_in(60) {
                self.now += self.dice.pick(&[60_000, 90_000, 700_000]);
            }
            // The driver wakes the session in time or, when it is busy, late.
            if self.dice.one_in(2) {
                self.session.handle_timeout(Timestamp(self.now));
                self.keep_all();
                self.check();
            }
            self.step();
            if self.dice.one_in(25) {
                self.outage();
            }
            self.check();
        }
    }

    fn step(&mut self) {
        let connected_before = self.connected();
        let shown_before = self.shown();
        let seq_before = self.session.record().map(|record| (record.started.session.clone(), record.seq));
        let done = self.input();
        let outputs = self.session.take_outputs();
        self.check_told(&outputs, &connected_before, &shown_before);
        if let Done::Refused = done {
            // Time may have changed something, the refused input did not.
            let news = outputs.iter().filter_map(|output| match output {
                Output::Remember { event, .. } => Some(&event.body),
                _ => None,
            });
            for body in news {
                let by_time = matches!(
                    body,
                    EventBody::TrackUnpublished { .. }
                        | EventBody::RecordingStopping { why: RecordingEnd::TimeIsUp, .. }
                        | EventBody::RecordingStopped { .. }
                        | EventBody::PeerLeft { reason: LeaveReason::Lost | LeaveReason::Ended, .. }
                        | EventBody::SessionEnded { .. }
                );
                assert!(by_time, "a refusal wrote {body:?} after {seq_before:?}");
            }
        }
        if self.dice.one_in(40) {
            self.die(outputs);
            return;
        }
        if let Some((to, all)) = self.answer.take() {
            self.screens.answered(&to, &all);
        }
        self.keep(outputs);
        self.tell_screens(&done);
        self.note_hushed(&done);
        self.tell_ledger(done);
    }

    fn note_hushed(&mut self, done: &Done) {
        let changes = std::mem::take(&mut self.hushes);
        for (peer, source, is_off) in changes.into_iter().filter(|_| !matches!(done, Done::Refused)) {
            if is_off {
                self.hushed.insert((peer, source))
            } else {
                self.hushed.remove(&(peer, source))
            };
        }
        if let Done::Entered { peer, waits: false, .. } = done {
            let peer = id(*peer);
            let stays = &self.session.record().expect("it is in").peers[&peer].stays;
            if stays.last().is_some_and(|(since, _)| since.0 == self.now) {
                self.hushed.retain(|(hushed, _)| *hushed != peer);
            }
        }
    }

    /// Whoever joins anew or breaks off hears no more of media; whoever leaves closes its client.
    fn tell_screens(&mut self, done: &Done) {
        match done {
            Done::Entered { peer, .. } | Done::Broke(peer) | Done::LeftMedia(peer) => self.screens.broke_off(&id(*peer)),
            Done::Left(peers) | Done::Kicked { peers, .. } => peers.iter().for_each(|peer| self.screens.closed(&id(*peer))),
            _ => {}
        }
    }

    /// The ledger learns what an input's caller was told.
    fn tell_ledger(&mut self, done: Done) {
        let now = self.now;
        let live = self.ledger.as_ref().is_some_and(|ledger| ledger.is_live(now));
        if let Done::Kicked { peers, reached: true } = &done {
            peers.iter().for_each(|peer| self.doors.put_out(now, number(*peer)));
        }
        match done {
            Done::Nothing | Done::Refused | Done::LeftMedia(_) => {}
            Done::Entered { peer, waits: true, .. } => self.check_who_gave_way(peer),
            Done::Entered { peer, counts, robot, waits: false, moved } => {
                if !live {
                    assert!(!robot || self.deaths == Deaths::AmongEvents, "a robot begins no session");
                    self.doors = Doors::default();
                    let session = format!("s{}", self.sessions);
                    self.ledger = Some(Ledger::new(&session, now, self.facts.keep_alive_ms));
                }
                self.check_who_gave_way(peer);
                let ledger = self.ledger.as_mut().expect("just made");
                if ledger.is_connected(peer) {
                    // Another socket of the same peer: nobody came.
                } else if ledger.may_return(now, peer) {
                    ledger.returned(now, peer);
                } else {
                    ledger.joined(now, peer, counts, robot);
                    self.check_door(peer, moved);
                }
            }
            Done::Broke(peer) if live => {
                let ledger = self.ledger.as_mut().expect("it is live");
                ledger.broke_off(now, peer, now + self.limits.grace_ms);
            }
            Done::LetIn(peer) => self.doors.let_in(number(peer)),
            Done::Left(peers) | Done::Kicked { peers, .. } if live => {
                let ledger = self.ledger.as_mut().expect("it is live");
                for peer in peers {
                    // One who waits is not in the ledger at all.
                    if ledger.present(now).contains(&peer) {
                        ledger.left(now, peer);
                    }
                }
            }
            Done::Held(held) if live => self.ledger.as_mut().expect("it is live").held(now, held),
            Done::Held(_) => {}
            Done::Closed => self.ledger.as_mut().expect("a session was live").closed(now),
            Done::Broke(_) | Done::Left(_) | Done::Kicked { .. } => {}
        }
        self.settle();
    }

    /// Those who are gone since somebody came had to go: their connection was broken, no place was left, and the person
    /// has another one.
    fn check_who_gave_way(&mut self, comer: usize) {
        let (now, is_checked) = (self.now, self.deaths == Deaths::BetweenInputs);
        let Some(ledger) = &mut self.ledger else { return };
        // Whoever waits may find the session over, and then the robots in it went with it.
        let Some(record) = self.session.record().filter(|record| record.ended.is_none()) else { return };
        let is_here = |peer: &usize| record.peers.get(&id(*peer)).is_some_and(|peer| peer.is_present());
        let here = ledger.present(now);
        for gone in here.iter().copied().filter(|peer| *peer != comer && !is_here(peer)) {
            let waiting = (0..PEERS).filter(|peer| self.session.is_waiting(&id(*peer)));
            let tabs = here.iter().copied().chain(waiting.clone()).filter(|peer| number(*peer) == number(gone)).count();
            let own = number(gone) == number(comer) && tabs >= self.limits.max_tabs;
            let is_full = here.len() + waiting.count() + 1 >= self.limits.max_peers;
            assert!(!is_checked || ledger.may_return(now, gone), "{gone} was connected and had to give way to {comer}");
            assert!(!is_checked || own || is_full, "{gone} gave way to {comer} without need");
            ledger.gave_way(now, gone);
        }
    }

    /// Whoever has to wait for a host's word, and has come in anew, had it.
    fn check_door(&mut self, peer: usize, moved: Option<i64>) {
        let changes = self.session.record().expect("somebody is in").permissions.get(&person(peer));
        let waits = peer == WAITS_FOR_A_WORD || (peer == WAITS_FOR_A_HOST && self.doors.is_put_out(number(peer)));
        if self.deaths != Deaths::BetweenInputs || !waits {
            return;
        }
        match changes.and_then(|changes| changes.entry) {
            None => self.doors.came_in(number(peer), moved),
            // A host has changed how they come in: whether they needed a word is not known here.
            Some(_) if moved.is_some() => self.doors.let_in(number(peer)),
            Some(_) => {}
        }
    }

    /// `kill -9` after an input and before all its events were remembered: nobody was told that it was done.
    fn die(&mut self, outputs: Vec<Output>) {
        let mut events: Vec<Output> = outputs.into_iter().filter(|output| matches!(output, Output::Remember { .. })).collect();
        events.truncate(match self.deaths {
            Deaths::BetweenInputs => 0,
            Deaths::AmongEvents => self.dice.roll(events.len() + 1),
        });
        self.keep(events);
        self.recover();
    }

    /// The server dies between two inputs.
    fn outage(&mut self) {
        self.keep_all();
        self.recover();
    }

    fn recover(&mut self) {
        self.answer = None;
        self.hushes.clear();
        let record = self.session_from_store();
        let here = record.iter().flat_map(Record::present).map(|peer| peer.who.peer.clone());
        self.screens.server_died(&here.collect());
        // What was answered, and when the last event was, is known to the next server; being alive a little later too.
        let seen = self.now + self.dice.pick(&[0, 0, 50, 1_500]);
        let now = seen + self.dice.pick(&[0, 300, 2_000, 14_000, 30_000, 59_000, 61_000, 100_000, 700_000]);
        let summary = self.session_from_store().map(|record| record.summary());
        if let (Some(answer), Some(summary)) = (&mut self.answered, summary)
            && answer.session == summary.session
        {
            // The dead server may have answered up to its last moment.
            answer.consumed_ms = answer.consumed_ms.max(summary.consumed_ms(Timestamp(seen)));
        }
        match self.session_from_store().filter(|record| record.ended.is_none()) {
            Some(record) => {
                let (facts, limits) = (self.facts.clone(), self.limits.clone());
                self.session = Session::recover(facts, limits, record, Timestamp(now), Timestamp(seen), &[]);
                if let Some(ledger) = &mut self.ledger {
                    ledger.outage(seen, now, self.limits.grace_ms);
                }
            }
            None => self.session = Session::new(self.facts.clone(), self.limits.clone()),
        }
        self.now = now;
        self.keep_all();
    }

    fn session_from_store(&self) -> Option<Record> {
        Record::fold(&self.remembered)
    }

    fn keep_all(&mut self) {
        let outputs = self.session.take_outputs();
        self.keep(outputs);
    }

    fn keep(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            self.journal.push(format!("{output:?}"));
            if let Output::Send { to, message } = &output {
                self.screens.told(to, message);
            }
            if let Output::Remember { session, event, .. } = output {
                if event.seq == 1 {
                    self.screens = Screens::default();
                    assert!(matches!(event.body, EventBody::SessionStarted(_)), "the first event is the start");
                    let over = self.session_from_store().is_none_or(|record| record.ended.is_some());
                    assert!(over, "a session began before the last one had ended");
                    self.remembered.clear();
                    self.sessions += 1;
                    assert_eq!(session.as_str(), format!("s{}", self.sessions), "a new session has a fresh id");
                } else {
                    let last = self.remembered.last().expect("something came before");
                    assert_eq!(event.seq, last.seq + 1, "events are numbered without gaps");
                    assert!(event.at >= last.at, "times never fall: {last:?} {event:?}");
                }
                self.fold_of_people(&event);
                self.remembered.push(event);
            }
        }
    }

    /// Watchers of people read these events only.
    fn fold_of_people(&mut self, event: &Event) {
        if !event.body.is_of_people() {
            return;
        }
        match (&mut self.of_people, Record::begin(event)) {
            (Some(people), None) => people.apply(event),
            (people, began) => *people = began,
        }
        let told = self.of_people.as_ref().map(|people| people.people_seq);
        assert_eq!(told, Some(event.seq), "what is of people shows somebody otherwise: {event:?}");
    }

    fn connected(&self) -> BTreeSet<PeerId> {
        let live = self.session.record().filter(|record| record.ended.is_none());
        let peers = live.into_iter().flat_map(|record| record.peers.values());
        peers.filter(|peer| peer.is_connected()).map(|peer| peer.who.peer.clone()).collect()
    }

    /// Those whom others may know of, here or not.
    fn shown(&self) -> BTreeSet<PeerId> {
        let peers = self.session.record().into_iter().flat_map(|record| record.peers.values());
        let shown = peers.filter(|peer| !peer.who.hidden || peer.who.recorder != Recorder::None);
        shown.map(|peer| peer.who.peer.clone()).collect()
    }

    /// What must hold after every input.
    fn check(&mut self) {
        let now = Timestamp(self.now);
        self.session.handle_timeout(now);
        self.keep_all();
        let folded = self.session_from_store();
        let record = self.session.record().filter(|record| record.ended.is_none());
        if record.is_some() {
            assert_eq!(folded.as_ref(), record, "the record is the fold of what was remembered");
            let shown = |record: Option<&Record>| {
                record.map(|record| (record.people_seq, record.max_concurrent, record.people_count(), record.peers.clone()))
            };
            assert_eq!(shown(self.of_people.as_ref()), shown(record), "nothing else shows anybody otherwise");
        } else {
            assert!(folded.is_none_or(|record| record.ended.is_some()), "what is remembered as live is live");
        }
        let connected = self.connected();
        for peer in (0..PEERS).map(id) {
            assert_eq!(self.session.peers(&peer).is_ok(), connected.contains(&peer), "the roster and the record agree");
            self.check_read(&peer);
        }
        for peer in record.into_iter().flat_map(Record::present) {
            let changes = record.and_then(|record| record.permissions.get(&peer.who.participant));
            for track in peer.tracks.values().filter(|track| !track.paused) {
                let leave = changes.and_then(|changes| changes.media.get(&Source::of(track.kind, track.screen_share)));
                assert_ne!(leave, Some(&CanProduce::NotAllowed), "{} sends {track:?} without leave", peer.who.peer);
                let hushed = self.hushed.contains(&(peer.who.peer.clone(), Source::of(track.kind, track.screen_share)));
                assert!(!hushed || self.deaths == Deaths::AmongEvents, "{} is heard though others muted it", peer.who.peer);
            }
        }
        let is_here = |peer: &PeerId| record.is_some_and(|record| record.peers.get(peer).is_some_and(|peer| peer.is_present()));
        self.hushed.retain(|(peer, _)| is_here(peer));
        let present = || record.into_iter().flat_map(|record| record.peers.values()).filter(|peer| peer.is_present());
        let people = present().filter(|peer| peer.who.recorder == Recorder::None).count();
        assert!(people <= self.limits.max_peers, "the session is full");
        assert_eq!(record.map_or(0, Record::people_count), people);
        assert_eq!(record.map_or(0, Record::present_count), present().count());
        let recordings = self.session.recordings();
        let composites = recordings.iter().filter(|found| found.asked.kind == RecordingKind::Composite);
        assert!(composites.count() <= 1, "{recordings:?}");
        let streams = record.map_or(0, |record| record.recordings.len()) - recordings.len();
        assert!(streams <= 1, "one livestream at a time");
        assert!(recordings.len() + streams <= MAX_RECORDINGS && (record.is_some() || recordings.is_empty()), "{recordings:?}");
        assert!(self.session.wake_at().is_none_or(|at| at > now), "nothing that is due is left undone");
        if self.dice.one_in(16) {
            self.check_asked(&connected);
        }
        self.check_answer(now);
        if self.deaths == Deaths::BetweenInputs {
            self.check_ledger(now);
            self.screens.check(&self.session, &connected);
        }
    }

    /// Nobody reads what is not theirs, from this session or an earlier one.
    fn check_read(&self, peer: &PeerId) {
        let Ok(history) = self.session.chat_history(peer) else { return };
        let who = &self.session.record().expect("a session is live").peers[peer].who.participant;
        for message in history {
            assert!(!message.is_private() || message.parties.contains(who), "{peer} reads what is private: {message:?}");
        }
    }

    /// Answers never take back what an earlier one said.
    fn check_answer(&mut self, now: Timestamp) {
        let answer = self.session.summary().map(|summary| Answer {
            consumed_ms: summary.consumed_ms(now),
            session: summary.session,
            live: summary.live,
            max_concurrent: summary.max_concurrent,
            participants: summary.participants,
        });
        if let Some(answer) = &answer {
            assert!(answer.live <= answer.max_concurrent && answer.max_concurrent <= answer.participants, "{answer:?}");
            if let Some(before) = self.answered.as_ref().filter(|before| before.session == answer.session) {
                assert!(answer.consumed_ms >= before.consumed_ms, "minutes fell: {before:?} {answer:?}");
                assert!(answer.max_concurrent >= before.max_concurrent, "the maximum fell: {before:?} {answer:?}");
            }
        }
        self.answered = answer;
    }

    fn settle(&mut self) {
        if let Some(ledger) = &mut self.ledger {
            ledger.settle(self.now);
        }
    }

    fn check_ledger(&mut self, now: Timestamp) {
        self.settle();
        let expected = self.ledger.as_ref().filter(|ledger| ledger.is_live(now.0));
        let summary = self.session.summary();
        assert_eq!(summary.is_some(), expected.is_some(), "live or not: {:?}", self.ledger);
        if let (Some(summary), Some(ledger)) = (summary, expected) {
            assert_eq!(summary.session.as_str(), ledger.session);
            assert_eq!(summary.live, ledger.live());
            assert_eq!(summary.max_concurrent, ledger.max_concurrent());
            assert_eq!(summary.participants, ledger.participants());
            assert_eq!(summary.consumed_ms(now), ledger.consumed_ms(now.0));
        } else if let (Some(ledger), Some(record)) = (&self.ledger, self.session_from_store()) {
            let ended = record.ended.expect("it is over");
            assert_eq!(Some(ended.at.0), ledger.over_at(), "it ended when the rule says");
            assert_eq!(record.summary().consumed_ms(now), ledger.consumed_ms(now.0));
        }
    }

    /// A poll tells nobody more than its makers wanted.
    fn check_poll(&self, to: &PeerId, poll: &PollView) {
        let record = self.session.record().expect("polls belong to a session");
        let who = &record.peers[to].who.participant;
        let votes = &record.polls.get(&poll.id).expect("it is in the record").votes;
        assert!(self.session.polls(to).is_ok() || !record.peers[to].is_connected(), "{to} may not see polls");
        let named = poll.options.iter().any(|option| !option.votes.is_empty());
        let counted = poll.options.iter().any(|option| option.count > 0);
        assert!(!poll.hide_votes || votes.contains_key(who) || !counted && !named, "{to} sees hidden votes: {poll:?}");
        if poll.anonymous {
            assert!(!named && poll.voted.iter().all(|voter| voter == who), "{to} sees who voted: {poll:?}");
        }
    }

    /// What people find when they ask is what they would have been told.
    fn check_asked(&self, connected: &BTreeSet<PeerId>) {
        for peer in connected {
            let who = &self.session.record().expect("a session is live").peers[peer].who.participant;
            let private = self.session.chat_history(peer).into_iter().flatten().filter(|message| message.is_private());
            private.for_each(|message| assert!(message.parties.contains(who), "{peer} reads {message:?}"));
            self.session.polls(peer).into_iter().flatten().for_each(|poll| self.check_poll(peer, &poll));
            let seen = self.session.peers(peer).expect("it is connected");
            let others = seen.iter().filter(|view| view.peer != *peer);
            others.for_each(|view| assert!(!view.hidden || view.recorder != Recorder::None, "{peer} sees {view:?}"));
        }
    }

    /// Nobody hears what is not for it.
    fn check_told(&self, outputs: &[Output], before: &BTreeSet<PeerId>, shown_before: &BTreeSet<PeerId>) {
        let after = self.connected();
        // It may have gone as one who was seen and come again as one who is not.
        let shown: BTreeSet<PeerId> = self.shown().union(shown_before).cloned().collect();
        for output in outputs {
            let Output::Send { to, message } = output else { continue };
            let joined = before.contains(to) || after.contains(to);
            let subject = match message {
                Message::Admitted | Message::Denied | Message::Kicked | Message::Ended => continue,
                Message::WaitingList(_) => {
                    let may = self.session.waiting_list(to).is_ok() || !after.contains(to);
                    assert!(may, "{to} may not see who waits");
                    None
                }
                Message::PeerJoined(view) | Message::PeerLeft(view) | Message::MediaJoined(view) => {
                    assert!(!view.hidden || view.recorder != Recorder::None, "{to} heard of {}", view.peer);
                    None
                }
                Message::Pinned(None) => None,
                Message::Pinned(Some(peer))
                | Message::Stage(StageNews::Status { peer, .. })
                | Message::MediaLeft(peer)
                | Message::TrackPublished { peer, .. }
                | Message::TrackToggled { peer, .. }
                | Message::TrackUnpublished { peer, .. }
                | Message::Renamed { peer, .. } => Some(peer),
                Message::PermissionsChanged { participant, .. } => {
                    let who = self.session.record().and_then(|record| record.peers.get(to)).map(|peer| &peer.who);
                    assert_eq!(who.map(|who| &who.participant), Some(participant), "{to} heard of another's permissions");
                    None
                }
                Message::Selected(news) => {
                    for selected in news {
                        assert!(shown.contains(&selected.peer), "{to} heard of {selected:?}");
                    }
                    None
                }
                Message::Poll { poll, .. } => {
                    self.check_poll(to, poll);
                    None
                }
                Message::Stage(StageNews::Requests(_)) => {
                    let may = self.session.stage_requests(to).is_ok() || !after.contains(to);
                    assert!(may, "{to} may not see who asks for the stage");
                    None
                }
                Message::Connected(ConnectedNews::Rooms(view)) => {
                    let people = view.meetings.iter().chain([&view.parent]).flat_map(|room| &room.people);
                    assert!(people.clone().all(|who| who.participant.as_str() != "person-3"), "{to} heard of the hidden one");
                    None
                }
                Message::Connected(_) => None,
                Message::Recording { .. } | Message::Livestream(_) | Message::Transcript(_) => None,
                Message::Broadcast(_) | Message::Store { .. } | Message::Stage(_) => None,
                Message::Chat(ChatNews::Said(message) | ChatNews::Edited(message) | ChatNews::Pinned(message)) => {
                    let record = self.session.record();
                    let who = record.and_then(|record| record.peers.get(to)).map(|peer| &peer.who.participant);
                    let party = who.is_some_and(|who| message.parties.contains(who));
                    assert!(!message.is_private() || party, "{to} heard what is private: {message:?}");
                    None
                }
                Message::Chat(ChatNews::Deleted(_)) => None,
            };
            assert!(joined, "{to} is not in and heard {message:?}");
            if let Some(peer) = subject.filter(|peer| *peer != to) {
                assert!(shown.contains(peer), "{to} heard of the hidden {peer}: {message:?}");
            }
        }
    }
}
