//! A meeting over several nodes, with packets: people whose sockets reached different nodes have their media there, and see and
//! hear each other; and what becomes of them when a node dies, or the way between two.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use salon_peer::reception::Reception;
use salon_peer::rtcp::{self, Heard};
use salon_peer::rtp::{self, Outgoing};
use salon_peer::sdp::{Kind, PLACEHOLDERS};
use salon_peer::{Arrived, Connection, Identity, Invite, Line, Media, Peer, Role, Track, Transport, Way};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::house::{PATIENCE, Person};
use crate::http::Call;
use crate::nodes::{Cluster, live_is, until};

/// Cameras make fewer pictures than would be too many for their preset.
const SOUND_EVERY: Duration = Duration::from_millis(20);
const PICTURE_EVERY: Duration = Duration::from_millis(40);

/// What somebody got: packets by their stream, and how long sound was on its way, by whose stream it is, in us.
#[derive(Default)]
struct Gotten {
    packets: HashMap<u32, u64>,
    ways: HashMap<u32, Vec<u64>>,
}

type Got = Arc<Mutex<Gotten>>;

/// Nanoseconds since 1970.
fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64
}

/// What goes over one connection.
enum Packets {
    Sends(Vec<Sends>),
    Gets(Box<Reception>, Got),
}

/// A microphone, or a camera that makes a key frame when it is asked for one only.
struct Sends {
    kind: Kind,
    ssrc: u32,
    mid: String,
    next: Instant,
    count: u64,
    key_frame_wanted: bool,
}

impl Packets {
    fn sends(first_ssrc: u32) -> Self {
        let sends = |(at, kind): (usize, Kind)| Sends {
            kind,
            ssrc: first_ssrc + at as u32,
            mid: (PLACEHOLDERS + at).to_string(),
            next: Instant::now(),
            count: 1,
            key_frame_wanted: false,
        };
        Self::Sends([Kind::Audio, Kind::Video].into_iter().enumerate().map(sends).collect())
    }
}

impl Role for Packets {
    type Tally = ();

    fn due(&self) -> Option<Instant> {
        match self {
            Self::Sends(streams) => streams.iter().map(|stream| stream.next).min(),
            Self::Gets(reception, _) => Some(reception.due()),
        }
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, (): &mut ()) {
        let streams = match self {
            Self::Gets(reception, _) => return reception.report(now, connection),
            Self::Sends(streams) => streams,
        };
        for stream in streams.iter_mut() {
            while stream.next <= now {
                let mut packet = Vec::with_capacity(1_200);
                let (sequence, ssrc, video) = (stream.count as u16, stream.ssrc, stream.kind == Kind::Video);
                let timestamp = (stream.count * if video { 3_600 } else { 960 }) as u32;
                let (mid, transport_sequence) = (stream.mid.as_str(), sequence);
                rtp::write_header(
                    &mut packet,
                    Outgoing { video, marker: video, sequence, timestamp, ssrc, mid, transport_sequence },
                );
                let header = packet.len();
                match video {
                    // A picture of one packet (RFC 7741): its first bit says whether it is a key frame.
                    true => packet.extend([0x10, u8::from(!std::mem::take(&mut stream.key_frame_wanted))]),
                    // When it was sent, and by whom.
                    false => packet.extend(wall().to_be_bytes().into_iter().chain(ssrc.to_be_bytes())),
                }
                packet.resize(header + if video { 1_000 } else { 80 }, 0);
                connection.send_rtp(&mut packet, header, ssrc, stream.count);
                stream.count += 1;
                stream.next += if video { PICTURE_EVERY } else { SOUND_EVERY };
            }
        }
    }

    fn take(&mut self, arrived: &Arrived, connection: &Connection, packet: &mut [u8], (): &mut ()) {
        let Self::Gets(reception, got) = self else { return };
        let Some(header) = rtp::read(packet) else { return };
        let (index, _) = reception.note(&header, arrived.felt);
        let mut got = got.lock().unwrap();
        *got.packets.entry(header.ssrc).or_default() += 1;
        if header.payload_type == rtp::OPUS
            && let Some(payload) = connection.open_rtp(packet, header.length, header.ssrc, index)
            && let (Some(sent), Some(by)) = (payload.first_chunk(), payload.get(8..12))
        {
            let way = arrived.at.saturating_sub(u64::from_be_bytes(*sent)) / 1_000;
            got.ways.entry(u32::from_be_bytes(by.try_into().unwrap())).or_default().push(way);
        }
    }

    fn hear(&mut self, now: Instant, report: &[u8], (): &mut ()) {
        match self {
            Self::Gets(reception, _) => reception.hear(now, report),
            Self::Sends(streams) => rtcp::read(report, |heard| {
                if let Heard::KeyFrameWanted(ssrc) = heard {
                    streams.iter_mut().filter(|s| s.ssrc == ssrc).for_each(|stream| stream.key_frame_wanted = true);
                }
            }),
        }
    }
}

/// Somebody whose socket reached a node.
struct Somebody {
    peer: Peer,
    receiving: Transport,
    tracks: Vec<Track>,
    got: Got,
    /// Who spoke before.
    speakers: Vec<String>,
}

/// A thread for everybody's packets.
struct Air(Media<Packets>);

impl Air {
    fn new() -> Self {
        Self(Media::start("everybody", Line::default()).unwrap())
    }

    /// Comes into the meeting through a node, with microphone and camera.
    async fn joins(&self, host: &str, person: &Person, ssrc: u32) -> Somebody {
        let Person { meeting, participant, token, .. } = person.clone();
        let peer = Peer::open(host, Invite { meeting, participant, token }).await.unwrap();
        let receiving = self.receives(&peer).await;
        let speakers = peer.enter().await.unwrap().speakers;
        let (receiving, got) = receiving;
        let tracks = self.publishes(&peer, ssrc).await;
        Somebody { peer, receiving, tracks, got, speakers }
    }

    async fn receives(&self, peer: &Peer) -> (Transport, Got) {
        let (receiving, connection) = peer.connect(&Identity::new().unwrap(), Way::Receiving).await.unwrap();
        let got = Got::default();
        let reception = Box::new(Reception::new(Instant::now(), 7));
        self.0.carry(connection, Packets::Gets(reception, got.clone())).unwrap().await.unwrap();
        (receiving, got)
    }

    async fn publishes(&self, peer: &Peer, ssrc: u32) -> Vec<Track> {
        let (sending, connection) = peer.connect(&Identity::new().unwrap(), Way::Sending).await.unwrap();
        let connected = self.0.carry(connection, Packets::sends(ssrc)).unwrap();
        let tracks = peer.publish(&sending, &[Kind::Audio, Kind::Video]).await.unwrap();
        connected.await.unwrap();
        tracks
    }
}

impl Somebody {
    async fn takes(&self, other: &Self) {
        self.peer.take(&self.receiving, &other.tracks).await.unwrap();
    }

    /// Waits until packets of so many streams have come, more and more.
    async fn sees_and_hears(&self, streams: usize) {
        let before = self.got.lock().unwrap().packets.clone();
        let began = Instant::now();
        loop {
            let got = self.got.lock().unwrap().packets.clone();
            let flowing = got.iter().filter(|(ssrc, count)| **count >= before.get(*ssrc).copied().unwrap_or(0) + 50);
            let flowing = flowing.count();
            if flowing >= streams {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{flowing} of {streams} streams come: {got:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Somebody {
    /// How long the sound with this number was on its way here: half of it at most so long, and all but one in a hundred, in us.
    fn ways_of(&self, ssrc: u32) -> (u64, u64) {
        let mut ways = self.got.lock().unwrap().ways.get(&ssrc).cloned().unwrap_or_default();
        ways.sort_unstable();
        (ways[ways.len() / 2], ways[ways.len() * 99 / 100])
    }
}

/// What a node has counted.
async fn counted(cluster: &Cluster, at: usize, name: &str) -> f64 {
    let call = Call::new(cluster.node(at).address.parse().unwrap(), "GET", "/metrics");
    let said = call.header("authorization", "Bearer dev-token").send().await;
    let text = String::from_utf8_lossy(&said.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("salon_{name} ")));
    line.unwrap_or_else(|| panic!("{name}: {} {text}", said.status)).parse().unwrap()
}

async fn becomes(cluster: &Cluster, at: usize, name: &str, wanted: impl Fn(f64) -> bool) {
    let began = Instant::now();
    loop {
        let is = counted(cluster, at, name).await;
        if wanted(is) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{name} of node {at} is {is}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn spread(count: usize) -> Option<Cluster> {
    Cluster::with(count, vec!["cluster.spread=true".to_owned()], false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_and_hear_each_other_whichever_nodes_have_their_media() {
    let Some(cluster) = spread(3).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let (air, address) = (Air::new(), |at: usize| cluster.node(at).address.clone());
    let person = async |name: &str| cluster.node(0).guest(&meeting, name).await;
    let alice = air.joins(&address(0), &person("Alice").await, 100).await;
    let bob = air.joins(&address(1), &person("Bob").await, 200).await;
    let cleo = air.joins(&address(2), &person("Cleo").await, 300).await;
    let dan = air.joins(&address(2), &person("Dan").await, 400).await;
    // Two connections each, where their sockets came.
    for (at, connections) in [(0, 2.0), (1, 2.0), (2, 4.0)] {
        assert_eq!(counted(&cluster, at, "media_connected_transports").await, connections, "node {at}");
    }
    let everybody = [&alice, &bob, &cleo, &dan];
    for one in everybody {
        for other in everybody.iter().filter(|other| other.peer.id() != one.peer.id()) {
            one.takes(other).await;
        }
    }
    for one in everybody {
        one.sees_and_hears(6).await;
    }
    // What two people at one node get of somebody at another goes there once: each of these nodes has two or three people's
    // tracks to send to two nodes, and nothing is lost on loopback.
    let at_once = [counted(&cluster, 2, "relay_packets_in_total").await, counted(&cluster, 2, "media_packets_out_total").await];
    tokio::time::sleep(Duration::from_secs(1)).await;
    let passed = [counted(&cluster, 2, "relay_packets_in_total").await, counted(&cluster, 2, "media_packets_out_total").await];
    let (came, left) = (passed[0] - at_once[0], passed[1] - at_once[1]);
    println!("in a second {came} packets came to node 2, and {left} left it");
    // Four tracks come, of Alice and Bob; twelve leave, to Cleo and Dan.
    assert!((2.7..3.3).contains(&(left / came)), "{came} came and {left} left");
    for (at, watched, shown) in [(0, 6.0, 4.0), (1, 6.0, 4.0), (2, 4.0, 8.0)] {
        assert_eq!(counted(&cluster, at, "relay_watched").await, watched, "node {at}");
        assert_eq!(counted(&cluster, at, "relay_shown").await, shown, "node {at}");
        assert_eq!(counted(&cluster, at, "relay_lost_total").await, 0.0, "node {at}");
    }
    let [here, there] = [400, 100].map(|ssrc| cleo.ways_of(ssrc));
    println!("sound of the same node is {here:?} us on its way to Cleo, half and 99 %; of another node {there:?} us");
    // Whoever is heard at another node is known to speak where the session is.
    let erin = air.joins(&address(0), &person("Erin").await, 500).await;
    assert!(erin.speakers.iter().any(|speaker| speaker == bob.peer.id()), "{:?}", erin.speakers);
    // How their calls are is known there, too.
    let live = cluster.node(0).live(&meeting).await.unwrap()["id"].as_str().unwrap().to_owned();
    let began = Instant::now();
    loop {
        let path = format!("/sessions/{live}/peers/{}/quality", cleo.peer.id());
        let (_, told) = cluster.node(0).ask("GET", &path, Value::Null).await;
        if told["data"]["receiving"].as_array().is_some_and(|tracks| tracks.len() >= 6) {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{told}");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    // Who leaves takes their media along.
    drop((dan, cleo));
    becomes(&cluster, 2, "media_transports", |count| count == 0.0).await;
    becomes(&cluster, 2, "relay_watched", |count| count == 0.0).await;
    alice.sees_and_hears(2).await;
    bob.sees_and_hears(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_node_with_some_peoples_media_is_killed_the_others_go_on_and_they_come_back_through_another() {
    let Some(mut cluster) = spread(3).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let person = cluster.node(0).guest(&meeting, "Bob").await;
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let cleo = air.joins(&cluster.node(2).address, &cluster.node(0).guest(&meeting, "Cleo").await, 300).await;
    let bob = air.joins(&cluster.node(1).address, &person, 200).await;
    for (one, other) in [(&alice, &bob), (&cleo, &bob), (&alice, &cleo), (&cleo, &alice)] {
        one.takes(other).await;
    }
    alice.sees_and_hears(4).await;
    cleo.sees_and_hears(4).await;
    cluster.kill(1);
    alice.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    drop(bob);
    let bob = air.joins(&cluster.node(2).address, &person, 600).await;
    bob.takes(&alice).await;
    bob.sees_and_hears(2).await;
    alice.takes(&bob).await;
    cleo.takes(&bob).await;
    alice.sees_and_hears(4).await;
    cleo.sees_and_hears(4).await;
    until(&cluster, &[0, 2], &meeting, &mut (0.0, 0), live_is(3)).await;
    becomes(&cluster, 0, "relay_links", |count| count == 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_node_with_the_session_is_killed_nothing_is_left_of_its_people_elsewhere_and_they_meet_again() {
    let Some(mut cluster) = spread(3).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let people = [cluster.node(0).guest(&meeting, "Bob").await, cluster.node(0).guest(&meeting, "Cleo").await];
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &people[0], 200).await;
    let cleo = air.joins(&cluster.node(2).address, &people[1], 300).await;
    bob.takes(&cleo).await;
    cleo.takes(&bob).await;
    bob.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    cluster.kill(0);
    for at in [1, 2] {
        becomes(&cluster, at, "media_transports", |count| count == 0.0).await;
    }
    drop((alice, bob, cleo));
    let mut told = (0.0, 0);
    until(&cluster, &[1, 2], &meeting, &mut told, |_| true).await;
    let bob = air.joins(&cluster.node(1).address, &people[0], 600).await;
    let cleo = air.joins(&cluster.node(2).address, &people[1], 700).await;
    bob.takes(&cleo).await;
    cleo.takes(&bob).await;
    bob.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    until(&cluster, &[1, 2], &meeting, &mut told, live_is(2)).await;
    for at in [1, 2] {
        assert_eq!(counted(&cluster, at, "media_connected_transports").await, 2.0, "node {at}");
    }
}

/// A port in front of a node's port for nodes, which can be closed.
struct Gate {
    address: String,
    /// The connections that are open, in the order they came; none when it is closed.
    open: Arc<Mutex<Option<Vec<CancellationToken>>>>,
}

impl Gate {
    async fn before(node: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = Arc::new(Mutex::new(Some(Vec::new())));
        let passing = open.clone();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (node, ends) = (node.clone(), CancellationToken::new());
                match passing.lock().unwrap().as_mut() {
                    Some(open) => open.push(ends.clone()),
                    None => continue,
                }
                tokio::spawn(ends.run_until_cancelled_owned(async move {
                    let Ok(mut far) = TcpStream::connect(node).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }));
            }
        });
        Self { address, open }
    }

    /// Cuts so many of the connections that came last, and lets no more through.
    fn close(&self, last: usize) {
        let open = self.open.lock().unwrap().take().expect("it is open");
        open.iter().rev().take(last).for_each(CancellationToken::cancel);
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_way_between_two_nodes_is_lost_people_have_their_media_at_the_node_of_the_session() {
    let Some(mut cluster) = spread(1).await else { return };
    // The node with the session reaches the other one through a gate; the other way is open, so sockets live on.
    let listen = format!("127.0.0.1:{}", free_port());
    let gate = Gate::before(listen.clone()).await;
    cluster.add(vec![format!("cluster.listen={listen}"), format!("cluster.advertise={}", gate.address)]);
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    alice.takes(&bob).await;
    bob.takes(&alice).await;
    alice.sees_and_hears(2).await;
    bob.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 2.0);
    gate.close(usize::MAX);
    // What was there is closed, so that clients notice.
    becomes(&cluster, 1, "media_transports", |count| count == 0.0).await;
    let (receiving, got) = air.receives(&bob.peer).await;
    let tracks = air.publishes(&bob.peer, 600).await;
    let bob = Somebody { receiving, got, tracks, ..bob };
    bob.takes(&alice).await;
    alice.takes(&bob).await;
    bob.sees_and_hears(2).await;
    alice.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 0, "media_connected_transports").await, 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_get_what_comes_in_at_a_third_node_any_more_gets_it_at_the_node_of_the_session() {
    let Some(mut cluster) = spread(1).await else { return };
    let listen = format!("127.0.0.1:{}", free_port());
    let gate = Gate::before(listen.clone()).await;
    cluster.add(vec![format!("cluster.listen={listen}"), format!("cluster.advertise={}", gate.address)]);
    cluster.add(Vec::new());
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    let cleo = air.joins(&cluster.node(2).address, &cluster.node(0).guest(&meeting, "Cleo").await, 300).await;
    alice.takes(&bob).await;
    alice.takes(&cleo).await;
    alice.sees_and_hears(4).await;
    cleo.takes(&bob).await;
    cleo.sees_and_hears(2).await;
    // The way of Cleo's node to Bob's.
    gate.close(1);
    becomes(&cluster, 2, "media_transports", |count| count == 1.0).await;
    let (receiving, got) = air.receives(&cleo.peer).await;
    let cleo = Somebody { receiving, got, ..cleo };
    cleo.takes(&bob).await;
    cleo.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 0, "media_connected_transports").await, 3.0);
    // Nobody else noticed.
    alice.sees_and_hears(4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_for_a_moment_costs_nobody_a_connection() {
    let Some(cluster) = spread(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    alice.takes(&bob).await;
    bob.takes(&alice).await;
    alice.sees_and_hears(2).await;
    cluster.node(1).stop();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    cluster.node(1).go_on();
    alice.sees_and_hears(2).await;
    bob.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_either_node_becomes_another_program_people_make_new_connections_and_meet_again() {
    let Some(cluster) = spread(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let person = cluster.node(0).guest(&meeting, "Bob").await;
    let mut bob = air.joins(&cluster.node(1).address, &person, 200).await;
    for at in [0, 1] {
        alice.takes(&bob).await;
        bob.takes(&alice).await;
        alice.sees_and_hears(2).await;
        bob.sees_and_hears(2).await;
        assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 2.0);
        cluster.node(at).upgrade();
        becomes(&cluster, 1, "media_transports", |count| count == 0.0).await;
        // A node that was lost gets nobody's media for a while, and then again.
        let began = Instant::now();
        while counted(&cluster, 1, "media_connected_transports").await < 2.0 {
            assert!(began.elapsed() < PATIENCE, "nobody's media are at node 1 any more");
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(bob);
            bob = air.joins(&cluster.node(1).address, &person, 600).await;
        }
        until(&cluster, &[0, 1], &meeting, &mut (0.0, 0), live_is(2)).await;
    }
    alice.takes(&bob).await;
    alice.sees_and_hears(2).await;
}

/// Nodes that are not set so are as they were, also beside one that is.
#[tokio::test(flavor = "multi_thread")]
async fn where_it_is_not_wanted_everybodys_media_are_at_the_node_of_the_session() {
    let Some(mut cluster) = Cluster::of(1).await else { return };
    cluster.add(vec!["cluster.spread=true".to_owned()]);
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    alice.takes(&bob).await;
    alice.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 0, "media_connected_transports").await, 4.0);
    // And the other way around.
    let other = cluster.node(1).meeting(60).await;
    let cleo = air.joins(&cluster.node(1).address, &cluster.node(1).guest(&other, "Cleo").await, 300).await;
    let dan = air.joins(&cluster.node(0).address, &cluster.node(1).guest(&other, "Dan").await, 400).await;
    cleo.takes(&dan).await;
    cleo.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 4.0);
}
