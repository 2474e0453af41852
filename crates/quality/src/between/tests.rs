//! The table of cases: Ann listens, Ben speaks.

use salon_core::event::{Actor, LeaveReason, PeerJoined, SessionStarted, Track, TrackKind};
use salon_core::permission::Source;
use salon_core::preset::Recorder;
use salon_core::{EventBody, PeerId, TrackId};

use super::words::Names;
use super::*;
use crate::block::{BUCKETS, Columns, TrackBlock};

fn peer(name: &str) -> PeerId {
    PeerId::parse(name).expect("an id")
}

fn joined(name: &str) -> EventBody {
    EventBody::PeerJoined(PeerJoined {
        peer: peer(name),
        participant: salon_core::ParticipantId::parse(name).expect("an id"),
        custom_participant_id: String::new(),
        name: name.to_owned(),
        picture: None,
        preset: salon_core::PresetId::parse("host").expect("an id"),
        preset_name: "host".into(),
        hidden: false,
        recorder: Recorder::None,
        on_stage: true,
        origin: None,
    })
}

fn track(name: &str) -> TrackId {
    TrackId::parse(name).expect("an id")
}

fn publishes(name: &str, kind: TrackKind, paused: bool) -> EventBody {
    let (mime_type, app_data, transport) = (String::new(), String::new(), String::new());
    let track = Track { id: track(name), kind, screen_share: false, paused, mime_type, app_data, transport };
    EventBody::TrackPublished { peer: peer("ben"), track }
}

fn paused(by: Actor) -> EventBody {
    EventBody::TrackPaused { peer: peer("ben"), track: track("mic"), paused: true, by }
}

fn record(script: &[(i64, EventBody)]) -> Vec<Event> {
    let started = EventBody::SessionStarted(SessionStarted {
        session: salon_core::SessionId::parse("s").expect("an id"),
        meeting: salon_core::MeetingId::parse("m").expect("an id"),
        app: salon_core::AppId::parse("a").expect("an id"),
        title: String::new(),
        keep_alive_ms: 60_000,
        started_at: Timestamp(0),
        parent: None,
    });
    let events = std::iter::once((0, started)).chain(script.iter().cloned());
    events.zip(1..).map(|((at, body), seq)| Event { seq, at: Timestamp(at), body }).collect()
}

/// Both are there, and Ben's microphone and camera are on.
fn both(more: &[(i64, EventBody)]) -> Vec<Event> {
    let mut script = vec![
        (0, joined("ben")),
        (0, joined("ann")),
        (0, publishes("mic", TrackKind::Audio, false)),
        (0, publishes("cam", TrackKind::Video, false)),
    ];
    script.extend_from_slice(more);
    record(&script)
}

type Figures = [(Figure, u32)];

/// Sound in which somebody speaks; a good one.
const SPEAKS: &Figures = &[
    (Figure::Looks, 3),
    (Figure::Flowing, 3),
    (Figure::Packets, 750),
    (Figure::Loss, 2),
    (Figure::Jitter, 40),
    (Figure::Spoken, 9_000),
    (Figure::Level, 95),
    (Figure::WorstScore, 430),
];

fn with(base: &Figures, more: &Figures) -> Vec<(Figure, u32)> {
    base.iter().filter(|(figure, _)| !more.iter().any(|(other, _)| other == figure)).chain(more).copied().collect()
}

fn without(base: &Figures, figure: Figure) -> Vec<(Figure, u32)> {
    base.iter().filter(|(known, _)| *known != figure).copied().collect()
}

/// Blocks in which these buckets are like that.
fn blocks(role: Role, id: &str, buckets: std::ops::Range<u64>, figures: Option<&Figures>) -> Blocks {
    let mut blocks = Blocks::new();
    for bucket in buckets {
        let block = blocks.entry(bucket / BUCKETS).or_default();
        let place = (bucket % BUCKETS) as usize;
        block.line.note(place, Figure::Looks, 3);
        let new = || TrackBlock {
            track: id.to_owned(),
            role,
            peer: Some("ben".to_owned()),
            mid: String::new(),
            first_sent_ms: None,
            columns: Columns::default(),
        };
        let Some(figures) = figures else { continue };
        let track = block.track(new, id, role).expect("a place");
        figures.iter().for_each(|(figure, value)| track.columns.note(place, *figure, *value));
    }
    blocks
}

struct Case<'a> {
    medium: Medium,
    events: Vec<Event>,
    up: Option<&'a Figures>,
    down: Option<&'a Figures>,
    said: &'a [Said],
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self { medium: Medium::Sound, events: both(&[]), up: Some(SPEAKS), down: Some(SPEAKS), said: &[] }
    }
}

/// Of one minute, which all of it is like that.
fn answer(case: &Case<'_>) -> Answer {
    let (track, produced, consumed) = match case.medium {
        Medium::Sound => ("mic", Role::AudioProducer, Role::AudioConsumer),
        Medium::Picture => ("cam", Role::VideoProducer, Role::VideoConsumer),
    };
    let (speaker, listener) = (peer("ben"), peer("ann"));
    let question = Question {
        medium: case.medium,
        speaker: &speaker,
        listener: &listener,
        began: Timestamp(0),
        from: Timestamp(0),
        to: Timestamp(60_000),
    };
    // What is left out must not matter.
    let mut told = case.events.clone();
    told.retain(|event| is_told(&event.body, &speaker, &listener));
    let said: Vec<_> = case.said.iter().map(|said| (Timestamp(1), *said)).collect();
    let (upstream, downstream) = (blocks(produced, track, 0..4, case.up), blocks(consumed, track, 0..4, case.down));
    between(&question, &Evidence { events: &told, upstream: &upstream, downstream: &downstream, said: &said })
}

#[track_caller]
fn check(case: Case<'_>, expected: Rung, sentence: &str) {
    let answer = answer(&case);
    let verdict = &answer.held[0];
    assert_eq!(verdict.rung, expected, "{:?}", answer.held);
    let of = |peer: &PeerId| format!("host {peer}");
    let names = Names { speaker: "Ben", listener: "Ann", of: &of };
    assert_eq!(verdict.sentence(case.medium, &names), sentence);
    assert!(Rung::NAMES.contains(&verdict.rung.name()));
}

#[test]
fn each_rung_has_its_case() {
    use Rung::*;
    let case = Case::default;
    let none: &Figures = &[(Figure::Looks, 3)];
    let only_ann = record(&[(0, joined("ann"))]);
    check(Case { events: only_ann, ..case() }, SpeakerAway, "Ben was not in the session.");
    let lost = EventBody::PeerDisconnected { peer: peer("ann"), seen: Timestamp(10_000) };
    check(Case { events: both(&[(14_000, lost)]), ..case() }, ListenerAway, "Ann was not in the session.");
    let silent = record(&[(0, joined("ben")), (0, joined("ann"))]);
    check(Case { events: silent.clone(), ..case() }, NotPublished { refused: false }, "Ben offered no sound.");
    check(
        Case { events: silent, said: &[Said::NotPermitted], ..case() },
        NotPublished { refused: true },
        "Ben offered no sound: the browser says that it was not let use the microphone.",
    );
    check(
        Case { events: both(&[(1_000, paused(Actor::Peer(peer("eve"))))]), ..case() },
        SwitchedOff(Off::Peer(peer("eve"))),
        "Ben's microphone had been switched off by host eve.",
    );
    check(
        Case { events: both(&[(1_000, paused(Actor::Peer(peer("ben"))))]), ..case() },
        SwitchedOff(Off::Itself),
        "Ben had switched the microphone off.",
    );
    check(
        Case { events: both(&[(1_000, paused(Actor::Api))]), ..case() },
        SwitchedOff(Off::Api),
        "Ben's microphone had been switched off by a call of the API.",
    );
    check(Case { up: Some(none), ..case() }, NothingArrives, "Ben's microphone was on, and nothing of it reached the server.");
    let mute = with(SPEAKS, &[(Figure::Level, 0), (Figure::Spoken, 0)]);
    check(
        Case { up: Some(&mute), ..case() },
        Silent { muted_in_system: false },
        "Ben's microphone gave nothing but silence: muted in the system, or not working.",
    );
    check(
        Case { up: Some(&mute), said: &[Said::MutedInSystem], ..case() },
        Silent { muted_in_system: true },
        "Ben's microphone gave nothing but silence: the browser says that the system had it muted.",
    );
    let lossy = with(SPEAKS, &[(Figure::Loss, 124)]);
    check(
        Case { up: Some(&lossy), ..case() },
        DamagedUpstream,
        "Ben's sound reached the server damaged: on Ben's line up to 12 % of packets were lost.",
    );
    check(
        Case { up: Some(&with(SPEAKS, &[(Figure::Jitter, 450), (Figure::Loss, 0)])), ..case() },
        DamagedUpstream,
        "Ben's sound reached the server damaged: on Ben's line packets came late or not at all.",
    );
    check(Case { down: None, ..case() }, NotAsked, "Ben's sound reached the server, and Ann's app did not ask for it.");
    let nothing_because = |why: Why| vec![(Figure::Looks, 3), (Figure::Why, why as u32)];
    check(
        Case { down: Some(&nothing_because(Why::Unanswered)), ..case() },
        Unanswered,
        "Ann's app asked for Ben's sound and did not answer the server's offer of it.",
    );
    check(
        Case { down: Some(&nothing_because(Why::NotAllowed)), ..case() },
        NotAllowed,
        "What came of Ben's sound is more than Ben's preset allows.",
    );
    check(
        Case { down: Some(&nothing_because(Why::Best)), ..case() },
        NotSent,
        "Ben's sound reached the server, which sent nothing of it to Ann.",
    );
    check(
        Case { down: Some(&lossy), ..case() },
        DamagedDownstream,
        "Ben's sound reached the server complete. On Ann's line up to 12 % of packets were lost.",
    );
    check(
        Case { said: &[Said::PlayBlocked], ..case() },
        PlayBlocked,
        "Ben's sound reached Ann: the browser says that it did not play before somebody clicked.",
    );
    check(
        Case { up: Some(&with(SPEAKS, &[(Figure::Spoken, 0)])), ..case() },
        NoVoice,
        "Ben's sound reached Ann, and there was no voice in it.",
    );
    check(case(), Arrived, "Ben's sound reached Ann. What is left is Ann's device: output, volume, a muted tab.");
}

#[test]
fn pictures_have_the_same_ladder_without_what_is_only_heard() {
    let picture = || Case { medium: Medium::Picture, ..Case::default() };
    let shown = without(&without(SPEAKS, Figure::Spoken), Figure::Level);
    assert_eq!(answer(&Case { up: Some(&shown), ..picture() }).held[0].rung, Rung::Arrived);
    let frozen = with(&shown, &[(Figure::Frozen, 1_500)]);
    assert_eq!(answer(&Case { up: Some(&shown), down: Some(&frozen), ..picture() }).held[0].rung, Rung::DamagedDownstream);
    let small = [(Figure::Looks, 3), (Figure::Why, Why::Line as u32)];
    assert_eq!(answer(&Case { up: Some(&shown), down: Some(&small), ..picture() }).held[0].rung, Rung::DamagedDownstream);
    let only_sound = record(&[(0, joined("ben")), (0, joined("ann")), (0, publishes("mic", TrackKind::Audio, false))]);
    assert_eq!(answer(&Case { events: only_sound, ..picture() }).held[0].rung, Rung::NotPublished { refused: false });
}

#[test]
fn what_is_not_known_is_not_ruled_out() {
    let unmeasured = Case::default();
    let (speaker, listener) = (peer("ben"), peer("ann"));
    let (from, to) = (Timestamp(0), Timestamp(60_000));
    let question = Question { medium: Medium::Sound, speaker: &speaker, listener: &listener, began: Timestamp(0), from, to };
    let (known, nothing) = (blocks(Role::AudioProducer, "mic", 0..4, Some(SPEAKS)), Blocks::new());
    for (upstream, downstream) in [(&nothing, &nothing), (&known, &nothing)] {
        let evidence = Evidence { events: &unmeasured.events, upstream, downstream, said: &[] };
        assert_eq!(between(&question, &evidence).held[0].rung, Rung::Unknown);
    }
}

#[test]
fn the_verdict_is_what_held_longest_and_the_others_have_their_share() {
    // Half a minute switched off by a host, then on; of the rest one bucket was lost on Ann's line.
    let host = Actor::Peer(peer("eve"));
    let on = EventBody::TrackPaused { peer: peer("ben"), track: track("mic"), paused: false, by: Actor::Peer(peer("ben")) };
    let events = both(&[(1_000, paused(host)), (31_000, on)]);
    let answer = answer(&Case { events, ..Case::default() });
    let held: Vec<_> = answer.held.iter().map(|held| (held.rung.name(), held.share)).collect();
    assert_eq!(held, [("switched_off", 0.5), ("arrived", 0.5)], "of equals the first on the ladder");
    assert_eq!((answer.held[1].from, answer.held[1].to), (Timestamp(30_000), Timestamp(60_000)));
    assert_eq!(answer.steps.len(), 4);
}

#[test]
fn coming_and_going_is_by_when_somebody_was_last_seen() {
    let lost = EventBody::PeerDisconnected { peer: peer("ben"), seen: Timestamp(16_000) };
    let left = EventBody::PeerLeft { peer: peer("ben"), left_at: Timestamp(16_000), reason: LeaveReason::Lost };
    let answer = answer(&Case { events: both(&[(40_000, lost), (70_000, left)]), ..Case::default() });
    let names: Vec<_> = answer.steps.iter().map(|(_, rung)| rung.name()).collect();
    assert_eq!(names, ["arrived", "speaker_away", "speaker_away", "speaker_away"]);
}

#[test]
fn switched_off_while_away_is_switched_off() {
    let silenced = EventBody::Silenced { peer: peer("ben"), source: Source::Microphone, by: Actor::Peer(peer("eve")) };
    let answer = answer(&Case { events: both(&[(100, silenced)]), ..Case::default() });
    assert_eq!(answer.held[0].rung, Rung::SwitchedOff(Off::Peer(peer("eve"))));
}

#[test]
fn of_two_who_came_late_the_later_one_was_away() {
    let events = [
        (
            0,
            EventBody::SessionStarted(SessionStarted {
                session: salon_core::SessionId::parse("s").expect("an id"),
                meeting: salon_core::MeetingId::parse("m").expect("an id"),
                app: salon_core::AppId::parse("a").expect("an id"),
                title: String::new(),
                keep_alive_ms: 60_000,
                started_at: Timestamp(0),
                parent: None,
            }),
        ),
        (5_200, joined("ben")),
        (5_200, publishes("mic", TrackKind::Audio, false)),
        (8_900, joined("ann")),
    ];
    let events: Vec<_> = events.into_iter().zip(1..).map(|((at, body), seq)| Event { seq, at: Timestamp(at), body }).collect();
    let (speaker, listener) = (peer("ben"), peer("ann"));
    let (from, to) = (Timestamp(0), Timestamp(15_000));
    let question = Question { medium: Medium::Sound, speaker: &speaker, listener: &listener, began: Timestamp(0), from, to };
    let blocks = Blocks::default();
    let evidence = Evidence { events: &events, upstream: &blocks, downstream: &blocks, said: &[] };
    assert_eq!(between(&question, &evidence).held[0].rung, Rung::ListenerAway);
}

/// A client that hears that a host switched its microphone off says by itself that it is off, and may publish it anew.
#[test]
fn what_a_host_switched_off_stays_the_hosts_doing_until_it_is_on_again() {
    let switched = |by: &str, on: bool| {
        let track = TrackId::parse("mic").unwrap();
        EventBody::TrackPaused { peer: peer("ben"), track, paused: !on, by: Actor::Peer(peer(by)) }
    };
    let rung = |events: &[(i64, EventBody)]| answer(&Case { events: both(events), ..Case::default() }).held[0].rung.clone();
    let host = Rung::SwitchedOff(Off::Peer(peer("eve")));
    let echo = [(100, switched("eve", false)), (150, switched("ben", false))];
    assert_eq!(rung(&echo), host);
    let itself = [(100, switched("eve", false)), (150, switched("ben", true)), (160, switched("ben", false))];
    assert_eq!(rung(&itself), Rung::SwitchedOff(Off::Itself));
    assert_eq!(rung(&[(100, switched("ben", false))]), Rung::SwitchedOff(Off::Itself));
}

#[test]
fn rungs_are_ruled_out_only_where_they_were_come_to() {
    let off = answer(&Case { events: both(&[(100, paused(Actor::Api))]), ..Case::default() });
    let standing = |answer: &Answer, names: &[&str]| names.iter().map(|name| answer.standing(name)).collect::<Vec<_>>();
    use Standing::{Held, NotKnown, RuledOut};
    let names = ["speaker_away", "switched_off", "nothing_arrives", "damaged_downstream"];
    assert_eq!(standing(&off, &names), [RuledOut, Held, NotKnown, NotKnown]);
    assert_eq!(standing(&answer(&Case::default()), &names), [RuledOut; 4]);
    let unmeasured = answer(&Case { up: None, down: None, ..Case::default() });
    // A line that was looked at, and a track that was not on it.
    assert_eq!(standing(&unmeasured, &names), [RuledOut, RuledOut, Held, NotKnown]);
}

#[test]
fn that_nothing_played_is_believed_for_a_minute() {
    let (speaker, listener) = (peer("ben"), peer("ann"));
    let (from, to) = (Timestamp(0), Timestamp(150_000));
    let question = Question { medium: Medium::Sound, speaker: &speaker, listener: &listener, began: Timestamp(0), from, to };
    let upstream = blocks(Role::AudioProducer, "mic", 0..10, Some(SPEAKS));
    let downstream = blocks(Role::AudioConsumer, "mic", 0..10, Some(SPEAKS));
    let said = [(Timestamp(20_000), Said::PlayBlocked)];
    let evidence = Evidence { events: &both(&[]), upstream: &upstream, downstream: &downstream, said: &said };
    let names: Vec<_> = between(&question, &evidence).steps.iter().map(|(_, rung)| rung.name()).collect();
    assert_eq!(names[0], "arrived", "before it was said");
    assert_eq!(names[1..6], ["play_blocked"; 5]);
    assert_eq!(names[6..], ["arrived"; 4]);
}
