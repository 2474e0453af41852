//! The voices of a meeting in pieces for whoever writes down what was said: a WAV of 16 kHz for each, cut where it is silent.
//! Its name is when it begins, in milliseconds since 1970, and whose it is: `1760000000000_PEER.wav`; while it grows it has
//! `.part` behind that, and what is in it counts if we die. Whoever takes a piece deletes it: the folder is the queue.
//! Next: `cutter.rs`, where pieces begin and end; `tracks.rs`, the same voices as recordings.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ruopus::OpusDecoder;

use crate::clock::Clock;
use crate::cutter::{Cut, Cutter, RATE};
use crate::news::{Key, News, Packet, Source};
use crate::opus;
use crate::order::Order;

/// A packet that came is held this long for one before it, in milliseconds; sound is not sent again.
const PATIENCE: u64 = 100;

/// Reports that differ by no more than this, in microseconds, move no sound.
const TOLERANCE: i64 = 20_000;

/// Streams at once at most.
const STREAMS: usize = 1_000;

/// What a piece that grows has behind its name.
pub const PART: &str = "part";

/// All microphones of a meeting.
pub struct Voices {
    folder: PathBuf,
    streams: HashMap<Key, Stream>,
    /// All that had come by this moment has been taken, in microseconds since 1970.
    read: i64,
    bytes: u64,
}

struct Stream {
    peer: String,
    clock: Clock,
    order: Order<Packet>,
    decoder: Box<OpusDecoder>,
    cutter: Cutter,
    piece: Option<Piece>,
}

impl Voices {
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf(), streams: HashMap::new(), read: 0, bytes: 0 }
    }

    /// Takes what happened, at `now` milliseconds of any clock.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn take(&mut self, now: u64, news: News) -> io::Result<()> {
        match news {
            News::Stream { key, peer, source: Source::Microphone, .. } if self.streams.len() < STREAMS => {
                let (clock, order) = (Clock::new(48_000, TOLERANCE), Order::new(PATIENCE));
                let (decoder, cutter) = (decoder(), Cutter::default());
                self.streams.insert(key, Stream { peer, clock, order, decoder, cutter, piece: None });
            }
            News::Packet { key, packet } => {
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.order.push(now, packet.number, packet);
                    self.bytes += stream.drain(now, &self.folder)?;
                }
            }
            News::Read(moment) => self.read = moment,
            News::Report { key, timestamp, moment } => {
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.clock.report(timestamp, moment);
                }
            }
            News::Gone { key } => {
                if let Some(mut stream) = self.streams.remove(&key) {
                    self.bytes += stream.drain(u64::MAX, &self.folder)?;
                    self.bytes += stream.end(&self.folder)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Time has come for packets that waited in vain for others, and for voices that say no more: on a busy machine what they say
    /// may have come and not been taken yet.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn look(&mut self, now: u64) -> io::Result<()> {
        let until = self.read - PATIENCE as i64 * 2_000;
        for stream in self.streams.values_mut() {
            self.bytes += stream.drain(now, &self.folder)?;
            let cuts = stream.cutter.quiet(until);
            self.bytes += stream.cut(cuts, &self.folder)?;
        }
        Ok(())
    }

    /// What was written, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Ends all pieces.
    ///
    /// # Errors
    /// If one cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        for stream in self.streams.values_mut() {
            stream.drain(u64::MAX, &self.folder)?;
            stream.end(&self.folder)?;
        }
        Ok(())
    }
}

impl Stream {
    /// Writes what is next in order; how many bytes.
    fn drain(&mut self, now: u64, folder: &Path) -> io::Result<u64> {
        let mut bytes = 0;
        while let Some((packet, _)) = self.order.pop(now) {
            let made = self.clock.at(packet.timestamp, packet.arrived);
            if opus::duration(&packet.payload).is_none() {
                continue;
            }
            let cuts = match catch_unwind(AssertUnwindSafe(|| self.decoder.decode_packet(&packet.payload))) {
                Ok(Ok(samples)) => self.cutter.take(made, &samples),
                Ok(Err(_)) => continue,
                // A stranger's packet has found a fault of the decoder's: it begins anew.
                Err(_) => {
                    self.decoder = decoder();
                    continue;
                }
            };
            bytes += self.cut(cuts, folder)?;
        }
        Ok(bytes)
    }

    fn end(&mut self, folder: &Path) -> io::Result<u64> {
        let cuts = self.cutter.end();
        self.cut(cuts, folder)
    }

    fn cut(&mut self, cuts: Vec<Cut>, folder: &Path) -> io::Result<u64> {
        let mut bytes = 0;
        for cut in cuts {
            match (cut, &mut self.piece) {
                (Cut::Begins(at), _) => self.piece = Some(Piece::begin(folder, &self.peer, at)?),
                (Cut::Sound(samples), Some(piece)) => bytes += piece.write(&samples)?,
                (Cut::Ends { is_kept }, _) => {
                    if let Some(piece) = self.piece.take() {
                        piece.end(is_kept)?;
                    }
                }
                (Cut::Sound(_), None) => {}
            }
        }
        Ok(bytes)
    }
}

fn decoder() -> Box<OpusDecoder> {
    Box::new(OpusDecoder::with_rate(RATE, 1))
}

/// A file that grows.
struct Piece {
    file: File,
    path: PathBuf,
    samples: usize,
}

impl Piece {
    fn begin(folder: &Path, peer: &str, at: i64) -> io::Result<Self> {
        let mut ms = at / 1_000;
        loop {
            let path = folder.join(format!("{ms}_{peer}.wav.{PART}"));
            let is_there = path.with_extension("").exists();
            match File::create_new(&path) {
                Ok(mut file) if !is_there => {
                    file.write_all(&header(0))?;
                    return Ok(Self { file, path, samples: 0 });
                }
                Ok(_) => fs::remove_file(&path)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            ms += 1;
        }
    }

    fn write(&mut self, samples: &[f32]) -> io::Result<u64> {
        let bytes: Vec<u8> =
            samples.iter().flat_map(|sample| ((sample * 32_767.0).clamp(-32_768.0, 32_767.0) as i16).to_le_bytes()).collect();
        self.file.write_all(&bytes)?;
        self.samples += samples.len();
        Ok(bytes.len() as u64)
    }

    fn end(mut self, is_kept: bool) -> io::Result<()> {
        if !is_kept {
            return fs::remove_file(&self.path);
        }
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.samples))?;
        // The name it keeps; a reader sees it whole or not at all.
        fs::rename(&self.path, self.path.with_extension(""))
    }
}

/// What is in front of so many samples in a WAV.
fn header(samples: usize) -> Vec<u8> {
    let bytes = u32::try_from(samples * 2).unwrap_or(u32::MAX - 36);
    [
        &b"RIFF"[..],
        &(36 + bytes).to_le_bytes(),
        b"WAVEfmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &RATE.to_le_bytes(),
        &(RATE * 2).to_le_bytes(),
        &2u16.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &bytes.to_le_bytes(),
    ]
    .concat()
}

/// Makes a piece whole that was left growing; false if there is nothing in it.
///
/// # Errors
/// If it cannot be written.
pub fn rescue(path: &Path) -> io::Result<bool> {
    let samples = usize::try_from(fs::metadata(path)?.len().saturating_sub(44) / 2).unwrap_or_default();
    if samples == 0 {
        fs::remove_file(path)?;
        return Ok(false);
    }
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.write_all(&header(samples))?;
    fs::rename(path, path.with_extension(""))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Order as Command;

    const NOW: i64 = 1_760_000_000_000_000;

    struct Bed(PathBuf);

    impl Drop for Bed {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    impl Bed {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("salon-voices-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<String> =
                fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    const KEY: Key = Key { connection: 1, ssrc: 7 };

    /// A voice that plays a tone of 440 Hz for so many packets of 20 ms, from one packet on.
    fn play(voices: &mut Voices, encoder: &mut ruopus::OpusEncoder, from: u64, count: u64) {
        for n in from..from + count {
            let wave: Vec<f32> =
                (0..960).map(|at| 0.3 * (std::f32::consts::TAU * 440.0 * (n * 960 + at) as f32 / 48_000.0).sin()).collect();
            let payload = encoder.encode(&wave, 160).unwrap();
            let arrived = NOW + n as i64 * 20_000;
            let packet = Packet { number: n, timestamp: n as u32 * 960, marker: false, arrived, turns: None, payload };
            voices.take(n * 20, News::Packet { key: KEY, packet }).unwrap();
            voices.take(n * 20, News::Read(arrived)).unwrap();
            voices.look(n * 20).unwrap();
        }
    }

    fn listening(bed: &Bed) -> Voices {
        let mut voices = Voices::new(&bed.0);
        for (ssrc, source) in [(7, Source::Microphone), (8, Source::ScreenSound)] {
            let key = Key { ssrc, ..KEY };
            voices.take(0, News::Stream { key, peer: "peer-4".into(), source, codec: None, paused: false }).unwrap();
        }
        voices
    }

    #[test]
    fn what_is_said_is_in_pieces_that_are_whole() {
        let bed = Bed::new("whole");
        let (mut voices, mut encoder) = (listening(&bed), ruopus::OpusEncoder::new(1));
        play(&mut voices, &mut encoder, 0, 50);
        // Much time is no silence; that nothing comes for a while is.
        voices.look(60_000).unwrap();
        assert_eq!(bed.names(), ["1760000000000_peer-4.wav.part"]);
        voices.take(1_100, News::Read(NOW + 3_000_000)).unwrap();
        voices.look(1_100).unwrap();
        assert_eq!(bed.names(), ["1760000000000_peer-4.wav"]);
        play(&mut voices, &mut encoder, 200, 30);
        voices.take(4_600, News::Order(Command::Stop)).unwrap();
        voices.finish().unwrap();
        let names = bed.names();
        assert_eq!(names, ["1760000000000_peer-4.wav", "1760000004000_peer-4.wav"]);
        let wav = fs::read(bed.0.join(&names[0])).unwrap();
        assert_eq!((&wav[..4], &wav[8..16], wav.len()), (&b"RIFF"[..], &b"WAVEfmt "[..], 44 + 2 * 16_000));
        assert_eq!(u32::from_le_bytes(wav[40..44].try_into().unwrap()), 32_000);
        let samples: Vec<i16> = wav[44..].chunks(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
        let turns = samples.windows(2).filter(|two| two[0] < 0 && two[1] >= 0).count();
        assert!((430..=450).contains(&turns), "{turns} turns of a tone of 440 Hz in a second");
    }

    #[test]
    fn what_we_leave_when_we_die_can_be_made_whole() {
        let bed = Bed::new("rescue");
        let (mut voices, mut encoder) = (listening(&bed), ruopus::OpusEncoder::new(1));
        play(&mut voices, &mut encoder, 0, 50);
        drop(voices);
        assert_eq!(bed.names(), ["1760000000000_peer-4.wav.part"]);
        assert!(rescue(&bed.0.join("1760000000000_peer-4.wav.part")).unwrap());
        let wav = fs::read(bed.0.join("1760000000000_peer-4.wav")).unwrap();
        // What had come too short before may wait still.
        assert!(wav.len() > 44 + 2 * 14_000, "{}", wav.len());
        assert_eq!(u32::from_le_bytes(wav[40..44].try_into().unwrap()) as usize, wav.len() - 44);
    }
}
