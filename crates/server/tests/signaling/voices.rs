//! Why one cannot hear another, between people whose packets are real: one is heard well, one has a line that loses packets, one
//! never asks for anything, one is silent, one sends nothing, and one is switched off.

use std::time::{Duration, Instant};

use salon_core::Timestamp;
use salon_doors::rfc3339::rfc3339;
use salon_peer::reception::Reception;
use salon_peer::rtp::{self, LEVEL_EXTENSION, Outgoing};
use salon_peer::sdp::{Kind, PLACEHOLDERS};
use salon_peer::{Arrived, Connection, Identity, Invite, Line, Media, Peer, Role, Track, Way};
use serde_json::{Value, json};

use crate::house::{House, PATIENCE, Person};
use crate::past::{call, get};

const PACKET_EVERY: Duration = Duration::from_millis(20);

/// Somebody who speaks, or hears.
enum Voice {
    Speaks(Speaker),
    Hears(Box<Reception>),
}

struct Speaker {
    ssrc: u32,
    /// How far below the loudest its packets say they are.
    level: u8,
    next: Option<Instant>,
    count: u64,
}

impl Voice {
    fn speaks(ssrc: u32, level: u8) -> Self {
        Self::Speaks(Speaker { ssrc, level, next: Some(Instant::now()), count: 1 })
    }

    fn says_nothing() -> Self {
        Self::Speaks(Speaker { ssrc: 1, level: 0, next: None, count: 1 })
    }

    fn hears() -> Self {
        Self::Hears(Box::new(Reception::new(Instant::now(), 7)))
    }
}

impl Role for Voice {
    type Tally = ();

    fn due(&self) -> Option<Instant> {
        match self {
            Self::Speaks(speaker) => speaker.next,
            Self::Hears(reception) => Some(reception.due()),
        }
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, (): &mut ()) {
        let speaker = match self {
            Self::Hears(reception) => return reception.report(now, connection),
            Self::Speaks(speaker) => speaker,
        };
        while let Some(next) = speaker.next.filter(|next| *next <= now) {
            let (count, mut packet) = (speaker.count, Vec::with_capacity(200));
            let (sequence, timestamp) = (count as u16, (count * 960) as u32);
            let mid = PLACEHOLDERS.to_string();
            let (ssrc, transport_sequence) = (speaker.ssrc, sequence);
            let of = Outgoing { video: false, marker: false, sequence, timestamp, ssrc, mid: &mid, transport_sequence };
            rtp::write_header(&mut packet, of);
            // The extension of one byte that says how loud it is (RFC 6464).
            let level = packet.windows(2).rposition(|two| two[0] == LEVEL_EXTENSION << 4 && two[1] & 0x80 != 0);
            packet[level.expect("sound says how loud it is") + 1] = 0x80 | speaker.level;
            let header = packet.len();
            packet.resize(header + 80, 0);
            connection.send_rtp(&mut packet, header, ssrc, count);
            speaker.count += 1;
            speaker.next = Some(next + PACKET_EVERY);
        }
    }

    fn take(&mut self, arrived: &Arrived, _: &Connection, packet: &mut [u8], (): &mut ()) {
        let Self::Hears(reception) = self else { return };
        if let Some(header) = rtp::read(packet) {
            reception.note(&header, arrived.felt);
        }
    }

    fn hear(&mut self, now: Instant, report: &[u8], (): &mut ()) {
        if let Self::Hears(reception) = self {
            reception.hear(now, report);
        }
    }
}

fn invite(person: &Person) -> Invite {
    Invite { meeting: person.meeting.clone(), participant: person.participant.clone(), token: person.token.clone() }
}

async fn publishes(house: &House, media: &Media<Voice>, person: &Person, voice: Voice) -> (Peer, Vec<Track>) {
    let peer = Peer::open(&house.address, invite(person)).await.unwrap();
    let (sending, connection) = peer.connect(&Identity::new().unwrap(), Way::Sending).await.unwrap();
    let connected = media.carry(connection, voice).unwrap();
    peer.enter().await.unwrap();
    let tracks = peer.publish(&sending, &[Kind::Audio]).await.unwrap();
    connected.await.unwrap();
    (peer, tracks)
}

async fn listens(house: &House, media: &Media<Voice>, person: &Person, tracks: &[Track]) -> Peer {
    let peer = Peer::open(&house.address, invite(person)).await.unwrap();
    let (receiving, connection) = peer.connect(&Identity::new().unwrap(), Way::Receiving).await.unwrap();
    let connected = media.carry(connection, Voice::hears()).unwrap();
    peer.enter().await.unwrap();
    if !tracks.is_empty() {
        peer.take(&receiving, tracks).await.unwrap();
    }
    connected.await.unwrap();
    peer
}

/// Waits until it is told why one of them cannot hear another; looks at the calls as the node does by itself.
async fn told(house: &House, session: &str, (listener, speaker): (&Peer, &Peer), from: Timestamp, expected: &str) -> Value {
    let (listener, speaker, from) = (listener.id(), speaker.id(), rfc3339(from));
    let path = format!("/sessions/{session}/between?listener={listener}&speaker={speaker}&from={from}");
    let until = Instant::now() + PATIENCE;
    loop {
        let doors = &house.doors;
        salon_quality::look(&doors.quality, &doors.media, &doors.hub, &doors.store, &doors.clock).await.unwrap();
        let verdict = get(house, &path).await["verdict"].take();
        if verdict["rung"] == expected {
            return verdict;
        }
        assert!(Instant::now() < until, "{expected} is not told but {verdict}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_several_reasons_not_to_hear_somebody_is_named() {
    let house = House::open().await;
    let meeting = house.meeting().await;
    let (clean, lossy) = (Line::default(), Line { loss: 0.12, ..Line::default() });
    let good: Media<Voice> = Media::start("good line", clean).unwrap();
    let bad: Media<Voice> = Media::start("bad line", lossy).unwrap();
    let person = async |name: &str| house.guest(&meeting, name).await;
    let ben = house.host(&meeting, "Ben").await;
    let (speaker, tracks) = publishes(&house, &good, &ben, Voice::speaks(77, 30)).await;
    let (silent, _) = publishes(&house, &good, &person("Sil").await, Voice::speaks(78, 127)).await;
    let (nothing, _) = publishes(&house, &good, &person("Nora").await, Voice::says_nothing()).await;
    let ann = listens(&house, &good, &person("Ann").await, &tracks).await;
    let cy = listens(&house, &bad, &person("Cy").await, &tracks).await;
    let dan = listens(&house, &good, &person("Dan").await, &[]).await;
    let session = house.live(&meeting).unwrap().session.to_string();
    let from = house.doors.clock.now();

    told(&house, &session, (&ann, &speaker), from, "arrived").await;
    let verdict = told(&house, &session, (&cy, &speaker), from, "damaged_downstream").await;
    let text = verdict["text"].as_str().unwrap();
    assert!(text.starts_with("Ben's sound reached the server complete. On Cy's line up to "), "{text}");
    let never = told(&house, &session, (&dan, &speaker), from, "not_asked").await;
    assert_eq!(never["text"], "Ben's sound reached the server, and Dan's app did not ask for it.");
    told(&house, &session, (&ann, &silent), from, "silent").await;
    told(&house, &session, (&ann, &nothing), from, "nothing_arrives").await;
    told(&house, &session, (&speaker, &ann), from, "not_published").await;

    let ids = json!({ "participant_ids": [ben.participant] });
    call(&house, "POST", &format!("/meetings/{meeting}/active-session/mute"), Some(ids)).await.expect(200);
    let from = house.doors.clock.now();
    let off = told(&house, &session, (&ann, &speaker), from, "switched_off").await;
    assert_eq!(off["text"], "Ben's microphone had been switched off by a call of the API.");

    let path = format!("/sessions/{session}/peers/{}/quality", speaker.id());
    let course = get(&house, &path).await;
    let spoken: f64 = course["publishing"][0]["voice"].as_array().unwrap().iter().filter_map(Value::as_f64).sum();
    assert!(spoken > 0.0, "he spoke: {course}");
    let heard = get(&house, &format!("/sessions/{session}/peers/{}/quality", ann.id())).await;
    assert!(heard["first_sound_after_ms"].as_i64().is_some_and(|ms| (0..30_000).contains(&ms)), "{heard}");
}
