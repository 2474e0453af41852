//! Tracks that a client sends anew, as it does when its socket broke: who receives them goes on where they were.

use std::time::Duration;

use str0m::media::Mid;

use super::bench::{Bench, Received, assert_continuous};
use crate::limits::Limits;
use crate::{Error, Kind, Role};

const RIDS: [&str; 2] = ["f", "h"];

/// Alice publishes a camera and a microphone, Bob has both.
struct Call {
    bench: Bench,
    alice: usize,
    bob: usize,
    camera: Mid,
    microphone: Mid,
    seen: Mid,
    heard: Mid,
}

/// Bob is on this thread, Alice on the first.
fn call(bob_on: usize) -> Call {
    let mut bench = Bench::with_threads(Limits::default(), bob_on + 1, false);
    let alice = bench.join_on(0, "r", Role::Send);
    let bob = bench.join_on(bob_on, "r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &RIDS);
    let microphone = bench.publish(alice, "microphone", Kind::Audio, &[]);
    for producer in ["camera", "microphone"].iter().filter(|_| bob_on > 0) {
        bench.engine.share(&(*producer).into(), &"r".into(), bob_on);
    }
    bench.cross();
    let (mids, _) = bench.subscribe(bob, &[("camera", Some("f")), ("microphone", None)]);
    Call { bench, alice, bob, camera, microphone, seen: mids[0], heard: mids[1] }
}

impl Call {
    /// So many pictures of these layers, the first of them a key frame.
    fn sends(&mut self, rids: &[&str], pictures: usize) {
        for picture in 0..pictures {
            for rid in rids {
                self.bench.send_video(self.alice, self.camera, Some(rid), picture == 0);
            }
            self.bench.send_audio(self.alice, self.microphone, -30);
            self.bench.run_ms(20);
        }
    }

    /// Alice publishes both anew, on the same connection or on another of hers.
    fn begins_anew(&mut self) {
        self.camera = self.bench.publish_anew(self.alice, "camera", Kind::Video, &RIDS).expect("an answer");
        self.microphone = self.bench.publish_anew(self.alice, "microphone", Kind::Audio, &[]).expect("an answer");
    }

    fn pictures(&self) -> Vec<Received> {
        self.bench.clients[self.bob].on(self.seen)
    }

    fn sound(&self) -> Vec<Received> {
        self.bench.clients[self.bob].on(self.heard)
    }
}

/// What came, and the longest time without anything.
fn check(got: &[Received], count: usize, most: Duration) {
    assert_eq!(got.len(), count);
    assert_continuous(got);
    let gap = got.windows(2).map(|pair| pair[1].at - pair[0].at).max();
    assert!(gap <= Some(most), "{gap:?}");
}

#[test]
fn who_sees_and_hears_goes_on_on_the_same_lines() {
    for bob_on in [0, 1] {
        let mut call = call(bob_on);
        call.sends(&RIDS, 50);
        let (camera, microphone) = (call.camera, call.microphone);
        call.begins_anew();
        // What still comes as before goes nowhere.
        call.bench.send_video(call.alice, camera, Some("f"), true);
        call.bench.send_audio(call.alice, microphone, -30);
        call.sends(&RIDS, 50);
        call.bench.run_ms(100);
        let most = Duration::from_millis(45);
        check(&call.pictures(), 100, most);
        check(&call.sound(), 100, most);
        assert!(call.pictures().iter().all(|picture| picture.layer == b'f'));
    }
}

#[test]
fn the_first_layer_that_comes_is_shown_until_the_wanted_one_does() {
    let mut call = call(0);
    call.sends(&RIDS, 50);
    call.begins_anew();
    call.sends(&["h"], 20);
    let asked = |call: &Call| {
        let asked = &call.bench.clients[call.alice].key_frames_asked;
        asked.iter().filter(|(_, mid, rid)| *mid == call.camera && *rid == Some("f".into())).count()
    };
    let before = asked(&call);
    // Its first key frame comes before it is known that the line carries it, another when it is asked for.
    call.sends(&RIDS, 20);
    assert!(asked(&call) > before);
    call.sends(&RIDS, 20);
    call.bench.run_ms(100);
    check(&call.pictures(), 110, Duration::from_millis(45));
    let layers: Vec<u8> = call.pictures().iter().map(|picture| picture.layer).collect();
    assert!(layers[50..70].iter().all(|layer| *layer == b'h') && layers[90..].iter().all(|layer| *layer == b'f'), "{layers:?}");
}

#[test]
fn nothing_is_shown_of_a_new_stream_before_its_key_frame() {
    let mut call = call(0);
    call.sends(&RIDS, 10);
    call.begins_anew();
    for picture in 0..10 {
        call.bench.send_video(call.alice, call.camera, Some("f"), picture == 5);
        call.bench.run_ms(20);
    }
    call.bench.run_ms(100);
    let counts: Vec<u32> = call.pictures().iter().skip(10).map(|picture| picture.count).collect();
    assert_eq!(counts, [5, 6, 7, 8, 9]);
    assert_continuous(&call.pictures());
}

#[test]
fn what_was_paused_stays_so() {
    let mut call = call(0);
    call.sends(&RIDS, 10);
    for producer in ["camera", "microphone"] {
        call.bench.engine.pause_producer(call.bench.now, &producer.into(), true);
    }
    call.begins_anew();
    call.sends(&RIDS, 10);
    call.bench.run_ms(100);
    assert_eq!((call.pictures().len(), call.sound().len()), (10, 10), "nobody has let it go on");
    call.bench.engine.pause_producer(call.bench.now, &"microphone".into(), false);
    call.sends(&RIDS, 10);
    call.bench.run_ms(100);
    assert_eq!(call.sound().len(), 20);
}

#[test]
fn it_may_come_on_another_connection_and_the_old_one_may_end() {
    let mut call = call(0);
    call.sends(&RIDS, 50);
    let before = call.bench.clients[call.alice].name.clone();
    call.alice = call.bench.join("r", Role::Send);
    call.bench.connect();
    call.begins_anew();
    call.bench.engine.close_transport(call.bench.now, &before.as_str().into());
    call.sends(&RIDS, 50);
    call.bench.run_ms(100);
    check(&call.pictures(), 100, Duration::from_millis(600));
    check(&call.sound(), 100, Duration::from_millis(600));
    let now = call.bench.clients[call.alice].name.clone();
    call.bench.engine.close_transport(call.bench.now, &now.as_str().into());
    assert_eq!(call.bench.engine.snapshot().producers, 0);
}

#[test]
fn what_is_not_there_does_not_go_on() {
    let mut call = call(0);
    call.sends(&RIDS, 10);
    let unknown = call.bench.publish_anew(call.alice, "screen", Kind::Video, &[]);
    assert_eq!(unknown.err(), Some(Error::UnknownProducer));
    let other_kind = call.bench.publish_anew(call.alice, "camera", Kind::Audio, &[]);
    assert_eq!(other_kind.err(), Some(Error::UnknownProducer));
    let stranger = call.bench.join("another", Role::Send);
    call.bench.connect();
    let of_another_room = call.bench.publish_anew(stranger, "camera", Kind::Video, &RIDS);
    assert_eq!(of_another_room.err(), Some(Error::UnknownProducer));
    let other_codec = call.bench.join_with("r", Role::Send, |config| config.enable_vp9(true));
    call.bench.connect();
    let refused = call.bench.publish_anew(other_codec, "camera", Kind::Video, &RIDS);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    call.sends(&RIDS, 10);
    call.bench.run_ms(100);
    assert_eq!((call.pictures().len(), call.sound().len()), (20, 20), "all goes on as before");
}
