//! When our packets arrived, in the words of transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01
//! section 3.1). Reads one report without allocation; a report that is cut or contradicts itself says what it said so far.
//! Next: `../congestion.rs` draws the conclusions.

use std::time::Duration;

/// One unit of the reference time.
const REFERENCE: Duration = Duration::from_millis(64);
/// One unit of the differences.
const TICK: Duration = Duration::from_micros(250);
/// The reference time has 24 bits, of which the top one is a sign that nobody uses.
const REFERENCE_MASK: u32 = 0x00ff_ffff;
/// Packets one report is heard about: a quarter of a second at 16,000 a second. It may name 65,535 in 24 bytes.
pub(crate) const MOST: usize = 4_096;

/// Calls `each` with the number of every packet the report speaks of, in order, and when it arrived on the client's
/// clock; None if it has not. `body` is what follows the two SSRCs.
pub(crate) fn read(body: &[u8], mut each: impl FnMut(u16, Option<Duration>)) {
    let [b0, b1, c0, c1, r0, r1, r2, _, rest @ ..] = body else { return };
    let first = u16::from_be_bytes([*b0, *b1]);
    let count = usize::from(u16::from_be_bytes([*c0, *c1]));
    let reference = u32::from_be_bytes([0, *r0, *r1, *r2]) & REFERENCE_MASK;
    let Some(chunks) = chunk_bytes(rest, count) else { return };
    let (chunks, mut deltas) = rest.split_at(chunks);
    let mut at = REFERENCE * reference;
    for (number, symbol) in symbols(chunks).take(count.min(MOST)).enumerate() {
        let arrived = match (symbol, deltas) {
            (Symbol::Missing, _) => None,
            (Symbol::Near, [near, after @ ..]) => {
                deltas = after;
                at += TICK * u32::from(*near);
                Some(at)
            }
            (Symbol::Far, [high, low, after @ ..]) => {
                deltas = after;
                let ticks = i16::from_be_bytes([*high, *low]);
                let step = TICK * u32::from(ticks.unsigned_abs());
                at = if ticks < 0 { at.saturating_sub(step) } else { at + step };
                Some(at)
            }
            _ => return,
        };
        each(first.wrapping_add(number as u16), arrived);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Symbol {
    Missing,
    /// A difference of one byte follows.
    Near,
    /// A signed difference of two bytes follows.
    Far,
}

impl Symbol {
    fn of(bits: u16) -> Self {
        match bits & 3 {
            1 => Self::Near,
            2 => Self::Far,
            _ => Self::Missing,
        }
    }
}

/// How many bytes of chunks it takes to speak of `count` packets. None if there are fewer.
fn chunk_bytes(bytes: &[u8], count: usize) -> Option<usize> {
    let mut spoken = 0;
    let mut length = 0;
    for chunk in bytes.as_chunks::<2>().0 {
        if spoken >= count {
            break;
        }
        spoken += symbols_of(*chunk).count();
        length += 2;
    }
    (spoken >= count).then_some(length)
}

fn symbols(chunks: &[u8]) -> impl Iterator<Item = Symbol> + '_ {
    chunks.as_chunks::<2>().0.iter().flat_map(|chunk| symbols_of(*chunk))
}

/// A chunk is a run of one symbol, or a list of 14 short or 7 long ones.
fn symbols_of(chunk: [u8; 2]) -> impl Iterator<Item = Symbol> {
    let word = u16::from_be_bytes(chunk);
    let (length, of): (u16, fn(u16, u16) -> u16) = match (word >> 15, (word >> 14) & 1) {
        (0, _) => (word & 0x1fff, |word, _| word >> 13),
        (_, 0) => (14, |word, n| (word >> (13 - n)) & 1),
        _ => (7, |word, n| word >> (12 - 2 * n)),
    };
    (0..length).map(move |n| Symbol::of(of(word, n)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(body: &[u8]) -> Vec<(u16, Option<u64>)> {
        let mut all = vec![];
        read(body, |number, at| all.push((number, at.map(|at| at.as_micros() as u64))));
        all
    }

    #[test]
    fn runs_and_lists_are_read() {
        // From 65535: a run of two near ones, then a list of 7: near, missing, far, and four beyond the count.
        let mut body = vec![0xff, 0xff, 0, 5, 0, 0, 2, 9];
        body.extend(0b0010_0000_0000_0010_u16.to_be_bytes());
        body.extend(0b1101_0010_0000_0000_u16.to_be_bytes());
        body.extend([4, 0, 1]);
        body.extend((-2_i16).to_be_bytes());
        assert_eq!(
            read_all(&body),
            [(0xffff, Some(129_000)), (0, Some(129_000)), (1, Some(129_250)), (2, None), (3, Some(128_750))]
        );
    }

    #[test]
    fn a_list_of_short_symbols_is_read() {
        let mut body = vec![0, 7, 0, 14, 0, 0, 0, 0];
        body.extend(0b1010_0000_0000_0001_u16.to_be_bytes());
        body.extend([1, 2]);
        let all = read_all(&body);
        assert_eq!(all.len(), 14);
        assert_eq!(all.iter().filter_map(|(n, at)| at.map(|at| (*n, at))).collect::<Vec<_>>(), [(7, 250), (20, 750)]);
    }

    #[test]
    fn a_cut_report_says_what_it_said_so_far() {
        let mut body = vec![0, 1, 0, 3, 0, 0, 0, 0];
        body.extend(0b0010_0000_0000_0011_u16.to_be_bytes());
        body.extend([1, 1, 1]);
        assert_eq!(read_all(&body).len(), 3);
        for length in 0..body.len() {
            let all = read_all(&body[..length]);
            assert_eq!(all.len(), length.saturating_sub(10), "of {length} bytes");
        }
    }

    #[test]
    fn a_report_that_promises_more_than_it_has_says_nothing() {
        let mut body = vec![0, 1, 0xff, 0xff, 0, 0, 0, 0];
        body.extend(0b0000_0000_0000_0000_u16.to_be_bytes());
        assert_eq!(read_all(&body), []);
    }
}
