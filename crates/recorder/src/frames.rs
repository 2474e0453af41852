//! Frames out of packets, whatever encoded them. Pure.
//! Invariant: a frame that comes out is whole, and its decoder has all it refers to.
//! Reading order: `frames/vp8.rs`, `vp9.rs`, `h264.rs`, `av1.rs` (what a packet of each says of itself); then `decoder.rs`.

mod av1;
mod h264;
mod part;
mod vp8;
mod vp9;

use salon_peer::rtp::Codec;

use crate::news::Packet;

pub use part::MOST_PIXELS;

/// The largest frame that is put together, in bytes.
pub const LARGEST: usize = 4 << 20;

/// Parts of which a frame is, at most.
const PARTS: usize = 1_024;

/// A frame as it was encoded.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    pub timestamp: u32,
    pub arrived: i64,
    pub key: bool,
    /// Quarters of a turn, clockwise, by which it is to be shown.
    pub turns: u8,
    pub bytes: Vec<u8>,
}

/// The frames of one stream.
#[derive(Debug)]
pub struct Frames {
    codec: Codec,
    current: Option<Frame>,
    /// Where the units of the current one begin.
    units: Vec<usize>,
    /// Something is missing: nothing can be decoded before a key frame.
    broken: bool,
    turns: u8,
}

impl Frames {
    pub fn new(codec: Codec) -> Self {
        Self { codec, current: None, units: Vec::new(), broken: true, turns: 0 }
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Takes the next packet; `missing` if some before it never came. The frame that it completes.
    pub fn push(&mut self, packet: Packet, missing: bool) -> Option<Frame> {
        // Who turns a phone says so with key frames at least.
        self.turns = packet.turns.unwrap_or(self.turns);
        let part = match self.codec {
            Codec::Vp8 => vp8::read(&packet.payload),
            Codec::Vp9 => vp9::read(&packet.payload),
            Codec::H264 => h264::read(&packet.payload),
            Codec::Av1 => av1::read(&packet.payload),
        };
        if missing {
            self.break_off();
        }
        let part = part?;
        let is_same = self.current.as_ref().is_some_and(|frame| frame.timestamp == packet.timestamp);
        let begins = part.begins.unwrap_or(!is_same);
        if self.current.is_some() && (begins || !is_same) {
            self.break_off();
        }
        if begins {
            if part.key {
                self.broken = part.unfit;
            }
            if !self.broken {
                let Packet { timestamp, arrived, .. } = packet;
                self.units.clear();
                self.current = Some(Frame { timestamp, arrived, key: part.key, turns: self.turns, bytes: Vec::new() });
            }
        } else if self.current.is_none() {
            self.broken = true;
        }
        let frame = self.current.as_mut()?;
        let (length, units) = (frame.bytes.len(), self.units.len() + part.units.len());
        if length + part.bytes.len() > LARGEST || units > PARTS {
            self.break_off();
            return None;
        }
        self.units.extend(part.units.iter().map(|at| length + at));
        frame.bytes.extend_from_slice(&part.bytes);
        if !packet.marker {
            return None;
        }
        let mut frame = self.current.take()?;
        if self.codec == Codec::Av1 {
            frame.bytes = av1::whole(&frame.bytes, &self.units);
        }
        Some(frame)
    }

    /// Whether it waits for a key frame.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// What comes cannot be decoded without a key frame.
    pub fn break_off(&mut self) {
        self.current = None;
        self.broken = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(timestamp: u32, marker: bool, payload: &[u8]) -> Packet {
        Packet { number: 0, timestamp, marker, arrived: 0, turns: None, payload: payload.to_vec() }
    }

    /// Packets of VP8 with a long picture id, a TL0PICIDX and a TID.
    fn vp8(timestamp: u32, begins: bool, marker: bool, content: &[u8]) -> Packet {
        let descriptor = [0x80 | u8::from(begins) << 4, 0xe0, 0x81, 2, 3, 4];
        packet(timestamp, marker, &[&descriptor, content].concat())
    }

    const KEY: [u8; 10] = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];

    /// Of each codec: the packets of a key frame of two, a frame that needs it, and what the two are put together.
    type Sample = (Codec, [&'static [u8]; 3], [&'static [u8]; 2]);

    const SAMPLES: [Sample; 4] = [
        (
            Codec::Vp8,
            [&[0x10, 0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01], &[0, 7, 7], &[0x10, 1, 2]],
            [&[0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01, 7, 7], &[1, 2]],
        ),
        (Codec::Vp9, [&[0x08, 0x82, 1], &[0x04, 9], &[0x4c, 0x86, 3]], [&[0x82, 1, 9], &[0x86, 3]]),
        (
            Codec::H264,
            [&[0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2], &[0x65, 0x88, 3], &[0x41, 0x9a, 4]],
            [&[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 0x88, 3], &[0, 0, 0, 1, 0x41, 0x9a, 4]],
        ),
        (
            Codec::Av1,
            // A sequence header, and a frame in two pieces.
            [&[0x68, 2, 0x08, 1, 0x30, 5], &[0x90, 6], &[0x10, 0x30, 8]],
            [&[0x0a, 1, 1, 0x32, 2, 5, 6], &[0x32, 1, 8]],
        ),
    ];

    #[test]
    fn packets_of_a_frame_are_put_together_and_nothing_comes_before_a_key_frame() {
        for (codec, [first, second, later], [key, next]) in SAMPLES {
            let mut frames = Frames::new(codec);
            assert_eq!(frames.push(packet(1, true, later), false), None, "{codec:?}");
            assert_eq!(frames.push(packet(2, false, first), false), None, "{codec:?}");
            let frame = frames.push(packet(2, true, second), false).unwrap();
            assert!(frame.key && frame.bytes == key, "{codec:?} {frame:x?}");
            let frame = frames.push(packet(3, true, later), false).unwrap();
            assert!(!frame.key && frame.bytes == next, "{codec:?} {frame:x?}");
        }
    }

    #[test]
    fn after_a_loss_a_key_frame_is_waited_for() {
        for (codec, [first, second, later], _) in SAMPLES {
            let mut frames = Frames::new(codec);
            let key = |frames: &mut Frames, at| {
                frames.push(packet(at, false, first), false);
                frames.push(packet(at, true, second), false).is_some()
            };
            assert!(key(&mut frames, 1));
            assert!(frames.push(packet(2, true, later), true).is_none() && frames.is_broken(), "{codec:?}");
            assert!(frames.push(packet(3, true, later), false).is_none());
            assert!(key(&mut frames, 4) && !frames.is_broken());
            // Its end never came, and nobody says that packets are missing.
            assert!(frames.push(packet(5, false, later), false).is_none());
            assert!(frames.push(packet(6, true, later), false).is_none() && frames.is_broken(), "{codec:?}");
            // The beginning of a key frame is lost; of H.264 those are its parameters, which decoders have from before.
            let waits = codec != Codec::H264;
            assert!(waits <= (frames.push(packet(7, true, second), true).is_none() && frames.is_broken()), "{codec:?}");
        }
    }

    #[test]
    fn hostile_packets_break_nothing() {
        for (codec, [first, second, later], _) in SAMPLES {
            let mut frames = Frames::new(codec);
            for payload in [first, second, later] {
                (0..payload.len()).for_each(|length| _ = frames.push(packet(1, true, &payload[..length]), false));
            }
            let huge = [second, &vec![0; LARGEST]].concat();
            frames.push(packet(2, false, first), false);
            assert!(frames.push(packet(2, false, &huge), false).is_none() && frames.is_broken(), "{codec:?}");
        }
        let mut frames = Frames::new(Codec::Vp8);
        let huge = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f];
        assert!(frames.push(vp8(1, true, true, &huge), false).is_none());
        assert!(frames.push(vp8(2, true, true, &KEY), false).is_some());
    }
}
