//! People of one room on two media threads, and one port for both.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use str0m::media::Mid;

use super::bench::{Bench, Way, assert_continuous};
use crate::counters::DropReason;
use crate::engine::address::Address;
use crate::limits::{ADDRESSES_PER_TRANSPORT, CROSSING_BACKLOG, Limits};
use crate::{Consume, ConsumeError, Event, Kind, Role};

/// Alice publishes on thread 0, Bob subscribes on thread 1.
struct Call {
    bench: Bench,
    alice: usize,
    bob: usize,
    camera: Mid,
}

fn call(rids: &[&str]) -> Call {
    let mut bench = Bench::with_threads(Limits::default(), 2, false);
    let alice = bench.join_on(0, "r", Role::Send);
    let bob = bench.join_on(1, "r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, rids);
    Call { bench, alice, bob, camera }
}

impl Call {
    /// Subscribes as the handle does: first the producer's thread shares it.
    fn watch(&mut self, rid: Option<&str>) -> Mid {
        self.bench.engine.share(&"camera".into(), &"r".into(), 1);
        self.bench.cross();
        self.bench.subscribe(self.bob, &[("camera", rid)]).0[0]
    }

    fn frames(&mut self, rids: &[Option<&str>], count: usize) {
        for _ in 0..count {
            // A key frame when asked, as browsers do.
            let asked: Vec<_> = self.bench.clients[self.alice].key_frames_asked.drain(..).map(|(_, _, rid)| rid).collect();
            for rid in rids {
                let key = asked.iter().any(|asked| asked.as_deref() == *rid);
                self.bench.send_video(self.alice, self.camera, *rid, key);
            }
            self.bench.run_ms(33);
        }
    }

    fn try_to_watch(&mut self) -> Result<String, ConsumeError> {
        let want = vec![Consume { producer: "camera".into(), preferred_rid: None }];
        self.bench.others[0].consume(self.bench.now, "t1".into(), want).expect("a transport").consumers.remove(0).1
    }

    fn mirrors(&self) -> usize {
        self.bench.others[0].mirrors()
    }
}

fn dropped(bench: &mut Bench, thread: usize, reason: DropReason) -> u64 {
    let drops = bench.thread(thread).snapshot().drops;
    drops.iter().find(|(r, _)| *r == reason).map_or(0, |(_, n)| *n)
}

#[test]
fn someone_on_another_thread_sees_and_hears() {
    let mut call = call(&[]);
    let microphone = call.bench.publish(call.alice, "microphone", Kind::Audio, &[]);
    call.bench.engine.share(&"microphone".into(), &"r".into(), 1);
    let mid = call.watch(None);
    let sound = call.bench.subscribe(call.bob, &[("microphone", None)]).0[0];
    for _ in 0..90 {
        call.bench.send_audio(call.alice, microphone, -30);
        call.frames(&[None], 1);
    }
    call.bench.run_ms(100);
    let video = call.bench.clients[call.bob].on(mid);
    assert!(video.len() >= 85, "the key frame that Bob's thread asked for came within a few pictures: {}", video.len());
    assert_continuous(&video);
    let audio = call.bench.clients[call.bob].on(sound);
    assert_eq!((audio.len(), audio[0].level), (90, Some(-30)));
    assert_continuous(&audio);
    let speaking = call.bench.events.iter().filter(|e| matches!(e, Event::AudioLevel { .. })).count();
    assert!((5..=17).contains(&speaking), "told once, by Alice's thread: {speaking}");
    let (home, other) = (call.bench.engine.snapshot(), call.bench.others[0].snapshot());
    assert_eq!((home.producers, other.producers), (2, 0), "a mirror is no second producer");
    assert_eq!((home.consumers, other.consumers), (0, 2));
    assert!(home.packets_crossed >= 175 && other.packets_in == 0, "{home:?}");
}

#[test]
fn what_is_lost_on_the_last_line_is_sent_again_from_the_mirror() {
    let mut call = call(&[]);
    let mid = call.watch(None);
    let mut n = 0;
    let bob = call.bob;
    call.bench.loses = Box::new(move |_, client, way, bytes| {
        n += u32::from(client == bob && way == Way::Down && (128..192).contains(&bytes[0]));
        client == bob && way == Way::Down && n % 10 == 9
    });
    call.frames(&[None], 150);
    call.bench.loses = Box::new(|_, _, _, _| false);
    call.frames(&[None], 20);
    let got = call.bench.clients[bob].on(mid);
    let lost = got.windows(2).filter(|two| two[1].seq != two[0].seq + 1).count();
    assert!(got.len() > 160 && lost <= 1, "{lost} gaps in {}", got.len());
    assert!(call.bench.others[0].counters.nacks_in > 5);
    assert_eq!(call.bench.engine.counters.nacks_in, 0, "Alice's thread has no part in it");
}

#[test]
fn layers_are_switched_on_another_thread_and_fall_back_when_one_dies() {
    let mut call = call(&["f", "h"]);
    let mid = call.watch(Some("h"));
    let both = [Some("h"), Some("f")];
    call.frames(&both, 30);
    let layers = |call: &Call| call.bench.clients[call.bob].on(mid).iter().map(|r| r.layer).collect::<Vec<_>>();
    assert!(layers(&call).iter().all(|l| *l == b'h'));
    call.bench.others[0].set_layer(call.bench.now, "t1".into(), "camera".into(), None, "f").expect("a layer");
    call.frames(&both, 40);
    assert_eq!(layers(&call).last(), Some(&b'f'));
    // The browser stops its large layer.
    call.frames(&[Some("h")], 80);
    assert_eq!(layers(&call).last(), Some(&b'h'));
    assert_continuous(&call.bench.clients[call.bob].on(mid));
}

#[test]
fn a_mirror_that_began_late_gets_the_layers_in_its_own_order() {
    let mut call = call(&["q", "h", "f"]);
    call.frames(&[Some("q"), Some("h"), Some("f")], 5);
    let mid = call.watch(Some("h"));
    // Here the largest is seen first.
    call.frames(&[Some("f"), Some("h"), Some("q")], 60);
    let got = call.bench.clients[call.bob].on(mid);
    assert!(got.len() > 50 && got.iter().all(|r| r.layer == b'h'), "{got:?}");
}

#[test]
fn a_screen_that_stands_still_is_asked_for_at_once() {
    let mut call = call(&["f", "h"]);
    call.frames(&[Some("h"), Some("f")], 3);
    call.bench.run_ms(200);
    call.watch(Some("h"));
    call.bench.run_ms(30);
    let asked: Vec<_> = call.bench.clients[call.alice].key_frames_asked.iter().map(|(_, _, rid)| *rid).collect();
    assert_eq!(asked, [Some("h".into())], "no packet had crossed");
}

#[test]
fn a_producer_that_pauses_and_ends_does_so_everywhere() {
    let mut call = call(&[]);
    let mid = call.watch(None);
    call.frames(&[None], 20);
    let got = |call: &Call| call.bench.clients[call.bob].on(mid).len();
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), true);
    call.bench.run_ms(50);
    let before = got(&call);
    call.frames(&[None], 20);
    assert_eq!(got(&call), before);
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), false);
    call.frames(&[None], 30);
    assert!(got(&call) > before + 20, "a key frame was asked for after the pause");
    call.bench.engine.close_producer(call.bench.now, "t0".into(), "camera".into(), None).expect("closed");
    call.bench.pump();
    assert_eq!((call.mirrors(), call.bench.others[0].snapshot().consumers), (0, 0));
    assert_eq!(call.try_to_watch(), Err(ConsumeError::NotFound));
}

#[test]
fn one_that_begins_paused_is_paused_on_the_other_thread() {
    let mut call = call(&[]);
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), true);
    let mid = call.watch(None);
    call.frames(&[None], 10);
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), false);
    call.frames(&[None], 30);
    assert!(call.bench.clients[call.bob].on(mid).len() > 20);
}

#[test]
fn who_leaves_takes_its_mirrors_along() {
    let mut call = call(&[]);
    call.watch(None);
    call.bench.engine.close_transport(call.bench.now, &"t0".into());
    call.bench.pump();
    assert_eq!(call.mirrors(), 0);
    call.bench.others[0].close_transport(call.bench.now, &"t1".into());
    call.bench.pump();
    assert!(call.bench.engine.is_empty() && call.bench.others[0].is_empty());
}

#[test]
fn a_producer_that_ends_before_it_is_asked_for_is_not_found() {
    let mut call = call(&[]);
    call.bench.engine.share(&"camera".into(), &"r".into(), 1);
    // On the way: it began, and it ended.
    call.bench.engine.close_producer(call.bench.now, "t0".into(), "camera".into(), None).expect("closed");
    call.bench.cross();
    assert_eq!(call.try_to_watch(), Err(ConsumeError::NotFound));
    // Someone publishes under that name on the other thread, before news come that the mirror has ended.
    let carol = call.bench.join_on(1, "r", Role::Send);
    call.bench.connect();
    call.bench.publish(call.alice, "screen", Kind::Video, &[]);
    call.bench.engine.share(&"screen".into(), &"r".into(), 1);
    call.bench.cross();
    call.bench.stuck = Some(1);
    call.bench.engine.close_producer(call.bench.now, "t0".into(), "screen".into(), None).expect("closed");
    call.bench.publish(carol, "screen", Kind::Video, &[]);
    call.bench.stuck = None;
    call.bench.cross();
    assert_eq!(call.bench.others[0].snapshot().producers, 1);
}

#[test]
fn another_rooms_producer_is_not_shared() {
    let mut call = call(&[]);
    call.bench.engine.share(&"camera".into(), &"elsewhere".into(), 1);
    call.bench.engine.share(&"nobody".into(), &"r".into(), 1);
    call.bench.cross();
    assert_eq!(call.mirrors(), 0);
}

#[test]
fn what_nobody_watches_any_more_does_not_cross() {
    let mut call = call(&[]);
    let mid = call.watch(None);
    call.frames(&[None], 30);
    call.bench.unsubscribe(call.bob, &[mid]);
    call.bench.run_ms(11_000);
    assert_eq!(call.mirrors(), 0);
    let before = call.bench.engine.counters.packets_crossed;
    call.frames(&[None], 30);
    assert_eq!(call.bench.engine.counters.packets_crossed, before);
    // And it comes back.
    let again = call.watch(None);
    call.frames(&[None], 30);
    assert!(call.bench.clients[call.bob].on(again).len() > 20);
}

#[test]
fn a_mirror_that_is_wanted_again_while_it_is_given_up_stays() {
    let mut call = call(&[]);
    let mid = call.watch(None);
    call.bench.unsubscribe(call.bob, &[mid]);
    // The other thread gives it up at the moment that it is shared again.
    call.bench.stuck = Some(0);
    call.bench.run_ms(11_000);
    assert_eq!(call.mirrors(), 0);
    call.bench.engine.share(&"camera".into(), &"r".into(), 1);
    call.bench.stuck = None;
    call.bench.cross();
    call.bench.subscribe(call.bob, &[("camera", None)]);
    let before = call.bench.engine.counters.packets_crossed;
    call.frames(&[None], 30);
    assert_eq!(call.bench.engine.counters.packets_crossed, before + 30);
}

#[test]
fn a_stuck_thread_costs_its_people_packets_and_nobody_else_any() {
    let mut call = call(&[]);
    let carol = call.bench.join_on(0, "r", Role::Receive);
    call.bench.connect();
    let mid = call.watch(None);
    let carols = call.bench.subscribe(carol, &[("camera", None)]).0[0];
    call.frames(&[None], 30);
    call.bench.stuck = Some(1);
    let before = call.bench.clients[carol].on(carols).len();
    let more = CROSSING_BACKLOG + 500;
    for _ in 0..more {
        call.bench.send_video(call.alice, call.camera, None, false);
        call.bench.run_ms(1);
    }
    call.bench.run_ms(100);
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), true);
    call.bench.run_ms(100);
    assert_eq!(call.bench.clients[carol].on(carols).len(), before + more);
    assert!(dropped(&mut call.bench, 0, DropReason::CrossingFull) >= 500);
    call.bench.stuck = None;
    call.bench.run_ms(100);
    let there = call.bench.clients[call.bob].on(mid).len();
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), false);
    call.frames(&[None], 30);
    assert!(call.bench.clients[call.bob].on(mid).len() > there + 20, "the news came through: the picture is back");
}

// ---- one port for all threads ----

fn one_port() -> (Bench, usize, usize) {
    let mut bench = Bench::with_threads(Limits::default(), 2, true);
    // The kernel gives everything to thread 0.
    bench.arrive_at = Some(0);
    let alice = bench.join_on(0, "r", Role::Send);
    let bob = bench.join_on(1, "r", Role::Receive);
    (bench, alice, bob)
}

#[test]
fn datagrams_that_come_to_the_wrong_thread_are_handed_over() {
    let (mut bench, alice, bob) = one_port();
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    bench.engine.share(&"camera".into(), &"r".into(), 1);
    bench.cross();
    let mid = bench.subscribe(bob, &[("camera", None)]).0[0];
    for _ in 0..30 {
        let asked = bench.clients[alice].key_frames_asked.drain(..).count() > 0;
        bench.send_video(alice, camera, None, asked);
        bench.run_ms(33);
    }
    assert!(bench.clients[bob].on(mid).len() > 20);
    assert!(bench.others[0].counters.nacks_in == 0 && bench.others[0].counters.datagrams_in == 0);
    assert_eq!(dropped(&mut bench, 1, DropReason::Stranger), 0);
    assert_eq!(dropped(&mut bench, 0, DropReason::Stranger), 0, "known before the client's next datagram");
    // What is known of an address goes with its client.
    bench.others[0].close_transport(bench.now, &"t1".into());
    bench.engine.close_transport(bench.now, &"t0".into());
    bench.pump();
    assert!(bench.engine.is_empty() && bench.others[0].is_empty());
}

#[test]
fn a_forged_check_leads_nobodys_datagrams_elsewhere() {
    let checks: Rc<RefCell<Vec<Vec<u8>>>> = Default::default();
    let (mut bench, alice, bob) = one_port();
    let tap = checks.clone();
    bench.loses = Box::new(move |_, client, way, bytes| {
        if client == bob && way == Way::Up && bytes[0] < 4 {
            tap.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let carol = bench.join_on(0, "r", Role::Receive);
    bench.connect();
    let mid = bench.subscribe(carol, &[("camera", None)]).0[0];
    assert_eq!(bench.engine.crossings.elsewhere(), 1, "Bob's");
    // A stranger who knows Bob's name but not the password pretends to be Alice, and to be somebody new.
    let mut forged = checks.borrow()[0].clone();
    forged[10] ^= 1;
    let victim = bench.clients[alice].address;
    let nobody = Address::Udp("203.0.113.9:9".parse().unwrap());
    for from in [victim, nobody] {
        bench.engine.handle_datagram(bench.now, from, &forged);
    }
    bench.cross();
    assert_eq!(bench.engine.crossings.elsewhere(), 1);
    assert_eq!(dropped(&mut bench, 0, DropReason::Stranger), 2, "it does not even cross");
    assert_eq!(dropped(&mut bench, 1, DropReason::RefusedStun), 0);
    // A genuine check of a client that has left proves nothing either: its transport does not know it.
    let genuine = checks.borrow()[0].clone();
    bench.others[0].close_transport(bench.now, &"t1".into());
    bench.pump();
    bench.engine.handle_datagram(bench.now, nobody, &genuine);
    bench.cross();
    assert_eq!(bench.engine.crossings.elsewhere(), 0);
    bench.loses = Box::new(|_, _, _, _| false);
    for _ in 0..30 {
        let asked = bench.clients[alice].key_frames_asked.drain(..).count() > 0;
        bench.send_video(alice, camera, None, asked);
        bench.run_ms(33);
    }
    assert!(bench.clients[carol].on(mid).len() > 20, "Alice's camera still comes in");
}

#[test]
fn a_client_that_claims_to_be_everywhere_takes_no_more_than_its_share() {
    let checks: Rc<RefCell<Vec<Vec<u8>>>> = Default::default();
    let (mut bench, _, bob) = one_port();
    let tap = checks.clone();
    bench.loses = Box::new(move |_, client, way, bytes| {
        if client == bob && way == Way::Up && bytes[0] < 4 {
            tap.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    bench.connect();
    let check = checks.borrow()[0].clone();
    for port in 1..1_000 {
        bench.engine.handle_datagram(bench.now, Address::Udp(SocketAddr::from(([203, 0, 113, 9], port))), &check);
        bench.cross();
    }
    assert_eq!(bench.engine.crossings.elsewhere(), ADDRESSES_PER_TRANSPORT);
}

#[test]
fn an_address_is_the_last_ones_that_proved_it_also_over_threads() {
    let (mut bench, alice, bob) = one_port();
    bench.connect();
    let address = bench.clients[bob].address;
    assert_eq!(bench.engine.crossings.elsewhere(), 1);
    // Bob's browser uses its port for a new connection, on thread 0, and then for one on thread 1 again.
    let bobs = bench.join_on(0, "r", Role::Send);
    bench.clients[bob].closed = true;
    bench.clients[bobs].address = address;
    bench.run_ms(2_000);
    assert!(bench.clients[alice].connected_at.is_some());
    assert_eq!(bench.engine.crossings.elsewhere(), 0, "it is here now");
}

#[test]
fn a_check_for_a_thread_that_only_an_earlier_run_had_is_refused_by_whoever_gets_it() {
    let checks: Rc<RefCell<Vec<Vec<u8>>>> = Default::default();
    let mut before = Bench::with_threads(Limits::default(), 4, true);
    let tap = checks.clone();
    before.loses = Box::new(move |_, _, way, bytes| {
        if way == Way::Up && bytes[0] < 4 {
            tap.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    for thread in [1, 3] {
        before.join_on(thread, "r", Role::Send);
        before.run_ms(100);
        let check = checks.borrow_mut().pop().expect("a check");
        checks.borrow_mut().clear();
        let mut after = Bench::with_threads(Limits::default(), 2, true);
        let client = Address::Udp("203.0.113.9:9".parse().unwrap());
        after.engine.handle_datagram(after.now, client, &check);
        after.cross();
        let answers = |after: &mut Bench, thread| after.thread(thread).poll_output().is_some();
        // Thread 1 still exists and refuses its own; thread 3 does not.
        assert!(answers(&mut after, usize::from(thread == 1)));
        assert!(!answers(&mut after, usize::from(thread != 1)));
        after.run_ms(Duration::from_secs(6).as_millis() as u64);
        assert!(after.engine.crossings.elsewhere() == 0);
    }
}
