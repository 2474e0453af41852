//! What RTMP sends of a fragmented MP4: each picture and each piece of sound, copied, with its time. Pure.
//! Sources: ISO/IEC 14496-12 (boxes), 14496-15 section 5 (H264) and 14496-1 section 7.2.6 (AAC) in them; the FLV format's tags.
//! Invariant: whatever comes in, nothing is read beyond its box; what is not as an encoder writes it is `None`.

use crate::boxes::{Inside, find, long, number};

/// Samples of one run at most: a fragment is of seconds.
const SAMPLES: u32 = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Pictures,
    Sound,
}

/// A picture or a piece of sound, as FLV has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag {
    pub kind: Kind,
    /// Milliseconds of the file's own time.
    pub ms: u64,
    pub body: Vec<u8>,
}

/// What a head says.
#[derive(Debug)]
pub struct Tracks {
    tracks: Vec<Track>,
    pub width: u16,
    pub height: u16,
}

#[derive(Debug)]
struct Track {
    id: u32,
    kind: Kind,
    /// Ticks of its clock in a second.
    scale: u64,
    /// Ticks and bytes of a sample that says nothing else.
    usual: (u32, u32),
    /// Its first tick is played then, in microseconds.
    begins: i64,
    /// What decoders need first.
    setup: Vec<u8>,
}

impl Tracks {
    /// Reads a head.
    pub fn of(head: &[u8]) -> Option<Self> {
        let moov = find(head, &[b"moov"])?;
        let clock = find(moov, &[b"mvhd"])?;
        let scale = number(clock, if clock.first() == Some(&1) { 20 } else { 12 })?;
        let all = Inside(moov).filter(|(name, _)| name == b"trak");
        let tracks: Option<Vec<Track>> = all.map(|(_, body)| Track::of(body, moov, scale.into())).collect();
        let entry = Inside(moov).filter(|(name, _)| name == b"trak").find_map(|(_, body)| find(entries(body)?, &[b"avc1"]))?;
        let size = number(entry, 24)?;
        Some(Self { tracks: tracks?, width: (size >> 16) as u16, height: size as u16 })
    }

    /// What is sent before anything of this file.
    pub fn setup(&self) -> impl Iterator<Item = Tag> {
        self.tracks.iter().map(|track| {
            let head: &[u8] = if track.kind == Kind::Sound { &[0xaf, 0] } else { &[0x17, 0, 0, 0, 0] };
            Tag { kind: track.kind, ms: 0, body: [head, &track.setup].concat() }
        })
    }

    /// Reads a fragment, which begins with a key frame: what is in it, in order.
    pub fn read(&self, fragment: &[u8]) -> Option<Vec<Tag>> {
        let mut at = 0;
        let moof = Inside(fragment).find_map(|(name, body)| {
            if name == b"moof" {
                return Some(body);
            }
            at += body.len() + 8;
            None
        })?;
        let mut tags = Vec::new();
        for (_, body) in Inside(moof).filter(|(name, _)| name == b"traf") {
            let id = number(find(body, &[b"tfhd"])?, 4)?;
            let track = self.tracks.iter().find(|track| track.id == id)?;
            track.read(body, fragment.get(at..)?, &mut tags)?;
        }
        // Those of one moment stay as they are: pictures first.
        tags.sort_by_key(|tag| tag.ms);
        Some(tags)
    }
}

/// The descriptions of a track's samples.
fn entries(track: &[u8]) -> Option<&[u8]> {
    find(track, &[b"mdia", b"minf", b"stbl", b"stsd"])?.get(8..)
}

impl Track {
    fn of(track: &[u8], moov: &[u8], movie_scale: u64) -> Option<Self> {
        let (about, clock) = (find(track, &[b"tkhd"])?, find(track, &[b"mdia", b"mdhd"])?);
        // Of the second version times have eight bytes.
        let id = number(about, if about.first() == Some(&1) { 20 } else { 12 })?;
        let scale = u64::from(number(clock, if clock.first() == Some(&1) { 20 } else { 12 })?);
        let all = Inside(find(moov, &[b"mvex"])?).filter(|(name, _)| name == b"trex").map(|(_, body)| body);
        let usual = all.into_iter().find(|body| number(body, 4) == Some(id))?;
        let usual = (number(usual, 12)?, number(usual, 16)?);
        let entries = entries(track)?;
        // A picture's entry has 78 bytes of its own before the boxes in it, one of sound 28.
        let (kind, setup) = match find(entries, &[b"avc1"]) {
            Some(entry) => (Kind::Pictures, find(entry.get(78..)?, &[b"avcC"])?.to_vec()),
            None => (Kind::Sound, of_aac(find(find(entries, &[b"mp4a"])?.get(28..)?, &[b"esds"])?)?.to_vec()),
        };
        let begins = match find(track, &[b"edts", b"elst"]) {
            Some(list) => begins(list, movie_scale, scale)?,
            None => 0,
        };
        (scale > 0).then_some(Self { id, kind, scale, usual, begins, setup })
    }

    fn read(&self, traf: &[u8], from_moof: &[u8], tags: &mut Vec<Tag>) -> Option<()> {
        let (about, from) = (find(traf, &[b"tfhd"])?, find(traf, &[b"tfdt"])?);
        let mut ticks = if from.first() == Some(&1) { long(from, 4)? } else { number(from, 4)?.into() };
        let flags = number(about, 0)?;
        // Where data begin would be counted from the beginning of the file.
        if flags & 1 != 0 {
            return None;
        }
        let mut at = if flags & 2 == 0 { 8 } else { 12 };
        let mut own = |mask: u32, usual: u32| {
            if flags & mask == 0 {
                return Some(usual);
            }
            at += 4;
            number(about, at - 4)
        };
        let usual = (own(8, self.usual.0)?, own(0x10, self.usual.1)?);
        let mut is_first = true;
        for (_, run) in Inside(traf).filter(|(name, _)| name == b"trun") {
            let (flags, count) = (number(run, 0)?, number(run, 4)?);
            if count > SAMPLES || flags & 1 == 0 {
                return None;
            }
            let mut data = number(run, 8)? as usize;
            let mut at = 12 + if flags & 4 == 0 { 0 } else { 4 };
            for _ in 0..count {
                let mut word = |mask: u32| {
                    if flags & mask == 0 {
                        return Some(None);
                    }
                    at += 4;
                    number(run, at - 4).map(Some)
                };
                let (length, bytes, _, later) = (word(0x100)?, word(0x200)?, word(0x400)?, word(0x800)?);
                let bytes = bytes.unwrap_or(usual.1) as usize;
                let sample = from_moof.get(data..data.checked_add(bytes)?)?;
                data += bytes;
                let later = later.unwrap_or(0) as i32;
                tags.push(self.tag(ticks, later, is_first, sample)?);
                (ticks, is_first) = (ticks + u64::from(length.unwrap_or(usual.0)), false);
            }
        }
        Some(())
    }

    fn tag(&self, ticks: u64, later: i32, is_key: bool, sample: &[u8]) -> Option<Tag> {
        let microseconds = i64::try_from(u128::from(ticks) * 1_000_000 / u128::from(self.scale)).ok()?;
        // What is before the beginning, because decoders need it to begin, is at it.
        let ms = ((microseconds + self.begins).max(0) / 1_000) as u64;
        let body = match self.kind {
            Kind::Sound => [&[0xaf, 1], sample].concat(),
            Kind::Pictures => {
                let later = i64::from(later) * 1_000 / self.scale as i64;
                let [_, a, b, c] = (later as i32).to_be_bytes();
                [&[if is_key { 0x17 } else { 0x27 }, 1, a, b, c], sample].concat()
            }
        };
        Some(Tag { kind: self.kind, ms, body })
    }
}

/// When the first tick of a track is played, in microseconds, by its list of edits.
fn begins(list: &[u8], movie_scale: u64, scale: u64) -> Option<i64> {
    let is_long = list.first() == Some(&1);
    let count = number(list, 4)?;
    let (mut at, mut begins) = (8, 0_i64);
    for _ in 0..count {
        let (length, from) = match is_long {
            true => (long(list, at)?, long(list, at + 8)? as i64),
            false => (number(list, at)?.into(), i64::from(number(list, at + 4)? as i32)),
        };
        if from >= 0 {
            let skipped = i128::from(from) * 1_000_000 / i128::from(scale.max(1));
            return i64::try_from(i128::from(begins) - skipped).ok();
        }
        // Nothing is played for so long.
        begins += i64::try_from(u128::from(length) * 1_000_000 / u128::from(movie_scale.max(1))).ok()?;
        at += if is_long { 20 } else { 12 };
    }
    Some(begins)
}

/// What a decoder of AAC needs, from descriptors in descriptors.
fn of_aac(esds: &[u8]) -> Option<&[u8]> {
    let stream = descriptor(esds.get(4..)?, 3)?;
    let decoder = descriptor(stream.get(3..)?, 4)?;
    descriptor(decoder.get(13..)?, 5)
}

/// The first one, if it is of this kind: its length is in groups of seven bits.
fn descriptor(bytes: &[u8], kind: u8) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    let end = rest.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    let length = rest[..=end].iter().fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
    (*first == kind).then(|| rest.get(end + 1..end + 1 + length)).flatten()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::boxes::{Boxes, Piece};

    fn ffmpeg(arguments: &str) -> Option<Vec<u8>> {
        let ran = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments.split(' ')).output().ok()?;
        assert!(ran.status.success() && ran.stderr.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&ran.stderr));
        Some(ran.stdout)
    }

    /// As a file of tags (FLV): with what is before each, and its length behind it.
    fn flv(tags: &[Tag]) -> Vec<u8> {
        let mut out = [&b"FLV\x01\x05\0\0\0\x09"[..], &[0; 4]].concat();
        for tag in tags {
            let ms = (tag.ms as u32).to_be_bytes();
            out.push(if tag.kind == Kind::Sound { 8 } else { 9 });
            out.extend(&(tag.body.len() as u32).to_be_bytes()[1..]);
            out.extend([ms[1], ms[2], ms[3], ms[0], 0, 0, 0]);
            out.extend(&tag.body);
            out.extend((tag.body.len() as u32 + 11).to_be_bytes());
        }
        out
    }

    #[test]
    fn every_picture_and_sound_of_a_file_is_copied_and_at_its_time() {
        let folder = std::env::temp_dir().join(format!("salon-tags-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let there = folder.display();
        let made = ffmpeg(&format!(
            "-f lavfi -i testsrc=s=128x96:r=30:d=7 -f lavfi -i sine=d=7:r=48000 -c:v libx264 -preset ultrafast -bf 0 -g 60 \
             -keyint_min 60 -sc_threshold 0 -pix_fmt yuv420p -c:a aac -f mp4 -movflags +frag_keyframe+delay_moov+default_base_moof \
             {there}/a.mp4"
        ));
        if made.is_none() {
            return eprintln!("skipped: there is no ffmpeg");
        }
        let whole = std::fs::read(folder.join("a.mp4")).unwrap();
        let pieces = Boxes::default().take(&whole).unwrap();
        let Piece::Head(head) = &pieces[0] else { panic!("a head comes first") };
        let tracks = Tracks::of(head).unwrap();
        assert_eq!((tracks.width, tracks.height), (128, 96));
        let mut tags: Vec<Tag> = tracks.setup().collect();
        for piece in &pieces {
            if let Piece::Fragment(bytes) = piece {
                let read = tracks.read(bytes).unwrap();
                let pictures: Vec<_> = read.iter().filter(|tag| tag.kind == Kind::Pictures).map(|tag| tag.body[0]).collect();
                assert!(pictures[0] == 0x17 && pictures[1..].iter().all(|first| *first == 0x27), "{pictures:x?}");
                tags.extend(read);
            }
        }
        std::fs::write(folder.join("a.flv"), flv(&tags)).unwrap();
        // What is decoded of both, with the times in the files.
        let pictures =
            |name: &str| ffmpeg(&format!("-copyts -i {there}/{name} -map 0:v -fps_mode passthrough -f framemd5 -")).unwrap();
        let hashes = |text: Vec<u8>| -> Vec<(f64, String)> {
            let text = String::from_utf8(text).unwrap();
            let scale = text.lines().find_map(|line| line.strip_prefix("#tb 0: 1/")).unwrap().parse::<f64>().unwrap();
            let line = |line: &str| {
                let words: Vec<&str> = line.split(',').map(str::trim).collect();
                (words[2].parse::<f64>().unwrap() / scale, words[5].to_owned())
            };
            text.lines().filter(|text| !text.starts_with('#')).map(line).collect()
        };
        let (one, other) = (hashes(pictures("a.mp4")), hashes(pictures("a.flv")));
        assert_eq!((one.len(), other.len()), (210, 210));
        for (a, b) in one.iter().zip(&other) {
            assert!(a.1 == b.1 && (a.0 - b.0).abs() < 0.002, "{a:?} {b:?}");
        }
        let sound = |name: &str| ffmpeg(&format!("-i {there}/{name} -map 0:a -c copy -f adts -")).unwrap();
        assert_eq!(sound("a.mp4"), sound("a.flv"));
        // What breaks off is nothing, and never a panic.
        let Piece::Fragment(fragment) = &pieces[1] else { panic!("then a fragment") };
        assert!((0..head.len()).step_by(7).all(|end| Tracks::of(&head[..end]).is_none()));
        assert!((0..fragment.len()).step_by(61).all(|end| tracks.read(&fragment[..end]).is_none()));
        for at in 0..fragment.len().min(2_000) {
            let mut broken = fragment.clone();
            broken[at] ^= 0xff;
            let _ = tracks.read(&broken);
        }
        for at in 0..head.len() {
            let mut broken = head.clone();
            broken[at] ^= 0xff;
            let _ = Tracks::of(&broken).map(|tracks| tracks.read(fragment));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
