//! A meeting over several nodes, with packets: people whose sockets reached different nodes have their media there, and see and
//! hear each other; and what becomes of them when a node dies, or the way between two.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use salon_peer::reception::Reception;
use salon_peer::rtcp::{self, Heard};
use salon_peer::rtp::{self, Outgoing};
use salon_peer::sdp::{Kind, PLACEHOLDERS};
use salon_peer::{Arrived, Connection, Identity, Invite, Line, Media, Peer, Role, Track, Transport, Way};
use serde_json::Value;
use sqlx::Executor;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_util::sync::CancellationToken;

use crate::house::{PATIENCE, Person};
use crate::http::Call;
use crate::nodes::{Cluster, live_is, until};
use crate::ports::free_port;

/// Cameras make fewer pictures than would be too many for their preset.
const SOUND_EVERY: Duration = Duration::from_millis(20);
const PICTURE_EVERY: Duration = Duration::from_millis(40);

/// What somebody got: packets by their stream, and how long sound was on its way, by whose stream it is, in us.
#[derive(Default)]
struct Gotten {
    packets: HashMap<u32, u64>,
    /// When the last one came, and the longest time without any, by their stream.
    gaps: HashMap<u32, (Instant, Duration)>,
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
        let now = Instant::now();
        let (last, longest) = got.gaps.entry(header.ssrc).or_insert((now, Duration::ZERO));
        *longest = (*longest).max(now - std::mem::replace(last, now));
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

    /// The same of several, when they are found.
    async fn takes_soon(&self, others: &[&Self]) {
        let began = Instant::now();
        for other in others {
            while self.peer.take(&self.receiving, &other.tracks).await.is_err() {
                assert!(began.elapsed() < PATIENCE, "it does not find them");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
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
    /// From now on the longest gaps are counted anew.
    fn forgets_gaps(&self) {
        self.got.lock().unwrap().gaps.values_mut().for_each(|(_, longest)| *longest = Duration::ZERO);
    }

    /// The longest time without anything of one of the streams that came, until now.
    fn longest_gap(&self) -> Duration {
        let now = Instant::now();
        let got = self.got.lock().unwrap();
        got.gaps.values().map(|(last, longest)| (now - *last).max(*longest)).max().unwrap_or_default()
    }

    /// How much of the sound with this number came.
    fn heard(&self, ssrc: u32) -> usize {
        self.got.lock().unwrap().ways.get(&ssrc).map_or(0, Vec::len)
    }

    /// How long the sound with this number was on its way here: half of it at most so long, and all but one in a hundred, in us.
    fn ways_of(&self, ssrc: u32) -> (u64, u64) {
        let mut ways = self.got.lock().unwrap().ways.get(&ssrc).cloned().unwrap_or_default();
        ways.sort_unstable();
        (ways[ways.len() / 2], ways[ways.len() * 99 / 100])
    }
}

/// Each takes what all others publish.
async fn take_each_other(people: &[&Somebody]) {
    for (at, one) in people.iter().enumerate() {
        for (_, other) in people.iter().enumerate().filter(|(other, _)| *other != at) {
            one.takes(other).await;
        }
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
    // What was counted is a quarter of a second old.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let passed = [counted(&cluster, 2, "relay_packets_in_total").await, counted(&cluster, 2, "media_packets_out_total").await];
    let (came, left) = (passed[0] - at_once[0], passed[1] - at_once[1]);
    println!("in four seconds {came} packets came to node 2, and {left} left it");
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
async fn when_the_node_with_the_session_is_killed_media_at_other_nodes_go_on_and_are_those_of_whoever_goes_on_with_it() {
    let Some(mut cluster) = spread(0).await else { return };
    (0..3).for_each(|_| cluster.add(vec!["session.grace_secs=8".to_owned()]));
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let people = [cluster.node(0).guest(&meeting, "Bob").await, cluster.node(0).guest(&meeting, "Cleo").await];
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &people[0], 200).await;
    let cleo = air.joins(&cluster.node(2).address, &people[1], 300).await;
    take_each_other(&[&bob, &cleo]).await;
    bob.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1, 2], &meeting, &mut told, live_is(3)).await;
    [&bob, &cleo].into_iter().for_each(Somebody::forgets_gaps);
    let killed = cluster.kill(0);
    until(&cluster, &[1, 2], &meeting, &mut told, |_| true).await;
    println!("the session is told of again {} ms after its node was killed", killed.elapsed().as_millis());
    // Whoever has the session now has both's tracks, until they are given up: these clients do not come back.
    let dan = air.joins(&cluster.node(1).address, &cluster.node(1).guest(&meeting, "Dan").await, 400).await;
    dan.takes_soon(&[&bob, &cleo]).await;
    dan.sees_and_hears(4).await;
    let gaps = [&bob, &cleo].map(|one| one.longest_gap().as_millis());
    println!("{} ms after the kill Bob and Cleo had got nothing for {gaps:?} ms", killed.elapsed().as_millis());
    assert!(gaps.iter().all(|gap| *gap < 1_000), "{gaps:?}");
    // Who does not come back is out, and their media are closed.
    for (at, left) in [(1, 2.0), (2, 0.0)] {
        becomes(&cluster, at, "media_transports", |count| count == left).await;
    }
    drop((alice, bob, cleo, dan));
    let bob = air.joins(&cluster.node(1).address, &people[0], 600).await;
    let cleo = air.joins(&cluster.node(2).address, &people[1], 700).await;
    take_each_other(&[&bob, &cleo]).await;
    bob.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    until(&cluster, &[1, 2], &meeting, &mut told, live_is(2)).await;
    for at in [1, 2] {
        becomes(&cluster, at, "media_connected_transports", |count| count == 2.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_node_with_the_session_is_started_again_it_finds_what_others_have() {
    let Some(mut cluster) = spread(0).await else { return };
    cluster.add(vec![format!("cluster.listen=127.0.0.1:{}", free_port()), "session.grace_secs=30".to_owned()]);
    (0..2).for_each(|_| cluster.add(Vec::new()));
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    let cleo = air.joins(&cluster.node(2).address, &cluster.node(0).guest(&meeting, "Cleo").await, 300).await;
    take_each_other(&[&bob, &cleo]).await;
    bob.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    [&bob, &cleo].into_iter().for_each(Somebody::forgets_gaps);
    cluster.kill(0);
    cluster.start(0);
    // It knows of their tracks again, and who comes gets them.
    let dan = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Dan").await, 400).await;
    dan.takes_soon(&[&bob, &cleo]).await;
    dan.sees_and_hears(4).await;
    let gaps = [&bob, &cleo].map(|one| one.longest_gap().as_millis());
    println!("Bob and Cleo had got nothing for {gaps:?} ms");
    assert!(gaps.iter().all(|gap| *gap < 1_000), "{gaps:?}");
    for at in [0, 1, 2] {
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
        Self::at("127.0.0.1:0".parse().unwrap(), node).await
    }

    async fn at(address: SocketAddr, node: String) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
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
    take_each_other(&[&alice, &bob]).await;
    alice.sees_and_hears(2).await;
    bob.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 2.0);
    gate.close(usize::MAX);
    // What was there is closed, so that clients notice.
    becomes(&cluster, 1, "media_transports", |count| count == 0.0).await;
    let (receiving, got) = air.receives(&bob.peer).await;
    let tracks = air.publishes(&bob.peer, 600).await;
    let bob = Somebody { receiving, got, tracks, ..bob };
    take_each_other(&[&bob, &alice]).await;
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
    take_each_other(&[&alice, &bob]).await;
    alice.sees_and_hears(2).await;
    cluster.node(1).stop();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    cluster.node(1).go_on();
    alice.sees_and_hears(2).await;
    bob.sees_and_hears(2).await;
    assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_have_at_a_node_that_lost_their_session_is_that_of_whoever_goes_on_with_it() {
    let Some(mut cluster) = spread(0).await else { return };
    (0..2).for_each(|_| cluster.add(vec!["session.grace_secs=20".to_owned()]));
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let person = async |name: &str| cluster.node(0).guest(&meeting, name).await;
    let alice = air.joins(&cluster.node(0).address, &person("Alice").await, 100).await;
    let bob = air.joins(&cluster.node(0).address, &person("Bob").await, 200).await;
    let cleo = air.joins(&cluster.node(1).address, &person("Cleo").await, 300).await;
    let dan = person("Dan").await;
    let everybody = [&alice, &bob, &cleo];
    take_each_other(&everybody).await;
    for one in everybody {
        one.sees_and_hears(4).await;
    }
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(3)).await;
    cluster.node(0).stop();
    until(&cluster, &[1], &meeting, &mut told, |_| true).await;
    cluster.node(0).go_on();
    for one in everybody {
        one.sees_and_hears(4).await;
        one.forgets_gaps();
    }
    let dan = air.joins(&cluster.node(1).address, &dan, 400).await;
    dan.takes_soon(&everybody).await;
    dan.sees_and_hears(6).await;
    let gaps = everybody.map(|one| one.longest_gap().as_millis());
    println!("since the node ran again Alice, Bob and Cleo had got nothing for {gaps:?} ms");
    assert!(gaps.iter().all(|gap| *gap < 1_000), "{gaps:?}");
    for at in [0, 1] {
        assert_eq!(counted(&cluster, at, "media_connected_transports").await, 4.0, "node {at}");
    }
    until(&cluster, &[0, 1], &meeting, &mut told, |_| true).await;
}

/// For longer than nodes hold on to their sessions.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_everybody_goes_on_to_see_and_hear_the_others() {
    for spread in [false, true] {
        let settings = vec![format!("cluster.spread={spread}"), "session.grace_secs=20".to_owned()];
        let Some(cluster) = Cluster::with(2, settings, true).await else { return };
        let meeting = cluster.node(0).meeting(60).await;
        let air = Air::new();
        let dan = cluster.node(0).guest(&meeting, "Dan").await;
        let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
        let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
        take_each_other(&[&alice, &bob]).await;
        alice.sees_and_hears(2).await;
        bob.sees_and_hears(2).await;
        let mut told = (0.0, 0);
        until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
        [&alice, &bob].into_iter().for_each(Somebody::forgets_gaps);
        cluster.cut();
        tokio::time::sleep(Duration::from_secs(9)).await;
        cluster.mend();
        until(&cluster, &[0, 1], &meeting, &mut told, |_| true).await;
        // Their tracks are known again, and who comes gets them.
        let dan = air.joins(&cluster.node(1).address, &dan, 400).await;
        dan.takes_soon(&[&alice, &bob]).await;
        dan.sees_and_hears(4).await;
        let gaps = [&alice, &bob].map(|one| one.longest_gap().as_millis());
        println!("with cluster.spread={spread} Alice and Bob had got nothing for {gaps:?} ms");
        assert!(gaps.iter().all(|gap| *gap < 1_000), "{gaps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_any_node_becomes_another_program_people_notice_a_pause_and_nothing_else() {
    let Some(cluster) = spread(3).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let person = async |name: &str| cluster.node(0).guest(&meeting, name).await;
    let alice = air.joins(&cluster.node(0).address, &person("Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &person("Bob").await, 200).await;
    let cleo = air.joins(&cluster.node(2).address, &person("Cleo").await, 300).await;
    let everybody = [&alice, &bob, &cleo];
    take_each_other(&everybody).await;
    for at in [0, 1, 2, 0] {
        for one in everybody {
            one.sees_and_hears(4).await;
            one.forgets_gaps();
        }
        cluster.node(at).upgrade();
        tokio::time::sleep(Duration::from_secs(2)).await;
        for one in everybody {
            one.sees_and_hears(4).await;
        }
        let gaps = everybody.map(|one| one.longest_gap().as_millis());
        println!("node {at} became another program: Alice, Bob and Cleo got nothing of somebody for {gaps:?} ms");
        // A machine that has much else to do takes its time; clients that make new connections take longer.
        assert!(gaps.iter().all(|gap| *gap < 6_000), "{gaps:?}");
        for at in [0, 1, 2] {
            assert_eq!(counted(&cluster, at, "media_connected_transports").await, 2.0, "node {at}");
        }
    }
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1, 2], &meeting, &mut told, live_is(3)).await;
    // Who comes afterwards has their media where they came, and gets everything.
    let dan = air.joins(&cluster.node(1).address, &person("Dan").await, 400).await;
    for one in everybody {
        dan.takes(one).await;
    }
    dan.sees_and_hears(6).await;
    assert_eq!(counted(&cluster, 1, "media_connected_transports").await, 4.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_drained_gets_no_more_peoples_media_and_waits_for_those_it_has() {
    let Some(cluster) = spread(2).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    // What nodes say of it is a second old.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let (mut drain, mut said) = cluster.drains("n1");
    let left = "n1 begins no more sessions, and has 0 left; people of other nodes' sessions with their media there: 1";
    assert_eq!(said.next().unwrap(), left);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let cleo = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Cleo").await, 300).await;
    alice.takes(&bob).await;
    cleo.takes(&bob).await;
    alice.sees_and_hears(2).await;
    cleo.sees_and_hears(2).await;
    for (at, connections) in [(0, 4.0), (1, 2.0)] {
        assert_eq!(counted(&cluster, at, "media_connected_transports").await, connections, "node {at}");
    }
    drop(bob);
    assert_eq!(said.next().unwrap(), "n1 begins no more sessions, and has 0 left");
    assert!(drain.wait().unwrap().success());
}

/// A network that loses one in a hundred datagrams each way, before a node that listens on the same port of another address.
async fn lossy(node: SocketAddr, before: SocketAddr) {
    let near = Arc::new(UdpSocket::bind(before).await.unwrap());
    let mut dice = 12_345_u64;
    let mut loses = move || {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33).is_multiple_of(100)
    };
    tokio::spawn(async move {
        let mut ways: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
        let (mut there, mut back) = ([0; 2_048], loses);
        while let Ok((length, from)) = near.recv_from(&mut there).await {
            let way = match ways.get(&from) {
                Some(way) => way.clone(),
                None => {
                    let way = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
                    ways.insert(from, way.clone());
                    let (near, comes) = (near.clone(), way.clone());
                    let mut loses = back;
                    back();
                    tokio::spawn(async move {
                        let mut bytes = [0; 2_048];
                        while let Ok(length) = comes.recv(&mut bytes).await {
                            if !loses() {
                                let _ = near.send_to(&bytes[..length], from).await;
                            }
                        }
                    });
                    way.connect(node).await.unwrap();
                    way
                }
            };
            if !loses() {
                let _ = way.send(&there[..length]).await;
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_between_two_nodes_is_repaired() {
    let Some(mut cluster) = spread(1).await else { return };
    let node: SocketAddr = format!("127.0.0.1:{}", free_port()).parse().unwrap();
    let before = SocketAddr::new("127.0.0.2".parse().unwrap(), node.port());
    lossy(node, before).await;
    let gate = Gate::at(before, node.to_string()).await;
    cluster.add(vec![format!("cluster.listen={node}"), format!("cluster.advertise={}", gate.address)]);
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let mut bobs = Vec::new();
    for n in 1..=6 {
        let bob = cluster.node(0).guest(&meeting, &format!("Bob{n}")).await;
        bobs.push(air.joins(&cluster.node(1).address, &bob, 100 + 100 * n).await);
    }
    for bob in &bobs {
        alice.takes(bob).await;
    }
    alice.sees_and_hears(12).await;
    let counts = async || {
        let mut counts = Vec::new();
        for (at, name) in [(1, "packets_out"), (0, "packets_in"), (1, "resent"), (0, "repaired"), (0, "lost")] {
            counts.push(counted(&cluster, at, &format!("relay_{name}_total")).await);
        }
        counts
    };
    let first = counts().await;
    alice.forgets_gaps();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let gap = alice.longest_gap();
    let now = counts().await;
    let [out, came, resent, repaired, lost] = std::array::from_fn(|n| now[n] - first[n]);
    println!("{out} packets were sent, {came} came, {resent} were sent again, {repaired} came because of that, {lost} were lost");
    println!("Alice got nothing of somebody for {} ms at most", gap.as_millis());
    assert!(out > 2_000.0 && repaired > out * 0.004, "{out} {repaired}");
    assert!(lost <= out * 0.001, "{lost} of {out}");
}

/// Measures, with another build in `SALON_TEST_BIN`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "not a test: prints figures"]
async fn what_a_packet_costs_that_goes_to_another_node() {
    let Some(cluster) = spread(2).await else { return };
    let air = Air::new();
    for (publishers, at) in [(20, 0), (20, 1), (60, 0), (60, 1)] {
        let meeting = cluster.node(0).meeting(60).await;
        let mut sending = Vec::new();
        for n in 0..publishers {
            let person = cluster.node(0).guest(&meeting, &format!("P{n}")).await;
            sending.push(air.joins(&cluster.node(0).address, &person, 10_000 + 10 * n).await);
        }
        let guest = cluster.node(0).guest(&meeting, "Watcher").await;
        let watcher = air.joins(&cluster.node(at).address, &guest, 9_000).await;
        for one in &sending {
            watcher.takes(one).await;
        }
        watcher.sees_and_hears(2 * publishers as usize).await;
        let figures = async || {
            let mut all = vec![watcher.got.lock().unwrap().packets.values().sum::<u64>() as f64];
            for node in [0, 1] {
                for threads in ["media-relay", "media-"] {
                    all.push(cluster.node(node).worked(threads).as_secs_f64() * 1e6);
                }
            }
            all
        };
        let before = figures().await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let after = figures().await;
        let packets = after[0] - before[0];
        let each = |n: usize| (after[n] - before[n]) / packets;
        println!(
            "{publishers} publish at node 0, one gets {} packets a second at node {at}: relay and all media threads of node 0 {:.1} and {:.1} us for each, of node 1 {:.1} and {:.1}",
            (packets / 10.0).round(),
            each(1),
            each(2),
            each(3),
            each(4)
        );
        drop((sending, watcher));
        for node in [0, 1] {
            becomes(&cluster, node, "media_transports", |count| count == 0.0).await;
        }
    }
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

/// What is asked of a session that its node may not tell of is stored, and the session hears of it when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_deleted_while_nodes_cannot_renew_their_claims_is_out_when_they_can() {
    for spread in [false, true] {
        let settings = vec![format!("cluster.spread={spread}"), "session.grace_secs=20".to_owned()];
        let Some(cluster) = Cluster::with(2, settings, false).await else { return };
        let meeting = cluster.node(0).meeting(60).await;
        let air = Air::new();
        let bob = cluster.node(0).guest(&meeting, "Bob").await;
        let path = format!("/meetings/{meeting}/participants/{}", bob.participant);
        let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
        let bob = air.joins(&cluster.node(1).address, &bob, 200).await;
        take_each_other(&[&alice, &bob]).await;
        alice.sees_and_hears(2).await;
        bob.sees_and_hears(2).await;
        let mut told = (0.0, 0);
        until(&cluster, &[0, 1], &meeting, &mut told, live_is(2)).await;
        let mut held = cluster.hold_claims().await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let began = Instant::now();
        let (status, said) = cluster.node(0).ask("DELETE", &path, Value::Null).await;
        assert_eq!(status, 200, "{said}");
        tokio::time::sleep(Duration::from_secs(7).saturating_sub(began.elapsed())).await;
        held.execute("rollback").await.unwrap();
        let back = Instant::now();
        until(&cluster, &[0, 1], &meeting, &mut told, |_| true).await;
        // Alice has not come back yet, and may.
        for at in [0, 1] {
            becomes(&cluster, at, "media_transports", |count| count == if at == 0 { 2.0 } else { 0.0 }).await;
        }
        println!("with cluster.spread={spread} the media of who was deleted were closed after {:?}", back.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_have_at_a_node_that_stood_still_ends_if_their_session_did() {
    let Some(mut cluster) = spread(0).await else { return };
    (0..2).for_each(|_| cluster.add(vec!["session.grace_secs=1".to_owned(), "limits.session_keep_alive_min_secs=1".to_owned()]));
    let meeting = cluster.node(0).meeting(1).await;
    let air = Air::new();
    let alice = air.joins(&cluster.node(0).address, &cluster.node(0).guest(&meeting, "Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &cluster.node(0).guest(&meeting, "Bob").await, 200).await;
    take_each_other(&[&alice, &bob]).await;
    alice.sees_and_hears(2).await;
    cluster.node(0).stop();
    let path = format!("/meetings/{meeting}/active-session");
    let began = Instant::now();
    while cluster.node(1).ask("GET", &path, Value::Null).await.0 != 404 {
        assert!(began.elapsed() < PATIENCE, "it does not end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    cluster.node(0).go_on();
    let back = Instant::now();
    for at in [0, 1] {
        becomes(&cluster, at, "media_transports", |count| count == 0.0).await;
    }
    // What other nodes may ask for waits longer.
    println!("media of a session that ended elsewhere were closed {:?} after their node ran again", back.elapsed());
    assert!(back.elapsed() < Duration::from_secs(3));
}

/// The node that had the session holds on to it, and to what people have at others, until it cannot renew its claim for seconds.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_by_the_node_that_took_a_session_over_is_out_at_once_with_their_media_there() {
    let settings = vec!["cluster.spread=true".to_owned(), "session.grace_secs=20".to_owned()];
    let Some(cluster) = Cluster::with(2, settings, true).await else { return };
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let person = async |name: &str| cluster.node(0).guest(&meeting, name).await;
    let (eve_is, bob) = (person("Eve").await, person("Bob").await);
    let alice = air.joins(&cluster.node(0).address, &person("Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &bob, 200).await;
    let eve = air.joins(&cluster.node(1).address, &eve_is, 300).await;
    take_each_other(&[&alice, &bob, &eve]).await;
    for one in [&alice, &bob, &eve] {
        one.sees_and_hears(4).await;
    }
    let mut told = (0.0, 0);
    until(&cluster, &[0, 1], &meeting, &mut told, live_is(3)).await;
    cluster.cut_off(0);
    until(&cluster, &[1], &meeting, &mut told, live_is(0)).await;
    let kick = serde_json::json!({ "participant_ids": [eve_is.participant] });
    cluster.node(1).data("POST", &format!("/meetings/{meeting}/active-session/kick"), kick).await;
    let kicked = Instant::now();
    becomes(&cluster, 1, "media_transports", |count| count == 2.0).await;
    println!("the media of who was put out were closed after {:?}", kicked.elapsed());
    assert!(kicked.elapsed() < Duration::from_secs(2));
    bob.sees_and_hears(2).await;
    alice.sees_and_hears(2).await;
    cluster.mend();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_muted_when_their_session_was_lost_is_so_when_it_is_gone_on_with() {
    let Some(mut cluster) = spread(0).await else { return };
    (0..2).for_each(|_| cluster.add(vec!["session.grace_secs=20".to_owned()]));
    let meeting = cluster.node(0).meeting(60).await;
    let air = Air::new();
    let person = async |name: &str| cluster.node(0).guest(&meeting, name).await;
    let dan = person("Dan").await;
    let alice = air.joins(&cluster.node(0).address, &person("Alice").await, 100).await;
    let bob = air.joins(&cluster.node(1).address, &person("Bob").await, 200).await;
    take_each_other(&[&alice, &bob]).await;
    bob.sees_and_hears(2).await;
    alice.sees_and_hears(2).await;
    for (one, microphone) in [(&alice, &alice.tracks[0]), (&bob, &bob.tracks[0])] {
        one.peer.pause(microphone, true).await.unwrap();
    }
    bob.sees_and_hears(1).await;
    let heard = (bob.heard(100), alice.heard(200));
    let mut told = (0.0, 0);
    cluster.node(0).stop();
    until(&cluster, &[1], &meeting, &mut told, |_| true).await;
    cluster.node(0).go_on();
    bob.sees_and_hears(1).await;
    alice.sees_and_hears(1).await;
    let dan = air.joins(&cluster.node(1).address, &dan, 400).await;
    dan.takes_soon(&[&alice, &bob]).await;
    dan.sees_and_hears(2).await;
    assert_eq!((dan.heard(100), dan.heard(200)), (0, 0));
    assert_eq!((bob.heard(100), alice.heard(200)), heard);
}
