//! Several threads with real sockets: people on different ones hear of each other, and nothing is left when they go.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event as PeerEvent, Input, Output, Rtc};
use tokio::sync::mpsc;

use super::super::{Sfu, StartError, now, start};
use super::someone;
use crate::limits::RESTARTS;
use crate::{Cap, CloseReason, Config, Consume, ConsumeError, Error, Event, Health, Kind, Produce, Role, TransportId};

const PATIENCE: Duration = Duration::from_secs(10);

/// A client on a socket of its own.
struct Peer {
    name: String,
    socket: UdpSocket,
    rtc: Rtc,
    connected: bool,
    closed: bool,
    /// Packets, and requests for key frames.
    received: usize,
    asked: usize,
    next: u64,
}

impl Peer {
    /// Opens a transport in room `r`.
    async fn open(sfu: &Sfu, name: &str, role: Role) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_nonblocking(true).expect("a socket that does not block");
        let mut rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).enable_vp8(true).build(now());
        let address = socket.local_addr().expect("an address");
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        let mut api = rtc.sdp_api();
        api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = api.apply().expect("an offer");
        let answer =
            sfu.open_transport(&someone(name), "r".into(), name.into(), role, offer.to_sdp_string()).await.expect("an answer");
        let mut peer = Self { name: name.into(), socket, rtc, connected: false, closed: false, received: 0, asked: 0, next: 0 };
        peer.answered(pending, &answer);
        peer
    }

    fn answered(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("good SDP");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("acceptable");
    }

    async fn publish(&mut self, sfu: &Sfu, producer: &str) -> Mid {
        let mut api = self.rtc.sdp_api();
        let mid = api.add_media(MediaKind::Video, Direction::SendOnly, Some("s".into()), Some(producer.into()), None);
        let (offer, pending) = api.apply().expect("an offer");
        let request = Produce {
            transport: self.name.as_str().into(),
            producer: producer.into(),
            goes_on: false,
            kind: Kind::Video,
            screen_share: false,
            paused: false,
            cap: Cap::default(),
            msid: format!("s {producer}"),
            mid: None,
            offer: offer.to_sdp_string(),
        };
        let answer = sfu.produce(request).await.expect("an answer");
        self.answered(pending, &answer);
        mid
    }

    async fn subscribe(&mut self, sfu: &Sfu, producer: &str) -> Result<String, ConsumeError> {
        let want = Consume { producer: producer.into(), preferred_rid: None };
        let consumed = sfu.consume(self.name.as_str().into(), vec![want]).await.expect("consumed");
        let mid = consumed.consumers[0].1.clone()?;
        let offer = SdpOffer::from_sdp_string(&consumed.offer.expect("an offer")).expect("good SDP");
        let answer = self.rtc.sdp_api().accept_offer(offer).expect("acceptable").to_sdp_string();
        sfu.accept_answer(self.name.as_str().into(), answer).await.expect("answer taken");
        Ok(mid)
    }

    fn send_picture(&mut self, mid: Mid, key: bool) {
        let n = self.next;
        self.next += 1;
        let mut payload = vec![0x90, 0xe0, 0x80 | (n >> 8) as u8 & 0x7f, n as u8, n as u8, 0x20, u8::from(!key)];
        payload.resize(300, 0);
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).expect("a stream");
        stream.write_rtp(RtpWrite::new(96.into(), n.into(), n as u32 * 3_000, now(), payload).marker(true));
    }

    /// Does what there is to do now.
    fn turn(&mut self) {
        let address = self.socket.local_addr().expect("an address");
        let mut buffer = [0; 2_000];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    if let Ok(receive) = Receive::new(Protocol::Udp, from, address, &buffer[..length]) {
                        let _ = self.rtc.handle_input(Input::Receive(now(), receive));
                    }
                    self.drain();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {}
            }
        }
        let _ = self.rtc.handle_input(Input::Timeout(now()));
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(_)) | Err(_) => return,
                Ok(Output::Transmit(transmit)) => {
                    let _ = self.socket.send_to(&transmit.contents, transmit.destination);
                }
                Ok(Output::Event(PeerEvent::Connected)) => self.connected = true,
                Ok(Output::Event(PeerEvent::RtpPacket(_))) => self.received += 1,
                Ok(Output::Event(PeerEvent::KeyframeRequest(_))) => self.asked += 1,
                Ok(Output::Event(PeerEvent::Closed)) => self.closed = true,
                Ok(Output::Event(_)) => {}
            }
        }
    }
}

/// Lets everyone go on until `done`.
fn go_on(peers: &mut [Peer], what: &str, mut done: impl FnMut(&mut [Peer]) -> bool) {
    let end = now() + PATIENCE;
    while !done(peers) {
        assert!(now() < end, "{what} did not come about");
        peers.iter_mut().for_each(Peer::turn);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The first publishes until everyone else has got some pictures.
fn watch(peers: &mut [Peer], camera: Mid) {
    let mut last = now();
    let before: Vec<usize> = peers.iter().map(|p| p.received).collect();
    go_on(peers, "a picture for everyone", |peers| {
        if last.elapsed() > Duration::from_millis(20) {
            last = now();
            let asked = std::mem::take(&mut peers[0].asked) > 0;
            peers[0].send_picture(camera, asked);
        }
        peers.iter().zip(&before).skip(1).all(|(peer, before)| peer.received > before + 5)
    });
}

fn started(single_port: bool) -> (Sfu, mpsc::Receiver<Event>) {
    let config = Config { threads: 2, room_per_thread: 1, single_port, ..Config::new(SocketAddr::from(([127, 0, 0, 1], 0))) };
    start(config).expect("started")
}

#[tokio::test]
async fn people_on_two_threads_see_each_other_and_leave_nothing() {
    let (sfu, mut events) = started(false);
    let addresses = sfu.local_addrs();
    assert_ne!(addresses[0], addresses[1]);
    let mut peers = vec![];
    for (name, role) in [("alice", Role::Send), ("bob", Role::Receive), ("carol", Role::Receive), ("dave", Role::Receive)] {
        peers.push(Peer::open(&sfu, name, role).await);
    }
    go_on(&mut peers, "a connection", |peers| peers.iter().all(|p| p.connected));
    let camera = peers[0].publish(&sfu, "camera").await;
    for peer in &mut peers[1..] {
        peer.subscribe(&sfu, "camera").await.expect("found");
        assert_eq!(peer.subscribe(&sfu, "nobody").await, Err(ConsumeError::NotFound));
    }
    watch(&mut peers, camera);
    let snapshot = sfu.snapshot().await;
    assert_eq!((snapshot.rooms, snapshot.transports, snapshot.producers, snapshot.consumers), (1, 4, 1, 3));
    assert!(snapshot.packets_crossed > 5, "{snapshot:?}");

    // Held back and let go, from the thread that the producer is on.
    sfu.pause_producer("camera".into(), true);
    sfu.pause_producer("camera".into(), false);
    watch(&mut peers, camera);

    // Names are unique over all threads.
    let taken = sfu.open_transport(&someone("dave"), "r".into(), "dave".into(), Role::Send, String::new()).await;
    assert!(matches!(taken, Err(Error::Refused(_))), "{taken:?}");
    // What is not made leaves no name behind.
    let bad = sfu.open_transport(&someone("erin"), "r".into(), "erin".into(), Role::Send, "no SDP".into()).await;
    assert!(matches!(bad, Err(Error::BadSdp(_))), "{bad:?}");

    let again = Produce {
        transport: "alice".into(),
        producer: "other".into(),
        goes_on: false,
        kind: Kind::Video,
        screen_share: false,
        paused: false,
        cap: Cap::default(),
        msid: String::new(),
        mid: None,
        offer: "no SDP".into(),
    };
    let taken = sfu.produce(Produce { producer: "camera".into(), ..again.clone() }).await;
    assert!(matches!(taken, Err(Error::Refused(_))), "{taken:?}");
    let bad = sfu.produce(again).await;
    assert!(matches!(bad, Err(Error::BadSdp(_))), "{bad:?}");
    assert_eq!(sfu.directory.producer(&"other".into()), None);

    // One leaves by itself, the rest is closed.
    peers[0].rtc.close().expect("a goodbye");
    let mut ended = None;
    go_on(&mut peers, "an end", |_| {
        while let Ok(event) = events.try_recv() {
            if let Event::TransportClosed { transport, reason } = event {
                ended = Some((transport, reason));
            }
        }
        ended.is_some()
    });
    assert_eq!(ended, Some(("alice".into(), CloseReason::ClosedByClient)));
    assert_eq!(sfu.directory.producer(&"camera".into()), None, "its producer's name went with it");
    assert_eq!(peers[1].subscribe(&sfu, "camera").await, Err(ConsumeError::NotFound));
    sfu.close_room("r".into());
    let snapshot = sfu.snapshot().await;
    assert_eq!((snapshot.rooms, snapshot.transports, snapshot.producers, snapshot.consumers), (0, 0, 0, 0));
    assert!(sfu.directory.is_empty());
    sfu.stop().await;
    assert_eq!(sfu.accept_answer("bob".into(), String::new()).await, Err(Error::Stopped));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn people_see_each_other_over_one_port_whichever_thread_their_packets_come_to() {
    let (sfu, _events) = started(true);
    let addresses = sfu.local_addrs();
    assert_eq!(addresses[0], addresses[1]);
    let mut peers = vec![Peer::open(&sfu, "alice", Role::Send).await];
    // The kernel chooses by address: with so many, some come to the wrong thread.
    for n in 0..8 {
        peers.push(Peer::open(&sfu, &format!("peer-{n}"), Role::Receive).await);
    }
    go_on(&mut peers, "a connection", |peers| peers.iter().all(|p| p.connected));
    let camera = peers[0].publish(&sfu, "camera").await;
    for peer in &mut peers[1..] {
        peer.subscribe(&sfu, "camera").await.expect("found");
    }
    watch(&mut peers, camera);
    // Another server on that port would take some of our packets.
    let other = Config { threads: 2, single_port: true, ..Config::new(addresses[0]) };
    assert!(matches!(start(other), Err(StartError::Bind(..))));
    sfu.stop().await;
    go_on(&mut peers, "a goodbye", |peers| peers.iter().all(|p| p.closed));
    assert!(sfu.directory.is_empty());
}

#[test]
fn threads_that_cannot_be_are_refused() {
    let config = |port, threads| Config { threads, ..Config::new(SocketAddr::from(([127, 0, 0, 1], port))) };
    assert!(matches!(start(config(65_535, 2)), Err(StartError::Ports(2, 65_535))));
    assert!(matches!(start(config(0, 65)), Err(StartError::Threads(65))));
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let relays = Config { relay: taken.local_addr().ok(), ..config(0, 1) };
    assert!(matches!(start(relays), Err(StartError::Relay(..))), "it is told from a media port");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_come_and_go_at_once_leave_nothing() {
    const OFFER: &str = include_str!("../../sdp/samples/chromium-send.sdp");
    let config = Config { threads: 4, room_per_thread: 2, ..Config::new(SocketAddr::from(([127, 0, 0, 1], 0))) };
    let (sfu, mut events) = start(config).expect("started");
    let heard = tokio::spawn(async move { while events.recv().await.is_some() {} });
    let mut found = 0;
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let sfu = sfu.clone();
            tokio::spawn(async move {
                let mut found = 0;
                for round in 0..40 {
                    let room = format!("room-{}", round % 3);
                    let name = |what: &str| format!("{what}-{task}-{round}");
                    for (what, role) in [("send", Role::Send), ("receive", Role::Receive)] {
                        let opened = sfu
                            .open_transport(&someone(&name(what)), room.as_str().into(), name(what).into(), role, OFFER.into())
                            .await;
                        opened.expect("a new name and room for it");
                    }
                    let request = Produce {
                        transport: name("send").into(),
                        producer: name("microphone").into(),
                        goes_on: false,
                        kind: Kind::Audio,
                        screen_share: false,
                        paused: false,
                        cap: Cap::default(),
                        msid: String::new(),
                        mid: Some("0".into()),
                        offer: OFFER.into(),
                    };
                    // Another may have closed the room meanwhile.
                    let _ = sfu.produce(request).await;
                    let others = (0..8).map(|other| format!("microphone-{other}-{round}"));
                    let wanted = others.map(|producer| Consume { producer: producer.into(), preferred_rid: None });
                    if let Ok(consumed) = sfu.consume(name("receive").into(), wanted.collect()).await {
                        found += consumed.consumers.iter().filter(|(_, mid)| mid.is_ok()).count();
                    }
                    match (task + round) % 4 {
                        0 => sfu.close_room(room.as_str().into()),
                        1 => sfu.drop_producer(name("send").into(), name("microphone").into()),
                        _ => {}
                    }
                    sfu.close_transport(name("send").into());
                    sfu.close_transport(name("receive").into());
                }
                found
            })
        })
        .collect();
    for task in tasks {
        found += task.await.expect("no panic");
    }
    assert!(found > 100, "people met: {found}");
    let snapshot = sfu.snapshot().await;
    assert_eq!((snapshot.rooms, snapshot.transports, snapshot.producers, snapshot.consumers), (0, 0, 0, 0));
    assert!(sfu.directory.is_empty());
    sfu.stop().await;
    heard.await.expect("no panic");
}

/// Those whose end was told, with why.
fn ends(events: &mut mpsc::Receiver<Event>) -> Vec<(TransportId, CloseReason)> {
    let end = |event| match event {
        Event::TransportClosed { transport, reason } => Some((transport, reason)),
        _ => None,
    };
    std::iter::from_fn(|| events.try_recv().ok()).filter_map(end).collect()
}

#[tokio::test]
async fn a_bug_that_kills_a_thread_ends_who_was_there_and_the_thread_goes_on() {
    let (sfu, mut events) = started(false);
    let mut peers = vec![];
    for (name, role) in [("alice", Role::Send), ("bob", Role::Receive)] {
        peers.push(Peer::open(&sfu, name, role).await);
    }
    let thread = |name: &str| sfu.directory.transport(&name.into()).map(|place| place.thread);
    let (home, other) = (thread("alice").expect("there"), thread("bob").expect("there"));
    assert_ne!(home, other);
    go_on(&mut peers, "a connection", |peers| peers.iter().all(|p| p.connected));
    let camera = peers[0].publish(&sfu, "camera").await;
    peers[1].subscribe(&sfu, "camera").await.expect("found");
    watch(&mut peers, camera);
    let forwarded = sfu.snapshot().await.packets_in;

    sfu.break_thread(home);
    let mut told = vec![];
    go_on(&mut peers, "the news", |_| {
        told.extend(ends(&mut events));
        !told.is_empty()
    });
    assert_eq!(told, [("alice".into(), CloseReason::Panicked)]);
    assert_eq!(sfu.health(), Health { threads: 2, ended: 0, stuck: 0, restarts: 1 });
    assert!(sfu.health().is_good());
    assert_eq!(thread("alice"), Err(Error::UnknownTransport));
    assert_eq!(peers[1].subscribe(&sfu, "camera").await, Err(ConsumeError::NotFound), "it went with its publisher");
    let snapshot = sfu.snapshot().await;
    assert_eq!((snapshot.transports, snapshot.producers, snapshot.panics), (1, 0, 1));
    assert!(snapshot.packets_in >= forwarded, "what was counted is not forgotten");

    // On both threads life goes on: Alice comes back under her old names, and Bob sees her again.
    let bob = peers.pop().expect("Bob");
    peers = vec![Peer::open(&sfu, "alice", Role::Send).await, bob];
    assert_eq!(thread("alice"), Ok(home));
    go_on(&mut peers, "a connection", |peers| peers.iter().all(|p| p.connected));
    let camera = peers[0].publish(&sfu, "camera").await;
    peers[1].subscribe(&sfu, "camera").await.expect("found");
    watch(&mut peers, camera);
    sfu.stop().await;
    assert_eq!(sfu.health(), Health { threads: 2, ended: 0, stuck: 0, restarts: 1 }, "to be stopped is no illness");
    assert!(sfu.directory.is_empty());
}

#[tokio::test]
async fn a_thread_that_keeps_breaking_ends_and_says_so() {
    let (sfu, mut events) = started(false);
    let mut peers = vec![Peer::open(&sfu, "alice", Role::Send).await];
    let home = sfu.directory.transport(&"alice".into()).expect("there").thread;
    for _ in 0..RESTARTS + 1 {
        sfu.break_thread(home);
    }
    go_on(&mut peers, "its end", |_| !sfu.health().is_good());
    assert_eq!(sfu.health(), Health { threads: 2, ended: 1, stuck: 0, restarts: RESTARTS as u64 });
    let mut told = vec![];
    go_on(&mut peers, "the news", |_| {
        told.extend(ends(&mut events));
        !told.is_empty()
    });
    assert_eq!(told, [("alice".into(), CloseReason::Panicked)]);
    // Whoever comes now gets the other thread.
    for name in ["alice", "bob", "carol"] {
        peers.push(Peer::open(&sfu, name, Role::Send).await);
        assert_eq!(sfu.directory.transport(&name.into()).map(|place| place.thread), Ok(1 - home));
    }
    go_on(&mut peers[1..], "a connection", |peers| peers.iter().all(|p| p.connected));
    sfu.stop().await;
}
