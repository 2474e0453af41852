//! The server that may die, and the rules checked after every input.
//! Owns the session under test, the list that stands for the store, and the ledger.
//! Invariant: the ledger hears only what was acknowledged, and an input whose events were not remembered never was.
//! Next: `people.rs`, the inputs.

#[path = "people.rs"]
mod people;

use std::collections::BTreeSet;

use salon_core::event::{Event, EventBody, LeaveReason};
use salon_core::limits::Limits;
use salon_core::preset::Recorder;
use salon_core::session::{ChatNews, ConnectedNews, MeetingFacts, Message, Output, StageNews};
use salon_core::{AppId, MeetingId, PeerId, Record, Session, SessionId, Timestamp};

use crate::dice::Dice;
use crate::ledger::Ledger;
use people::{Done, PEERS, id};

const BEGIN: i64 = 1_770_000_000_000;

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
    facts: MeetingFacts,
    limits: Limits,
    session: Session,
    now: i64,
    sessions: usize,
    tracks: usize,
    messages: usize,
    /// The store: the events of the last session.
    remembered: Vec<Event>,
    ledger: Option<Ledger>,
    answered: Option<Answer>,
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
        let grace_ms = dice.pick(&[1_000, 15_000, 15_000, 90_000]);
        let limits = Limits { grace_ms, max_peers: dice.pick(&[4, PEERS, 100]), max_peers_ever: dice.pick(&[30, 10_000]) };
        let facts = MeetingFacts {
            meeting: MeetingId::parse("meeting").unwrap(),
            app: AppId::parse("app").unwrap(),
            title: "Simulation".to_string(),
            keep_alive_ms: dice.pick(&[60_000, 60_000, 600_000]),
            parent: None,
        };
        Self {
            dice,
            deaths,
            session: Session::new(facts.clone(), limits.clone()),
            facts,
            limits,
            now: BEGIN,
            sessions: 0,
            tracks: 0,
            messages: 0,
            remembered: Vec::new(),
            ledger: None,
            answered: None,
            journal: Vec::new(),
        }
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now += self.dice.pick(&[0_i64, 0, 1, 40, 700, 3_000, 9_000, 14_999, 15_000, 40_000]);
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
        let seq_before = self.session.record().map(|record| (record.started.session.clone(), record.seq));
        let done = self.input();
        let outputs = self.session.take_outputs();
        self.check_told(&outputs, &connected_before);
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
                        | EventBody::PeerLeft { reason: LeaveReason::Lost, .. }
                        | EventBody::SessionEnded { .. }
                );
                assert!(by_time, "a refusal wrote {body:?} after {seq_before:?}");
            }
        }
        if self.dice.one_in(40) {
            self.die(outputs);
            return;
        }
        self.keep(outputs);
        self.tell_ledger(done);
    }

    /// The ledger learns what an input's caller was told.
    fn tell_ledger(&mut self, done: Done) {
        let now = self.now;
        let live = self.ledger.as_ref().is_some_and(|ledger| ledger.is_live(now));
        match done {
            Done::Nothing | Done::Refused => {}
            Done::Entered { waits: true, .. } => {}
            Done::Entered { peer, counts, waits: false } => {
                if !live {
                    let session = format!("s{}", self.sessions);
                    self.ledger = Some(Ledger::new(&session, now, self.facts.keep_alive_ms));
                }
                let ledger = self.ledger.as_mut().expect("just made");
                if ledger.is_connected(peer) {
                    // Another socket of the same peer: nobody came.
                } else if ledger.may_return(now, peer) {
                    ledger.returned(now, peer);
                } else {
                    ledger.joined(now, peer, counts);
                }
            }
            Done::Broke(peer) if live => {
                let ledger = self.ledger.as_mut().expect("it is live");
                ledger.broke_off(now, peer, now + self.limits.grace_ms);
            }
            Done::Left(peers) if live => {
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
            Done::Broke(_) | Done::Left(_) => {}
        }
        self.settle();
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
                self.session = Session::recover(facts, limits, record, Timestamp(now), Timestamp(seen));
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
            if let Output::Remember { session, event } = output {
                if event.seq == 1 {
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
                self.remembered.push(event);
            }
        }
    }

    fn connected(&self) -> BTreeSet<PeerId> {
        let live = self.session.record().filter(|record| record.ended.is_none());
        let peers = live.into_iter().flat_map(|record| record.peers.values());
        peers.filter(|peer| peer.is_connected()).map(|peer| peer.who.peer.clone()).collect()
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
        } else {
            assert!(folded.is_none_or(|record| record.ended.is_some()), "what is remembered as live is live");
        }
        let connected = self.connected();
        for peer in (0..PEERS).map(id) {
            assert_eq!(self.session.peers(&peer).is_ok(), connected.contains(&peer), "the roster and the record agree");
        }
        let present = record.map_or(0, |record| record.peers.values().filter(|peer| peer.is_present()).count());
        assert!(present <= self.limits.max_peers, "the session is full");
        assert_eq!(record.map_or(0, Record::present_count), present);
        assert!(self.session.wake_at().is_none_or(|at| at > now), "nothing that is due is left undone");
        self.check_answer(now);
        if self.deaths == Deaths::BetweenInputs {
            self.check_ledger(now);
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

    /// Nobody hears what is not for it.
    fn check_told(&self, outputs: &[Output], before: &BTreeSet<PeerId>) {
        let after = self.connected();
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
                | Message::Renamed { peer, .. }
                | Message::Speaking(peer) => Some(peer),
                Message::Connected(ConnectedNews::Rooms(view)) => {
                    let people = view.meetings.iter().chain([&view.parent]).flat_map(|room| &room.people);
                    assert!(people.clone().all(|who| who.participant.as_str() != "person-3"), "{to} heard of the hidden one");
                    None
                }
                Message::Connected(_) => None,
                Message::Broadcast(_) | Message::Poll { .. } | Message::Store { .. } | Message::Stage(_) => None,
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
                let who = self.session.record().and_then(|record| record.peers.get(peer)).map(|peer| &peer.who);
                let shown = who.is_none_or(|who| !who.hidden || who.recorder != Recorder::None);
                assert!(shown, "{to} heard of the hidden {peer}: {message:?}");
            }
        }
    }
}
