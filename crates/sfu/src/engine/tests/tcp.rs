//! Clients on TCP, and clients that go from one to the other.

use str0m::media::Mid;
use str0m::net::Protocol::{self, Tcp, Udp};

use super::bench::{Bench, Way, server};
use crate::engine::address::Address;
use crate::{Kind, Role};

/// Alice publishes, Bob watches; both speak these protocols.
fn call(alices: &[Protocol], bobs: &[Protocol], without_udp: &[usize]) -> (Bench, Mid, Mid) {
    let mut bench = Bench::new();
    bench.without_udp.extend(without_udp);
    let alice = bench.join_over("r", Role::Send, alices);
    let bob = bench.join_over("r", Role::Receive, bobs);
    assert_eq!((alice, bob), (ALICE, BOB));
    bench.run_ms(5_000);
    assert!(bench.clients.iter().all(|client| client.connected_at.is_some()), "both are connected");
    let camera = bench.publish(ALICE, "camera", Kind::Video, &[]);
    let (mids, _) = bench.subscribe(BOB, &[("camera", None)]);
    (bench, camera, mids[0])
}

const ALICE: usize = 0;
const BOB: usize = 1;

/// Lets Alice send for a while; returns how many packets Bob got, of how many.
fn talk(bench: &mut Bench, camera: Mid, mid: Mid, seconds: u64) -> (usize, usize) {
    let before = bench.clients[BOB].on(mid).len();
    let count = seconds as usize * 50;
    for n in 0..count {
        let asked = bench.clients[ALICE].key_frames_asked.drain(..).count() > 0;
        bench.send_video(ALICE, camera, None, n == 0 || asked);
        bench.run_ms(20);
    }
    bench.run_ms(100);
    (bench.clients[BOB].on(mid).len() - before, count)
}

fn protocol_of(bench: &Bench, client: usize) -> Protocol {
    bench.clients[client].sends_from.expect("it sent something").protocol()
}

#[test]
fn people_without_udp_see_each_other_over_tcp() {
    let (mut bench, camera, mid) = call(&[Udp, Tcp], &[Udp, Tcp], &[ALICE, BOB]);
    assert_eq!(talk(&mut bench, camera, mid, 3), (150, 150));
    assert_eq!([protocol_of(&bench, ALICE), protocol_of(&bench, BOB)], [Tcp, Tcp]);
}

#[test]
fn one_on_tcp_and_one_on_udp_see_each_other() {
    for without_udp in [ALICE, BOB] {
        let (mut bench, camera, mid) = call(&[Udp, Tcp], &[Udp, Tcp], &[without_udp]);
        assert_eq!(talk(&mut bench, camera, mid, 3), (150, 150));
        let expected = if without_udp == ALICE { [Tcp, Udp] } else { [Udp, Tcp] };
        assert_eq!([protocol_of(&bench, ALICE), protocol_of(&bench, BOB)], expected);
    }
}

#[test]
fn who_has_both_uses_udp() {
    let (mut bench, camera, mid) = call(&[Tcp, Udp], &[Tcp, Udp], &[]);
    assert_eq!(talk(&mut bench, camera, mid, 3), (150, 150));
    assert_eq!([protocol_of(&bench, ALICE), protocol_of(&bench, BOB)], [Udp, Udp]);
}

#[test]
fn media_follows_from_udp_to_tcp() {
    let (mut bench, camera, mid) = call(&[Udp, Tcp], &[Udp, Tcp], &[]);
    assert_eq!(talk(&mut bench, camera, mid, 3), (150, 150));
    bench.without_udp.extend([ALICE, BOB]);
    // str0m as a client takes most of a minute to give a path up.
    talk(&mut bench, camera, mid, 60);
    let (got, sent) = talk(&mut bench, camera, mid, 3);
    assert_eq!((got, protocol_of(&bench, ALICE), protocol_of(&bench, BOB)), (sent, Tcp, Tcp));
    // Not only what Bob gets, also what Alice is told takes the new way.
    bench.clients[BOB]
        .rtc
        .direct_api()
        .stream_rx_by_mid(mid, None)
        .expect("a stream")
        .request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    let before = bench.clients[ALICE].key_frames_asked.len();
    bench.run_ms(1_000);
    assert!(bench.clients[ALICE].key_frames_asked.len() > before, "Alice is asked for a key frame");
}

#[test]
fn media_follows_from_tcp_to_udp() {
    let (mut bench, camera, mid) = call(&[Udp, Tcp], &[Udp, Tcp], &[ALICE, BOB]);
    assert_eq!(talk(&mut bench, camera, mid, 1), (50, 50));
    assert_eq!([protocol_of(&bench, ALICE), protocol_of(&bench, BOB)], [Tcp, Tcp]);
    bench.without_udp.clear();
    let (got, sent) = talk(&mut bench, camera, mid, 20);
    assert!(got + 10 > sent, "{got} of {sent} over the change");
    assert_eq!([protocol_of(&bench, ALICE), protocol_of(&bench, BOB)], [Udp, Udp]);
    // What the connection was for still goes on without it.
    for client in [ALICE, BOB] {
        let there = Address::Tcp(bench.clients[client].address.socket());
        bench.engine.disconnected(there);
    }
    assert_eq!(talk(&mut bench, camera, mid, 2), (100, 100));
}

#[test]
fn who_connects_again_after_its_connection_broke_gets_media_there() {
    let (mut bench, camera, mid) = call(&[Tcp], &[Tcp], &[]);
    assert_eq!(talk(&mut bench, camera, mid, 1), (50, 50));
    let bob = bench.clients[BOB].address;
    assert!(bench.engine.knows(bob));
    bench.engine.disconnected(bob);
    assert!(!bench.engine.knows(bob));
    // Its next check tells where it is now.
    talk(&mut bench, camera, mid, 4);
    assert!(bench.engine.knows(bob));
    assert_eq!(talk(&mut bench, camera, mid, 1), (50, 50));
}

#[test]
fn a_check_that_someone_sends_again_over_tcp_does_not_lead_media_there() {
    let (mut bench, camera, mid) = call(&[Udp], &[Udp], &[]);
    let checks: std::rc::Rc<std::cell::RefCell<Vec<Vec<u8>>>> = Default::default();
    let tap = checks.clone();
    bench.loses = Box::new(move |_, client, way, bytes| {
        if client == BOB && way == Way::Up && bytes[0] < 4 {
            tap.borrow_mut().push(bytes.to_vec());
        }
        false
    });
    talk(&mut bench, camera, mid, 4);
    assert!(!checks.borrow().is_empty(), "checks were seen");
    // The same address and port as Bob's, so that nothing but the protocol tells them apart.
    let thief = Address::Tcp(bench.clients[BOB].address.socket());
    for check in checks.borrow().iter() {
        bench.engine.handle_datagram(bench.now, thief, check);
    }
    bench.engine.flush(bench.now, &mut |outbox| assert!(outbox.iter().all(|run| run.to != thief)));
    assert_eq!(talk(&mut bench, camera, mid, 2), (100, 100));
    // Nor does the end of that connection take anything from Bob.
    bench.engine.disconnected(thief);
    assert_eq!(talk(&mut bench, camera, mid, 2), (100, 100));
}

#[test]
fn a_stranger_on_tcp_gets_no_answer() {
    let (mut bench, _, _) = call(&[Udp], &[Udp], &[]);
    bench.run_ms(100);
    let stranger = Address::Tcp("198.51.100.9:1234".parse().expect("an address"));
    for bytes in [vec![0x80; 100], vec![22; 100], vec![0; 20], vec![]] {
        bench.engine.handle_datagram(bench.now, stranger, &bytes);
        assert!(bench.engine.poll_output().is_none());
        assert!(!bench.engine.knows(stranger));
    }
}

#[test]
fn tcp_is_offered_after_udp_and_with_less_priority() {
    let mut bench = Bench::new();
    bench.join("r", Role::Send);
    let offer = include_str!("../../sdp/samples/chromium-send.sdp");
    let answer = bench.engine.open_transport(bench.now, "r".into(), "x".into(), Role::Send, offer).expect("an answer");
    let candidates: Vec<Vec<&str>> =
        answer.lines().filter(|l| l.starts_with("a=candidate:")).map(|l| l.split(' ').collect()).collect();
    let (ip, port) = (server().ip().to_string(), server().port().to_string());
    assert_eq!(candidates.len(), 2, "{answer}");
    assert_eq!(candidates[0][4..], [ip.as_str(), &port, "typ", "host"]);
    assert_eq!(candidates[1][4..], [ip.as_str(), &port, "typ", "host", "tcptype", "passive"]);
    assert_eq!([candidates[0][2], candidates[1][2]], ["udp", "tcp"]);
    assert_ne!(candidates[0][0], candidates[1][0], "foundations");
    let priority = |n: usize| candidates[n][3].parse::<u32>().expect("a number");
    assert!(priority(0) > priority(1));
}
