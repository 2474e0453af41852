//! What is told about calls over good, lossy and slow lines, and of publishers who send more than they may.

use std::collections::HashMap;
use std::time::Duration;

use str0m::media::Mid;

use super::bench::{Bench, Way};
use crate::quality::{ConsumerQuality, LineQuality, ProducerQuality};
use crate::{Cap, Kind, Role};

/// Packets of 240 bytes a layer sends in each picture: 30 pictures a second make 0.6 Mbit/s, 180 and 60 kbit/s.
const LAYERS: [(&str, usize); 3] = [("f", 10), ("h", 3), ("q", 1)];

struct Call {
    bench: Bench,
    alice: usize,
    camera: Mid,
    microphone: Mid,
    bob: usize,
    mid: Mid,
    begun: bool,
}

/// Alice publishes sound and three layers; Bob watches her large.
fn call(cap: Cap) -> Call {
    let mut bench = Bench::new();
    bench.sizes = HashMap::from([("f", (1280, 720)), ("h", (640, 360)), ("q", (320, 180))]);
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    bench.cap = cap;
    let camera = bench.publish(alice, "camera", Kind::Video, &["f", "h", "q"]);
    bench.cap = Cap::default();
    let microphone = bench.publish(alice, "microphone", Kind::Audio, &[]);
    let mid = bench.subscribe(bob, &[("camera", Some("f")), ("microphone", None)]).0[0];
    Call { bench, alice, camera, microphone, bob, mid, begun: false }
}

impl Call {
    fn talk(&mut self, seconds: u64) {
        for n in 0..seconds * 30 {
            let asked: Vec<_> = self.bench.clients[self.alice].key_frames_asked.drain(..).map(|(_, _, rid)| rid).collect();
            for (rid, packets) in LAYERS {
                let key = !self.begun || asked.iter().flatten().any(|r| **r == *rid);
                for n in 0..packets {
                    self.bench.send_video(self.alice, self.camera, Some(rid), key && n == 0);
                }
            }
            self.begun = true;
            if n % 2 == 0 {
                self.bench.send_audio(self.alice, self.microphone, -20);
            }
            self.bench.run_ms(33);
        }
    }

    fn line(&self, role: Role) -> LineQuality {
        let lines = self.bench.engine.quality(self.bench.now, &"r".into());
        lines.into_iter().find(|line| line.role == role).expect("a line")
    }

    fn bobs(&self, kind: Kind) -> ConsumerQuality {
        self.line(Role::Receive).consumers.into_iter().find(|c| c.kind == kind).expect("a track")
    }

    fn alices(&self) -> ProducerQuality {
        self.line(Role::Send).producers.into_iter().find(|p| p.kind == Kind::Video).expect("a track")
    }

    /// Which layers came to Bob since `count` packets were there.
    fn layers_since(&self, count: usize) -> String {
        let mut got: Vec<char> = self.bench.clients[self.bob].on(self.mid)[count..].iter().map(|r| char::from(r.layer)).collect();
        got.dedup();
        got.into_iter().collect()
    }

    fn received(&self) -> usize {
        self.bench.clients[self.bob].on(self.mid).len()
    }
}

#[test]
fn what_a_busy_server_reads_late_came_in_time() {
    let mut call = call(Cap::default());
    call.bench.looks_every = Some(Duration::from_millis(60));
    call.talk(6);
    for layer in call.alices().layers {
        assert!(layer.jitter < Duration::from_millis(5), "{:?} {:?}", layer.rid, layer.jitter);
    }
}

#[test]
fn over_a_good_line_everything_is_told_and_good() {
    let mut call = call(Cap::default());
    call.talk(6);
    let line = call.line(Role::Receive);
    let rtt = line.rtt.expect("Bob reports").as_millis();
    assert!((18..40).contains(&rtt), "{rtt} ms there and back");
    assert!(line.estimate.is_some_and(|estimate| estimate > 1_000_000));
    let video = call.bobs(Kind::Video);
    assert_eq!((video.rid.as_deref(), video.size), (Some("f"), Some((1280, 720))));
    assert_eq!(video.reason.to_string(), "the full-size layer: f was asked for");
    assert!((450_000..700_000).contains(&video.bitrate), "{}", video.bitrate);
    // Each packet of this bench has a marker.
    assert!(video.frames_per_second > 200.0, "{}", video.frames_per_second);
    assert_eq!((video.loss, video.lost, video.freezes), (Some(0.0), Some(0), 0));
    assert!(video.jitter.is_some_and(|jitter| jitter.as_millis() < 20), "{:?}", video.jitter);
    assert!(video.score.is_some_and(|score| score > 4.1), "{:?}", video.score);
    let audio = call.bobs(Kind::Audio);
    assert!(audio.score.is_some_and(|score| score > 4.2), "{:?}", audio.score);
    let layers = call.alices().layers;
    let told: Vec<_> = layers.iter().map(|l| (l.rid.as_deref().unwrap_or(""), l.size, l.lost, l.refusal.clone())).collect();
    assert_eq!(told, [("f", Some((1280, 720)), 0, None), ("h", Some((640, 360)), 0, None), ("q", Some((320, 180)), 0, None)]);
    let totals = call.bench.engine.quality_totals(call.bench.now);
    assert_eq!(totals.layers[0], ("f", 1));
    assert_eq!((totals.loss.counts.last(), totals.audio_score.counts.last(), totals.freezes), (Some(&2), Some(&1), 0));
    assert_eq!(call.bench.engine.quality(call.bench.now, &"elsewhere".into()), []);
}

#[test]
fn a_tenth_lost_on_the_way_shows_as_a_tenth_and_in_the_scores() {
    let mut call = call(Cap::default());
    call.talk(6);
    let mut n = 0_u64;
    let bob = call.bob;
    call.bench.loses = Box::new(move |_, client, way, _| {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        client == bob && way == Way::Down && (n >> 33) % 100 < 10
    });
    let before = call.bobs(Kind::Audio).score.expect("a score");
    call.talk(20);
    let video = call.bobs(Kind::Video);
    // This client's reports count what came with the second try as arrived; browsers' do not. Sound has one try only.
    let line = call.line(Role::Receive).loss.expect("reports");
    let sound = call.bobs(Kind::Audio).loss.expect("reports");
    for loss in [line, sound] {
        assert!((0.03..0.18).contains(&loss), "{line} of all, {sound} of sound");
    }
    assert!(video.resent > 100, "{} sent again", video.resent);
    let audio = call.bobs(Kind::Audio);
    assert!(audio.score.is_some_and(|score| score < before - 0.4), "{:?} after {before}", audio.score);
}

#[test]
fn the_reason_for_a_smaller_layer_is_the_line() {
    let mut call = call(Cap::default());
    call.bench.rates.insert(call.bob, 350e3);
    call.talk(8);
    let video = call.bobs(Kind::Video);
    assert_eq!(video.rid.as_deref(), Some("h"), "{}", video.reason);
    assert!(video.reason.to_string().starts_with("the half-size layer: the line carries "), "{}", video.reason);
    assert!(video.score.is_some_and(|score| score < 4.6), "{:?}", video.score);
    let kbit: u64 = video.reason.to_string().split(' ').rev().nth(1).and_then(|n| n.parse().ok()).expect("a rate");
    assert!((100..500).contains(&kbit), "{}", video.reason);
}

#[test]
fn a_line_that_carries_no_picture_shows_as_a_freeze() {
    let mut call = call(Cap::default());
    call.talk(3);
    assert_eq!(call.bobs(Kind::Video).freezes, 0);
    call.bench.rates.insert(call.bob, 40e3);
    call.talk(12);
    let video = call.bobs(Kind::Video);
    assert!(video.freezes > 0 && video.frozen.as_secs() >= 3, "{} freezes, {:?}", video.freezes, video.frozen);
    assert!(video.score.is_some_and(|score| score < 3.0), "{:?}", video.score);
    assert!(!video.flowing || video.reason.to_string().contains("the line carries"), "{}", video.reason);
}

#[test]
fn what_the_owner_pauses_is_no_freeze() {
    let mut call = call(Cap::default());
    call.talk(3);
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), true);
    call.talk(5);
    let video = call.bobs(Kind::Video);
    assert_eq!((video.freezes, video.score, video.bitrate), (0, None, 0));
    assert_eq!(video.reason.to_string(), "nothing: the track is paused");
    call.bench.engine.pause_producer(call.bench.now, &"camera".into(), false);
    call.talk(3);
    let video = call.bobs(Kind::Video);
    assert_eq!((video.freezes, video.rid.as_deref()), (0, Some("f")));
}

#[test]
fn a_layer_beyond_the_preset_goes_to_nobody_and_the_next_smaller_one_does() {
    let mut call = call(Cap { size: Some((640, 480)), ..Cap::default() });
    call.talk(4);
    assert_eq!(call.layers_since(0), "h", "not a packet of the large one");
    let video = call.bobs(Kind::Video);
    assert_eq!(video.reason.to_string(), "the half-size layer: of f 1280x720 is more than the preset allows (640x480)");
    let refused: Vec<_> = call.alices().layers.iter().map(|l| l.refusal.is_some()).collect();
    assert_eq!(refused, [true, false, false]);
    assert_eq!(call.bench.engine.quality_totals(call.bench.now).refused_layers, 1);
    // The client comes to its senses.
    call.bench.sizes = HashMap::from([("f", (640, 360)), ("h", (320, 180)), ("q", (160, 90))]);
    call.begun = false;
    let before = call.received();
    call.talk(3);
    assert_eq!(call.layers_since(before).chars().last(), Some('f'));
}

#[test]
fn who_begins_to_send_more_than_allowed_is_cut_at_once_and_viewers_go_on_with_the_smaller_layer() {
    let mut call = call(Cap { size: Some((1280, 720)), ..Cap::default() });
    call.talk(3);
    assert_eq!(call.layers_since(0), "f");
    call.bench.sizes = HashMap::from([("f", (1920, 1080)), ("h", (960, 540)), ("q", (480, 270))]);
    call.begun = false;
    let before = call.received();
    call.talk(3);
    assert_eq!(call.layers_since(before), "h");
    let got = call.bench.clients[call.bob].on(call.mid);
    assert!(got.windows(2).all(|two| two[1].seq == two[0].seq + 1), "without a gap");
}

#[test]
fn with_nothing_smaller_nothing_goes_out_and_that_is_said() {
    let mut call = call(Cap { size: Some((80, 60)), ..Cap::default() });
    call.talk(4);
    assert_eq!(call.received(), 0);
    let video = call.bobs(Kind::Video);
    assert_eq!(video.reason.to_string(), "nothing: 1280x720 is more than the preset allows (80x60)");
    assert!(!video.flowing);
}

#[test]
fn a_layer_with_more_bits_than_allowed_is_cut_after_some_seconds() {
    let mut call = call(Cap { bits_per_second: Some(300_000), ..Cap::default() });
    call.talk(2);
    assert_eq!(call.layers_since(0), "f");
    call.talk(4);
    let before = call.received();
    call.talk(2);
    assert_eq!(call.layers_since(before), "h");
    let reason = call.bobs(Kind::Video).reason.to_string();
    assert!(reason.contains("kbit/s are more than the preset allows (300)"), "{reason}");
}

#[test]
fn a_publisher_is_told_to_stop_what_nobody_wants_and_that_it_may_again_at_once() {
    let mut call = call(Cap::default());
    let wants = |call: &mut Call, rid: &str| {
        let bob = call.bench.clients[call.bob].name.clone();
        call.bench.engine.set_layer(call.bench.now, bob.as_str().into(), "camera".into(), None, rid).expect("a track");
    };
    call.talk(30);
    assert!(call.bench.clients[call.alice].held_to.is_empty(), "everything is wanted");
    wants(&mut call, "h");
    call.talk(12);
    let told = call.bench.clients[call.alice].held_to.clone();
    assert!(told.iter().all(|told| (850_000..1_150_000).contains(told)) && !told.is_empty(), "{told:?}");
    assert!(call.alices().held_to.is_some());
    assert_eq!(call.bench.engine.quality_totals(call.bench.now).held_publishers, 1);
    wants(&mut call, "q");
    call.talk(12);
    let told = *call.bench.clients[call.alice].held_to.last().expect("told");
    assert!((200_000..400_000).contains(&told), "{told}");
    wants(&mut call, "f");
    call.talk(1);
    let told = *call.bench.clients[call.alice].held_to.last().expect("told");
    assert!(told > 50_000_000, "{told}");
    assert_eq!(call.alices().held_to, None);
}

#[test]
fn a_camera_beside_a_screen_is_not_held() {
    let mut call = call(Cap::default());
    let bob = call.bench.clients[call.bob].name.clone();
    call.bench.engine.set_layer(call.bench.now, bob.as_str().into(), "camera".into(), None, "q").expect("a track");
    call.talk(30);
    assert!(call.alices().held_to.is_some());
    let _ = call.bench.publish(call.alice, "screen", Kind::Video, &[]);
    call.talk(1);
    assert_eq!(call.line(Role::Send).producers[0].held_to, None);
    let told = *call.bench.clients[call.alice].held_to.last().expect("told");
    assert!(told > 50_000_000, "{told}");
}
