//! Sender reports as subscribers get them: browsers play sound and pictures in step by them.

use std::time::{Duration, SystemTime};

use str0m::Input;
use str0m::media::Mid;
use str0m::rtp::RtpWrite;

use super::bench::{Bench, Way};
use crate::{Kind, Role};

/// Pictures leave so long after they were taken: somebody encodes them.
const ENCODING: Duration = Duration::from_millis(40);
const JITTER_MS: u64 = 60;
/// Until then no report of the publisher arrives.
const SILENT: Duration = Duration::from_secs(5);

struct Call {
    bench: Bench,
    alice: usize,
    bob: usize,
    /// Where they come from, and where they go to.
    sound: (Mid, Mid),
    pictures: (Mid, Mid),
    numbers: [u64; 2],
}

fn call() -> Call {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    bench.connect();
    let sound = bench.publish(alice, "microphone", Kind::Audio, &[]);
    let pictures = bench.publish(alice, "camera", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(bob, &[("microphone", None), ("camera", None)]);
    let mut state = 7_u64;
    bench.holds_up = Box::new(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((state >> 33) % (JITTER_MS + 1))
    });
    Call { bench, alice, bob, sound: (sound, mids[0]), pictures: (pictures, mids[1]), numbers: [1_000, 5_000] }
}

impl Call {
    /// Something taken `ago` leaves now.
    fn send(&mut self, kind: Kind, ago: Duration) {
        let (mid, pt, which) = match kind {
            Kind::Audio => (self.sound.0, 111, 0),
            Kind::Video => (self.pictures.0, 96, 1),
        };
        let taken = self.bench.now - ago;
        let timestamp = (taken - self.bench.start).as_millis() as u32 * (kind.clock_rate() / 1_000);
        self.numbers[which] += 1;
        let number = self.numbers[which];
        // Each picture is a key frame.
        let payload = vec![0x90, 0xe0, 0x80, number as u8, number as u8, 0x20, 0, 0, 0, 0, 0, 0, 0, 0];
        let rtc = &mut self.bench.clients[self.alice].rtc;
        let mut direct = rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).expect("a stream");
        stream.write_rtp(RtpWrite::new(pt.into(), number.into(), timestamp, taken, payload).marker(true));
        rtc.handle_input(Input::Timeout(self.bench.now)).expect("time");
        self.bench.pump();
    }

    /// A second of both.
    fn second(&mut self) {
        for n in 0..50 {
            self.send(Kind::Audio, Duration::ZERO);
            if n % 2 == 0 {
                self.send(Kind::Video, ENCODING);
            }
            self.bench.run_ms(20);
        }
    }

    /// How much later than it was taken something is to be shown, by the newest report, in ms and some constant.
    fn lag(&self, kind: Kind) -> f64 {
        let mid = if kind == Kind::Audio { self.sound.1 } else { self.pictures.1 };
        let got = self.bench.clients[self.bob].on(mid);
        let (wall, timestamp) = got.last().and_then(|last| last.report).expect("a report");
        let wall = wall.duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs_f64() * 1_000.0;
        wall - f64::from(timestamp) * 1_000.0 / f64::from(kind.clock_rate())
    }
}

#[test]
fn sound_and_pictures_stay_together_whatever_holds_them_up() {
    let mut call = call();
    let until = call.bench.now + SILENT;
    let alice = call.alice;
    call.bench.loses = Box::new(move |now, client, way, bytes| {
        now < until && client == alice && way == Way::Up && bytes[0] >= 128 && bytes[1] == 200
    });
    call.second();
    let mut before: Option<[f64; 2]> = None;
    let mut apart = Vec::new();
    for _ in 0..20 {
        call.second();
        let lags = [call.lag(Kind::Audio), call.lag(Kind::Video)];
        if let Some(before) = before.replace(lags) {
            for (a, b) in before.into_iter().zip(lags) {
                assert!((a - b).abs() <= 25.0, "neither jumps: {before:?}, then {lags:?}");
            }
        }
        apart.push(lags[1] - lags[0]);
    }
    // Without reports nobody can know how long the encoder takes; with them it is known, and followed within seconds.
    let encoding = ENCODING.as_secs_f64() * 1_000.0;
    assert!(apart[..3].iter().all(|ms| (ms - encoding).abs() <= 20.0), "by arrival at first: {apart:?}");
    assert!(apart[9..].iter().all(|ms| ms.abs() <= 20.0), "by the publisher's own reports: {apart:?}");
}
