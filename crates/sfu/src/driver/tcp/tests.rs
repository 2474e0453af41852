//! The media thread and real sockets: clients over TCP with str0m inside, and strangers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event as ClientEvent, Input, Output, Rtc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::lobby::Lobby;
use super::{Tcp, framing};
use crate::counters::TcpEnd;
use crate::driver::sent::SentCounts;
use crate::driver::tests::someone;
use crate::engine::Engine;
use crate::engine::address::Address;
use crate::engine::egress::outbox::Datagrams;
use crate::limits::{
    Limits, TCP_PROVEN_WITHIN, TCP_QUEUE_BYTES, TCP_QUEUE_BYTES_LONG, TCP_STALLED_FOR, TCP_SWEEP_EVERY, TCP_UNPROVEN_PER_ADDRESS,
};
use crate::{Config, Event, Role, Sfu, start};

/// Long enough for a busy machine; what is waited for comes in milliseconds.
const SOON: Duration = Duration::from_secs(20);

/// A media thread with a port for TCP.
struct Server {
    sfu: Sfu,
    events: tokio::sync::mpsc::Receiver<Event>,
    tcp: SocketAddr,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let tcp = listener.local_addr().expect("an address");
        let config = Config { tcp: vec![tcp], ..Config::new("127.0.0.1:0".parse().expect("an address")) };
        let (sfu, events) = start(config).expect("started");
        let door = sfu.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let door = door.clone();
                tokio::spawn(async move { door.adopt(stream).await });
            }
        });
        Self { sfu, events, tcp }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp).await.expect("a connection")
    }

    /// How many connections ended for this reason.
    async fn ended(&self, end: TcpEnd) -> u64 {
        self.sfu.snapshot().await.tcp_ended.into_iter().find(|(e, _)| *e == end).expect("all are there").1
    }

    /// Waits until the other side closes, and nothing comes before that.
    async fn closes(stream: &mut TcpStream) {
        let mut bytes = Vec::new();
        // A reset is as good: what was sent was not read.
        let _ = timeout(SOON, stream.read_to_end(&mut bytes)).await.expect("closed in time");
        assert_eq!(bytes, [0_u8; 0]);
    }
}

/// A client that has a TCP connection and nothing else.
struct Client {
    rtc: Rtc,
    /// The ICE name that checks are addressed to.
    server_name: String,
    stream: TcpStream,
    partial: Vec<u8>,
    connected: bool,
}

impl Client {
    /// Opens a transport and connects to it.
    async fn join(server: &Server, name: &str) -> Self {
        let stream = server.connect().await;
        let local = stream.local_addr().expect("an address");
        let mut rtc = Rtc::builder().set_rtp_mode(true).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(local, Protocol::Tcp).expect("a candidate"));
        let mut api = rtc.sdp_api();
        api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let (offer, pending) = api.apply().expect("an offer");
        let offer = offer.to_sdp_string();
        let answer =
            server.sfu.open_transport(&someone(name), "r".into(), name.into(), Role::Send, offer).await.expect("an answer");
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).expect("good SDP")).expect("acceptable");
        let server_name = answer.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).expect("a name").to_owned();
        Self { rtc, server_name, stream, partial: Vec::new(), connected: false }
    }

    /// Goes on until `done`.
    async fn run(&mut self, server: &Server, mut done: impl FnMut(&Self) -> bool) {
        let mut buffer = [0; 4_096];
        let all = async {
            while !done(self) {
                let wake = loop {
                    match self.rtc.poll_output().expect("a live client") {
                        Output::Timeout(at) => break at,
                        Output::Event(ClientEvent::Connected) => self.connected = true,
                        Output::Event(_) => {}
                        Output::Transmit(transmit) => {
                            let mut frame = Vec::new();
                            framing::append(&mut frame, &transmit.contents);
                            self.stream.write_all(&frame).await.expect("written");
                        }
                    }
                };
                let wait = wake.saturating_duration_since(Instant::now());
                if let Ok(read) = timeout(wait, self.stream.read(&mut buffer)).await {
                    let read = read.expect("readable");
                    assert_ne!(read, 0, "the server closed");
                    self.partial.extend_from_slice(&buffer[..read]);
                }
                let now = Instant::now();
                let mut rest = &self.partial[..];
                while let Some((frame, after)) = framing::split(rest).expect("short frames") {
                    let local = self.stream.local_addr().expect("an address");
                    let receive = Receive::new(Protocol::Tcp, server.tcp, local, frame).expect("a datagram");
                    self.rtc.handle_input(Input::Receive(now, receive)).expect("taken");
                    rest = after;
                }
                self.partial = rest.to_vec();
                self.rtc.handle_input(Input::Timeout(now)).expect("time");
            }
        };
        timeout(SOON, all).await.expect("done in time");
    }
}

#[tokio::test]
async fn a_client_connects_over_tcp_and_its_connection_ends_with_it() {
    let mut server = Server::start().await;
    let mut client = Client::join(&server, "t").await;
    client.run(&server, |client| client.connected).await;
    let event = timeout(SOON, server.events.recv()).await.expect("in time");
    assert_eq!(event, Some(Event::TransportConnected { transport: "t".into() }));
    let snapshot = server.sfu.snapshot().await;
    assert_eq!((snapshot.connected_transports, snapshot.tcp_connections), (1, 1));
    drop(client);
    while server.ended(TcpEnd::Left).await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.sfu.snapshot().await.tcp_connections, 0);
}

#[tokio::test]
async fn who_is_silent_or_slow_keeps_nobody_else_waiting() {
    let server = Server::start().await;
    let mut waiting = Vec::new();
    for n in 0..100 {
        let mut stream = server.connect().await;
        // Some say a part of a frame.
        stream.write_all(&[0, 100, 0][..n % 4]).await.expect("written");
        waiting.push(stream);
    }
    let mut client = Client::join(&server, "t").await;
    client.run(&server, |client| client.connected).await;
    assert_eq!(server.sfu.snapshot().await.tcp_connections, 1, "the others cost the thread nothing");
}

#[tokio::test]
async fn what_is_no_check_closes_the_connection_without_an_answer() {
    let server = Server::start().await;
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([7; 12]);
    let nameless = [&[0, 20][..], &stun].concat();
    for bytes in [&b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..], &[0x16, 3, 1, 2, 0, 1], &[0, 4, 1, 2, 3, 4], &nameless] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.expect("written");
        Server::closes(&mut stream).await;
    }
    assert_eq!(server.ended(TcpEnd::Malformed).await, 4);
    assert_eq!(server.sfu.snapshot().await.datagrams_in, 0);
}

/// A check for a name, with a password that is wrong.
fn forged(name: &str) -> Vec<u8> {
    let username = format!("{name}:me");
    let padded = username.len().next_multiple_of(4);
    let mut stun = vec![0, 1, 0, (4 + padded) as u8, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([7; 12]);
    stun.extend([0, 6, 0, username.len() as u8]);
    stun.extend(username.bytes());
    stun.resize(20 + 4 + padded, 0);
    let mut frame = Vec::new();
    framing::append(&mut frame, &stun);
    frame
}

#[tokio::test]
async fn guessing_is_cut_short_and_gets_no_answer() {
    let server = Server::start().await;
    let mut client = Client::join(&server, "t").await;
    client.run(&server, |client| client.connected).await;
    let name = client.server_name.clone();
    let mut stranger = server.connect().await;
    let _ = stranger.write_all(&forged(&name).repeat(1_000)).await;
    Server::closes(&mut stranger).await;
    assert_eq!(server.ended(TcpEnd::Malformed).await, 1);
    // After a check, anything but checks is no client's either.
    let mut stranger = server.connect().await;
    stranger.write_all(&forged(&name)).await.expect("written");
    stranger.write_all(&[0, 30].iter().copied().chain([0x80; 30]).collect::<Vec<_>>()).await.expect("written");
    Server::closes(&mut stranger).await;
    assert_eq!(server.ended(TcpEnd::Malformed).await, 2);
    assert_eq!(server.sfu.snapshot().await.tcp_connections, 1, "the client is still there");
}

#[tokio::test]
async fn a_proven_client_that_sends_too_long_a_frame_is_let_go() {
    let server = Server::start().await;
    let mut client = Client::join(&server, "t").await;
    client.run(&server, |client| client.connected).await;
    client.stream.write_all(&[0xff, 0xff, 1, 2, 3]).await.expect("written");
    while server.ended(TcpEnd::Malformed).await == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.sfu.snapshot().await.tcp_connections, 0);
}

#[tokio::test]
async fn a_flood_from_one_address_is_refused_past_its_bound() {
    let server = Server::start().await;
    let mut flood = Vec::new();
    for _ in 0..TCP_UNPROVEN_PER_ADDRESS {
        flood.push(server.connect().await);
    }
    // They are taken in in this order.
    let mut one_more = server.connect().await;
    Server::closes(&mut one_more).await;
    assert_eq!(server.ended(TcpEnd::TooMany).await, 1);
    // Who goes makes room.
    drop(flood);
    while server.ended(TcpEnd::Left).await < TCP_UNPROVEN_PER_ADDRESS as u64 {
        tokio::task::yield_now().await;
    }
    let mut client = Client::join(&server, "t").await;
    client.run(&server, |client| client.connected).await;
}

/// One connection without the thread around it, so that time can be told.
struct Line {
    poll: mio::Poll,
    tcp: Tcp,
    engine: Engine,
    lobby: Arc<Lobby>,
    client: TcpStream,
    now: Instant,
    sent: SentCounts,
}

impl Line {
    async fn open() -> Self {
        let poll = mio::Poll::new().expect("a poll");
        let lobby = Arc::new(Lobby::new(100));
        let mut tcp = Tcp::new(poll.registry().try_clone().expect("a registry"), lobby.clone(), mio::Token(5));
        let now = Instant::now();
        let mut engine = Engine::new(now, SystemTime::UNIX_EPOCH, vec![], Limits::default(), None, None).expect("a certificate");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut client = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("a connection");
        client.write_all(&forged("nobody")).await.expect("written");
        let (stream, _) = listener.accept().await.expect("a connection");
        let newcomer = lobby.clone().receive(stream).await.expect("a check");
        tcp.adopt(now, newcomer, &mut engine);
        Self { poll, tcp, engine, lobby, client, now, sent: SentCounts::default() }
    }

    /// Sends some packets at once, all of one length and each filled with its number.
    fn send(&mut self, numbers: std::ops::Range<u8>, each: usize) {
        let to = self.client.local_addr().expect("an address");
        let bytes: Vec<u8> = numbers.flat_map(|n| vec![n; each]).collect();
        self.tcp.send(to, Datagrams { to: Address::Tcp(to), bytes: &bytes, each }, &mut self.sent);
    }

    fn queued(&self) -> usize {
        self.tcp.connections.values().map(|connection| connection.queue.len()).sum()
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.tcp.sweep(self.now, &mut self.engine);
    }

    fn ended(&self) -> Vec<TcpEnd> {
        let mut snapshot = crate::Snapshot::default();
        self.lobby.describe(&mut snapshot);
        snapshot.tcp_ended.into_iter().filter(|(_, count)| *count > 0).map(|(end, _)| end).collect()
    }
}

#[tokio::test]
async fn who_does_not_read_misses_video_first_and_is_let_go_in_the_end() {
    let mut line = Line::open().await;
    while line.sent.full == 0 {
        line.send(0..20, 1_200);
        assert!(line.sent.datagrams < 100_000, "the queue has a bound");
    }
    assert!(line.queued() <= TCP_QUEUE_BYTES_LONG);
    // The rest is on its way: without a bound the kernel takes some 4 MB, which is a minute of a slow line.
    assert!(line.sent.bytes < 1_000_000, "{} bytes wait where none can be dropped", line.sent.bytes);
    let (video, before) = (line.sent.full, line.sent.datagrams);
    line.send(0..50, 100);
    assert_eq!((line.sent.full, line.sent.datagrams), (video, before + 50), "sound still fits");
    for _ in 0..100 {
        line.send(0..50, 100);
    }
    assert!(line.sent.full > video, "but not for ever");
    assert!(line.queued() <= TCP_QUEUE_BYTES);
    line.passes(TCP_SWEEP_EVERY);
    assert_eq!(line.ended(), []);
    line.passes(TCP_STALLED_FOR);
    assert_eq!(line.ended(), [TcpEnd::Stalled]);
    assert_eq!(line.tcp.next_timeout(), None, "nothing is left to look after");
    let failed = line.sent.failed;
    line.send(0..3, 100);
    assert_eq!(line.sent.failed, failed + 3);
}

#[tokio::test]
async fn what_was_taken_arrives_whole_and_in_order() {
    let mut line = Line::open().await;
    let mut expected = Vec::new();
    for round in 0..2_000_usize {
        let first = (round % 200) as u8;
        let each = if round % 3 == 0 { 80 } else { 1_100 };
        let before = line.sent.datagrams;
        line.send(first..first + 10, each);
        let taken = line.sent.datagrams - before;
        // Of packets that leave together, the first are taken.
        expected.extend((0..taken as u8).map(|n| (first + n, each)));
    }
    assert!(line.sent.full > 0, "some had no room");
    let mut stream = Vec::new();
    let mut events = mio::Events::with_capacity(8);
    while line.queued() > 0 {
        let mut buffer = vec![0; 10_000];
        let read = timeout(SOON, line.client.read(&mut buffer)).await.expect("in time").expect("readable");
        stream.extend_from_slice(&buffer[..read]);
        line.poll.poll(&mut events, Some(Duration::ZERO)).expect("polled");
        for event in &events {
            line.tcp.hear(event);
        }
    }
    drop(line.tcp);
    timeout(SOON, line.client.read_to_end(&mut stream)).await.expect("in time").expect("closed");
    let mut rest = &stream[..];
    let mut came = Vec::new();
    while let Some((frame, after)) = framing::split(rest).expect("short frames") {
        assert!(frame.iter().all(|byte| *byte == frame[0]), "frames are whole");
        came.push((frame[0], frame.len()));
        rest = after;
    }
    assert_eq!(rest, [0_u8; 0]);
    assert_eq!(came, expected);
}

#[tokio::test]
async fn who_proves_nothing_in_time_is_let_go() {
    let mut line = Line::open().await;
    line.passes(TCP_PROVEN_WITHIN - TCP_SWEEP_EVERY);
    assert_eq!(line.ended(), []);
    line.passes(TCP_SWEEP_EVERY);
    assert_eq!(line.ended(), [TcpEnd::Unproven]);
    Server::closes(&mut line.client).await;
}
