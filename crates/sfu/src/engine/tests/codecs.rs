//! Cameras in every codec: alone, in several streams (simulcast), and with several spatial layers in one stream.

use std::time::Duration;

use str0m::Input;
use str0m::RtcConfig;
use str0m::format::{Codec, FormatParams};
use str0m::media::{ExtensionValues, Frequency, Mid, Rid};
use str0m::rtp::{Extension, RtpWrite};

use super::bench::{Bench, Received, Way};
use crate::engine::payload::dependency::{Carried, Carrier, Frame, tests::descriptor};
use crate::sdp::extensions::DEPENDENCY;
use crate::{Consume, ConsumeError, Kind, Role};

/// Layers of one stream, from the smallest, and how many packets each has in a picture.
const SPATIAL: [usize; 3] = [1, 2, 4];

const EVERY: u64 = 33;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Video {
    H264,
    Vp9,
    Av1,
}

const ALL: [Video; 3] = [Video::H264, Video::Vp9, Video::Av1];

/// Which payload types somebody calls the codecs.
#[derive(Clone, Copy, Debug)]
struct Calls {
    h264: u8,
    vp9: u8,
    av1: u8,
}

const PUBLISHER: Calls = Calls { h264: 102, vp9: 98, av1: 45 };
const SUBSCRIBER: Calls = Calls { h264: 120, vp9: 35, av1: 39 };

impl Video {
    fn pt(self, calls: Calls) -> u8 {
        match self {
            Self::H264 => calls.h264,
            Self::Vp9 => calls.vp9,
            Self::Av1 => calls.av1,
        }
    }

    /// Somebody who speaks this, and understands descriptions of frames.
    fn speak(self, config: RtcConfig, calls: Calls) -> RtcConfig {
        let mut config = config.set_extension(12, Extension::with_serializer(DEPENDENCY, Carrier));
        let pt = self.pt(calls);
        let (codec, format) = match self {
            Self::H264 => {
                let format = FormatParams {
                    packetization_mode: Some(1),
                    profile_level_id: Some(0x42_e0_1f),
                    level_asymmetry_allowed: Some(true),
                    ..FormatParams::default()
                };
                (Codec::H264, format)
            }
            Self::Vp9 => (Codec::Vp9, FormatParams { profile_id: Some(0), ..FormatParams::default() }),
            Self::Av1 => (Codec::Av1, FormatParams::default()),
        };
        let codecs = config.codec_config();
        codecs.add_config(pt.into(), Some((pt + 1).into()), codec, Frequency::NINETY_KHZ, None, format);
        config
    }

    /// One packet: its payload, and what its header says of the frame. The payload ends with the layer and a count.
    fn packet(self, part: Part, count: u32) -> (Vec<u8>, Option<Vec<u8>>) {
        let Part { picture, frame, spatial, tag, key, begins, ends } = part;
        let flag = |on: bool, bit: u8| if on { bit } else { 0 };
        let (mut payload, described) = match self {
            Self::H264 if key && begins => (vec![0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1], None),
            Self::H264 => (vec![0x7c, 0x01, 0, 0], None),
            Self::Vp9 => {
                let first = 0xa0 | flag(!key, 0x40) | flag(begins, 0x08) | flag(ends, 0x04);
                let [high, low] = (picture & 0x7fff | 0x8000).to_be_bytes();
                (vec![first, high, low, spatial << 1 | flag(spatial > 0, 1), picture as u8, 0xaa], None)
            }
            Self::Av1 => {
                let first = 0x20 | flag(!begins, 0x80) | flag(key && begins && spatial == 0, 0x08);
                (vec![first, 1, 0x32, 0x32, 0], Some(descriptor(frame, spatial, key, begins, ends)))
            }
        };
        payload.extend([0; 180]);
        payload.push(tag);
        payload.extend(count.to_be_bytes());
        (payload, described)
    }
}

/// Where a packet stands.
#[derive(Clone, Copy)]
struct Part {
    picture: u16,
    frame: u16,
    spatial: u8,
    tag: u8,
    key: bool,
    begins: bool,
    ends: bool,
}

/// A camera that makes streams of pictures.
struct Camera {
    video: Video,
    of: usize,
    mid: Mid,
    /// By stream: its rid, the next sequence number, picture and frame.
    streams: Vec<Stream>,
    /// Packets per spatial layer.
    layers: Vec<usize>,
}

struct Stream {
    rid: Option<Rid>,
    number: u64,
    picture: u16,
    frame: u16,
    count: u32,
}

impl Camera {
    fn new(bench: &mut Bench, video: Video, of: usize, name: &str, rids: &[&str], layers: &[usize]) -> Self {
        let mid = bench.publish(of, name, Kind::Video, rids);
        let stream = |rid: Option<&str>| {
            // Each has numbers of its own, far apart.
            let base = rid.map_or(30_000, |r| u16::from(r.as_bytes()[0]) * 300);
            Stream { rid: rid.map(Rid::from), number: u64::from(base), picture: base, frame: base.wrapping_mul(2), count: 0 }
        };
        let streams = if rids.is_empty() { vec![stream(None)] } else { rids.iter().map(|r| stream(Some(r))).collect() };
        Self { video, of, mid, streams, layers: layers.to_vec() }
    }

    /// A picture of each stream; a key frame where `key` says so.
    fn shoot(&mut self, bench: &mut Bench, key: impl Fn(Option<&str>) -> bool) {
        let since = (bench.now - bench.start).as_millis() as u32;
        for stream in &mut self.streams {
            let key = key(stream.rid.as_deref());
            let top = self.layers.len() - 1;
            for (spatial, packets) in self.layers.iter().enumerate() {
                for n in 0..*packets {
                    let part = Part {
                        picture: stream.picture,
                        frame: stream.frame,
                        spatial: spatial as u8,
                        tag: stream.rid.map_or(b'0' + spatial as u8, |r| r.as_bytes()[0]),
                        key,
                        begins: n == 0,
                        ends: n + 1 == *packets,
                    };
                    let (payload, described) = self.video.packet(part, stream.count);
                    let marker = part.ends && spatial == top;
                    let timestamp = since * 90;
                    let who = &mut bench.clients[self.of];
                    let mut ext_vals = ExtensionValues::default();
                    if let Some(described) = described {
                        ext_vals.user_values.set(Carried(described.into()));
                    }
                    let mut direct = who.rtc.direct_api();
                    let out = direct.stream_tx_by_mid(self.mid, stream.rid).expect("a stream");
                    let pt = self.video.pt(PUBLISHER).into();
                    let write = RtpWrite::new(pt, stream.number.into(), timestamp, bench.now, payload);
                    out.write_rtp(write.marker(marker).nackable(true).ext_vals(ext_vals));
                    who.rtc.handle_input(Input::Timeout(bench.now)).expect("time");
                    bench.pump();
                    stream.number += 1;
                    stream.count += 1;
                }
                stream.frame = stream.frame.wrapping_add(1);
            }
            stream.picture = (stream.picture + 1) & 0x7fff;
        }
    }

    /// Pictures for a while, with key frames when asked, as browsers do.
    fn roll(&mut self, bench: &mut Bench, pictures: usize) {
        for _ in 0..pictures {
            let asked: Vec<Option<Rid>> = bench.clients[self.of]
                .key_frames_asked
                .drain(..)
                .filter(|(_, mid, _)| *mid == self.mid)
                .map(|(.., rid)| rid)
                .collect();
            let first = self.streams[0].count == 0;
            self.shoot(bench, |rid| first || asked.iter().any(|asked| asked.as_deref() == rid));
            bench.run_ms(EVERY);
        }
    }
}

/// What a subscriber got, as it stands in the payload: the layer, and which packet of its stream.
fn tag(packet: &Received) -> (char, u32) {
    let bytes = &packet.payload[packet.payload.len() - 5..];
    (char::from(bytes[0]), u32::from_be_bytes(bytes[1..].try_into().expect("four bytes")))
}

fn tags(packets: &[Received]) -> String {
    let mut tags: Vec<char> = packets.iter().map(|p| tag(p).0).collect();
    tags.dedup();
    tags.into_iter().collect()
}

/// The picture a packet says it is of.
fn picture(video: Video, packet: &Received) -> Option<u16> {
    match video {
        Video::H264 => None,
        Video::Vp9 => Some(u16::from_be_bytes([packet.payload[1] & 0x7f, packet.payload[2]])),
        Video::Av1 => {
            let bytes = packet.dependency.as_ref().expect("a description of the frame");
            Some(u16::from_be_bytes([bytes[1], bytes[2]]))
        }
    }
}

/// No number is missing, and pictures run on, one after the other unless frames were left out of them.
fn assert_continuous(video: Video, packets: &[Received], most: u16) {
    for pair in packets.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        assert_eq!(b.seq, a.seq + 1, "{video:?}: sequence number after {:?}: {:?}", tag(a), tag(b));
        assert!(b.timestamp.wrapping_sub(a.timestamp) < 90_000, "{video:?}: {a:?} then {b:?}");
        if let (Some(x), Some(y)) = (picture(video, a), picture(video, b)) {
            let mask = if video == Video::Av1 { 0xffff } else { 0x7fff };
            assert!(y.wrapping_sub(x) & mask <= most, "{video:?}: picture {x} then {y}, {:?} then {:?}", tag(a), tag(b));
        }
    }
}

/// Every picture ends with a marker and no other packet has one.
fn assert_marked(packets: &[Received]) {
    for pair in packets.windows(2) {
        let ends = pair[0].timestamp != pair[1].timestamp;
        assert_eq!(pair[0].marker, ends, "{:?} then {:?}", tag(&pair[0]), tag(&pair[1]));
    }
}

/// Ada publishes, Bob subscribes with payload types of his own.
fn two(video: Video) -> (Bench, usize, usize) {
    let mut bench = Bench::new();
    let ada = bench.join_with("r", Role::Send, |config| video.speak(config, PUBLISHER));
    let bob = bench.join_with("r", Role::Receive, |config| video.speak(config.enable_vp8(true), SUBSCRIBER));
    bench.connect();
    (bench, ada, bob)
}

#[test]
fn every_codec_goes_from_publisher_to_subscriber() {
    for video in ALL {
        let (mut bench, ada, bob) = two(video);
        let mut camera = Camera::new(&mut bench, video, ada, "camera", &[], &[3]);
        let mid = bench.subscribe(bob, &[("camera", Some("f"))]).0[0];
        camera.roll(&mut bench, 60);
        bench.run_ms(200);
        let got = bench.clients[bob].on(mid);
        assert!(got.len() > 170, "{video:?}: {} of 180 packets", got.len());
        assert!(got.iter().all(|p| p.pt == video.pt(SUBSCRIBER)), "{video:?}");
        assert_continuous(video, &got, 1);
        assert_marked(&got);
    }
}

#[test]
fn what_is_lost_on_the_way_in_or_out_is_sent_again_in_every_codec() {
    for video in ALL {
        for lossy in [Way::Up, Way::Down] {
            let (mut bench, ada, bob) = two(video);
            let mut camera = Camera::new(&mut bench, video, ada, "camera", &[], &[3]);
            let mid = bench.subscribe(bob, &[("camera", Some("f"))]).0[0];
            camera.roll(&mut bench, 10);
            let mut n = 0;
            bench.loses = Box::new(move |_, client, way, bytes| {
                let media = bytes[0] >= 128 && bytes[1] & 0x7f != 72 && !(200..=207).contains(&bytes[1]);
                n += u32::from(media && way == lossy);
                media && way == lossy && client == (if way == Way::Up { ada } else { bob }) && n % 13 == 0
            });
            camera.roll(&mut bench, 90);
            bench.loses = Box::new(|_, _, _, _| false);
            camera.roll(&mut bench, 30);
            bench.run_ms(500);
            let got = bench.clients[bob].on(mid);
            assert_continuous(video, &got, 1);
            assert_marked(&got);
            assert!(got.len() > 380, "{video:?}: {} packets", got.len());
        }
    }
}

#[test]
fn streams_are_switched_at_key_frames_without_a_gap_in_every_codec() {
    for video in ALL {
        let (mut bench, ada, bob) = two(video);
        let mut camera = Camera::new(&mut bench, video, ada, "camera", &["f", "h"], &[2]);
        camera.roll(&mut bench, 5);
        let mid = bench.subscribe(bob, &[("camera", Some("h"))]).0[0];
        camera.roll(&mut bench, 20);
        for (wanted, expected) in [("f", "hf"), ("h", "hfh"), ("f", "hfhf")] {
            bench.engine.set_layer(bench.now, "t1".into(), "camera".into(), None, wanted).expect("a layer");
            for _ in 0..5 {
                camera.shoot(&mut bench, |_| false);
                bench.run_ms(EVERY);
            }
            let before = tags(&bench.clients[bob].on(mid));
            assert_eq!(before.len() + 1, expected.len(), "{video:?}: no switch without a key frame");
            camera.roll(&mut bench, 40);
            assert_eq!(tags(&bench.clients[bob].on(mid)), expected, "{video:?}");
        }
        let got = bench.clients[bob].on(mid);
        assert_continuous(video, &got, 1);
        assert_marked(&got);
    }
}

#[test]
fn newcomers_begin_with_the_last_key_frame_in_every_codec() {
    let shapes = [(&["f", "h"][..], &[3][..]), (&[], &SPATIAL)];
    for (video, (rids, layers)) in ALL.into_iter().flat_map(|video| shapes.map(|shape| (video, shape))) {
        if video == Video::H264 && rids.is_empty() {
            continue;
        }
        let (mut bench, ada, bob) = two(video);
        let mut camera = Camera::new(&mut bench, video, ada, "camera", rids, layers);
        camera.roll(&mut bench, 10);
        let mid = bench.subscribe(bob, &[("camera", Some("h"))]).0[0];
        bench.run_ms(25);
        let at_once = bench.clients[bob].on(mid);
        // Of each picture three packets: of the smaller stream, or of the two smaller layers.
        assert_eq!((at_once.len(), tag(&at_once[0]).1), (30, 0), "{video:?} {rids:?}");
        assert!(bench.clients[ada].key_frames_asked.is_empty(), "{video:?} {rids:?}");
        camera.roll(&mut bench, 20);
        let got = bench.clients[bob].on(mid);
        assert_eq!(got.len(), 90, "{video:?} {rids:?}");
        assert_continuous(video, &got, 2);
        assert_marked(&got);
    }
}

#[test]
fn who_does_not_speak_a_codec_is_told_so_and_gets_the_others() {
    let mut bench = Bench::new();
    let ada = bench.join_with("r", Role::Send, |config| Video::Vp9.speak(config, PUBLISHER));
    let cleo = bench.join_with("r", Role::Send, |config| Video::H264.speak(config, PUBLISHER));
    let bob = bench.join_with("r", Role::Receive, |config| Video::H264.speak(config.enable_vp8(true), SUBSCRIBER));
    bench.connect();
    let _ = Camera::new(&mut bench, Video::Vp9, ada, "vp9", &[], &[1]);
    let mut camera = Camera::new(&mut bench, Video::H264, cleo, "h264", &[], &[1]);
    let want = vec![Consume { producer: "vp9".into(), preferred_rid: None }];
    let consumed = bench.engine.consume(bench.now, "t2".into(), want).expect("consumed");
    assert_eq!(consumed.consumers, [("vp9".into(), Err(ConsumeError::Backend))]);
    assert_eq!(consumed.offer, None);
    let mid = bench.subscribe(bob, &[("h264", None)]).0[0];
    camera.roll(&mut bench, 30);
    assert!(bench.clients[bob].on(mid).len() > 25);
}

/// Pictures of the layers of one stream that Bob gets, in the order they came.
fn layers_of(got: &[Received]) -> Vec<String> {
    let mut pictures: Vec<(u32, String)> = vec![];
    for packet in got {
        match pictures.last_mut() {
            Some((timestamp, layers)) if *timestamp == packet.timestamp => layers.push(tag(packet).0),
            _ => pictures.push((packet.timestamp, tag(packet).0.to_string())),
        }
    }
    pictures.into_iter().map(|(_, layers)| layers).collect()
}

const QUARTER: &str = "0";
const HALF: &str = "011";
const FULL: &str = "0112222";

#[test]
fn the_layers_of_one_stream_are_chosen_from_like_streams() {
    for video in [Video::Vp9, Video::Av1] {
        let (mut bench, ada, bob) = two(video);
        let carol = bench.join_with("r", Role::Receive, |config| video.speak(config, SUBSCRIBER));
        bench.connect();
        let mut camera = Camera::new(&mut bench, video, ada, "camera", &[], &SPATIAL);
        let mid = bench.subscribe(bob, &[("camera", Some("f"))]).0[0];
        let carols = bench.subscribe(carol, &[("camera", Some("f"))]).0[0];
        camera.roll(&mut bench, 60);
        let mut seen = layers_of(&bench.clients[bob].on(mid)).len();
        for (wanted, expected) in [("q", QUARTER), ("h", HALF), ("f", FULL), ("h", HALF), ("q", QUARTER), ("f", FULL)] {
            bench.engine.set_layer(bench.now, "t1".into(), "camera".into(), None, wanted).expect("a layer");
            let asked = bench.clients[ada].key_frames_asked.len();
            // A line is shared out anew every 200 ms.
            for _ in 0..12 {
                camera.shoot(&mut bench, |_| false);
                bench.run_ms(EVERY);
            }
            let all = layers_of(&bench.clients[bob].on(mid));
            let before = &all[seen - 2];
            let down = before.len() > expected.len();
            assert_eq!(
                bench.clients[ada].key_frames_asked.len() > asked,
                !down,
                "{video:?}: a key frame to go up, none to go down"
            );
            // The last picture may still be on its way.
            let now = &all[all.len() - 2];
            assert_eq!(now, if down { expected } else { before }, "{video:?}: to {wanted}");
            camera.roll(&mut bench, 40);
            let all = layers_of(&bench.clients[bob].on(mid));
            assert_eq!(all[all.len() - 2], expected, "{video:?}: to {wanted}");
            assert!(
                all[..all.len() - 1].iter().all(|p| [QUARTER, HALF, FULL].contains(&p.as_str())),
                "{video:?}: whole pictures"
            );
            seen = all.len();
        }
        bench.run_ms(200);
        for (client, mid) in [(bob, mid), (carol, carols)] {
            let got = bench.clients[client].on(mid);
            // AV1 counts frames, so that those left out leave gaps, which receivers take from the references.
            assert_continuous(video, &got, if video == Video::Av1 { 4 } else { 1 });
            assert_marked(&got);
        }
        let carols = layers_of(&bench.clients[carol].on(carols));
        assert!(carols[60..].iter().all(|p| p == FULL), "{video:?}: others are not affected");
    }
}

#[test]
fn who_gets_fewer_layers_of_av1_is_told_which() {
    let (mut bench, ada, bob) = two(Video::Av1);
    let mut camera = Camera::new(&mut bench, Video::Av1, ada, "camera", &[], &SPATIAL);
    camera.roll(&mut bench, 30);
    let mid = bench.subscribe(bob, &[("camera", Some("h"))]).0[0];
    camera.roll(&mut bench, 30);
    let got = bench.clients[bob].on(mid);
    assert!(got.len() > 60);
    let whole = descriptor(0, 0, true, true, true);
    let known = Frame::read(&whole, None).expect("a structure").structure().clone();
    let mut brought = 0;
    for packet in &got {
        let bytes = packet.dependency.as_ref().expect("a description");
        let frame = Frame::read(bytes, Some(&known)).expect("a good one");
        assert_eq!(char::from(b'0' + frame.spatial), tag(packet).0);
        brought += usize::from(frame.brings_structure());
        // Flags, then the mask of three targets.
        let after = if frame.brings_structure() { continue } else { &bytes[3..] };
        assert_eq!(after, [0b0100_0011], "the two smaller are sent");
    }
    assert!(brought > 0);
}

#[test]
fn layers_of_one_stream_survive_loss_on_both_ways() {
    for video in [Video::Vp9, Video::Av1] {
        for wanted in ["q", "h", "f"] {
            let (mut bench, ada, bob) = two(video);
            let mut camera = Camera::new(&mut bench, video, ada, "camera", &[], &SPATIAL);
            camera.roll(&mut bench, 30);
            let mid = bench.subscribe(bob, &[("camera", Some(wanted))]).0[0];
            camera.roll(&mut bench, 30);
            let mut n = 9_u64;
            bench.loses = Box::new(move |_, _, _, bytes| {
                n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                bytes[0] >= 128 && !(200..=207).contains(&bytes[1]) && (n >> 33) % 100 < 4
            });
            camera.roll(&mut bench, 150);
            bench.loses = Box::new(|_, _, _, _| false);
            camera.roll(&mut bench, 60);
            bench.run_ms(500);
            // Packets without payload stand for what came too late to be left out.
            let mut got = bench.clients[bob].on(mid);
            let gaps = got.windows(2).filter(|pair| pair[1].seq != pair[0].seq + 1).count();
            assert!(gaps <= got.len() / 200, "{video:?} {wanted}: {gaps} gaps in {}", got.len());
            got.retain(|p| !p.payload.is_empty());
            let expected = match wanted {
                "q" => QUARTER,
                "h" => HALF,
                _ => FULL,
            };
            let pictures = layers_of(&got);
            let whole = pictures.iter().filter(|p| *p == expected).count();
            assert!(whole + 5 > pictures.len(), "{video:?} {wanted}: {whole} of {} whole: {pictures:?}", pictures.len());
            assert_marked(&got);
        }
    }
}

#[test]
fn a_slow_line_gets_the_layers_that_fit() {
    for video in [Video::Vp9, Video::Av1] {
        let (mut bench, ada, bob) = two(video);
        // About 190 bytes a packet: 20 of them in a picture are 1 Mbit/s, 5 of them 250 kbit/s, 2 of them 100.
        let mut camera = Camera::new(&mut bench, video, ada, "camera", &[], &[2, 3, 15]);
        let mid = bench.subscribe(bob, &[("camera", Some("f"))]).0[0];
        bench.rates.insert(bob, 600e3);
        camera.roll(&mut bench, 300);
        let since = bench.now - Duration::from_secs(2);
        let late: Vec<Received> = bench.clients[bob].on(mid).into_iter().filter(|p| p.at >= since).collect();
        let pictures = layers_of(&late);
        let half = pictures.iter().filter(|p| *p == "00111").count();
        assert!(half * 10 > pictures.len() * 8, "{video:?}: {pictures:?}");
    }
}
