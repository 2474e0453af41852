//! Subscribers on slow, lossy and changing lines.

use std::time::Duration;

use str0m::media::Mid;

use super::bench::{Bench, Received, SERVER, Way};
use crate::engine::address::Address;
use crate::{Kind, Role};

/// Packets of 240 bytes a layer sends in each picture: 30 pictures a second make 0.6 Mbit/s, 180 and 60 kbit/s.
const LAYERS: [(&str, usize); 3] = [("f", 10), ("h", 3), ("q", 1)];

struct Call {
    bench: Bench,
    alice: usize,
    camera: Mid,
    bob: usize,
    carol: usize,
    mid: Mid,
    carols: Mid,
    pictures: u64,
}

/// Alice publishes three layers; Bob and Carol watch her large.
fn call() -> Call {
    let mut bench = Bench::new();
    let alice = bench.join("r", Role::Send);
    let bob = bench.join("r", Role::Receive);
    let carol = bench.join("r", Role::Receive);
    bench.connect();
    let camera = bench.publish(alice, "camera", Kind::Video, &["f", "h", "q"]);
    let mid = bench.subscribe(bob, &[("camera", Some("f"))]).0[0];
    let carols = bench.subscribe(carol, &[("camera", Some("f"))]).0[0];
    Call { bench, alice, camera, bob, carol, mid, carols, pictures: 0 }
}

impl Call {
    fn talk(&mut self, seconds: u64) {
        for _ in 0..seconds * 30 {
            // A key frame when asked, as browsers do.
            let asked: Vec<_> = self.bench.clients[self.alice].key_frames_asked.drain(..).map(|(_, _, rid)| rid).collect();
            for (rid, packets) in LAYERS {
                let key = self.pictures == 0 || asked.iter().flatten().any(|r| **r == *rid);
                for n in 0..packets {
                    self.bench.send_video(self.alice, self.camera, Some(rid), key && n == 0);
                }
            }
            self.pictures += 1;
            self.bench.run_ms(33);
        }
    }

    /// What a subscriber got in the last seconds, by layer.
    fn got(&self, client: usize, mid: Mid, seconds: u64) -> Vec<(char, usize)> {
        let since = self.bench.now - Duration::from_secs(seconds);
        let got: Vec<Received> = self.bench.clients[client].on(mid).into_iter().filter(|r| r.at >= since).collect();
        let count = |layer: char| got.iter().filter(|r| r.layer == layer as u8).count();
        ['f', 'h', 'q'].map(|layer| (layer, count(layer))).into_iter().filter(|(_, n)| *n > 0).collect()
    }

    fn assert_only(&self, client: usize, mid: Mid, seconds: u64, layer: char) {
        let got = self.got(client, mid, seconds);
        assert!(matches!(got[..], [(only, _)] if only == layer), "only {layer}, not {got:?}");
    }
}

#[test]
fn who_has_a_slow_line_gets_the_layer_that_fits_and_the_others_what_they_want() {
    let mut call = call();
    call.bench.rates.insert(call.bob, 350e3);
    call.talk(4);
    call.talk(4);
    call.assert_only(call.bob, call.mid, 4, 'h');
    call.assert_only(call.carol, call.carols, 7, 'f');
    // The line is good again.
    call.bench.rates.insert(call.bob, 20e6);
    call.talk(12);
    call.talk(3);
    call.assert_only(call.bob, call.mid, 3, 'f');
}

#[test]
fn a_line_that_carries_no_picture_at_all_is_left_alone_until_it_does() {
    let mut call = call();
    call.talk(2);
    call.bench.rates.insert(call.bob, 40e3);
    call.talk(10);
    let got: usize = call.got(call.bob, call.mid, 3).iter().map(|(_, n)| n).sum();
    assert!(got < 100, "{got} packets in 3 s, when the small layer alone has 90");
    call.bench.rates.insert(call.bob, 20e6);
    call.talk(30);
    call.talk(3);
    call.assert_only(call.bob, call.mid, 3, 'f');
}

#[test]
fn a_tenth_of_the_packets_lost_costs_none_and_no_layer() {
    let mut call = call();
    let mut n = 0_u64;
    let bob = call.bob;
    call.bench.loses = Box::new(move |_, client, way, _| {
        n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        client == bob && way == Way::Down && (n >> 33) % 100 < 10
    });
    call.talk(10);
    call.bench.loses = Box::new(|_, _, _, _| false);
    call.talk(1);
    let got = call.bench.clients[call.bob].on(call.mid);
    let large = got.iter().filter(|r| r.layer == b'f').count();
    assert!(large as f64 > 0.97 * 10.0 * 30.0 * 11.0, "{large} packets of the large layer");
    let lost = got.windows(2).filter(|two| two[1].seq != two[0].seq + 1).count();
    assert!(lost < got.len() / 200, "{lost} gaps in {}", got.len());
}

#[test]
fn on_a_lossy_line_the_end_of_a_picture_comes_though_it_is_lost() {
    let mut call = call();
    let bob = call.bob;
    let mut n = 0_u64;
    call.bench.loses = Box::new(move |_, client, way, _| {
        n += 1;
        client == bob && way == Way::Down && n.is_multiple_of(10)
    });
    call.talk(4);
    // Nothing comes after this picture that would show that it is missing.
    let mut media = true;
    call.bench.loses = Box::new(move |_, client, way, bytes| {
        client == bob && way == Way::Down && matches!(bytes[0], 128..=191) && bytes.len() > 200 && std::mem::take(&mut media)
    });
    let before = call.bench.clients[bob].on(call.mid).len();
    call.bench.send_video(call.alice, call.camera, Some("f"), false);
    call.bench.run_ms(30);
    assert_eq!(call.bench.clients[bob].on(call.mid).len(), before + 1);
}

#[test]
fn a_check_that_someone_sends_again_from_elsewhere_does_not_lead_media_there() {
    let mut call = call();
    let checks: std::rc::Rc<std::cell::RefCell<Vec<Vec<u8>>>> = Default::default();
    let tap = checks.clone();
    let bob = call.bob;
    call.bench.loses = Box::new(move |_, client, way, bytes| {
        if client == bob && way == Way::Up && bytes[0] < 4 {
            tap.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    call.talk(5);
    assert!(!checks.borrow().is_empty(), "checks were seen");
    let thief = Address::Udp("203.0.113.9:9".parse().unwrap());
    for check in checks.borrow().iter() {
        call.bench.engine.handle_datagram(call.bench.now, thief, check);
    }
    let before = call.bench.clients[bob].on(call.mid).len();
    call.talk(1);
    assert!(call.bench.clients[bob].on(call.mid).len() > before + 250, "media still comes to {SERVER}'s client");
}
