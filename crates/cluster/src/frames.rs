//! Where one websocket frame ends and the next begins, in what a server sends. Pure.
//! Owns no bytes. Needed to say a last word in between, which in the middle of a frame would be garbage.

use serde::{Deserialize, Serialize};

/// The longest head of a frame: RFC 6455, section 5.2.
const HEAD_BYTES: usize = 14;

/// The operation of a frame that closes.
const CLOSE: u8 = 8;

/// What has gone by.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Frames {
    head: [u8; HEAD_BYTES],
    have: usize,
    /// Bytes of the frame that are still to come.
    left: u64,
    /// A frame that closes has begun.
    closes: bool,
}

impl Frames {
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let taken = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= taken as u64;
                bytes = &bytes[taken..];
                continue;
            }
            self.head[self.have] = *first;
            self.have += 1;
            bytes = rest;
            if let Some(length) = length(&self.head[..self.have]) {
                self.closes |= self.head[0] & 0x0f == CLOSE;
                (self.left, self.have) = (length, 0);
            }
        }
    }

    /// Whether something may be said now that comes from nobody behind it.
    pub fn may_close(&self) -> bool {
        self.have == 0 && self.left == 0 && !self.closes
    }
}

/// The length of a frame's payload, once its head is whole.
fn length(head: &[u8]) -> Option<u64> {
    let [_, second, rest @ ..] = head else { return None };
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    let (extended, short) = match second & 0x7f {
        126 => (2, None),
        127 => (8, None),
        short => (0, Some(u64::from(short))),
    };
    if rest.len() < extended + mask {
        return None;
    }
    Some(short.unwrap_or_else(|| rest[..extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_frame_is_known_however_it_comes() {
        let mut long = vec![0x82, 126, 1, 44];
        long.extend([9; 300]);
        let mut longer = vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        longer.extend([8; 65_536]);
        let mut masked = vec![0x81, 0x82, 1, 2, 3, 4];
        masked.extend(*b"hi");
        for frame in [vec![0x89, 0], vec![0x81, 2, 8, 8], masked, long, longer] {
            for pieces in [1, 2, 3, 7, 100_000] {
                let mut frames = Frames::default();
                for (at, piece) in frame.chunks(pieces).enumerate() {
                    assert_eq!(frames.may_close(), at == 0);
                    frames.pass(piece);
                }
                assert!(frames.may_close(), "{} bytes by {pieces}", frame.len());
            }
        }
    }

    #[test]
    fn who_has_said_goodbye_is_not_spoken_for() {
        let mut frames = Frames::default();
        frames.pass(&[0x81, 1, 8, 0x88, 2, 3, 232]);
        assert!(!frames.may_close());
    }
}
