//! Offers of ours: m-lines come, go and are used again.

use str0m::change::SdpOffer;
use str0m::media::Mid;

use super::bench::{Bench, assert_continuous};
use crate::limits::Limits;
use crate::{Consume, ConsumeError, Error, Kind, Produce, Role};

fn want(producer: &str) -> Vec<Consume> {
    vec![Consume { producer: producer.into(), preferred_rid: None }]
}

#[test]
fn fifty_cameras_off_and_on_do_not_grow_anything() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let microphone = bench.publish(alice, "microphone", Kind::Audio, &[]);
    let mut sizes = Vec::new();
    let mut seen: Vec<Mid> = Vec::new();
    for n in 0..50 {
        let (mids, length) = bench.subscribe(bob, &[("camera", None), ("microphone", None)]);
        assert!(mids.iter().all(|m| !seen.contains(m)), "a used slot gets a new mid");
        bench.send_video(alice, camera, None, true);
        bench.send_audio(alice, microphone, -40);
        bench.run_ms(50);
        for mid in &mids {
            let last = bench.clients[bob].on(*mid).last().map(|packet| packet.count);
            assert_eq!(last, Some(n), "media flows on the used slot");
        }
        let answer = bench.unsubscribe(bob, &mids);
        assert_eq!(answer.matches("m=video 0 ").count(), 1, "{answer}");
        assert_eq!(bench.engine.snapshot().consumers, 0);
        sizes.push(length);
        seen.extend(mids);
    }
    let (first, last) = (sizes[0], sizes[49]);
    assert!(last < first + 200, "offers grew from {first} to {last}");
}

#[test]
fn a_camera_off_and_on_at_once_is_seen_again() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    bench.send_video(alice, camera, None, true);
    bench.run_ms(30);
    for again in 1..=3 {
        let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
        bench.run_ms(11);
        assert_eq!(bench.clients[bob].on(mids[0]).len(), again);
        bench.send_video(alice, camera, None, false);
        bench.run_ms(30);
        let got = bench.clients[bob].on(mids[0]);
        assert_eq!(got.len(), again + 1);
        assert_continuous(&got);
        bench.unsubscribe(bob, &mids);
    }
    assert_eq!(bench.clients[alice].key_frames_asked.len(), 0);
}

#[test]
fn a_wish_for_a_key_frame_that_comes_too_soon_is_not_lost() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    bench.send_video(alice, camera, None, false);
    bench.run_ms(30);
    let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
    bench.send_video(alice, camera, None, false);
    bench.run_ms(50);
    bench.unsubscribe(bob, &mids);
    let asked = bench.clients[alice].key_frames_asked.len();
    assert_eq!(asked, 1);
    bench.subscribe(bob, &[("camera", None)]);
    // Too soon to ask again, and nothing to begin with; the wish must not be lost while the camera sends what nobody can begin with.
    for _ in 0..40 {
        bench.send_video(alice, camera, None, false);
        bench.run_ms(20);
    }
    assert_eq!(bench.clients[alice].key_frames_asked.len(), 2);
}

#[test]
fn a_track_consumed_twice_keeps_its_mid() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    bench.publish(alice, "camera", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
    let again = bench.engine.consume(bench.now, "t1".into(), want("camera")).expect("consumed");
    assert_eq!(again.offer, None);
    assert_eq!(again.consumers, [("camera".into(), Ok(mids[0].to_string()))]);
}

#[test]
fn producers_of_other_rooms_are_not_found() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    bench.join("elsewhere", Role::Receive);
    bench.connect();
    bench.publish(alice, "camera", Kind::Video, &[]);
    for producer in ["camera", "nobody"] {
        let consumed = bench.engine.consume(bench.now, "t1".into(), want(producer)).expect("consumed");
        assert_eq!(consumed.consumers[0].1, Err(ConsumeError::NotFound));
        assert_eq!(consumed.offer, None);
    }
    assert_eq!(bench.engine.consume(bench.now, "t9".into(), want("camera")), Err(Error::UnknownTransport));
}

#[test]
fn nothing_is_forwarded_before_the_answer() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    bench.engine.consume(bench.now, "t1".into(), want("camera")).expect("consumed");
    bench.send_video(alice, camera, None, true);
    bench.run_ms(100);
    assert_eq!(bench.engine.counters.packets_out, 0);
}

#[test]
fn an_offer_that_was_never_answered_is_part_of_the_next() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &[]);
    let screen = bench.publish(alice, "screen", Kind::Video, &[]);
    let lost = bench.engine.consume(bench.now, "t1".into(), want("camera")).expect("consumed");
    let (mids, _) = bench.subscribe(bob, &[("screen", None)]);
    for _ in 0..20 {
        bench.send_video(alice, camera, None, true);
        bench.send_video(alice, screen, None, true);
        bench.run_ms(20);
    }
    bench.run_ms(100);
    let camera_mid = Mid::from(lost.consumers[0].1.as_deref().expect("a mid"));
    for mid in [mids[0], camera_mid] {
        let got = bench.clients[bob].on(mid);
        assert_eq!(got.len(), 20);
        assert_continuous(&got);
    }
}

#[test]
fn a_client_that_answered_unheard_may_unsubscribe() {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    bench.publish(alice, "camera", Kind::Video, &[]);
    let lost = bench.engine.consume(bench.now, "t1".into(), want("camera")).expect("consumed");
    let offer = SdpOffer::from_sdp_string(&lost.offer.expect("an offer")).expect("good SDP");
    bench.clients[bob].rtc.sdp_api().accept_offer(offer).expect("acceptable");
    let mid = Mid::from(lost.consumers[0].1.as_deref().expect("a mid"));
    bench.unsubscribe(bob, &[mid]);
    assert_eq!(bench.engine.snapshot().consumers, 0);
    // And one that never saw the offer may make offers of its own, too.
    bench.engine.consume(bench.now, "t1".into(), want("camera")).expect("consumed");
    let (mids, _) = bench.subscribe(bob, &[("camera", None)]);
    bench.unsubscribe(bob, &mids);
}

#[test]
fn bounds_refuse_clearly() {
    let limits = Limits { producers_per_transport: 1, consumers_per_transport: 1, ..Limits::default() };
    let mut bench = Bench::with_limits(limits);
    let alice = bench.join("r", Role::Send);
    bench.join("r", Role::Receive);
    bench.connect();
    bench.publish(alice, "one", Kind::Video, &[]);
    let offer = || {
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/sdp/samples/chromium-send.sdp")).expect("the sample")
    };
    let open = bench.engine.open_transport(bench.now, "s".into(), "t0".into(), Role::Send, &offer());
    assert!(matches!(open, Err(Error::Refused(_))), "{open:?}");
    let produce = Produce {
        transport: "t0".into(),
        producer: "two".into(),
        goes_on: false,
        kind: Kind::Audio,
        screen_share: false,
        cap: crate::Cap::default(),
        paused: false,
        msid: String::new(),
        mid: Some("0".into()),
        offer: offer(),
    };
    let refused = bench.engine.produce(bench.now, produce);
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
}
