//! Where a fragmented MP4 may be cut while it grows: a file that ends there plays (ISO/IEC 14496-12 section 4.2). And what is
//! in a box. Pure. Next: `encoder.rs`, which writes what is whole; `timing.rs`, when what is in a fragment was; `tags.rs`.

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

/// What can be written: it is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// What every fragment needs before it.
    Head(Vec<u8>),
    /// A `moof` with its `mdat`: one without the other plays nothing.
    Fragment(Vec<u8>),
    /// An index, and whatever else belongs to no fragment.
    Other(Vec<u8>),
}

impl Piece {
    pub fn bytes(&self) -> &[u8] {
        let (Self::Head(bytes) | Self::Fragment(bytes) | Self::Other(bytes)) = self;
        bytes
    }
}

impl Boxes {
    /// Takes what comes next; what is whole by now.
    ///
    /// # Errors
    /// If this is no MP4.
    pub fn take(&mut self, came: &[u8]) -> Result<Vec<Piece>, NoBoxes> {
        self.waiting.extend_from_slice(came);
        let (mut at, mut whole, mut pieces) = (0, 0, Vec::new());
        while let Some(head) = self.waiting.get(at..at + 8) {
            let name: [u8; 4] = [head[4], head[5], head[6], head[7]];
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
            let piece: fn(Vec<u8>) -> Piece = match &name {
                // Each of these begins what is whole with a later one.
                b"ftyp" | b"styp" | b"sidx" | b"prft" | b"moof" => continue,
                b"moov" => Piece::Head,
                b"mdat" => Piece::Fragment,
                _ => Piece::Other,
            };
            pieces.push(piece(self.waiting[whole..at].to_vec()));
            whole = at;
        }
        self.waiting.drain(..whole);
        Ok(pieces)
    }
}

/// What is in a box, in order.
pub struct Inside<'a>(pub &'a [u8]);

impl<'a> Iterator for Inside<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.0.split_first_chunk::<8>()?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let (name, (body, rest)) = (&self.0[4..8], rest.split_at_checked(length.checked_sub(8)?)?);
        self.0 = rest;
        Some((name, body))
    }
}

/// The first box of this path.
pub fn find<'a>(bytes: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |bytes, wanted| Inside(bytes).find(|(name, _)| name == *wanted).map(|(_, body)| body))
}

/// Four bytes.
pub fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Eight bytes.
pub fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
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
        let expected = [
            Piece::Head([of("ftyp", 4), of("moov", 30)].concat()),
            Piece::Fragment([of("moof", 20), of("mdat", 50)].concat()),
            Piece::Fragment([of("moof", 20), long].concat()),
            Piece::Other(of("mfra", 3)),
        ];
        let all: Vec<u8> = expected.iter().flat_map(|piece| piece.bytes().to_vec()).collect();
        for step in [1, 7, 64, all.len()] {
            let mut boxes = Boxes::default();
            let pieces: Vec<Piece> = all.chunks(step).flat_map(|came| boxes.take(came).unwrap()).collect();
            assert_eq!(pieces, expected, "{step} bytes at once");
        }
        // Wherever it breaks off, nothing is written that is not whole.
        for end in 0..all.len() {
            let pieces = Boxes::default().take(&all[..end]).unwrap();
            assert_eq!(pieces, expected[..pieces.len()]);
        }
    }

    #[test]
    fn anything_else_is_no_mp4() {
        assert_eq!(Boxes::default().take(b"not an mp4 at all"), Err(NoBoxes));
        assert_eq!(Boxes::default().take(&[0, 0, 0, 7, 1, 2, 3, 4]), Err(NoBoxes));
        assert_eq!(Boxes::default().take(&[0, 0, 0, 8]), Ok(Vec::new()));
    }
}
