//! Newcomers: what they are given of the past, so that they see a picture at once.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use str0m::media::Mid;

use super::bench::{Bench, DELAY, Received, Way, assert_continuous};
use crate::limits::{Limits, REPLAY_AGE, REPLAY_BYTES};
use crate::{Kind, Role};

const EVERY: u64 = 33;

/// Alice publishes and answers wishes for key frames as browsers do: with her next picture.
struct Call {
    bench: Bench,
    alice: usize,
    camera: Mid,
    /// Key frames she was asked for.
    asked: usize,
    pictures: u32,
}

impl Call {
    fn new(mut bench: Bench) -> Self {
        let alice = bench.join("r", Role::Send);
        bench.connect();
        let camera = bench.publish(alice, "camera", Kind::Video, &[]);
        Self { bench, alice, camera, asked: 0, pictures: 0 }
    }

    fn people(&mut self, count: usize) -> Vec<usize> {
        let people = (0..count).map(|_| self.bench.join("r", Role::Receive)).collect();
        self.bench.connect();
        people
    }

    fn is_key_frame_due(&mut self) -> bool {
        let asked = self.bench.clients[self.alice].key_frames_asked.drain(..).count();
        self.asked += asked;
        asked > 0
    }

    fn roll(&mut self, pictures: usize) {
        for _ in 0..pictures {
            let key = self.is_key_frame_due() || self.pictures == 0;
            self.pictures += 1;
            self.bench.send_video(self.alice, self.camera, None, key);
            self.bench.run_ms(EVERY);
        }
    }

    /// One picture of several packets of 1100 bytes.
    fn large(&mut self, packets: u32) {
        let key = self.is_key_frame_due() || self.pictures == 0;
        self.pictures += 1;
        let number = self.pictures.to_be_bytes();
        for n in 0..packets {
            let begins = if n == 0 { 0x90 } else { 0x80 };
            let mut payload = vec![begins, 0xe0, 0x80 | number[2], number[3], number[3], 0x20, u8::from(!key), b'-'];
            payload.resize(1_100, 0);
            self.bench.send_payload(self.alice, self.camera, None, payload);
        }
    }

    fn large_ones(&mut self, pictures: usize, packets: u32) {
        for _ in 0..pictures {
            self.large(packets);
            self.bench.run_ms(EVERY);
        }
    }

    fn got(&self, who: usize, mid: Mid) -> Vec<Received> {
        self.bench.clients[who].on(mid)
    }
}

fn begins_key_frame(packet: &Received) -> bool {
    packet.payload[0] == 0x90 && packet.payload[6] == 0
}

/// When something arrived first.
fn first(packets: &[Received]) -> Instant {
    packets.iter().map(|packet| packet.at).min().expect("something")
}

/// Each name of a packet that went down, so that one that is given twice is found.
fn count_names(call: &mut Call) -> Rc<RefCell<usize>> {
    let twice = Rc::new(RefCell::new(0));
    let (tap, mut names) = (twice.clone(), HashSet::new());
    call.bench.loses = Box::new(move |_, client, way, bytes| {
        let media = way == Way::Down && (128..192).contains(&bytes[0]) && !(192..224).contains(&bytes[1]);
        if media && !names.insert((client, bytes[2..4].to_vec(), bytes[8..12].to_vec())) {
            *tap.borrow_mut() += 1;
        }
        false
    });
    twice
}

#[test]
fn people_who_join_in_a_wave_see_a_picture_at_once_and_nobody_is_asked_for_more() {
    let mut call = Call::new(Bench::new());
    let people = call.people(20);
    let twice = count_names(&mut call);
    call.roll(3);
    let mut tracks = Vec::new();
    for (n, who) in people.into_iter().enumerate() {
        let mid = call.bench.subscribe(who, &[("camera", None)]).0[0];
        tracks.push((who, mid, call.bench.now));
        // At any moment between two pictures.
        call.bench.run_ms(n as u64 % 5 * 7);
        call.roll(2);
    }
    call.roll(60);
    call.bench.run_ms(100);
    let last = call.got(tracks[0].0, tracks[0].1).last().expect("something").count;
    let mut at_once = 0;
    for (who, mid, since) in tracks {
        let got = call.got(who, mid);
        let waited = first(&got) - since;
        assert!(waited < Duration::from_millis(100), "{who} waited {waited:?}");
        at_once += usize::from(waited <= DELAY + Duration::from_millis(1));
        assert!(begins_key_frame(&got[0]), "{who} can begin with {:?}", got[0]);
        assert_continuous(&got);
        assert_eq!(got.last().map(|packet| packet.count), Some(last), "{who} has caught up");
        assert_eq!(got.len() as u32, last - got[0].count + 1);
    }
    assert_eq!(*twice.borrow(), 0, "no name is given twice");
    // They join over 1.6 s, and the first key frame is old before the last has come. It used to be asked each half second.
    assert!(call.asked <= 1 && at_once >= 19, "{at_once} at once, asked {} times", call.asked);
}

#[test]
fn who_comes_when_the_last_key_frame_is_old_has_a_new_one_asked_for() {
    let mut call = Call::new(Bench::new());
    let people = call.people(2);
    call.roll(REPLAY_AGE.as_millis() as usize / EVERY as usize + 2);
    let since = call.bench.now;
    let mid = call.bench.subscribe(people[0], &[("camera", None)]).0[0];
    call.roll(5);
    let got = call.got(people[0], mid);
    assert_eq!(call.asked, 1);
    assert!(begins_key_frame(&got[0]) && first(&got) - since < Duration::from_millis(100));
    let mid = call.bench.subscribe(people[1], &[("camera", None)]).0[0];
    call.roll(5);
    assert_eq!((call.asked, begins_key_frame(&call.got(people[1], mid)[0])), (1, true), "the next need not ask");
}

#[test]
fn what_is_lost_on_either_side_comes_again() {
    let mut call = Call::new(Bench::new());
    let people = call.people(12);
    let mut n = 0_u64;
    call.bench.loses = Box::new(move |_, _, _, bytes| {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (128..192).contains(&bytes[0]) && !(192..224).contains(&bytes[1]) && (n >> 33) % 100 < 10
    });
    call.roll(3);
    let mut tracks = Vec::new();
    for who in people {
        tracks.push((who, call.bench.subscribe(who, &[("camera", None)]).0[0]));
        call.roll(4);
    }
    call.bench.loses = Box::new(|_, _, _, _| false);
    call.roll(60);
    for (who, mid) in tracks {
        let got = call.got(who, mid);
        assert!(got.len() > 60 && begins_key_frame(&got[0]), "{who}: {} packets from {:?}", got.len(), got[0]);
        assert_continuous(&got);
    }
}

#[test]
fn the_past_leaves_as_fast_as_the_line_bears_and_no_faster() {
    let mut call = Call::new(Bench::new());
    let bob = call.people(1)[0];
    call.large(60);
    call.bench.run_ms(EVERY);
    call.large_ones(12, 10);
    let arrived: Rc<RefCell<Vec<(Instant, usize)>>> = Rc::default();
    let tap = arrived.clone();
    call.bench.loses = Box::new(move |now, client, way, bytes| {
        if client == bob && way == Way::Down && bytes.len() > 1_000 {
            tap.borrow_mut().push((now, bytes.len()));
        }
        false
    });
    let since = call.bench.now;
    let mid = call.bench.subscribe(bob, &[("camera", None)]).0[0];
    call.large_ones(30, 10);
    call.bench.run_ms(100);
    let got = call.got(bob, mid);
    assert_eq!((call.asked, got.len()), (0, 60 + 42 * 10));
    assert!(got.windows(2).all(|two| two[1].seq == two[0].seq + 1));
    assert!(got[59].at - since < Duration::from_millis(100), "the first picture after {:?}", got[59].at - since);
    let caught_up = got.iter().find(|packet| packet.at - since > Duration::from_millis(400)).expect("what followed");
    assert!(caught_up.timestamp >= (since - call.bench.start).as_millis() as u32 * 90 + 300 * 90, "caught up");
    // 10 Mbit/s while nothing is known of the line, and what is live.
    let arrived = arrived.borrow();
    for (from, _) in arrived.iter() {
        let within = arrived.iter().filter(|(at, _)| *at >= *from && *at - *from < Duration::from_millis(50));
        let bytes: usize = within.map(|(_, bytes)| bytes).sum();
        assert!(bytes < 62_500 + 3 * 11_000, "{bytes} bytes within 50 ms");
    }
}

#[test]
fn more_than_a_newcomer_can_be_given_is_asked_for_anew() {
    let mut call = Call::new(Bench::new());
    let bob = call.people(1)[0];
    let packets = REPLAY_BYTES as u32 / 1_100 / 2;
    call.large_ones(3, packets);
    let mid = call.bench.subscribe(bob, &[("camera", None)]).0[0];
    call.large_ones(3, packets);
    call.bench.run_ms(100);
    let got = call.got(bob, mid);
    assert_eq!(call.asked, 1);
    assert!(begins_key_frame(&got[0]) && got.len() as u32 <= 3 * packets, "{} packets", got.len());
}

#[test]
fn what_many_cameras_have_of_the_past_is_given_as_far_as_the_line_carries_it_in_time() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let names = ["one", "two", "three", "four"];
    let cameras = names.map(|name| bench.publish(alice, name, Kind::Video, &[]));
    // 165 kB each; 375 kB is what a line that nobody knows is believed to carry in time.
    for camera in cameras {
        for n in 0..150 {
            let mut payload = vec![if n == 0 { 0x90 } else { 0x80 }, 0xe0, 0x80, 1, 1, 0x20, 0, b'-'];
            payload.resize(1_100, 0);
            bench.send_payload(alice, camera, None, payload);
        }
        bench.run_ms(EVERY);
    }
    let (mids, _) = bench.subscribe(bob, &names.map(|name| (name, None)));
    bench.run_ms(600);
    let got = mids.iter().map(|mid| bench.clients[bob].on(*mid).len()).filter(|got| *got == 150).count();
    assert_eq!((got, bench.clients[alice].key_frames_asked.len()), (2, 2));
}

#[test]
fn what_came_before_a_pause_is_shown_to_nobody() {
    let mut call = Call::new(Bench::new());
    let people = call.people(2);
    call.roll(10);
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), true);
    let mids = [0, 1].map(|n| call.bench.subscribe(people[n], &[("camera", None)]).0[0]);
    call.bench.run_ms(200);
    assert!(call.got(people[0], mids[0]).is_empty());
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), false);
    let before = call.pictures;
    call.roll(10);
    for (who, mid) in people.into_iter().zip(mids) {
        let got = call.got(who, mid);
        assert!(got[0].count >= before && begins_key_frame(&got[0]), "{:?}", got[0]);
    }
}

#[test]
fn who_is_the_first_on_another_thread_sees_a_picture_at_once() {
    let mut call = Call::new(Bench::with_threads(Limits::default(), 2, false));
    let people: Vec<usize> = (0..2).map(|_| call.bench.join_on(1, "r", Role::Receive)).collect();
    call.bench.connect();
    let twice = count_names(&mut call);
    call.roll(10);
    let mut tracks = Vec::new();
    for who in people {
        call.bench.engine.share(&"camera".into(), &"r".into(), 1);
        call.bench.cross();
        tracks.push((who, call.bench.subscribe(who, &[("camera", None)]).0[0], call.bench.now));
        call.roll(10);
    }
    for (who, mid, since) in tracks {
        let got = call.got(who, mid);
        assert!(first(&got) - since <= DELAY + Duration::from_millis(1) && begins_key_frame(&got[0]), "{who}");
        assert_continuous(&got);
        assert_eq!(got.len(), 30, "all from the first picture on");
    }
    assert_eq!((call.asked, *twice.borrow()), (0, 0));
}

#[test]
fn who_goes_away_while_catching_up_leaves_nothing_behind() {
    let mut call = Call::new(Bench::new());
    let people = call.people(2);
    call.large_ones(3, 60);
    let mids = [0, 1].map(|n| call.bench.subscribe(people[n], &[("camera", None)]).0);
    call.bench.run_ms(20);
    call.bench.unsubscribe(people[0], &mids[0]);
    call.bench.engine.close_transport(call.bench.now, &"t2".into());
    call.large_ones(3, 60);
    assert!(call.bench.engine.replays.wakes_at().is_none());
}
