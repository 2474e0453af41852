//! The pieces that packets pass, each ready to be done again and again: for `benches/pieces.rs`, which counts what one costs.
//! Invariant: a piece does the same each time, and the same on each run, so that its instructions can be held to a number.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_srtp::Slot;
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};
use str0m::media::Mid;

use super::bench::{Bench, Way};
use crate::engine::Output;
use crate::engine::address::Address;
use crate::engine::allocation::{Weight, Wish, allocate};
use crate::engine::congestion::{Congestion, arrivals};
use crate::engine::consumer::{Consumer, Verdict};
use crate::engine::demux::{self, Demux};
use crate::engine::egress::outbox::Datagrams;
use crate::engine::egress::{Egress, ExtensionIds, Stream, feedback};
use crate::engine::intake::{Intake, Rates};
use crate::engine::key::{Key, ProducerKey};
use crate::engine::layers::{Candidate, Rank};
use crate::engine::lines::Sending;
use crate::engine::packet::{Numbers, Packet};
use crate::engine::payload::ids::ALL_LAYERS;
use crate::engine::payload::pictures::Pictures;
use crate::engine::payload::vp8;
use crate::engine::words::{LineWords, StreamWords};
use crate::limits::Limits;
use crate::{Kind, Role};

/// One of them, with what it needs.
pub type Piece = Box<dyn FnMut()>;
/// How one is made, by its name.
pub type Named = (&'static str, fn() -> Piece);

/// Those whose instructions are counted: they need no handshake, so they cost the same on each run.
pub const COUNTED: [Named; 11] = [
    ("admit a packet", admit),
    ("find by address", find_by_address),
    ("find by name", find_by_name),
    ("parse VP8", parse_vp8),
    ("forward", forward),
    ("write and seal 100 bytes", || seal(100)),
    ("write and seal 1200 bytes", || seal(1_200)),
    ("read feedback", read_feedback),
    ("read arrivals of 50", read_arrivals),
    ("judge arrivals of 50", judge_arrivals),
    ("allocate 12 pictures", allocate_pictures),
];

/// What one packet of each kind of flood costs the engine, and beside it one of a call.
pub const FLOODS: [Named; 7] = [
    ("a packet of a call, with 1 subscriber", || packet_of_call(1)),
    ("a packet of a call, with 11 subscribers", || packet_of_call(11)),
    ("noise from strangers", || flood(Flood::Noise)),
    ("RTP from strangers", || flood(Flood::Media)),
    ("checks for nobody", || flood(Flood::UnknownName)),
    ("checks with a wrong password", || flood(Flood::WrongPassword)),
    ("packets of a client beyond its limit", || flood(Flood::OverRate)),
];

fn packet(now: Instant, index: u64, payload: usize, key: bool) -> Packet {
    let mut bytes = vec![0x90, 0xe0, 0x80 | (index >> 8) as u8 & 0x7f, index as u8, index as u8, 0x20, u8::from(!key)];
    bytes.resize(payload, 7);
    Packet {
        at: now,
        moment: now,
        layer: 0,
        stream: 0,
        scalable: false,
        ssrc: 9,
        index,
        timestamp: index as u32 * 3_000,
        marker: true,
        descriptor: vp8::read(&bytes),
        payload: Arc::from(bytes),
        level: None,
        orientation: None,
        report: None,
    }
}

fn address(n: u16) -> Address {
    Address::Udp(SocketAddr::from(([192, 0, 2, (n >> 8) as u8], 1_000 + n)))
}

fn admit() -> Piece {
    let (rates, mut intake, mut at) = (Rates::new(&Limits::default()), Intake::default(), 0);
    let packets: Vec<Vec<u8>> =
        (0..8_u8).map(|n| [&[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, n], &[0; 1_000][..]].concat()).collect();
    Box::new(move || {
        at += 1_000_000;
        assert!(intake.admit(&rates, Role::Send, at, &packets[at as usize / 1_000_000 % 8]).is_ok());
    })
}

fn demux_of_many() -> Demux {
    let mut demux = Demux::default();
    for n in 0..1_000_u16 {
        demux.add(Key(n.into()), format!("sixteen-letter{n:02}"));
        demux.learn(address(n), Key(n.into()));
    }
    demux
}

fn find_by_address() -> Piece {
    let (demux, mut n) = (demux_of_many(), 0);
    Box::new(move || {
        n = (n + 7) % 1_000;
        assert!(demux.by_address(address(n)).is_some());
    })
}

fn check(name: &str) -> Vec<u8> {
    let mut check = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    check.extend(b"transactions");
    let username = format!("{name}:them");
    check.extend([0, 0x24, 0, 4, 1, 2, 3, 4, 0, 6, 0, username.len() as u8]);
    check.extend(username.as_bytes());
    check.resize(check.len().next_multiple_of(4), 0);
    check.extend([0, 8, 0, 20]);
    check.extend([7; 20]);
    let length = check.len() as u16 - 20;
    check[2..4].copy_from_slice(&length.to_be_bytes());
    check
}

fn find_by_name() -> Piece {
    let demux = demux_of_many();
    let checks: Vec<Vec<u8>> = (10..50).map(|n| check(&format!("sixteen-letter{n:02}"))).collect();
    let mut n = 0;
    Box::new(move || {
        n = (n + 1) % checks.len();
        let name = demux::addressee(&checks[n]).expect("a name");
        assert!(demux.by_name(name).is_some() && !demux::nominates(&checks[n]));
    })
}

fn parse_vp8() -> Piece {
    let payload = packet(Instant::now(), 300, 100, false).payload;
    let mut pictures = Pictures::default();
    let mut out = payload.to_vec();
    Box::new(move || {
        let descriptor = vp8::read(std::hint::black_box(&payload)).expect("a good payload");
        descriptor.write(&mut out, pictures.map(&descriptor));
    })
}

fn forward() -> Piece {
    let now = Instant::now();
    let line = Sending { mid: Mid::from("0"), pt: 96, ssrc: 1, rtx: Some((2, 97)), name: "x".into() };
    let mut consumer = Consumer::new(ProducerKey(1), Kind::Video, &line, None, StreamWords::default());
    consumer.choose(&[Candidate { rid: None, rank: Rank(0), alive: true, stream: 0, spatial: ALL_LAYERS }]);
    let mut packet = packet(now, 1, 100, true);
    Box::new(move || {
        packet.index += 1;
        packet.timestamp = packet.timestamp.wrapping_add(3_000);
        assert!(matches!(consumer.forward(&packet), Verdict::Send { .. }));
    })
}

fn seal(payload: usize) -> Piece {
    let now = Instant::now();
    let keys = KeyingMaterial::new(&(0..88_u8).collect::<Vec<u8>>());
    let ids = ExtensionIds { level: None, orientation: None, transport_cc: Some(3), dependency: None };
    let slot = Slot::with(keys, SrtpProfile::AEAD_AES_256_GCM);
    let mut egress = Egress::new(now, &slot, ids, ids, LineWords::default()).expect("keys");
    let mut stream = Stream::new(Kind::Video, 1, 96, None, "x".into(), StreamWords::default());
    let packet = packet(now, 1, payload, false);
    let mut numbers = Numbers { index: 1, timestamp: 0, ids: Default::default(), marker: true, empty: false };
    let mut buffer = Vec::with_capacity(2_000);
    Box::new(move || {
        buffer.clear();
        numbers.index += 1;
        egress.write(now, &mut buffer, 0, &mut stream, &packet, &numbers);
    })
}

/// A receiver report, two words of lost packets and a wish for a key frame.
fn read_feedback() -> Piece {
    let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
    bytes.extend([0x81, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0b1000_0000, 0b0000_0001, 0, 9, 0, 0]);
    bytes.extend([0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 8]);
    Box::new(move || {
        let mut wishes = 0;
        feedback::read(std::hint::black_box(&bytes), |_| wishes += 1);
        assert_eq!(wishes, 3);
    })
}

/// Fifty packets of which each tenth is missing, from `first` on.
fn report(first: u16) -> Vec<u8> {
    let mut body = first.to_be_bytes().to_vec();
    body.extend([0, 50, 0, 0, 2, 0]);
    for chunk in 0..8_u16 {
        let symbol = |n: u16| u16::from((chunk * 7 + n) % 10 != 9);
        let word = (0..7).fold(0b11, |word, n| word << 2 | symbol(n));
        body.extend(word.to_be_bytes());
    }
    body.extend([4; 50]);
    body
}

fn read_arrivals() -> Piece {
    let body = report(7);
    Box::new(move || {
        let mut came = 0;
        arrivals::read(std::hint::black_box(&body), |_, at| came += usize::from(at.is_some()));
        assert_eq!(came, 45);
    })
}

fn judge_arrivals() -> Piece {
    let mut now = Instant::now();
    let mut congestion = Congestion::new(now, 0);
    let mut first = 0_u16;
    Box::new(move || {
        for _ in 0..50 {
            now += Duration::from_millis(1);
            congestion.sent(now, 1_200);
        }
        congestion.hear(now, &report(first));
        first = first.wrapping_add(50);
    })
}

fn allocate_pictures() -> Piece {
    let layers = vec![(2, 150_000), (1, 500_000), (0, 1_500_000)];
    let weights = [Weight::Screen, Weight::Large, Weight::Small];
    let wish = |n: usize| Wish { weight: weights[n % 3], layers: layers.clone(), current: Some(1) };
    let wishes: Vec<Wish> = (0..12).map(wish).collect();
    Box::new(move || {
        assert_eq!(allocate(std::hint::black_box(6_000_000), 64_000, &wishes).layers.len(), 12);
    })
}

/// A call whose publisher's packets were caught, to be given to the engine one by one.
struct Caught {
    bench: Bench,
    /// A check of the publisher, with a transaction that it did not sign.
    forged: Vec<u8>,
    packets: std::vec::IntoIter<Vec<u8>>,
}

/// Packets that are caught: more rounds than that cannot be done.
pub const CAUGHT: usize = 4_000;

fn caught(subscribers: usize, limits: Limits) -> Caught {
    let mut bench = Bench::with_limits(limits);
    let check: std::rc::Rc<std::cell::RefCell<Vec<u8>>> = std::rc::Rc::default();
    let tap = check.clone();
    bench.loses = Box::new(move |_, who, way, bytes| {
        if who == 0 && way == Way::Up && demux::is_stun(bytes) {
            *tap.borrow_mut() = bytes.to_vec();
        }
        false
    });
    let alice = bench.join("r", Role::Send);
    let watching: Vec<usize> = (0..subscribers).map(|_| bench.join("r", Role::Receive)).collect();
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    for who in watching {
        bench.subscribe(who, &[("camera", None)]);
    }
    bench.send_video(alice, camera, None, true);
    bench.run_ms(100);
    let packets: std::rc::Rc<std::cell::RefCell<Vec<Vec<u8>>>> = std::rc::Rc::default();
    let tap = packets.clone();
    bench.loses = Box::new(move |_, who, way, bytes| {
        let media = who == alice && way == Way::Up && demux::ssrc(bytes).is_some();
        if media {
            tap.borrow_mut().push(bytes.to_vec());
        }
        media
    });
    let mut payload = vec![0x90, 0xe0, 0x80, 1, 1, 0x20, 1];
    payload.resize(1_000, 7);
    while packets.borrow().len() < CAUGHT + 10 {
        bench.send_payload(alice, camera, None, payload.clone());
        bench.run_ms(1);
    }
    let packets = packets.take().into_iter();
    let mut forged = check.take();
    forged[10] ^= 1;
    Caught { bench, forged, packets }
}

fn packet_of_call(subscribers: usize) -> Piece {
    let limits = Limits { packets_per_second: 1_000_000, bits_per_second: 10_000_000_000, ..Limits::default() };
    let Caught { mut bench, mut packets, .. } = caught(subscribers, limits);
    let from = bench.clients[0].address;
    let (mut sent, mut wanted) = (0, 0);
    Box::new(move || {
        bench.now += Duration::from_micros(100);
        let packet = packets.next().expect("no more rounds than packets were caught");
        bench.engine.handle_datagram(bench.now, from, &packet);
        bench.engine.flush(bench.now + Duration::from_millis(5), &mut |outbox| {
            sent += outbox.iter().map(Datagrams::count).sum::<usize>()
        });
        while bench.engine.poll_output().is_some() {}
        wanted += subscribers;
        assert!(sent + subscribers * 10 >= wanted, "{sent} of {wanted} left");
    })
}

#[derive(Clone, Copy)]
enum Flood {
    Noise,
    Media,
    UnknownName,
    WrongPassword,
    OverRate,
}

fn flood(kind: Flood) -> Piece {
    let limits = Limits { packets_per_second: 100, ..Limits::default() };
    let Caught { mut bench, forged: wrong, mut packets } = caught(1, limits);
    let unknown = check("nobody-of-us-has");
    let noise = vec![0xff; 200];
    let first = packets.next().expect("a packet");
    // A flood is what comes when the bounds have been reached.
    for n in 0..10_000_u32 {
        let stranger = Address::Udp(SocketAddr::from(((!n).to_be_bytes(), 9)));
        bench.engine.handle_datagram(bench.now, stranger, &unknown);
        bench.engine.handle_datagram(bench.now, stranger, &wrong);
    }
    let (mut n, client) = (0_u32, bench.clients[0].address);
    Box::new(move || {
        n += 1;
        let stranger = Address::Udp(SocketAddr::from((n.wrapping_mul(0x9e37_79b9).to_be_bytes(), 9)));
        match kind {
            Flood::Noise => bench.engine.handle_datagram(bench.now, stranger, &noise),
            Flood::Media => bench.engine.handle_datagram(bench.now, stranger, &first),
            Flood::UnknownName => bench.engine.handle_datagram(bench.now, stranger, &unknown),
            Flood::WrongPassword => bench.engine.handle_datagram(bench.now, stranger, &wrong),
            Flood::OverRate => bench.engine.handle_datagram(bench.now, client, &packets.next().expect("a packet")),
        }
        assert!(!matches!(bench.engine.poll_output(), Some(Output::Send { to, .. }) if to == stranger));
    })
}

/// What is verified although it is forged, before the bounds are reached: the dearest packets of a flood.
pub const VERIFIED: [Named; 2] = [
    ("a check for nobody, verified", || verified(Flood::UnknownName)),
    ("a check with a wrong password, verified", || verified(Flood::WrongPassword)),
];

fn verified(kind: Flood) -> Piece {
    let Caught { mut bench, forged, .. } = caught(1, Limits::default());
    let check = if matches!(kind, Flood::UnknownName) { check("nobody-of-us-has") } else { forged };
    let mut n = 0_u32;
    Box::new(move || {
        n += 1;
        // Slow enough that each is looked at.
        bench.now += Duration::from_millis(6);
        let stranger = Address::Udp(SocketAddr::from((n.wrapping_mul(0x9e37_79b9).to_be_bytes(), 9)));
        bench.engine.handle_datagram(bench.now, stranger, &check);
    })
}
