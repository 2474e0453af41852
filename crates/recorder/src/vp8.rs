//! Frames of VP8 out of packets (RFC 7741), and what a frame says of itself (RFC 6386 section 9.1). Pure.
//! Invariant: a frame that comes out is whole, and its decoder has all it refers to.
//! Next: `vpx.rs`, which decodes it.

use crate::news::Packet;

/// The largest frame that is put together, in bytes.
const LARGEST: usize = 4 << 20;

/// The largest picture that is decoded, in pixels: 4096 x 2304.
const MOST_PIXELS: usize = 4_096 * 2_304;

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
    current: Option<Frame>,
    /// Something is missing: nothing can be decoded before a key frame.
    broken: bool,
    turns: u8,
}

impl Default for Frames {
    fn default() -> Self {
        Self { current: None, broken: true, turns: 0 }
    }
}

impl Frames {
    /// Takes the next packet; `missing` if some before it never came. The frame that it completes.
    pub fn push(&mut self, packet: Packet, missing: bool) -> Option<Frame> {
        // Who turns a phone says so with key frames at least.
        self.turns = packet.turns.unwrap_or(self.turns);
        let (begins, content) = payload(&packet.payload)?;
        let unfinished = self.current.as_ref().is_some_and(|frame| begins || frame.timestamp != packet.timestamp);
        if missing || unfinished {
            self.break_off();
        }
        if begins {
            let key = content.first().is_some_and(|first| first & 1 == 0);
            if key {
                self.broken = !fits(content);
            }
            if !self.broken {
                let Packet { timestamp, arrived, .. } = packet;
                self.current = Some(Frame { timestamp, arrived, key, turns: self.turns, bytes: Vec::new() });
            }
        } else if self.current.is_none() {
            self.broken = true;
        }
        let frame = self.current.as_mut()?;
        if frame.bytes.len() + content.len() > LARGEST {
            self.break_off();
            return None;
        }
        frame.bytes.extend_from_slice(content);
        if packet.marker { self.current.take() } else { None }
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

/// Whether a packet begins a frame, and what is in it behind its descriptor.
fn payload(packet: &[u8]) -> Option<(bool, &[u8])> {
    let (first, mut rest) = packet.split_first()?;
    if first & 0x80 != 0 {
        let (extensions, after) = rest.split_first()?;
        rest = after;
        if extensions & 0x80 != 0 {
            let long = rest.first()? & 0x80 != 0;
            rest = rest.get(1 + usize::from(long)..)?;
        }
        rest = rest.get(usize::from(extensions & 0x40 != 0)..)?;
        rest = rest.get(usize::from(extensions & 0x30 != 0)..)?;
    }
    (!rest.is_empty()).then_some((first & 0x17 == 0x10, rest))
}

/// Whether a key frame is of a size that is decoded.
fn fits(frame: &[u8]) -> bool {
    let Some([_, _, _, 0x9d, 0x01, 0x2a, width, wide, height, high]) = frame.first_chunk() else { return false };
    let size = |low: &u8, high: &u8| usize::from(u16::from_le_bytes([*low, *high]) & 0x3fff);
    let pixels = size(width, wide) * size(height, high);
    (1..=MOST_PIXELS).contains(&pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 10] = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];

    fn packet(timestamp: u32, begins: bool, marker: bool, content: &[u8]) -> Packet {
        // With a long picture id, a TL0PICIDX and a TID.
        let descriptor = [0x80 | u8::from(begins) << 4, 0xe0, 0x81, 2, 3, 4];
        let payload = [&descriptor, content].concat();
        Packet { number: 0, timestamp, marker, arrived: 0, turns: None, payload }
    }

    #[test]
    fn packets_of_a_frame_are_put_together() {
        let mut frames = Frames::default();
        assert!(frames.push(packet(1, true, true, &[1, 9]), false).is_none(), "nothing before a key frame");
        assert!(frames.push(packet(2, true, false, &KEY), false).is_none());
        let frame = frames.push(packet(2, false, true, &[7, 7]), false).unwrap();
        assert!(frame.key && frame.bytes == [&KEY[..], &[7, 7]].concat());
        let frame = frames.push(packet(3, true, true, &[1, 2]), false).unwrap();
        assert!(!frame.key && frame.bytes == [1, 2]);
    }

    #[test]
    fn after_a_loss_a_key_frame_is_waited_for() {
        let mut frames = Frames::default();
        frames.push(packet(1, true, true, &KEY), false).unwrap();
        assert!(frames.push(packet(2, true, true, &[1]), true).is_none() && frames.is_broken());
        assert!(frames.push(packet(3, true, true, &[1]), false).is_none());
        frames.push(packet(4, true, true, &KEY), false).unwrap();
        // Its end never came, and nobody says that packets are missing.
        assert!(frames.push(packet(5, true, false, &[1]), false).is_none());
        assert!(frames.push(packet(6, true, true, &[1]), false).is_none() && frames.is_broken());
    }

    #[test]
    fn hostile_packets_break_nothing() {
        let mut frames = Frames::default();
        for length in 0..6 {
            let mut cut = packet(1, true, true, &[]);
            cut.payload.truncate(length);
            assert!(frames.push(cut, false).is_none());
        }
        let huge = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f];
        assert!(frames.push(packet(1, true, true, &huge), false).is_none());
        let mut content = KEY.to_vec();
        content.resize(LARGEST, 0);
        frames.push(packet(2, true, false, &content), false);
        assert!(frames.push(packet(2, false, true, &content), false).is_none() && frames.is_broken());
    }
}
