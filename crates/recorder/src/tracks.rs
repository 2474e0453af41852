//! A file for each voice: what came of somebody's microphone, as it came, at the time at which it was made.
//! Where nothing came (muted, lost, the recording paused) there is silence, so that a reader who counts samples and one who
//! goes by times agree, and all files of a meeting can be laid over each other by the moments in their names.
//! Owns the files. Next: `webm.rs`, how one is written, and `clock.rs`, when what was made.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::clock::Clock;
use crate::job::{self, FileKind, Order as Command};
use crate::news::{Key, News, Packet, Person, Source};
use crate::opus;
use crate::order::Order;
use crate::webm::WebM;

/// A packet that came is held this long for one before it, in milliseconds; sound is not sent again.
const PATIENCE: u64 = 100;

/// Reports that differ by no more than this, in microseconds, move no sound: it would be heard.
const TOLERANCE: i64 = 20_000;

/// Files of one recording at most; of those who come later there is none.
const FILES: usize = 5_000;

/// Streams at once at most.
const STREAMS: usize = 1_000;

/// Sound that is this much later than what is written is preceded by silence, in microseconds.
const LATER: i64 = 20_000;

/// Sound of so long ago, in microseconds, is left out: what it says has been written as silence or twice.
const EARLIER: i64 = -40_000;

/// Longer silence than this, in microseconds, is not written: a day.
const LONGEST_SILENCE: i64 = 86_400_000_000;

/// A hundred and twenty milliseconds of silence.
const LONG_SILENCE: ([u8; 14], i64) =
    ([0xfb, 6, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe, 0xff, 0xfe], 120_000);

/// The track recording of a meeting.
pub struct Tracks {
    folder: PathBuf,
    prefix: String,
    people: HashMap<String, Person>,
    streams: HashMap<Key, Stream>,
    open: BTreeMap<(String, Source), Track>,
    done: Vec<job::File>,
    paused: bool,
    /// When it went on last, in microseconds since 1970.
    resumed: i64,
}

struct Stream {
    peer: String,
    source: Source,
    clock: Clock,
    order: Order<Packet>,
}

/// A file that grows.
struct Track {
    file: WebM<fs::File>,
    name: String,
    user: String,
    /// When its sound began and ends so far, in microseconds since 1970.
    began: i64,
    end: i64,
}

impl Tracks {
    /// Files in this folder whose names begin so.
    pub fn new(folder: &Path, prefix: &str) -> Self {
        Self {
            folder: folder.to_path_buf(),
            prefix: plain(prefix),
            people: HashMap::new(),
            streams: HashMap::new(),
            open: BTreeMap::new(),
            done: Vec::new(),
            paused: false,
            resumed: i64::MIN,
        }
    }

    /// Takes what happened, at `now` milliseconds of any clock, and at `moment` (microseconds since 1970).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn take(&mut self, now: u64, moment: i64, news: News) -> io::Result<()> {
        match news {
            News::Person { peer, person } => _ = self.people.insert(peer, person),
            News::Left { peer } => {
                self.people.remove(&peer);
                for source in [Source::Microphone, Source::ScreenSound] {
                    self.close(&(peer.clone(), source))?;
                }
            }
            News::Stream { key, peer, source, .. } if source.is_sound() && self.streams.len() < STREAMS => {
                let (clock, order) = (Clock::new(48_000, TOLERANCE), Order::new(PATIENCE));
                self.streams.insert(key, Stream { peer, source, clock, order });
            }
            News::Packet { key, packet } => {
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.order.push(now, packet.number, packet);
                    self.drain(now, key)?;
                }
            }
            News::Report { key, timestamp, moment } => {
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.clock.report(timestamp, moment);
                }
            }
            News::Gone { key } => {
                self.drain(u64::MAX, key)?;
                self.streams.remove(&key);
            }
            News::Order(Command::Pause) => {
                self.look(u64::MAX)?;
                self.paused = true;
            }
            News::Order(Command::Resume) => {
                self.look(u64::MAX)?;
                // What came before may be on its way yet, on a machine that is busy: it was said during the pause.
                (self.paused, self.resumed) = (false, moment);
            }
            _ => {}
        }
        Ok(())
    }

    /// Time has come for packets that waited in vain for others.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn look(&mut self, now: u64) -> io::Result<()> {
        let keys: Vec<Key> = self.streams.keys().copied().collect();
        keys.into_iter().try_for_each(|key| self.drain(now, key))
    }

    /// What is in files, in bytes.
    pub fn bytes(&self) -> u64 {
        self.open.values().map(|track| track.file.bytes()).chain(self.done.iter().map(|file| file.bytes)).sum()
    }

    /// Ends all files, with what can be written of what is left.
    pub fn finish(mut self) -> Vec<job::File> {
        let mut ends = vec![self.look(u64::MAX)];
        for key in self.open.keys().cloned().collect::<Vec<_>>() {
            ends.push(self.close(&key));
        }
        ends.into_iter().filter_map(Result::err).for_each(|error| complain!("salon recorder: a file ends early: {error}"));
        self.done
    }

    fn drain(&mut self, now: u64, key: Key) -> io::Result<()> {
        let Some(stream) = self.streams.get_mut(&key) else { return Ok(()) };
        let of = (stream.peer.clone(), stream.source);
        while let Some((packet, _)) = stream.order.pop(now) {
            let made = stream.clock.at(packet.timestamp, packet.arrived);
            let is_heard = !self.paused && packet.arrived >= self.resumed;
            let Some(length) = opus::duration(&packet.payload).filter(|_| is_heard) else { continue };
            let is_full = self.open.len() + self.done.len() >= FILES;
            let track = match self.open.entry(of.clone()) {
                Entry::Occupied(open) => open.into_mut(),
                Entry::Vacant(_) if is_full => continue,
                Entry::Vacant(place) => {
                    let person = self.people.get(&of.0).cloned().unwrap_or_default();
                    place.insert(Track::begin(&self.folder, &self.prefix, &of, person, made)?)
                }
            };
            track.write(made, length, &packet.payload)?;
        }
        Ok(())
    }

    fn close(&mut self, of: &(String, Source)) -> io::Result<()> {
        let Some(track) = self.open.remove(of) else { return Ok(()) };
        let (file, ended) = track.finish(&of.0);
        self.done.push(file);
        ended
    }
}

impl Track {
    fn begin(folder: &Path, prefix: &str, (peer, source): &(String, Source), person: Person, began: i64) -> io::Result<Self> {
        let stream = if source.is_screen() { "screenshare" } else { "peer" };
        let (user, peer) = (plain(&person.user), plain(peer));
        let mut ms = began / 1_000;
        loop {
            let name = format!("{prefix}_{user}_{peer}_{stream}_audio_{ms}.webm");
            match fs::File::create_new(folder.join(&name)) {
                Ok(file) => {
                    let file = WebM::begin(file)?;
                    return Ok(Self { file, name, user: person.user, began, end: began });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => ms += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Appends a packet that was made then; silence before it if nothing is written up to there.
    fn write(&mut self, made: i64, length: i64, packet: &[u8]) -> io::Result<()> {
        let gap = made - self.end;
        if gap <= EARLIER {
            return Ok(());
        }
        if gap > LONGEST_SILENCE {
            self.end = made;
        }
        while made - self.end >= LATER {
            match made - self.end >= LONG_SILENCE.1 {
                true => self.append(LONG_SILENCE.1, &LONG_SILENCE.0)?,
                false => self.append(opus::SILENCE, &opus::SILENT)?,
            }
        }
        self.append(length, packet)
    }

    fn append(&mut self, length: i64, packet: &[u8]) -> io::Result<()> {
        let appended = self.file.block(((self.end - self.began) / 1_000).max(0) as u64, packet);
        match &appended {
            Ok(()) => self.end += length,
            // A part of a block plays nothing.
            Err(_) => _ = self.file.out().set_len(self.file.bytes()),
        }
        appended
    }

    /// The file, and whether it has all that it should: it plays in any case.
    fn finish(self, peer: &str) -> (job::File, io::Result<()>) {
        let duration_ms = ((self.end - self.began) / 1_000).max(0) as u64;
        let bytes = self.file.bytes();
        let ended = self.file.finish(duration_ms).and_then(|file| file.sync_all());
        let (user_id, peer_id) = (Some(self.user), Some(peer.to_owned()));
        (job::File { name: self.name, bytes, kind: FileKind::Track, user_id, peer_id, duration_ms }, ended)
    }
}

/// What may stand in a file's name: letters, digits and two marks, at most 100 of them.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000_000;

    struct Bed {
        folder: PathBuf,
        tracks: Option<Tracks>,
    }

    impl Drop for Bed {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }

    impl Bed {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("salon-tracks-{}-{name}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            let mut bed = Self { tracks: Some(Tracks::new(&folder, "speaker")), folder };
            let person = Person { user: "user-1".into(), ..Person::default() };
            bed.take(0, News::Person { peer: "peer-4".into(), person });
            bed.stream(1);
            bed
        }

        fn take(&mut self, now: u64, news: News) {
            self.tracks.as_mut().unwrap().take(now, NOW + now as i64 * 1_000, news).unwrap();
        }

        fn stream(&mut self, ssrc: u32) {
            let (peer, source) = ("peer-4".to_owned(), Source::Microphone);
            self.take(0, News::Stream { key: key(ssrc), peer, source, codec: None, paused: false });
        }

        /// Packet `n` of 20 ms on a stream, `late` ms after its time.
        fn packet(&mut self, ssrc: u32, n: u64, late: u64) {
            let payload = vec![0xf8, n as u8, ssrc as u8];
            let arrived = NOW + (n as i64 * 20 + late as i64) * 1_000;
            let packet = Packet { number: 500 + n, timestamp: n as u32 * 960, marker: false, arrived, turns: None, payload };
            self.take(n * 20 + late, News::Packet { key: key(ssrc), packet });
        }

        fn finish(mut self) -> Vec<(job::File, Vec<Block>)> {
            let files = self.tracks.take().unwrap().finish();
            let read = |file: &job::File| {
                let bytes = fs::read(self.folder.join(&file.name)).unwrap();
                assert_eq!(bytes.len() as u64, file.bytes);
                blocks(&bytes)
            };
            files.iter().map(|file| (file.clone(), read(file))).collect()
        }
    }

    fn key(ssrc: u32) -> Key {
        Key { connection: 1, ssrc }
    }

    /// When, and what.
    type Block = (u64, Vec<u8>);

    /// The blocks of a file.
    fn blocks(bytes: &[u8]) -> Vec<Block> {
        let (mut found, mut cluster, mut at) = (Vec::new(), 0, 0);
        while at + 9 < bytes.len() {
            let name = 1 + bytes[at].leading_zeros() as usize;
            let size = u64::from_be_bytes(bytes[at + name..at + name + 8].try_into().unwrap()) & 0x00ff_ffff_ffff_ffff;
            let content = at + name + 8;
            let holds = matches!(&bytes[at..at + name], [0x18, 0x53, 0x80, 0x67] | [0x1f, 0x43, 0xb6, 0x75]);
            at = content + if holds { 0 } else { size as usize };
            match bytes[content - name - 8] {
                0xe7 => cluster = u64::from_be_bytes(bytes[content..at].try_into().unwrap()),
                0xa3 => {
                    let since = u16::from_be_bytes([bytes[content + 1], bytes[content + 2]]);
                    found.push((cluster + u64::from(since), bytes[content + 4..at].to_vec()));
                }
                _ => {}
            }
        }
        found
    }

    /// The blocks that are not silence, by their second byte.
    fn spoken(blocks: &[Block]) -> Vec<(u64, u8)> {
        let spoken = blocks.iter().filter(|(_, packet)| packet.len() == 3 && *packet != opus::SILENT);
        spoken.map(|(at, packet)| (*at, packet[1])).collect()
    }

    /// Every moment from the beginning to the end is in one block.
    fn assert_whole(file: &job::File, blocks: &[Block]) {
        let mut end = 0;
        for (at, packet) in blocks {
            assert_eq!(*at, end);
            end = at + opus::duration(packet).unwrap() as u64 / 1_000;
        }
        assert_eq!(end, file.duration_ms);
    }

    #[test]
    fn packets_are_kept_as_they_came_in_the_order_they_were_sent() {
        let mut bed = Bed::new("order");
        for (n, late) in [(1, 0), (0, 25), (2, 0), (4, 0), (3, 30), (3, 31), (5, 0)] {
            bed.packet(1, n, late);
        }
        let files = bed.finish();
        let [(file, blocks)] = &files[..] else { panic!("{files:?}") };
        assert_eq!(spoken(blocks), (0..6).map(|n| (n * 20, n as u8)).collect::<Vec<_>>());
        assert_whole(file, blocks);
        assert_eq!((file.user_id.as_deref(), file.peer_id.as_deref()), (Some("user-1"), Some("peer-4")));
        let began = file.name.strip_prefix("speaker_user-1_peer-4_peer_audio_").unwrap().strip_suffix(".webm").unwrap();
        let began: i64 = began.parse().unwrap();
        assert!((NOW / 1_000..NOW / 1_000 + 50).contains(&began), "{began}");
    }

    #[test]
    fn what_is_lost_or_muted_is_silence_and_shifts_nothing() {
        let mut bed = Bed::new("silence");
        for n in [0, 1, 2, 4, 5, 1_000, 1_001] {
            bed.packet(1, n, 0);
        }
        let files = bed.finish();
        let (file, blocks) = &files[0];
        assert_whole(file, blocks);
        let spoken: Vec<(u64, u8)> = spoken(blocks).into_iter().collect();
        assert_eq!(spoken.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 20, 40, 80, 100, 20_000, 20_020]);
    }

    #[test]
    fn a_pause_is_silence_in_each_file() {
        let mut bed = Bed::new("pause");
        for n in 0..100 {
            match n {
                20 => bed.take(400, News::Order(Command::Pause)),
                70 => bed.take(1_400, News::Order(Command::Resume)),
                _ => {}
            }
            bed.packet(1, n, 0);
        }
        let files = bed.finish();
        let (file, blocks) = &files[0];
        assert_whole(file, blocks);
        assert_eq!(file.duration_ms, 2_000);
        let spoken = spoken(blocks);
        assert_eq!(spoken.len(), 50);
        assert!(spoken.iter().all(|(at, n)| u64::from(*n) * 20 == *at));
    }

    #[test]
    fn what_was_said_during_the_pause_and_comes_late_is_silence_too() {
        let mut bed = Bed::new("late");
        bed.take(0, News::Order(Command::Pause));
        bed.take(1_000, News::Order(Command::Resume));
        // It was here before, and nobody had time for it.
        (0..100).for_each(|n| bed.packet(1, n, 0));
        let files = bed.finish();
        let spoken = spoken(&files[0].1);
        assert_eq!(spoken.iter().map(|(_, n)| *n).min(), Some(50));
        assert_eq!(spoken.len(), 50);
    }

    #[test]
    fn another_stream_of_the_same_stay_goes_on_in_its_file_and_another_stay_has_one_of_its_own() {
        let mut bed = Bed::new("stays");
        bed.packet(1, 0, 0);
        bed.take(20, News::Gone { key: key(1) });
        bed.stream(2);
        bed.packet(2, 50, 0);
        bed.take(1_100, News::Gone { key: key(2) });
        bed.take(1_100, News::Left { peer: "peer-4".into() });
        bed.take(1_200, News::Person { peer: "peer-4".into(), person: Person { user: "../x".into(), ..Person::default() } });
        bed.stream(3);
        bed.packet(3, 100, 0);
        let files = bed.finish();
        let lengths: Vec<u64> = files.iter().map(|(file, _)| file.duration_ms).collect();
        assert_eq!(lengths, [1_020, 20]);
        assert!(files[1].0.name.starts_with("speaker_x_peer-4_"), "{}", files[1].0.name);
    }

    #[test]
    fn what_is_no_packet_of_opus_is_left_out() {
        let mut bed = Bed::new("hostile");
        for (n, payload) in [vec![], vec![3], vec![0xf8; 2_000], vec![0xff, 63], vec![0xf8, 1, 2]].into_iter().enumerate() {
            let packet =
                Packet { number: n as u64, timestamp: n as u32 * 960, marker: false, arrived: NOW, turns: None, payload };
            bed.take(0, News::Packet { key: key(1), packet });
        }
        bed.take(
            0,
            News::Packet {
                key: key(9),
                packet: Packet { number: 1, timestamp: 0, marker: false, arrived: NOW, turns: None, payload: vec![0xf8, 1, 2] },
            },
        );
        let files = bed.finish();
        assert_eq!(files.len(), 1);
        assert_eq!(spoken(&files[0].1).len(), 1);
    }
}
