//! A trap behind each door of the engine, sprung as a bug would be: it ends one transport, and the call goes on.

use std::panic;

use super::bench::Bench;
use crate::engine::trap;
use crate::{CloseReason, Consume, Event, Kind, Role, TransportId};

/// A call of which each packet goes from Alice to Bob, with Carol and Dora beside them.
struct Call {
    bench: Bench,
    camera: str0m::media::Mid,
    mid: str0m::media::Mid,
}

const ALICE: usize = 0;
const BOB: usize = 1;

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let alice = bench.join("r", Role::Send);
        let bob = bench.join("r", Role::Receive);
        bench.join("r", Role::Receive);
        bench.join("r", Role::Send);
        bench.connect();
        let camera = bench.publish(alice, "camera", Kind::Video, &[]);
        let mid = bench.subscribe(bob, &[("camera", None)]).0[0];
        let mut call = Self { bench, camera, mid };
        call.talk();
        call
    }

    fn talk(&mut self) {
        for _ in 0..10 {
            self.bench.send_video(ALICE, self.camera, None, true);
            self.bench.run_ms(20);
        }
    }

    /// Sets a trap, lets something happen, and asserts who fell into it.
    fn check(name: &'static str, victims: &[&str], happens: impl FnOnce(&mut Self)) {
        let mut call = Self::new();
        trap::set(name);
        let outcome = panic::catch_unwind(panic::AssertUnwindSafe(|| happens(&mut call)));
        assert!(outcome.is_ok(), "the panic in {name} went through the engine");
        assert!(!trap::is_set(), "nothing passed the trap {name}");
        assert_eq!(call.bench.engine.counters.panics, 1, "{name}");
        let died: Vec<&TransportId> = call.bench.events.iter().filter_map(panicked).collect();
        assert_eq!(died.iter().map(|id| id.as_str()).collect::<Vec<_>>(), victims, "{name}");
        // Those who are left go on, and others may come.
        let lives = |name: &str| !victims.contains(&name);
        if lives("t0") && lives("t1") {
            let before = call.bench.clients[BOB].on(call.mid).len();
            call.talk();
            assert!(call.bench.clients[BOB].on(call.mid).len() >= before + 10, "after {name} the call goes on");
        }
        if lives("t0") {
            let bench = &mut call.bench;
            let eve = bench.join("r", Role::Receive);
            bench.run_ms(500);
            let mid = bench.subscribe(eve, &[("camera", None)]).0[0];
            call.talk();
            call.bench.run_ms(100);
            assert!(!call.bench.clients[eve].on(mid).is_empty(), "after {name} others may come");
        }
        call.bench.engine.close_room(call.bench.now, &"r".into());
        assert!(call.bench.engine.is_empty(), "nothing is left behind after {name}");
    }
}

fn panicked(event: &Event) -> Option<&TransportId> {
    match event {
        Event::TransportClosed { transport, reason: CloseReason::Panicked } => Some(transport),
        _ => None,
    }
}

fn want(producer: &str) -> Vec<Consume> {
    vec![Consume { producer: producer.into(), preferred_rid: None }]
}

#[test]
fn in_a_datagram_of_media_it_ends_who_sent_it() {
    Call::check("datagram", &["t0"], |call| call.talk());
    Call::check("packet", &["t0"], |call| call.talk());
}

#[test]
fn in_a_check_that_anyone_may_send_it_ends_nobody() {
    Call::check("check", &[], |call| call.bench.run_ms(10_000));
}

#[test]
fn in_sending_or_sharing_a_line_out_it_ends_who_was_to_get_it() {
    Call::check("flush", &["t1"], |call| call.talk());
    Call::check("allocate", &["t1"], |call| call.talk());
}

#[test]
fn in_asking_for_a_key_frame_it_ends_who_was_asked() {
    Call::check("key frame", &["t0"], |call| {
        call.bench.run_ms(2_000);
        call.bench.subscribe(2, &[("camera", None)]);
    });
}

#[test]
fn when_time_comes_it_ends_whose_time_it_was() {
    let mut call = Call::new();
    // Whose time comes first is not known beforehand.
    trap::set("timeout");
    call.bench.run_ms(3_000);
    let died = call.bench.events.iter().filter_map(panicked).count();
    assert_eq!((call.bench.engine.counters.panics, died, call.bench.engine.snapshot().transports), (1, 1, 3));
}

#[test]
fn in_housekeeping_it_ends_who_was_looked_at() {
    Call::check("housekeeping", &["t0"], |call| call.bench.run_ms(6_000));
}

#[test]
fn at_the_end_of_the_handshake_it_ends_who_shook_hands() {
    Call::check("connected", &["t4"], |call| {
        call.bench.join("r", Role::Receive);
        call.bench.run_ms(500);
    });
}

#[test]
fn in_a_command_it_ends_whom_the_command_is_about() {
    Call::check("consume", &["t2"], |call| {
        let (now, engine) = (call.bench.now, &mut call.bench.engine);
        let done = engine.obey_for(now, Some(&"t2".into()), |engine| engine.consume(now, "t2".into(), want("camera")));
        assert!(done.is_none());
        call.bench.pump();
    });
    Call::check("open", &[], |call| {
        let (now, engine) = (call.bench.now, &mut call.bench.engine);
        let offer = include_str!("../../sdp/samples/chromium-send.sdp");
        let done = engine
            .obey_for(now, Some(&"t9".into()), |engine| engine.open_transport(now, "r".into(), "t9".into(), Role::Send, offer));
        assert!(done.is_none());
    });
}

#[test]
fn in_saying_goodbye_it_changes_nothing() {
    Call::check("close", &[], |call| call.bench.engine.close_transport(call.bench.now, &"t3".into()));
}

#[test]
fn a_picture_for_the_metrics_that_panics_ends_nobody() {
    let mut call = Call::new();
    let done = call.bench.engine.obey_for(call.bench.now, None, |_| -> u8 { panic!("a bug") });
    assert!(done.is_none());
    assert_eq!((call.bench.engine.counters.panics, call.bench.engine.snapshot().transports), (1, 4));
}
