//! Messages of RTMP in chunks, both ways (RTMP 1.0, section 5.3). Pure.
//! Invariant: what comes in holds no more memory than `STREAMS` messages of the longest that may come.

use std::collections::BTreeMap;

/// The longest message of whoever says no more than a few words.
const LONGEST: usize = 64 * 1_024;
/// The longest chunk that is heard of: no chunk is longer than its message.
const MOST: usize = 16 << 20;
/// Messages that may be on their way at once.
const STREAMS: usize = 16;

/// The size of chunks until something else is said, and the one that is said here.
pub const USUAL: usize = 128;
pub const SIZE: usize = 4_096;

/// Kinds of messages.
pub const SET_SIZE: u8 = 1;
pub const ACKNOWLEDGE: u8 = 3;
pub const CONTROL: u8 = 4;
pub const WINDOW: u8 = 5;
pub const BANDWIDTH: u8 = 6;
pub const SOUND: u8 = 8;
pub const PICTURES: u8 = 9;
pub const DATA: u8 = 18;
pub const COMMAND: u8 = 20;

/// A message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    /// When it is of, in milliseconds of a clock that wraps.
    pub ms: u32,
    pub body: Vec<u8>,
}

/// What came is no RTMP, or too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nonsense;

/// Chunks that come.
#[derive(Debug)]
pub struct Incoming {
    waiting: Vec<u8>,
    size: usize,
    longest: usize,
    streams: BTreeMap<u32, Coming>,
}

/// What the last chunk of a stream said, and what came of its message.
#[derive(Debug, Default)]
struct Coming {
    kind: u8,
    length: usize,
    /// Its time has four bytes more, in each of its chunks.
    is_long: bool,
    /// When it is of, and how much later the next one is that says nothing of its time.
    ms: u32,
    later: u32,
    body: Vec<u8>,
}

impl Default for Incoming {
    fn default() -> Self {
        Self::up_to(LONGEST)
    }
}

impl Incoming {
    /// Messages of so many bytes at most.
    pub fn up_to(longest: usize) -> Self {
        Self { waiting: Vec::new(), size: USUAL, longest, streams: BTreeMap::new() }
    }

    /// Longer ones may come from now on.
    pub fn allow(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// Takes what comes next; the messages that are whole by now.
    ///
    /// # Errors
    /// If this is no RTMP, or a message is too long.
    pub fn take(&mut self, came: &[u8]) -> Result<Vec<Message>, Nonsense> {
        self.waiting.extend_from_slice(came);
        let (mut at, mut messages) = (0, Vec::new());
        while let Some(used) = self.chunk(at, &mut messages)? {
            at += used;
        }
        self.waiting.drain(..at);
        Ok(messages)
    }

    /// Reads the chunk that begins there; its length, if it is whole.
    fn chunk(&mut self, at: usize, messages: &mut Vec<Message>) -> Result<Option<usize>, Nonsense> {
        let bytes = &self.waiting[at..];
        let Some(first) = bytes.first() else { return Ok(None) };
        let (id, mut used) = match (first & 63, bytes.get(1), bytes.get(2)) {
            (0, Some(low), _) => (64 + u32::from(*low), 2),
            (1, Some(low), Some(high)) => (64 + u32::from(*low) + 256 * u32::from(*high), 3),
            (0 | 1, ..) => return Ok(None),
            (id, ..) => (id.into(), 1),
        };
        let words = [11, 7, 3, 0][usize::from(first >> 6)];
        let Some(head) = bytes.get(used..used + words) else { return Ok(None) };
        used += words;
        if !self.streams.contains_key(&id) && (self.streams.len() == STREAMS || words < 7) {
            return Err(Nonsense);
        }
        let known = self.streams.get(&id);
        let three = |at: usize| u32::from_be_bytes([0, head[at], head[at + 1], head[at + 2]]);
        let is_long = if words > 0 { three(0) == 0xff_ffff } else { known.is_some_and(|coming| coming.is_long) };
        let (length, kind) = match known {
            Some(coming) if words < 7 => (coming.length, coming.kind),
            _ => (three(3) as usize, head[6]),
        };
        let there = known.map_or(0, |coming| coming.body.len());
        // A message that begins anew before it is whole is none.
        if length > self.longest || (words > 0 && there > 0) {
            return Err(Nonsense);
        }
        let short = if words > 0 { three(0) } else { 0 };
        let time = match (is_long, bytes.get(used..).and_then(<[u8]>::first_chunk)) {
            (false, _) => short,
            (true, Some(long)) => u32::from_be_bytes(*long),
            (true, None) => return Ok(None),
        };
        used += if is_long { 4 } else { 0 };
        let part = (length - there).min(self.size);
        let Some(body) = bytes.get(used..used + part) else { return Ok(None) };
        let coming = self.streams.entry(id).or_default();
        (coming.kind, coming.length, coming.is_long) = (kind, length, is_long);
        // Heads but the longest say how much later it is; with none it is as much later as the one before.
        (coming.ms, coming.later) = match words {
            11 => (time, time),
            0 if there > 0 => (coming.ms, coming.later),
            0 => (coming.ms.wrapping_add(coming.later), coming.later),
            _ => (coming.ms.wrapping_add(time), time),
        };
        coming.body.extend_from_slice(body);
        if coming.body.len() == length {
            let message = Message { kind, ms: coming.ms, body: std::mem::take(&mut coming.body) };
            if let (SET_SIZE, Some(size)) = (kind, message.body.first_chunk()) {
                self.size = (u32::from_be_bytes(*size) as usize).clamp(1, MOST);
            }
            messages.push(message);
        }
        Ok(Some(used + part))
    }
}

/// Writes a message in chunks of `size`, with all of its head: on stream `id`, at `ms`.
pub fn write(out: &mut Vec<u8>, (kind, id, ms): (u8, u32, u32), body: &[u8], size: usize) {
    // What each kind goes in is up to the sender.
    let channel = match kind {
        SET_SIZE | ACKNOWLEDGE | CONTROL | WINDOW => 2,
        COMMAND => 3,
        SOUND => 4,
        PICTURES => 6,
        _ => 5,
    };
    let is_long = ms >= 0xff_ffff;
    let three = |number: u32| [(number >> 16) as u8, (number >> 8) as u8, number as u8];
    out.push(channel);
    out.extend(three(ms.min(0xff_ffff)));
    out.extend(three(body.len() as u32));
    out.push(kind);
    // This number alone is the other way round.
    out.extend(id.to_le_bytes());
    let mut pieces = body.chunks(size);
    let mut piece = pieces.next().unwrap_or_default();
    loop {
        if is_long {
            out.extend(ms.to_be_bytes());
        }
        out.extend(piece);
        let Some(next) = pieces.next() else { return };
        piece = next;
        out.push(0xc0 | channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_whole_however_they_come() {
        let bodies: Vec<Vec<u8>> = vec![vec![1; 10], vec![2; 128], vec![3; 1_000], vec![]];
        let mut bytes = Vec::new();
        for (n, body) in bodies.iter().enumerate() {
            write(&mut bytes, (COMMAND + n as u8 % 2, 0, n as u32 * 0xff_ffff), body, USUAL);
        }
        for step in [1, 7, 100, bytes.len()] {
            let mut incoming = Incoming::default();
            let came: Vec<Message> = bytes.chunks(step).flat_map(|part| incoming.take(part).unwrap()).collect();
            assert_eq!(came.iter().map(|message| message.body.clone()).collect::<Vec<_>>(), bodies, "{step} at once");
        }
    }

    #[test]
    fn heads_may_be_short_sizes_may_change_and_streams_may_mix() {
        let mut incoming = Incoming::default();
        let mut bytes = vec![2, 0, 0, 0, 0, 0, 4, SET_SIZE, 0, 0, 0, 0, 0, 0, 0, 2];
        // A long one on 3, another on 70 between its chunks, then one on 3 with nothing new in its head.
        bytes.extend([3, 0, 0, 1, 0, 0, 3, COMMAND, 0, 0, 0, 0, 1, 2]);
        bytes.extend([0x40, 6, 0, 0, 1, 0, 0, 1, DATA, 9]);
        bytes.extend([0xc3, 3, 0x83, 0, 0, 5, 4, 5, 0xc3, 6]);
        let came = incoming.take(&bytes).unwrap();
        let came: Vec<_> = came.iter().skip(1).map(|message| (message.kind, message.body.as_slice())).collect();
        assert_eq!(came, [(DATA, &[9][..]), (COMMAND, &[1, 2, 3]), (COMMAND, &[4, 5, 6])]);
    }

    #[test]
    fn times_are_said_whole_or_as_how_much_later_and_wrap() {
        let mut bytes = vec![4, 0, 0, 40, 0, 0, 1, SOUND, 1, 0, 0, 0, 1];
        // 20 later, as much later again, 30 later with a new length, then a whole time that is long, and 23 later.
        bytes.extend([0x84, 0, 0, 20, 2, 0xc4, 3, 0x44, 0, 0, 30, 0, 0, 2, SOUND, 4, 4]);
        bytes.extend([4, 0xff, 0xff, 0xff, 0, 0, 1, SOUND, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xf0, 5]);
        bytes.extend([0x84, 0, 0, 23, 6]);
        for step in [1, 5, bytes.len()] {
            let mut incoming = Incoming::default();
            let came: Vec<_> = bytes.chunks(step).flat_map(|part| incoming.take(part).unwrap()).map(|one| one.ms).collect();
            assert_eq!(came, [40, 60, 80, 110, 0xffff_fff0, 7], "{step} at once");
        }
    }

    #[test]
    fn what_is_too_much_or_nonsense_is_refused() {
        let long = [3, 0, 0, 0, 0xff, 0xff, 0xff, COMMAND, 0, 0, 0, 0];
        assert_eq!(Incoming::default().take(&long), Err(Nonsense));
        assert_eq!(Incoming::default().take(&[0xc3, 1]), Err(Nonsense), "it continues nothing");
        let begun = [&[3, 0, 0, 0, 0, 0, 200, 20, 0, 0, 0, 0][..], &[7; 128]].concat();
        assert_eq!(Incoming::default().take(&begun.repeat(2)), Err(Nonsense), "it begins anew");
        let mut incoming = Incoming::default();
        let many = (3..60).map(|id| incoming.take(&[id, 0, 0, 0, 0, 0, 9, 20, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]));
        assert_eq!(many.filter(Result::is_ok).count(), STREAMS);
        // Whatever comes is answered, and never with a panic.
        let mut seed = 7_u32;
        for _ in 0..2_000 {
            let noise: Vec<u8> = (0..64)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (seed >> 24) as u8
                })
                .collect();
            let mut incoming = Incoming::default();
            let _ = incoming.take(&noise).and_then(|_| incoming.take(&noise));
        }
    }
}
