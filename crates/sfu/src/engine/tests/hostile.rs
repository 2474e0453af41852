//! Strangers, garbage and broken descriptions: errors and counted drops, never a panic.

use str0m::change::SdpOffer;

use super::bench::{Bench, Way};
use crate::counters::DropReason;
use crate::engine::address::Address;
use crate::{Consume, Kind, Produce, Role};

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
    bench.loses = Box::new(move |_, _, way, bytes| {
        if way == Way::Up && tap.borrow().len() < 200 {
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
                kind: Kind::Video,
                screen_share: false,
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
