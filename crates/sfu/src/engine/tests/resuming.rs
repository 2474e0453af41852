//! The process dies in the middle of a call and another goes on: clients notice nothing but the pause.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use str0m::media::Mid;

use super::bench::{Bench, Way, assert_continuous};
use crate::engine::demux;
use crate::{Kind, Role};

/// Alice's camera and microphone, which Bob gets.
struct Call {
    bench: Bench,
    alice: usize,
    bob: usize,
    camera: Mid,
    microphone: Mid,
    picture: Mid,
    sound: Mid,
    /// Key frames that Alice has made.
    key_frames: usize,
    sent: u64,
}

/// Whatever the engine sent under which number, and each number that it sent under twice.
#[derive(Default)]
struct Log {
    numbers: HashSet<(usize, u32, u32)>,
    twice: Vec<(usize, u32, u32)>,
    reports: HashMap<usize, u32>,
}

impl Log {
    fn note(&mut self, client: usize, bytes: &[u8]) {
        if !demux::is_rtp_or_rtcp(bytes) {
            return;
        }
        let number = match demux::ssrc(bytes) {
            Some(ssrc) => (client, ssrc, u32::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            // Of SRTCP by AES-GCM the index comes last (RFC 7714 section 9.2).
            None => {
                let index = u32::from_be_bytes(*bytes.last_chunk().expect("an index")) & 0x7fff_ffff;
                let last = self.reports.insert(client, index).unwrap_or(0);
                assert!(index > last, "reports go on: {index} after {last}");
                (client, 0, index)
            }
        };
        if !self.numbers.insert(number) {
            self.twice.push(number);
        }
    }
}

impl Call {
    fn new() -> Self {
        Self::with(&[])
    }

    fn with(rids: &[&str]) -> Self {
        let mut bench = Bench::lasting();
        let (alice, bob) = (bench.join("r", Role::Send), bench.join("r", Role::Receive));
        bench.connect();
        let camera = bench.publish(alice, "camera", Kind::Video, rids);
        let microphone = bench.publish(alice, "microphone", Kind::Audio, &[]);
        let mids = bench.subscribe(bob, &[("camera", None), ("microphone", None)]).0;
        let (picture, sound) = (mids[0], mids[1]);
        Self { bench, alice, bob, camera, microphone, picture, sound, key_frames: 0, sent: 0 }
    }

    fn log(&mut self) -> Rc<RefCell<Log>> {
        let log = Rc::new(RefCell::new(Log::default()));
        let noted = Rc::clone(&log);
        self.bench.loses = Box::new(move |_, client, way, bytes| {
            if way == Way::Down {
                noted.borrow_mut().note(client, bytes);
            }
            false
        });
        log
    }

    /// Alice talks and is filmed: a packet of sound and a picture every 20 ms, a key frame whenever one is wanted.
    fn talk(&mut self, rids: &[Option<&str>], times: usize) {
        for _ in 0..times {
            self.bench.send_audio(self.alice, self.microphone, -30);
            let asked = self.bench.clients[self.alice].key_frames_asked.len();
            for rid in rids {
                self.bench.send_video(self.alice, self.camera, *rid, self.sent == 0 || asked > self.key_frames);
            }
            (self.key_frames, self.sent) = (asked, self.sent + 1);
            self.bench.run_ms(20);
        }
    }

    fn got(&self, mid: Mid) -> Vec<super::bench::Received> {
        self.bench.clients[self.bob].on(mid)
    }
}

#[test]
fn a_call_goes_on_in_another_process_as_if_nothing_had_been() {
    let mut call = Call::new();
    let log = call.log();
    call.talk(&[None], 100);
    let before = (call.got(call.picture).len(), call.got(call.sound).len());
    assert_eq!(call.bench.crash(300), 2);
    let back = call.bench.now;
    call.talk(&[None], 100);
    let (picture, sound) = (call.got(call.picture), call.got(call.sound));
    assert_continuous(&picture);
    assert_continuous(&sound);
    let first = |all: &[super::bench::Received], known: usize| (all[known].at - back).as_millis();
    assert!(first(&sound, before.1) < 40, "sound is back with the first packet");
    assert!(first(&picture, before.0) < 150, "a key frame was asked for at once");
    assert!(picture.len() > 190 && sound.len() > 195, "{} and {}", picture.len(), sound.len());
    // What Alice sent meanwhile is missing, and nothing else: 15 packets of 20 ms.
    let lost = sound.windows(2).map(|two| two[1].timestamp.wrapping_sub(two[0].timestamp)).max();
    assert!(lost <= Some(17 * 960), "sound keeps its time: {lost:?}");
    assert_eq!(log.borrow().twice, [], "nothing goes out under a number that was used");
    assert!(call.bench.clients.iter().all(|client| !client.closed));
    assert!(log.borrow().reports.len() == 2, "both hear reports");
}

#[test]
fn a_publisher_hears_of_lost_packets_and_wanted_key_frames_afterwards() {
    let mut call = Call::new();
    call.talk(&[None], 50);
    call.bench.crash(100);
    call.talk(&[None], 50);
    let (alice, mut n) = (call.alice, 0);
    call.bench.loses = Box::new(move |_, client, way, bytes| {
        let up = client == alice && way == Way::Up && demux::ssrc(bytes).is_some();
        n += u32::from(up);
        up && n % 9 == 8
    });
    call.talk(&[None], 100);
    call.bench.loses = Box::new(|_, _, _, _| false);
    call.talk(&[None], 750);
    assert!(call.bench.engine.counters.nacks_out > 5, "{}", call.bench.engine.counters.nacks_out);
    let picture = call.got(call.picture);
    let missing = picture.windows(2).filter(|two| two[1].count > two[0].count + 1).count();
    assert!(missing < 6, "Alice sent again most of what was lost: {missing} gaps");
    let asked = call.bench.clients[alice].key_frames_asked.len();
    call.bench.engine.set_layer(call.bench.now, "t1".into(), "camera".into(), None, "f").expect("set");
    let mid = call.picture;
    call.bench.clients[call.bob]
        .rtc
        .direct_api()
        .stream_rx_by_mid(mid, None)
        .expect("a stream")
        .request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    call.talk(&[None], 30);
    assert!(call.bench.clients[alice].key_frames_asked.len() > asked);
}

#[test]
fn killed_at_any_moment_and_many_times_it_never_sends_under_a_number_twice() {
    for seed in 1..=8_u64 {
        let mut state = seed;
        let mut next = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let rids = if seed % 2 == 0 { vec!["f", "h"] } else { vec![] };
        let mut call = Call::with(&rids);
        let log = call.log();
        let layers: Vec<_> = if rids.is_empty() { vec![None] } else { rids.iter().map(|rid| Some(*rid)).collect() };
        for _ in 0..6 {
            call.talk(&layers, 3 + next(40) as usize);
            call.bench.run_ms(next(30));
            match next(4) {
                0 => {
                    let layer = if next(2) == 0 { "f" } else { "h" };
                    let _ = call.bench.engine.set_layer(call.bench.now, "t1".into(), "camera".into(), None, layer);
                }
                1 => {
                    let stopped = [call.picture];
                    call.bench.unsubscribe(call.bob, &stopped);
                    call.picture = call.bench.subscribe(call.bob, &[("camera", None)]).0[0];
                }
                _ => {}
            }
            assert_eq!(call.bench.crash(next(500)), 2, "seed {seed}");
        }
        call.talk(&layers, 50);
        assert_eq!(log.borrow().twice, [], "seed {seed}");
        let (picture, sound) = (call.got(call.picture), call.got(call.sound));
        assert!(picture.len() > 30 && sound.len() > 40, "seed {seed}: {} and {}", picture.len(), sound.len());
        assert_continuous(&picture);
        assert_continuous(&sound);
    }
}

#[test]
fn numbers_that_ran_over_are_still_understood() {
    let mut call = Call::new();
    call.bench.begin_numbers_at(call.alice, call.camera, 65_500);
    call.talk(&[None], 60);
    let before = call.got(call.picture).len();
    assert!(before > 50, "{before}");
    call.bench.crash(100);
    call.talk(&[None], 30);
    assert!(call.got(call.picture).len() > before + 20, "the second round of numbers is known");
}

#[test]
fn what_ended_is_not_gone_on_with() {
    let mut call = Call::new();
    call.talk(&[None], 20);
    call.bench.engine.close_producer(call.bench.now, "t0".into(), "camera".into(), None).expect("closed");
    call.bench.run_ms(50);
    assert_eq!(call.bench.crash(100), 2);
    let snapshot = call.bench.engine.snapshot();
    assert_eq!((snapshot.producers, snapshot.consumers), (1, 1));
    call.bench.engine.close_transport(call.bench.now, &"t0".into());
    call.bench.run_ms(50);
    assert_eq!(call.bench.crash(100), 1);
}
