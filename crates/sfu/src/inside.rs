//! What fuzz targets, the test of their corpora and the instruction counts see of the crate's inside. Not an API.
//! Each target takes bytes and panics where something that must hold does not.
//! Invariant: `TARGETS` has them all; each has a file in `fuzz/fuzz_targets` and a folder in `fuzz/corpus`.
//! Next: `inside/call.rs` for the whole engine; a new payload descriptor gets a target beside `vp9`.

/// The engine's own tests have it too.
#[path = "engine/tests/bench.rs"]
#[allow(dead_code)]
mod bench;
mod bytes;
mod call;
#[cfg(feature = "inside")]
pub mod pieces;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use salon_srtp::{End, RtcpOpener, Sealer};
use str0m::crypto::dtls::{KeyingMaterial, SrtpProfile};

use self::bytes::Bytes;
pub use self::call::call;

use crate::engine::address::Address;
use crate::engine::congestion::{Congestion, arrivals as arrival_reports};
use crate::engine::demux;
use crate::engine::egress::feedback::{self as feedback_reports, Feedback};
use crate::engine::farewell::Farewell;
use crate::engine::lines::Lines;
use crate::engine::payload;
use crate::engine::payload::dependency::Frame;
use crate::engine::payload::descriptor::Descriptor;
use crate::engine::payload::ids::{ALL_LAYERS, Ids};
use crate::engine::payload::pictures::Pictures;
use crate::engine::rewrite::{Sequence, Timeline};

use crate::sdp;
use crate::sdp::write::{Session, Source};

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 12] = [
    ("feedback", feedback),
    ("arrivals", arrivals),
    ("stun", stun),
    ("vp8", vp8),
    ("vp9", vp9),
    ("h264", h264),
    ("av1", av1),
    ("dependency", dependency),
    ("srtp", srtp),
    ("sdp", sdp),
    ("numbers", numbers),
    ("call", call),
];

/// Compound RTCP of a subscriber, as it is after it was opened.
pub fn feedback(bytes: &[u8]) {
    let mut wishes = 0;
    feedback_reports::read(bytes, |wish| {
        wishes += 1;
        if let Feedback::Missing { first, after, .. } = wish {
            let numbers: HashSet<u16> = Feedback::numbers(first, after).collect();
            assert!((1..=17).contains(&numbers.len()) && numbers.contains(&first));
        }
    });
    assert!(wishes * 4 <= bytes.len(), "a wish takes at least a word");
}

/// A transport-wide report of arrivals, and what the estimate makes of it.
pub fn arrivals(bytes: &[u8]) {
    let mut spoken = 0;
    let mut last = None;
    arrival_reports::read(bytes, |number, _| {
        assert!(last.is_none_or(|last: u16| number == last.wrapping_add(1)), "in order");
        last = Some(number);
        spoken += 1;
    });
    assert!(spoken <= arrival_reports::MOST);
    let start = Instant::now();
    let mut congestion = Congestion::new(start, 0);
    let mut rest = Bytes(bytes);
    let mut now = start;
    for _ in 0..8 {
        for _ in 0..rest.number(1) {
            now += Duration::from_micros(500);
            congestion.sent(now, 1_200);
        }
        now += Duration::from_millis(50);
        congestion.hear(now, rest.0);
        congestion.probe(now, 4_000_000, 36);
        let estimate = congestion.estimate().expect("something was said");
        assert!((20_000..=100_000_000).contains(&estimate), "{estimate}");
    }
}

/// A datagram that looks like STUN: whom it is for, and whether it may be answered.
pub fn stun(bytes: &[u8]) {
    let _ = (demux::is_rtp_or_rtcp(bytes), demux::is_dtls(bytes));
    let farewell = Farewell::new(&[7; 32]);
    let name = if demux::is_stun(bytes) { demux::addressee(bytes) } else { None };
    let _ = demux::nominates(bytes);
    let name = name.unwrap_or("name");
    assert_eq!(farewell.refuse(name, bytes), None, "nobody guesses a password");
    // As its owner would have signed it.
    let mut signed = bytes.to_vec();
    if farewell.sign(name, &mut signed) {
        let refusal = farewell.refuse(name, &signed).expect("its owner is answered");
        assert_eq!(usize::from(u16::from_be_bytes([refusal[2], refusal[3]])) + 20, refusal.len());
        assert!(refusal.len() <= signed.len() + 40, "no more comes back than was sent");
    }
}

/// Payloads of VP8, and their ids written anew.
pub fn vp8(bytes: &[u8]) {
    payloads(payload::vp8::read, bytes);
}

/// Payloads of VP9, the same.
pub fn vp9(bytes: &[u8]) {
    payloads(payload::vp9::read, bytes);
}

/// Payloads of H.264, the same.
pub fn h264(bytes: &[u8]) {
    payloads(payload::h264::read, bytes);
}

/// Payloads of AV1 without a header extension, the same.
pub fn av1(bytes: &[u8]) {
    payloads(|payload| payload::av1::read(payload, None), bytes);
}

fn payloads(read: impl Fn(&[u8]) -> Option<Descriptor>, bytes: &[u8]) {
    let mut rest = Bytes(bytes);
    let ids = Ids { picture: rest.number(2) as u16, tl0: rest.number(1) as u8 };
    let mut pictures = Pictures::default();
    while !rest.is_empty() {
        let length = rest.number(1) as usize;
        let payload = rest.take(length & 0x7f);
        let Some(descriptor) = read(payload) else { continue };
        if length & 0x80 != 0 {
            pictures.switch(&descriptor);
        }
        for ids in [ids, pictures.map(&descriptor)] {
            let mut out = payload.to_vec();
            descriptor.write(&mut out, ids);
            let again = read(&out).expect("what was written can be read");
            let says = |d: &Descriptor| (d.starts_key_frame, d.ends_frame, d.spatial);
            assert_eq!(says(&again), says(&descriptor));
            let mut back = payload.to_vec();
            again.write(&mut back, ids);
            assert_eq!(back, out, "the ids stand where they stood");
        }
    }
}

/// AV1's dependency descriptors of one stream, one after the other, and their numbers written anew.
pub fn dependency(bytes: &[u8]) {
    let mut rest = Bytes(bytes);
    let ids = Ids { picture: rest.number(2) as u16, tl0: rest.number(1) as u8 };
    let mut known = None;
    while !rest.is_empty() {
        let length = rest.number(1) as usize;
        let Some(frame) = Frame::read(rest.take(length), known.as_ref()) else { continue };
        for ids in [ids, Ids { tl0: ALL_LAYERS, ..ids }] {
            let mut out = Vec::new();
            frame.write(&mut out, ids);
            assert_eq!(out.len(), frame.length(ids));
            let again = Frame::read(&out, known.as_ref()).expect("what was written can be read");
            assert_eq!((again.number, again.spatial, again.ends), (ids.picture, frame.spatial, frame.ends));
            assert_eq!(again.structure(), frame.structure());
        }
        if frame.brings_structure() {
            known = Some(frame.structure().clone());
        }
    }
}

/// SRTCP from outside, and what we seal ourselves.
pub fn srtp(bytes: &[u8]) {
    let profiles = [SrtpProfile::AEAD_AES_256_GCM, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AES128_CM_SHA1_80];
    let mut rest = Bytes(bytes);
    let profile = profiles[rest.number(1) as usize % profiles.len()];
    let keys = KeyingMaterial::new(&(0..88_u8).collect::<Vec<u8>>());
    let mut opener = RtcpOpener::new(&keys, profile, End::DtlsClient).expect("a known profile");
    let mut sealer = Sealer::new(&keys, profile, End::DtlsClient).expect("a known profile");
    assert!(opener.open(&mut rest.0.to_vec()).is_none(), "nobody guesses a key");
    if rest.0.len() >= 8 {
        let mut sealed = rest.0.to_vec();
        let ssrc = u32::from_be_bytes([sealed[4], sealed[5], sealed[6], sealed[7]]);
        sealer.seal_rtcp(&mut sealed, ssrc);
        assert_eq!(opener.open(&mut sealed.clone()), Some(rest.0));
        assert!(opener.open(&mut sealed).is_none(), "a replay");
        let mut packet = rest.0.to_vec();
        sealer.seal_rtp(&mut packet, 0, 8, ssrc, 7);
        assert!(packet.len() > rest.0.len() && packet[..8] == rest.0[..8]);
    }
}

/// Descriptions one after the other, cut at NUL: the first opens a transport, then come offers and answers by turns.
pub fn sdp(bytes: &[u8]) {
    let mut texts = bytes.split(|byte| *byte == 0).take(8).map(String::from_utf8_lossy);
    let Some(Ok(first)) = texts.next().map(|text| sdp::parse(&text)) else { return };
    let Ok(mut lines) = Lines::open(&first) else { return };
    check_written(&lines);
    for (turn, text) in texts.enumerate() {
        let Ok(remote) = sdp::parse(&text) else { continue };
        let source = Source { ssrc: 1 + turn as u32, rtx: Some(100), stream: "s".into(), track: "t".into() };
        let codec = lines.codecs().get(turn % lines.codecs().len().max(1)).cloned();
        let mid = codec.and_then(|codec| lines.offer(&codec, source));
        check_written(&lines);
        let stop = mid.into_iter().filter(|_| turn == 3).collect();
        let _ = if turn % 3 == 0 { lines.accept(&remote) } else { lines.answer(&remote, &stop) };
        check_written(&lines);
        assert!(lines.sending() <= 16 && lines.all_receiving().count() <= crate::limits::SDP_LINES);
    }
}

/// What we write can be read, by us at least, and nothing of theirs stands in it as a line of its own.
fn check_written(lines: &Lines) {
    let address = Address::Udp(std::net::SocketAddr::from(([192, 0, 2, 1], 5_000)));
    let session = Session {
        id: 1,
        version: 1,
        ufrag: "name",
        password: "a-password-of-enough-characters",
        fingerprint: "sha-256 AB:CD",
        candidates: &[address],
        setup: "actpass",
    };
    for lines in [lines.answered(), lines.offering()] {
        let text = sdp::write(&session, &lines);
        assert!(text.split("\r\n").all(|line| line.is_empty() || line.as_bytes().get(1) == Some(&b'=')), "{text}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text}");
        let again = sdp::parse(&text).unwrap_or_else(|bad| panic!("{}: {text}", bad.0));
        assert_eq!(again.lines.len(), lines.len());
        assert_eq!(again.credentials.ufrag, "name");
    }
}

/// Packets in any order, switches and packets that are left out: no number goes out twice, and time keeps to its step.
pub fn numbers(bytes: &[u8]) {
    let mut rest = Bytes(bytes);
    let mut sequence = Sequence::new(rest.number(2) as u16);
    let mut timeline = Timeline::new(90_000);
    let start = Instant::now();
    let mut now = start;
    let mut given: HashMap<u64, (u32, u64)> = HashMap::new();
    let mut dealt_with: HashSet<u64> = HashSet::new();
    let (mut epoch, mut incoming, mut begun) = (0, 0_u64, false);
    while !rest.is_empty() {
        let what = rest.number(1);
        now += Duration::from_millis(what >> 3);
        incoming = match what & 3 {
            0 => incoming + 1,
            1 => (incoming + rest.number(1)).saturating_sub(128),
            2 => incoming + rest.number(2),
            _ => rest.number(6),
        } & 0xffff_ffff_ffff;
        let timestamp = (incoming as u32).wrapping_mul(3_000);
        match rest.number(1) & 7 {
            0 => {
                sequence.switch(incoming);
                timeline.switch(now, timestamp, None);
                dealt_with.clear();
                (epoch, begun) = (epoch + 1, true);
            }
            // str0m hands a packet over once.
            _ if !dealt_with.insert(incoming) => {}
            1 | 2 if sequence.skip(incoming) => {}
            _ => {
                let Some(out) = sequence.map(incoming) else { continue };
                assert!(begun, "nothing goes out before the first switch");
                let before = given.insert(out, (epoch, incoming));
                assert_eq!(before, None, "{out} was given to {before:?} and to {:?}", (epoch, incoming));
                timeline.map(now, timestamp, None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn corpus(target: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target)
    }

    /// What fuzzing has found worth keeping goes through on every run.
    #[test]
    fn everything_in_the_corpora_goes_through() {
        for (name, target) in TARGETS {
            let files = std::fs::read_dir(corpus(name)).unwrap_or_else(|error| panic!("no corpus of {name}: {error}"));
            let mut count = 0;
            for file in files {
                let path = file.expect("a file").path();
                let bytes = std::fs::read(&path).expect("readable");
                let went = std::panic::catch_unwind(|| target(&bytes));
                assert!(went.is_ok(), "{name} fails on {}", path.display());
                count += 1;
            }
            assert!(count > 0, "the corpus of {name} is empty");
        }
    }

    #[test]
    fn every_target_can_be_run() {
        let manifest = std::fs::read_to_string(corpus("../Cargo.toml")).expect("the manifest of the targets");
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is missing in fuzz/Cargo.toml");
            assert!(corpus(&format!("../fuzz_targets/{name}.rs")).exists(), "{name} is missing in fuzz/fuzz_targets");
        }
    }
}
