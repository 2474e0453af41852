//! A fragmented MP4 of pictures and sound as they came: a head, then a fragment for each segment (ISO/IEC 14496-12, 14496-14
//! section 5.6 and 14496-15 section 5.4). Pure. What is in a picture or a piece of sound is copied, never read.
//! Next: `intake.rs`, which says what goes where; `../timing.rs` and `../rtmp/tags.rs` read the same.

/// Ticks of a picture's clock in a second: RTMP knows no finer ones.
pub const PICTURE_SCALE: u32 = 1_000;

/// Samples in a frame of AAC.
pub const FRAME: u32 = 1_024;

/// Numbers of the tracks.
const PICTURES: u32 = 1;
const SOUND: u32 = 2;

/// What decoders of the pictures need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Video {
    pub setup: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

/// What decoders of the sound need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audio {
    pub setup: Vec<u8>,
    pub rate: u32,
    pub channels: u16,
    /// Which AAC it is (ISO/IEC 14496-3 table 1.17).
    pub kind: u8,
}

/// A picture or a piece of sound.
#[derive(Debug)]
pub struct Sample {
    /// Ticks until the next one.
    pub length: u32,
    /// Ticks after its turn when it is shown.
    pub later: i32,
    pub is_key: bool,
    pub bytes: Vec<u8>,
}

/// What is in a fragment of a track, from this tick on.
#[derive(Debug, Default)]
pub struct Run {
    pub from: u64,
    pub samples: Vec<Sample>,
}

/// As playlists name what is in it: RFC 6381.
pub fn codecs(video: Option<&Video>, audio: Option<&Audio>) -> String {
    let video = video.and_then(|video| video.setup.get(1..4)).map(|p| format!("avc1.{:02x}{:02x}{:02x}", p[0], p[1], p[2]));
    let audio = audio.map(|audio| format!("mp4a.40.{}", audio.kind));
    video.into_iter().chain(audio).collect::<Vec<_>>().join(",")
}

/// What players need before any fragment.
pub fn head(video: Option<&Video>, audio: Option<&Audio>) -> Vec<u8> {
    let movie = full(b"mvhd", 0, &[&words(&[0, 0, 1_000, 0, 0x1_0000]), &[1, 0], &[0; 10], &matrix(), &[0; 24], &words(&[3])]);
    let mut inside = vec![movie];
    let mut usual = Vec::new();
    let mut track =
        |id: u32, scale: u32, (handler, name): (&[u8; 4], &[u8]), about: Vec<u8>, shown: (u32, u32), entry: Vec<u8>| {
            let volume: [u8; 2] = if id == SOUND { [1, 0] } else { [0, 0] };
            let sides = words(&[shown.0 << 16, shown.1 << 16]);
            let header = full(b"tkhd", 7, &[&words(&[0, 0, id, 0, 0]), &[0; 8], &[0; 4], &volume, &[0; 2], &matrix(), &sides]);
            let clock = full(b"mdhd", 0, &[&words(&[0, 0, scale, 0]), &[0x55, 0xc4, 0, 0]]);
            let handler = full(b"hdlr", 0, &[&[0; 4], handler, &[0; 12], name]);
            let place = boxed(b"dinf", &[&full(b"dref", 0, &[&words(&[1]), &full(b"url ", 1, &[])])]);
            let empty = [full(b"stts", 0, &[&[0; 4]]), full(b"stsc", 0, &[&[0; 4]]), full(b"stsz", 0, &[&[0; 8]])].concat();
            let described = full(b"stsd", 0, &[&words(&[1]), &entry]);
            let table = boxed(b"stbl", &[&described, &empty, &full(b"stco", 0, &[&[0; 4]])]);
            let media = boxed(b"mdia", &[&clock, &handler, &boxed(b"minf", &[&about, &place, &table])]);
            inside.push(boxed(b"trak", &[&header, &media]));
            usual.push(full(b"trex", 0, &[&words(&[id, 1, 0, 0, 0])]));
        };
    if let Some(Video { setup, width, height }) = video {
        let size = words(&[width << 16 | height & 0xffff]);
        let look = words(&[0x48_0000, 0x48_0000, 0, 1 << 16]);
        // Its name has 32 bytes, of which two are in the word before.
        let entry =
            [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16], &size, &look, &[0; 30], &[0, 0x18, 0xff, 0xff], &boxed(b"avcC", &[setup])];
        let about = full(b"vmhd", 1, &[&[0; 8]]);
        track(PICTURES, PICTURE_SCALE, (b"vide", b"\0"), about, (*width, *height), boxed(b"avc1", &entry));
    }
    if let Some(Audio { setup, rate, channels, .. }) = audio {
        let decoder = descriptor(4, &[&[0x40, 0x15, 0, 0, 0], &[0; 8], &descriptor(5, &[setup])]);
        let stream = descriptor(3, &[&[0, 0, 0], &decoder, &descriptor(6, &[&[2]])]);
        let like = [&channels.to_be_bytes()[..], &[0, 16, 0, 0, 0, 0], &(rate.min(&65_535) << 16).to_be_bytes()].concat();
        let entry = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8], &like, &full(b"esds", 0, &[&stream])];
        track(SOUND, *rate, (b"soun", b"\0"), full(b"smhd", 0, &[&[0; 4]]), (0, 0), boxed(b"mp4a", &entry));
    }
    let extends = usual.concat();
    inside.push(boxed(b"mvex", &[&extends]));
    let kind = boxed(b"ftyp", &[b"iso6", &[0, 0, 2, 0], b"iso6mp41"]);
    [kind, boxed(b"moov", &[&inside.concat()])].concat()
}

/// The so manieth fragment.
pub fn fragment(number: u32, pictures: &Run, sound: &Run) -> Vec<u8> {
    let tracks: Vec<(u32, &Run)> =
        [(PICTURES, pictures), (SOUND, sound)].into_iter().filter(|(_, run)| !run.samples.is_empty()).collect();
    let length = |run: &Run| run.samples.iter().map(|sample| sample.bytes.len()).sum::<usize>();
    let moof = |ahead: usize| {
        let mut at = ahead + 8;
        let mut inside = full(b"mfhd", 0, &[&words(&[number])]);
        for (id, run) in &tracks {
            let (track, from) = (full(b"tfhd", 0x2_0000, &[&words(&[*id])]), full(b"tfdt", 1 << 24, &[&run.from.to_be_bytes()]));
            let each = run.samples.iter().flat_map(|sample| {
                let flags = if sample.is_key { 0x200_0000 } else { 0x101_0000 };
                words(&[sample.length, sample.bytes.len() as u32, flags, sample.later as u32])
            });
            let each: Vec<u8> = each.collect();
            let run_of = full(b"trun", 1 << 24 | 0xf01, &[&words(&[run.samples.len() as u32, at as u32]), &each]);
            inside.extend(boxed(b"traf", &[&track, &from, &run_of]));
            at += length(run);
        }
        boxed(b"moof", &[&inside])
    };
    let mut out = moof(moof(0).len());
    let all = tracks.iter().map(|(_, run)| length(run)).sum::<usize>();
    out.extend((all as u32 + 8).to_be_bytes());
    out.extend(b"mdat");
    tracks.iter().flat_map(|(_, run)| &run.samples).for_each(|sample| out.extend(&sample.bytes));
    out
}

fn boxed(name: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let length = 8 + parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    out.extend((length as u32).to_be_bytes());
    out.extend(name);
    parts.iter().for_each(|part| out.extend(*part));
    out
}

/// A box with a version, in the first byte, and flags.
fn full(name: &[u8; 4], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    boxed(name, &[&flags.to_be_bytes()[..], &parts.concat()])
}

fn descriptor(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = body.len();
    // Always in four groups of seven bits, as others write it.
    let groups = [21, 14, 7].map(|shift| (length >> shift & 0x7f) as u8 | 0x80);
    [&[kind][..], &groups, &[(length & 0x7f) as u8], &body].concat()
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// Nothing is turned or moved.
fn matrix() -> Vec<u8> {
    words(&[0x1_0000, 0, 0, 0, 0x1_0000, 0, 0, 0, 0x4000_0000])
}
