//! Where a fragmented MP4 may be cut while it grows: a file that ends there plays (ISO/IEC 14496-12 section 4.2). Pure.
//! Next: `encoder.rs`, which writes what is whole.

/// The longest box, in bytes: seconds of the best picture. More is no MP4.
const LONGEST: u64 = 256 << 20;

/// An MP4 that comes in pieces.
#[derive(Debug, Default)]
pub struct Boxes {
    waiting: Vec<u8>,
}

/// What came is no MP4.
#[derive(Debug, PartialEq, Eq)]
pub struct NoBoxes;

impl Boxes {
    /// Takes the next piece; what can be written now: a head, or fragments that are whole.
    ///
    /// # Errors
    /// If this is no MP4.
    pub fn take(&mut self, piece: &[u8]) -> Result<Vec<u8>, NoBoxes> {
        self.waiting.extend_from_slice(piece);
        let (mut at, mut whole) = (0, 0);
        while let Some(head) = self.waiting.get(at..at + 8) {
            let name = &head[4..];
            let mut length = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
            if length == 1 {
                let Some(long) = self.waiting.get(at + 8..).and_then(<[u8]>::first_chunk) else { break };
                length = u64::from_be_bytes(*long);
            }
            if !(8..=LONGEST).contains(&length) {
                return Err(NoBoxes);
            }
            let end = at + length as usize;
            if end > self.waiting.len() {
                break;
            }
            at = end;
            // A fragment is a `moof` with its `mdat`: one without the other plays nothing.
            if name != b"moof" {
                whole = at;
            }
        }
        let rest = self.waiting.split_off(whole);
        Ok(std::mem::replace(&mut self.waiting, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, length: usize) -> Vec<u8> {
        [&(length as u32 + 8).to_be_bytes(), name.as_bytes(), &vec![7; length]].concat()
    }

    #[test]
    fn what_is_written_ends_with_a_whole_fragment() {
        let long = [&[0, 0, 0, 1][..], b"mdat", &24u64.to_be_bytes(), &[9; 8]].concat();
        let parts = [of("ftyp", 4), of("moov", 30), of("moof", 20), of("mdat", 50), of("moof", 20), long, of("mfra", 3)];
        let all = parts.concat();
        let ends: Vec<usize> = [1, 2, 4, 6, 7].iter().map(|n| parts[..*n].concat().len()).collect();
        for step in [1, 7, 64, all.len()] {
            let (mut boxes, mut written) = (Boxes::default(), Vec::new());
            for piece in all.chunks(step) {
                written.extend(boxes.take(piece).unwrap());
                assert!(written.is_empty() || ends.contains(&written.len()), "{}", written.len());
            }
            assert_eq!(written, all);
        }
    }

    #[test]
    fn anything_else_is_no_mp4() {
        assert_eq!(Boxes::default().take(b"not an mp4 at all"), Err(NoBoxes));
        assert_eq!(Boxes::default().take(&[0, 0, 0, 7, 1, 2, 3, 4]), Err(NoBoxes));
        assert_eq!(Boxes::default().take(&[0, 0, 0, 8]), Ok(Vec::new()));
    }
}
