//! What comes on a websocket, cut into whole messages (RFC 6455 section 5): whoever reads frames never has half of one, so that
//! another process can go on between any two. Pure.
//! Invariants: every byte comes out once, in order but for control frames, which leave from between the pieces of a message; what
//! is longer than may be goes on as it comes, for whoever judges it.

/// How much may be held back beyond the longest message: heads of its pieces.
const HEADS: usize = 64 * 1024;

#[derive(Debug)]
pub struct Frames {
    /// Longest message.
    max: usize,
    /// What is held back.
    held: Vec<u8>,
    /// So much of it are pieces of a message whose end is still to come.
    pieces: usize,
    /// What is given out, and how far.
    out: (Vec<u8>, usize),
    /// It is nothing that could be cut any more.
    passes: bool,
}

/// The frame at the beginning of some bytes.
enum Frame {
    Whole { length: usize, is_control: bool, is_last: bool },
    Half,
    TooLong,
}

impl Frames {
    /// With what was held back by another process.
    pub fn new(max: usize, held: Vec<u8>) -> Self {
        Self { max, held, pieces: 0, out: Default::default(), passes: false }
    }

    /// Some bytes have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next bytes of the message at hand, `most` at most; none if more has to come.
    pub fn take(&mut self, most: usize) -> &[u8] {
        if self.out.1 == self.out.0.len() {
            self.out = (self.next().unwrap_or_default(), 0);
        }
        let (out, from) = (&self.out.0, self.out.1);
        self.out.1 = out.len().min(from + most);
        &out[from..self.out.1]
    }

    /// What is left for another process, if whoever reads has only whole messages.
    pub fn rest(&self) -> Option<&[u8]> {
        (!self.passes && self.out.1 == self.out.0.len()).then_some(&self.held)
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if self.passes {
                return (!self.held.is_empty()).then(|| std::mem::take(&mut self.held));
            }
            match self.frame() {
                Frame::Half if self.held.len() <= self.max + HEADS => return None,
                Frame::Half | Frame::TooLong => self.passes = true,
                Frame::Whole { length, is_control: true, .. } => {
                    let frame = self.held.drain(self.pieces..self.pieces + length).collect();
                    return Some(frame);
                }
                Frame::Whole { length, is_last: false, .. } => self.pieces += length,
                Frame::Whole { length, .. } => {
                    let rest = self.held.split_off(self.pieces + length);
                    self.pieces = 0;
                    return Some(std::mem::replace(&mut self.held, rest));
                }
            }
        }
    }

    /// The one after the pieces.
    fn frame(&self) -> Frame {
        let bytes = &self.held[self.pieces..];
        let [first, second, ..] = *bytes else { return Frame::Half };
        let masked = if second & 0x80 != 0 { 4 } else { 0 };
        let (head, payload) = match second & 0x7f {
            126 => match bytes.get(2..4).and_then(|length| length.try_into().ok()) {
                Some(length) => (4, u16::from_be_bytes(length).into()),
                None => return Frame::Half,
            },
            127 => match bytes.get(2..10).and_then(|length| length.try_into().ok()) {
                Some(length) => (10, u64::from_be_bytes(length)),
                None => return Frame::Half,
            },
            short => (2, u64::from(short)),
        };
        let Some(payload) = usize::try_from(payload).ok().filter(|payload| *payload <= self.max) else { return Frame::TooLong };
        let length = head + masked + payload;
        if bytes.len() < length {
            return Frame::Half;
        }
        Frame::Whole { length, is_control: first & 0x08 != 0, is_last: first & 0x80 != 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINARY: u8 = 2;
    const GOES_ON: u8 = 0;
    const PING: u8 = 9;

    /// A masked frame, as clients send them.
    fn frame(opcode: u8, last: bool, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![opcode | if last { 0x80 } else { 0 }];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0x80 | 126);
                frame.extend((long as u16).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.extend(payload);
        frame
    }

    /// All messages that are whole by now.
    fn whole(frames: &mut Frames) -> Vec<Vec<u8>> {
        let message = |frames: &mut Frames| {
            let mut message = Vec::new();
            loop {
                message.extend_from_slice(frames.take(5));
                if frames.rest().is_some() || message.is_empty() {
                    return (!message.is_empty()).then_some(message);
                }
            }
        };
        std::iter::from_fn(|| message(frames)).collect()
    }

    #[test]
    fn wherever_it_is_cut_another_process_goes_on_with_the_next_message() {
        let messages = [
            frame(BINARY, true, b"one"),
            frame(1, true, b""),
            frame(BINARY, true, &[7; 300]),
            [frame(BINARY, false, b"in "), frame(GOES_ON, false, b"three "), frame(GOES_ON, true, b"pieces")].concat(),
            frame(PING, true, b"?"),
        ];
        let all = messages.concat();
        for cut in 0..=all.len() {
            let mut before = Frames::new(1_000, Vec::new());
            before.push(&all[..cut]);
            let mut came = whole(&mut before);
            let mut after = Frames::new(1_000, before.rest().expect("between two messages").to_vec());
            after.push(&all[cut..]);
            came.extend(whole(&mut after));
            assert_eq!(came, messages, "cut at {cut}");
            assert_eq!(after.rest(), Some(&[][..]));
        }
    }

    #[test]
    fn control_frames_do_not_wait_for_the_end_of_a_message() {
        let (first, ping, last) = (frame(BINARY, false, b"a"), frame(PING, true, b"?"), frame(GOES_ON, true, b"b"));
        let mut frames = Frames::new(1_000, Vec::new());
        frames.push(&[&first[..], &ping, &last[..3]].concat());
        assert_eq!(whole(&mut frames), std::slice::from_ref(&ping));
        assert_eq!(frames.rest(), Some(&[&first[..], &last[..3]].concat()[..]));
        frames.push(&last[3..]);
        assert_eq!(whole(&mut frames), [[first, last].concat()]);
    }

    #[test]
    fn what_is_too_long_is_not_held_back() {
        let mut frames = Frames::new(100, Vec::new());
        let long = frame(BINARY, true, &[7; 200]);
        frames.push(&long[..20]);
        assert_eq!(frames.take(1_000), &long[..20]);
        assert_eq!(frames.rest(), None, "nobody can go on with it");
        let mut frames = Frames::new(100, Vec::new());
        let piece = frame(BINARY, false, &[7; 90]);
        let mut pushed = 0;
        while frames.take(1_000).is_empty() {
            frames.push(&piece);
            pushed += piece.len();
            assert!(pushed < 100_000, "pieces without end are held back");
        }
    }
}
