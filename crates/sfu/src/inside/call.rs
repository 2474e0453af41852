//! A call of str0m clients and an engine, to which anything may happen: datagrams of strangers and of its own clients,
//! reports, media of any content, broken descriptions, and time.
//! Invariant: whatever comes, no transport but the one it came for suffers, and the engine never panics.

use std::cell::RefCell;

use str0m::media::Mid;

use super::bench::{Bench, Way};
use super::bytes::Bytes;
use crate::engine::address::Address;
use crate::{Kind, Role};

/// A call is made anew after so many inputs: making one takes milliseconds.
const INPUTS_PER_CALL: usize = 64;

struct Call {
    bench: Bench,
    inputs: usize,
    camera: Mid,
    microphone: Mid,
    /// What clients sent while they connected, to be spoilt.
    kept: Vec<Vec<u8>>,
}

const ALICE: usize = 0;
const BOB: usize = 1;

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let kept: std::rc::Rc<RefCell<Vec<Vec<u8>>>> = std::rc::Rc::default();
        let tap = kept.clone();
        bench.loses = Box::new(move |_, _, way, bytes| {
            if way == Way::Up && tap.borrow().len() < 64 {
                tap.borrow_mut().push(bytes.to_vec());
            }
            false
        });
        let alice = bench.join("r", Role::Send);
        let bob = bench.join("r", Role::Receive);
        let carol = bench.join("r", Role::Receive);
        bench.connect();
        let camera = bench.publish(alice, "camera", Kind::Video, &["f", "h"]);
        let microphone = bench.publish(alice, "microphone", Kind::Audio, &[]);
        for who in [bob, carol] {
            bench.subscribe(who, &[("camera", None), ("microphone", None)]);
        }
        for _ in 0..5 {
            bench.send_video(alice, camera, Some("f"), true);
            bench.send_audio(alice, microphone, -30);
            bench.run_ms(20);
        }
        bench.loses = Box::new(|_, _, _, _| false);
        let kept = kept.take();
        Self { bench, inputs: 0, camera, microphone, kept }
    }

    fn happen(&mut self, rest: &mut Bytes<'_>) {
        let what = rest.number(1);
        let from = match what >> 4 & 3 {
            0 => self.bench.clients[ALICE].address,
            1 => self.bench.clients[BOB].address,
            2 => self.bench.clients[2].address,
            _ => Address::Udp("198.51.100.9:1234".parse().expect("an address")),
        };
        let length = rest.number(1) as usize * 4;
        let (now, bench) = (self.bench.now, &mut self.bench);
        match what & 0xf {
            0 | 1 => bench.engine.handle_datagram(now, from, rest.take(length)),
            2 | 3 => bench.engine.report_of(now, "t1", rest.take(length)),
            4 => {
                let good = &self.kept[rest.number(1) as usize % self.kept.len()];
                let mut bytes = good.clone();
                for change in rest.take(length.min(16)).chunks(2) {
                    let at = usize::from(change[0]) % bytes.len();
                    bytes[at] ^= change.get(1).copied().unwrap_or(1);
                }
                bench.engine.handle_datagram(now, from, &bytes);
            }
            5 | 6 => {
                let rid = if what & 0x40 == 0 { "f" } else { "h" };
                bench.send_payload(ALICE, self.camera, Some(rid), rest.take(length).to_vec());
            }
            7 => bench.send_audio(ALICE, self.microphone, rest.number(1) as i8),
            8 => bench.send_video(ALICE, self.camera, Some("f"), length & 4 != 0),
            9 => {
                let _ = bench.engine.set_layer(now, "t1".into(), "camera".into(), None, if length == 0 { "f" } else { "h" });
            }
            10 => bench.engine.pause_producer(now, &"camera".into(), length & 4 != 0),
            11 => {
                let text = String::from_utf8_lossy(rest.take(length)).into_owned();
                let _ = bench.engine.accept_answer(now, "t1".into(), &text);
                let _ = bench.engine.close_consumers(now, "t2".into(), vec![], &text);
            }
            _ => bench.run_ms(length as u64 / 4),
        }
    }
}

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// A list of things that happen to a call.
pub fn call(bytes: &[u8]) {
    let mut call = CALL.take().filter(|call| call.inputs < INPUTS_PER_CALL).unwrap_or_else(Call::new);
    call.inputs += 1;
    let mut rest = Bytes(bytes);
    for _ in 0..64 {
        if rest.is_empty() {
            break;
        }
        call.happen(&mut rest);
    }
    call.bench.pump();
    assert_eq!(call.bench.engine.counters.panics, 0, "no bug of ours showed");
    assert_eq!(call.bench.engine.snapshot().transports, 3, "nobody fell out: {:?}", call.bench.events);
    CALL.set(Some(call));
}
