//! Strangers, garbage and broken descriptions: errors and counted drops, never a panic.

use str0m::change::SdpOffer;

use super::bench::{Bench, Way};
use crate::counters::DropReason;
use crate::engine::Output;
use crate::engine::address::Address;
use crate::engine::{demux, stun};
use crate::limits::{CONTROL_PER_SECOND, DATAGRAM_BYTES, Limits, REPORTS_PER_SECOND, SSRCS_PER_TRANSPORT, VERIFIED_PER_SECOND};
use crate::{Consume, Error, Kind, Produce, Role};

/// A small fixed generator (Knuth's MMIX constants): garbage, but the same in each run.
struct Garbage(u64);

impl Garbage {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(300);
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// A few bytes changed, cut or doubled.
    fn spoil(&mut self, good: &[u8]) -> Vec<u8> {
        let mut bytes = good.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] = self.next() as u8,
                2 => bytes.insert(at, self.next() as u8),
                _ => bytes.extend_from_slice(&good[at.min(good.len())..]),
            }
        }
        bytes
    }
}

fn dropped(bench: &Bench, reason: DropReason) -> u64 {
    let drops = bench.engine.snapshot().drops;
    drops.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n)
}

#[test]
fn strangers_are_counted_and_dropped() {
    let mut bench = Bench::new();
    bench.join("r", Role::Send);
    bench.connect();
    let stranger = Address::Udp("198.51.100.9:1234".parse().expect("an address"));
    bench.engine.handle_datagram(bench.now, stranger, &[0x80; 100]);
    bench.engine.handle_datagram(bench.now, stranger, &[]);
    assert_eq!(dropped(&bench, DropReason::Stranger), 2);
    assert!(bench.engine.poll_output().is_none());
}

#[test]
fn a_stranger_with_a_known_name_but_no_password_learns_nothing() {
    let mut bench = Bench::new();
    let stun = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let tap = stun.clone();
    bench.loses = Box::new(move |_, _, way, bytes| {
        if way == Way::Up && bytes[0] == 0 {
            *tap.borrow_mut() = bytes.to_vec();
        }
        false
    });
    bench.join("r", Role::Send);
    bench.connect();
    let mut forged = stun.borrow().clone();
    // The transaction id is under the integrity check.
    forged[10] ^= 1;
    let stranger = Address::Udp("198.51.100.9:1234".parse().expect("an address"));
    bench.engine.handle_datagram(bench.now, stranger, &forged);
    assert_eq!(dropped(&bench, DropReason::RefusedStun), 1);
    bench.engine.handle_datagram(bench.now, stranger, &[0x80; 100]);
    assert_eq!(dropped(&bench, DropReason::Stranger), 1);
    assert!(bench.engine.poll_output().is_none());
}

#[test]
fn garbage_from_one_client_harms_no_other() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    let carol = bench.join("r", Role::Send);
    let kept: std::rc::Rc<std::cell::RefCell<Vec<Vec<u8>>>> = Default::default();
    let tap = kept.clone();
    bench.loses = Box::new(move |_, client, way, bytes| {
        // Its answers to our questions are no use to anyone else. Who can read the checks of others is on their way, and may
        // write from their addresses as well.
        let of_another = demux::is_stun(bytes) && client != alice;
        if way == Way::Up && stun::answers(bytes).is_none() && !of_another && tap.borrow().len() < 200 {
            tap.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let carols = bench.publish(carol, "other", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(bob, &[("other", None), ("camera", None)]);
    for _ in 0..20 {
        bench.send_video(alice, camera, None, true);
        bench.run_ms(20);
    }
    let kept = kept.borrow().clone();
    let mut garbage = Garbage(1);
    let from = bench.clients[alice].address;
    for round in 0..20_000 {
        let bytes = match round % 3 {
            0 => garbage.bytes(),
            _ => {
                let at = garbage.below(kept.len());
                garbage.spoil(&kept[at])
            }
        };
        bench.engine.handle_datagram(bench.now, from, &bytes);
    }
    bench.pump();
    assert_eq!(bench.engine.counters.panics, 0);
    assert_eq!(bench.engine.snapshot().transports, 3, "{:?}", bench.events);
    let before = bench.clients[bob].on(mids[0]).len();
    // Alice's own stream may suffer: str0m maps an SSRC to a mid before it has authenticated the packet.
    bench.send_video(carol, carols, None, true);
    bench.run_ms(100);
    assert!(bench.clients[bob].on(mids[0]).len() > before, "the call goes on");
}

#[test]
fn spoilt_descriptions_are_refused_or_understood() {
    let samples = [include_str!("../../sdp/samples/chromium-send.sdp"), include_str!("../../sdp/samples/firefox-send.sdp")];
    let mut garbage = Garbage(2);
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    bench.publish(alice, "camera", Kind::Video, &[]);
    let now = bench.now;
    let mut understood = 0;
    for round in 0..2_000 {
        let bytes = garbage.spoil(samples[round % 2].as_bytes());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let name = format!("x{round}");
        let engine = &mut bench.engine;
        let opened = engine.open_transport(now, "x".into(), name.as_str().into(), Role::Send, &text);
        if opened.is_ok() {
            understood += 1;
            let again = garbage.spoil(samples[round % 2].as_bytes());
            let again = String::from_utf8_lossy(&again).into_owned();
            let request = Produce {
                transport: name.as_str().into(),
                producer: name.as_str().into(),
                goes_on: false,
                kind: Kind::Video,
                screen_share: false,
                cap: crate::Cap::default(),
                paused: false,
                msid: "a b".into(),
                mid: Some("1".into()),
                offer: again.clone(),
            };
            let _ = engine.produce(now, request);
            let _ =
                engine.consume(now, name.as_str().into(), vec![Consume { producer: name.as_str().into(), preferred_rid: None }]);
            let _ = engine.accept_answer(now, name.as_str().into(), &again);
            let _ = engine.close_consumers(now, name.as_str().into(), vec!["c0".into(), "1".into()], &again);
            let _ =
                engine.set_layer(now, name.as_str().into(), name.as_str().into(), Some("c0".into()), "a-very-long-rid-indeed");
        }
        let _ = engine.close_consumers(now, "t1".into(), vec![], &text);
        let _ = engine.accept_answer(now, "t0".into(), &text);
        engine.close_transport(now, &name.as_str().into());
    }
    assert!(understood > 100, "spoiling is too harsh: {understood}");
    assert_eq!(bench.engine.counters.panics, 0);
    // Whatever came, the good clients can go on.
    bench.subscribe(bob, &[("camera", None)]);
    assert_eq!(bench.engine.snapshot().transports, 2);
}

#[test]
fn a_panic_ends_only_the_transport_it_was_in() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
    let carol = bench.join("r", Role::Receive);
    bench.run_ms(500);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    bench.engine.panic_in(bench.now, "t2");
    std::panic::set_hook(hook);
    bench.pump();
    assert_eq!((bench.engine.counters.panics, bench.engine.snapshot().transports), (1, 2));
    bench.send_video(alice, camera, None, true);
    bench.run_ms(100);
    assert_eq!(bench.clients[bob].on(mids[0]).len(), 1, "{carol}");
}

#[test]
fn str0m_reads_what_we_write() {
    // str0m's own parser is stricter than browsers in places; both ways of using it must work.
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let now = bench.now;
    bench.publish(alice, "camera", Kind::Video, &["f", "h", "q"]);
    bench.join("r", Role::Receive);
    let offer = bench
        .engine
        .consume(now, "t1".into(), vec![Consume { producer: "camera".into(), preferred_rid: None }])
        .expect("consumed");
    SdpOffer::from_sdp_string(&offer.offer.expect("an offer")).expect("good SDP");
}

#[test]
fn a_publisher_that_sends_too_much_is_cut_to_its_limit_and_goes_on() {
    let mut bench = Bench::with_limits(Limits { packets_per_second: 200, ..Limits::default() });
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
    bench.send_video(alice, camera, None, true);
    bench.run_ms(1_000);
    // 1,000 a second for two seconds.
    for _ in 0..2_000 {
        bench.send_payload(alice, camera, None, vec![0x10, 0x01, 0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bench.run_ms(1);
    }
    let got = bench.clients[bob].on(mids[0]).len();
    assert!((500..=620).contains(&got), "{got}: 200 at once, and 200 a second");
    assert!(dropped(&bench, DropReason::OverRate) > 1_000);
    bench.run_ms(5_000);
    let before = bench.clients[bob].on(mids[0]).len();
    for _ in 0..10 {
        bench.send_video(alice, camera, None, true);
        bench.run_ms(20);
    }
    bench.run_ms(100);
    assert!(bench.clients[bob].on(mids[0]).len() >= before + 10, "within its limit it is heard");
    assert_eq!(bench.engine.snapshot().transports, 2);
}

#[test]
fn a_flood_of_checks_costs_a_bounded_number_of_verifications() {
    let mut bench = Bench::new();
    let stun = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let tap = stun.clone();
    bench.loses = Box::new(move |_, _, way, bytes| {
        if way == Way::Up && bytes[0] == 0 {
            *tap.borrow_mut() = bytes.to_vec();
        }
        false
    });
    let alice = bench.join("r", Role::Send);
    bench.connect();
    let mut forged = stun.borrow().clone();
    forged[10] ^= 1;
    let (outputs, transports) = (bench.engine.poll_output().is_some(), bench.engine.snapshot().transports);
    assert_eq!((outputs, transports), (false, 1));
    // A known name with a wrong password, from a thousand addresses.
    for n in 0..100_000_u32 {
        let from = Address::Udp(std::net::SocketAddr::from(((0xc633_6400 + n % 1_000).to_be_bytes(), 9)));
        bench.engine.handle_datagram(bench.now, from, &forged);
    }
    let most = 2 * CONTROL_PER_SECOND;
    assert_eq!((dropped(&bench, DropReason::RefusedStun), dropped(&bench, DropReason::Unverified)), (most, 100_000 - most));
    // Names that nobody has.
    let at = forged.windows(4).position(|four| four[..2] == [0, 6]).expect("a name") + 4;
    forged[at] ^= 1;
    for n in 0..100_000_u32 {
        let from = Address::Udp(std::net::SocketAddr::from(((0xc633_6400 + n % 1_000).to_be_bytes(), 9)));
        bench.engine.handle_datagram(bench.now, from, &forged);
    }
    assert!((1..=2 * VERIFIED_PER_SECOND).contains(&dropped(&bench, DropReason::Stranger)));
    assert!(bench.engine.poll_output().is_none());
    // The client itself is still heard.
    let before = dropped(&bench, DropReason::Unverified) + dropped(&bench, DropReason::OverRate);
    bench.run_ms(20_000);
    assert_eq!(dropped(&bench, DropReason::Unverified) + dropped(&bench, DropReason::OverRate), before);
    assert!(!bench.clients[alice].closed && bench.engine.snapshot().connected_transports == 1);
}

#[test]
fn clients_of_an_earlier_run_hear_that_it_is_over_while_somebody_floods() {
    let mut before = Bench::new();
    let stun = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let tap = stun.clone();
    before.loses = Box::new(move |_, _, way, bytes| {
        if way == Way::Up && bytes[0] == 0 {
            *tap.borrow_mut() = bytes.to_vec();
        }
        false
    });
    before.join("r", Role::Send);
    before.connect();
    let check = stun.borrow().clone();
    // The same secret, and nothing else of the former run.
    let mut after = Bench::new();
    let mut forged = check.clone();
    forged[10] ^= 1;
    for _ in 0..100_000 {
        after.engine.handle_datagram(after.now, Address::Udp("198.51.100.9:1234".parse().expect("an address")), &forged);
    }
    after.engine.handle_datagram(after.now, before.clients[0].address, &check);
    assert!(matches!(after.engine.poll_output(), Some(Output::Send { to, .. }) if to == before.clients[0].address));
}

#[test]
fn reports_beyond_what_clients_send_are_not_read() {
    let mut bench = Bench::new();
    bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let from = bench.clients[bob].address;
    let before = bench.engine.counters.snapshot().drops;
    for _ in 0..20_000 {
        bench.engine.handle_datagram(bench.now, from, &[0x81; 100]);
    }
    let read =
        dropped(&bench, DropReason::Malformed) - before.iter().find(|(r, _)| *r == DropReason::Malformed).map_or(0, |d| d.1);
    assert!(read <= REPORTS_PER_SECOND && read + dropped(&bench, DropReason::OverRate) == 20_000, "{read} were opened");
    bench.engine.handle_datagram(bench.now, from, &[0x81; DATAGRAM_BYTES + 1]);
    assert_eq!(dropped(&bench, DropReason::Malformed), read + 1, "what is too long is not even that");
}

#[test]
fn a_stopped_line_without_its_mid_does_not_give_it_to_another() {
    let chromium = include_str!("../../sdp/samples/chromium-send.sdp");
    let mut bench = Bench::new();
    let now = bench.now;
    bench.engine.open_transport(now, "r".into(), "t".into(), Role::Send, chromium).expect("an answer");
    let start = chromium.find("m=video").expect("a video line");
    let (before, video) = chromium.split_at(start);
    let (video, after) = video.split_at(video[1..].find("m=").expect("another line") + 1);
    let stopped = video.replace("m=video 9", "m=video 0").replace("a=mid:1\r\n", "");
    let audio = &before[before.find("m=audio").expect("a line")..];
    let again = format!("{before}{stopped}{after}{}", audio.replace("a=mid:0", "a=mid:1"));
    let refused = bench.engine.close_producer(now, "t".into(), "none".into(), Some(&again));
    assert!(matches!(&refused, Err(Error::BadSdp(why)) if why.contains("same mid")), "{refused:?}");
    let fine = format!("{before}{stopped}{after}{}", audio.replace("a=mid:0", "a=mid:9"));
    let answer = bench.engine.close_producer(now, "t".into(), "none".into(), Some(&fine)).expect("taken").expect("an answer");
    assert_eq!(answer.matches("a=mid:1\r\n").count(), 1, "{answer}");
}

#[test]
fn thousands_of_streams_on_one_connection_are_not_taken_and_its_camera_goes_on() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
    bench.send_video(alice, camera, None, true);
    bench.run_ms(100);
    let from = bench.clients[alice].address;
    for ssrc in 0..5_000_u32 {
        let mut packet = vec![0x80, 96, 0, 1, 0, 0, 0, 0];
        packet.extend((0xabcd_0000 + ssrc).to_be_bytes());
        packet.resize(100, 0);
        bench.engine.handle_datagram(bench.now, from, &packet);
    }
    let refused = dropped(&bench, DropReason::TooManyStreams) as usize;
    assert!((5_000 - SSRCS_PER_TRANSPORT..5_000).contains(&refused), "{refused}");
    let before = bench.clients[bob].on(mids[0]).len();
    for _ in 0..10 {
        bench.send_video(alice, camera, None, true);
        bench.run_ms(20);
    }
    bench.run_ms(100);
    assert_eq!(bench.clients[bob].on(mids[0]).len(), before + 10);
}
