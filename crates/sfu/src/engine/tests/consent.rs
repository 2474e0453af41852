//! Media goes only where somebody wants it: whoever can sign checks and seal reports may write any address on them.

use std::cell::RefCell;
use std::rc::Rc;

use str0m::media::Mid;

use super::bench::{Bench, Way, assert_continuous};
use crate::engine::address::Address;
use crate::engine::{demux, stun};
use crate::limits::{CONSENT_LASTS, UNASKED_TIMES};
use crate::{Kind, Role};

/// Which datagrams are lost, and what else is seen of them: when, whose, which way.
type Loses = dyn FnMut(std::time::Instant, usize, Way, &[u8]) -> bool;

const ALICE: usize = 0;
const BOB: usize = 1;

/// Alice publishes, Bob watches. `taps` has Bob's last check that nominates, and his last report.
struct Call {
    bench: Bench,
    camera: Mid,
    mid: Mid,
    taps: Rc<RefCell<(Vec<u8>, Vec<u8>)>>,
}

impl Call {
    fn new() -> Self {
        let mut bench = Bench::new();
        let taps: Rc<RefCell<(Vec<u8>, Vec<u8>)>> = Rc::default();
        let alice = bench.join("r", Role::Send);
        let bob = bench.join("r", Role::Receive);
        bench.loses = Self::listen(&taps, false);
        bench.connect();
        let camera = bench.publish(alice, "camera", Kind::Video, &[]);
        let mid = bench.subscribe(bob, &[("camera", None)]).0[0];
        let mut call = Self { bench, camera, mid, taps };
        call.talk(1_000, |_| {});
        assert!(call.got() > 20);
        call
    }

    /// Notes what Bob sends; with `silent` nothing of it arrives.
    fn listen(taps: &Rc<RefCell<(Vec<u8>, Vec<u8>)>>, silent: bool) -> Box<Loses> {
        let taps = taps.clone();
        Box::new(move |_, who, way, bytes| {
            if who != BOB || way != Way::Up {
                return false;
            }
            if demux::is_stun(bytes) && bytes[..2] == stun::BINDING_REQUEST.to_be_bytes() {
                taps.borrow_mut().0 = bytes.to_vec();
            } else if demux::is_rtp_or_rtcp(bytes) {
                taps.borrow_mut().1 = bytes.to_vec();
            }
            silent
        })
    }

    /// A picture each 25 ms; `meanwhile` is called with each.
    fn talk(&mut self, ms: u64, mut meanwhile: impl FnMut(&mut Self)) {
        for n in 0..ms / 25 {
            let asked = !std::mem::take(&mut self.bench.clients[ALICE].key_frames_asked).is_empty();
            self.bench.send_video(ALICE, self.camera, None, n == 0 || asked);
            self.bench.run_ms(25);
            meanwhile(self);
        }
    }

    fn got(&self) -> usize {
        self.bench.clients[BOB].on(self.mid).len()
    }

    fn came_astray(&self, to: Address) -> usize {
        self.bench.astray.get(&to).copied().unwrap_or(0)
    }
}

fn victim() -> Address {
    Address::Udp("127.0.0.2:4444".parse().expect("an address"))
}

#[test]
fn forged_checks_do_not_point_media_at_somebody_else() {
    let mut call = Call::new();
    // Bob falls silent where he is, and goes on with checks that say they are from the victim.
    call.bench.loses = Call::listen(&call.taps, true);
    let mut sent = 0;
    call.talk(40_000, |call| {
        let check = call.taps.borrow().0.clone();
        sent += check.len();
        call.bench.engine.handle_datagram(call.bench.now, victim(), &check);
        call.bench.pump();
    });
    let came = call.came_astray(victim());
    assert!(sent > 0 && came <= UNASKED_TIMES * sent + 2 * sent, "{came} after {sent}: answers to checks are as long as they");
    let packets = call.bench.engine.counters.packets_out;
    call.talk(1_000, |_| {});
    assert_eq!(call.bench.engine.counters.packets_out, packets, "and no media at all");
}

#[test]
fn neither_do_forged_reports() {
    let mut call = Call::new();
    call.bench.loses = Call::listen(&call.taps, true);
    let (mut sent, before) = (0, call.bench.engine.counters.packets_out);
    call.talk(5_000, |call| {
        // Each report opens once, so it never comes from Bob himself.
        let (check, report) = call.taps.borrow().clone();
        sent += check.len() + report.len();
        call.bench.engine.handle_datagram(call.bench.now, victim(), &check);
        call.bench.engine.handle_datagram(call.bench.now, victim(), &report);
        call.bench.pump();
    });
    let came = call.came_astray(victim());
    assert!(came <= UNASKED_TIMES * sent, "{came} after {sent}");
    // What left went to Bob, before the first report.
    assert!(call.bench.engine.counters.packets_out - before < 10);
}

#[test]
fn a_client_that_moves_is_asked_at_its_new_address_and_goes_on_there() {
    let mut call = Call::new();
    let taps = call.taps.clone();
    let asked: Rc<RefCell<usize>> = Rc::default();
    let (mut listen, questions) = (Call::listen(&taps, false), asked.clone());
    call.bench.loses = Box::new(move |now, who, way, bytes| {
        let question = way == Way::Down && who == BOB && bytes[..2] == stun::BINDING_REQUEST.to_be_bytes();
        *questions.borrow_mut() += usize::from(question && demux::is_stun(bytes));
        listen(now, who, way, bytes)
    });
    let there = Address::Udp("10.7.7.7:7777".parse().expect("an address"));
    let left = call.bench.clients[BOB].address;
    call.bench.clients[BOB].address = there;
    // It checks its paths every few seconds, and says nothing else while nothing comes: then the old one must be quiet first.
    call.talk(10_000, |_| {});
    assert!(*asked.borrow() > 0 && call.came_astray(there) == 0);
    let (before, astray) = (call.got(), call.came_astray(left));
    call.talk(2_000, |_| {});
    let got = call.bench.clients[BOB].on(call.mid);
    assert!(got.len() >= before + 78, "{} of 80", got.len() - before);
    assert_continuous(&got[before..]);
    assert_eq!(call.came_astray(left), astray, "nothing goes where it was");
}

#[test]
fn who_does_not_answer_any_more_gets_nothing_until_it_does() {
    let mut call = Call::new();
    let taps = call.taps.clone();
    let mut listen = Call::listen(&taps, false);
    // All but its answers arrives.
    call.bench.loses = Box::new(move |now, who, way, bytes| {
        listen(now, who, way, bytes);
        who == BOB && way == Way::Up && stun::answers(bytes).is_some()
    });
    call.talk(CONSENT_LASTS.as_millis() as u64 + 1_000, |_| {});
    let before = call.got();
    call.talk(2_000, |_| {});
    assert_eq!(call.got(), before, "it did not say that it wants more");
    assert!(!call.bench.clients[BOB].closed);
    call.bench.loses = Call::listen(&taps, false);
    call.talk(2_000, |_| {});
    assert!(call.got() > before + 50, "{} of 80", call.got() - before);
}
