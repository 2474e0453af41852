//! When what is in a fragment of an MP4 was, and what it takes to play it: read from its boxes (ISO/IEC 14496-12). Pure.
//! Invariant: whatever comes in, nothing is read beyond its box; what is not as an encoder writes it is `None`.
//! Next: `cuts.rs`, which needs it.

use crate::boxes::{Inside, find, long, number};

/// What the head says of the track with pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    track: u32,
    /// Ticks of its clock in a second.
    scale: u64,
    /// Ticks of a picture that says nothing else.
    usual: u64,
    /// As a playlist names them: RFC 6381.
    pub codecs: String,
}

/// From when to when, in microseconds of the file's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: i64,
    pub length: i64,
}

impl Timing {
    /// Reads a head.
    pub fn of(head: &[u8]) -> Option<Self> {
        let moov = find(head, &[b"moov"])?;
        let tracks = Inside(moov).filter(|(name, _)| name == b"trak").map(|(_, body)| body);
        let track = tracks
            .into_iter()
            .find(|track| find(track, &[b"mdia", b"hdlr"]).is_some_and(|handler| handler.get(8..12) == Some(b"vide")))?;
        let (about, clock) = (find(track, &[b"tkhd"])?, find(track, &[b"mdia", b"mdhd"])?);
        // Of the second version times have eight bytes.
        let id = number(about, if about.first() == Some(&1) { 20 } else { 12 })?;
        let scale = number(clock, if clock.first() == Some(&1) { 20 } else { 12 })?;
        let all = Inside(find(moov, &[b"mvex"])?).filter(|(name, _)| name == b"trex").map(|(_, body)| body);
        let usual = all.into_iter().find(|body| number(body, 4) == Some(id)).and_then(|body| number(body, 12))?;
        let entries = find(track, &[b"mdia", b"minf", b"stbl", b"stsd"])?.get(8..)?;
        // A picture's entry has 78 bytes of its own before the boxes in it.
        let profile = find(find(entries, &[b"avc1"])?.get(78..)?, &[b"avcC"])?.get(1..4)?;
        let codecs = format!("avc1.{:02x}{:02x}{:02x},mp4a.40.2", profile[0], profile[1], profile[2]);
        (scale > 0).then(|| Self { track: id, scale: scale.into(), usual: usual.into(), codecs })
    }

    /// Reads a fragment.
    pub fn span(&self, fragment: &[u8]) -> Option<Span> {
        let moof = find(fragment, &[b"moof"])?;
        let tracks = Inside(moof).filter(|(name, _)| name == b"traf").map(|(_, body)| body);
        let track =
            tracks.into_iter().find(|track| find(track, &[b"tfhd"]).and_then(|body| number(body, 4)) == Some(self.track))?;
        let (about, from) = (find(track, &[b"tfhd"])?, find(track, &[b"tfdt"])?);
        let from = if from.first() == Some(&1) { long(from, 4)? } else { number(from, 4)?.into() };
        let flags = number(about, 0)?;
        // Where data begin, and which description holds, come before it if they are there.
        let at = 8 + if flags & 1 == 0 { 0 } else { 8 } + if flags & 2 == 0 { 0 } else { 4 };
        let usual = if flags & 8 == 0 { self.usual } else { number(about, at)?.into() };
        let mut ticks = 0;
        for (_, run) in Inside(track).filter(|(name, _)| name == b"trun") {
            let (flags, count) = (number(run, 0)?, number(run, 4)?);
            if flags & 0x100 == 0 {
                ticks += usual * u64::from(count);
                continue;
            }
            let words = |mask: u32| (flags & mask).count_ones() as usize * 4;
            let (mut at, each) = (8 + words(0x005), words(0xf00));
            for _ in 0..count {
                ticks += u64::from(number(run, at)?);
                at += each;
            }
        }
        let microseconds = |ticks: u64| i64::try_from(u128::from(ticks) * 1_000_000 / u128::from(self.scale)).ok();
        Some(Span { start: microseconds(from)?, length: microseconds(ticks)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &[u8; 4], body: &[&[u8]]) -> Vec<u8> {
        let body = body.concat();
        [&(body.len() as u32 + 8).to_be_bytes(), &name[..], &body].concat()
    }

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn track(id: u32, kind: &[u8; 4], scale: u32) -> Vec<u8> {
        let avc = of(b"avc1", &[&[0; 78], &of(b"avcC", &[&[1, 0x64, 0, 0x1f, 0xff]])]);
        let described = of(b"stsd", &[&words(&[0, 1]), &avc]);
        let handler = of(b"hdlr", &[&words(&[0, 0]), kind, &[0; 12]]);
        let clock = of(b"mdhd", &[&words(&[0, 0, 0, scale, 0])]);
        let media = of(b"mdia", &[&clock, &handler, &of(b"minf", &[&of(b"stbl", &[&described])])]);
        of(b"trak", &[&of(b"tkhd", &[&words(&[0, 0, 0, id])]), &media])
    }

    fn head() -> Vec<u8> {
        let usual = of(b"mvex", &[&of(b"trex", &[&words(&[0, 2, 1, 1_024])]), &of(b"trex", &[&words(&[0, 1, 1, 512])])]);
        of(b"ftyp", &[b"iso6"])
            .into_iter()
            .chain(of(b"moov", &[&track(2, b"soun", 48_000), &track(1, b"vide", 15_360), &usual]))
            .collect()
    }

    fn fragment(inside: &[&[u8]]) -> Vec<u8> {
        let sound = of(b"traf", &[&of(b"tfhd", &[&words(&[0, 2])]), &of(b"tfdt", &[&words(&[0, 7])])]);
        [of(b"moof", &[&of(b"mfhd", &[&words(&[0, 1])]), &sound, &of(b"traf", inside)]), of(b"mdat", &[b"x"])].concat()
    }

    #[test]
    fn a_fragment_says_when_it_was_and_how_long() {
        let timing = Timing::of(&head()).unwrap();
        assert_eq!(timing.codecs, "avc1.64001f,mp4a.40.2");
        let from = of(b"tfdt", &[&words(&[1 << 24, 0, 30_720])]);
        let as_usual = fragment(&[&of(b"tfhd", &[&words(&[0, 1])]), &from, &of(b"trun", &[&words(&[1, 60, 99])])]);
        assert_eq!(timing.span(&as_usual), Some(Span { start: 2_000_000, length: 2_000_000 }));
        let own = fragment(&[&of(b"tfhd", &[&words(&[8, 1, 1_024])]), &from, &of(b"trun", &[&words(&[0, 15])])]);
        assert_eq!(timing.span(&own), Some(Span { start: 2_000_000, length: 1_000_000 }));
        // Each says its own, beside its size.
        let each = of(b"trun", &[&words(&[0x301, 2, 99, 512, 7, 1_024, 7])]);
        let each = fragment(&[&of(b"tfhd", &[&words(&[0x20000, 1])]), &from, &each]);
        assert_eq!(timing.span(&each), Some(Span { start: 2_000_000, length: 100_000 }));
    }

    #[test]
    fn what_breaks_off_says_nothing() {
        let (head, timing) = (head(), Timing::of(&head()).unwrap());
        assert!((0..head.len()).all(|end| Timing::of(&head[..end]).is_none()));
        let from = of(b"tfdt", &[&words(&[0, 7])]);
        let run = of(b"trun", &[&words(&[0x100, 9, 1])]);
        assert_eq!(timing.span(&fragment(&[&of(b"tfhd", &[&words(&[0, 1])]), &from, &run])), None, "nine are not there");
        assert_eq!(timing.span(&fragment(&[&of(b"tfhd", &[&words(&[0, 9])]), &from])), None, "of another track");
        for broken in [&b""[..], b"\0\0\0\x04moof", b"\0\0\0\xffmoof"] {
            assert_eq!(timing.span(broken), None);
        }
    }
}
