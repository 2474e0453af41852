//! What people send where it is really seen and heard: a moving picture and a tone, made by ffmpeg once for everybody.
//! Invariant: the number of frames follows from the time that passed, whatever the thread slept.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use salon_peer::rtcp::{self, Heard};
use salon_peer::sdp::{Kind, PLACEHOLDERS};
use salon_peer::{Arrived, Connection, Role, Stream};
use tokio::sync::oneshot;

/// Pictures a second, and one in how many is a key frame.
const RATE: u64 = 30;
const KEY_EVERY: usize = 30;
const SECONDS: usize = 8;

/// Ticks of the pictures' clock for each, and of the sound's for each 20 ms.
const PICTURE_TICKS: u32 = 3_000;
const SOUND_TICKS: u32 = 960;
const SOUND: Duration = Duration::from_millis(20);

const REPORT_EVERY: Duration = Duration::from_millis(500);

/// An IVF file begins with so many bytes, and each of its frames.
const IVF_HEAD: usize = 32;
const IVF_FRAME_HEAD: usize = 12;

/// An Ogg page before its table of segments (RFC 3533 section 6).
const OGG_HEAD: usize = 27;

/// Frames of VP8 in 640x360, and of Opus, in rounds.
pub struct Clip {
    pictures: Vec<Vec<u8>>,
    sounds: Vec<Vec<u8>>,
}

impl Clip {
    /// # Errors
    /// If there is no ffmpeg that can make it.
    pub fn make() -> anyhow::Result<Self> {
        let length = SECONDS.to_string();
        let (picture, key_every) = (format!("testsrc2=size=640x360:rate={RATE}"), KEY_EVERY.to_string());
        let pictures = ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            &picture,
            "-t",
            &length,
            "-c:v",
            "libvpx",
            "-b:v",
            "700k",
            "-deadline",
            "realtime",
            "-cpu-used",
            "8",
            "-g",
            &key_every,
            "-keyint_min",
            &key_every,
            "-f",
            "ivf",
            "-",
        ])?;
        let sounds = ffmpeg(&[
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000",
            "-t",
            &length,
            "-c:a",
            "libopus",
            "-b:a",
            "32k",
            "-frame_duration",
            "20",
            "-f",
            "ogg",
            "-",
        ])?;
        let pictures = frames_of_ivf(&pictures);
        // The first two packets say what the others are (RFC 7845 section 5).
        let sounds = packets_of_ogg(&sounds).into_iter().skip(2).collect::<Vec<_>>();
        anyhow::ensure!(!pictures.is_empty() && !sounds.is_empty(), "ffmpeg made no pictures or no sound");
        Ok(Self { pictures, sounds })
    }
}

fn ffmpeg(arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin"]).args(arguments).stdin(Stdio::null());
    let made = command.output().context("cannot start ffmpeg, which makes what people send and encodes what is recorded")?;
    anyhow::ensure!(made.status.success(), "ffmpeg says: {}", String::from_utf8_lossy(&made.stderr).trim());
    Ok(made.stdout)
}

fn frames_of_ivf(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut frames) = (file.get(IVF_HEAD..).unwrap_or_default(), Vec::new());
    while let Some((head, more)) = rest.split_at_checked(IVF_FRAME_HEAD) {
        let length = u32::from_le_bytes(*head.first_chunk().expect("it is longer")) as usize;
        let Some((frame, more)) = more.split_at_checked(length) else { break };
        frames.push(frame.to_vec());
        rest = more;
    }
    frames
}

fn packets_of_ogg(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut rest, mut packets, mut packet) = (file, Vec::new(), Vec::new());
    while let Some((head, more)) = rest.split_at_checked(OGG_HEAD) {
        let Some((table, mut body)) = more.split_at_checked(usize::from(head[OGG_HEAD - 1])) else { break };
        for &length in table {
            let Some((segment, more)) = body.split_at_checked(usize::from(length)) else { return packets };
            body = more;
            packet.extend_from_slice(segment);
            // A full segment is gone on with in the next.
            if length < u8::MAX {
                packets.push(std::mem::take(&mut packet));
            }
        }
        rest = body;
    }
    packets
}

/// Somebody who plays the clip.
pub struct Player {
    clip: Arc<Clip>,
    /// Comes when the server knows of the tracks.
    start: Option<oneshot::Receiver<()>>,
    /// When the first frame left, also in time since 1970.
    began: Option<(Instant, Duration)>,
    sound: Stream,
    sounds: u64,
    picture: Stream,
    pictures: u64,
    /// The next picture of the clip.
    at: usize,
    report_at: Option<Instant>,
    transport_sequence: u16,
}

impl Player {
    /// Plays sound in the first section behind the placeholders, and pictures in the second. Each person begins elsewhere.
    pub fn new(clip: Arc<Clip>, person: usize, start: oneshot::Receiver<()>) -> Self {
        let at = person * KEY_EVERY % clip.pictures.len();
        let ssrc = 0x2000_0000 + person as u32 * 2;
        Self {
            clip,
            start: Some(start),
            began: None,
            sound: Stream::new(Kind::Audio, ssrc, PLACEHOLDERS),
            sounds: 0,
            picture: Stream::new(Kind::Video, ssrc + 1, PLACEHOLDERS + 1),
            pictures: 0,
            at,
            report_at: None,
            transport_sequence: 0,
        }
    }

    fn next_sound(&self, began: Instant) -> Instant {
        began + SOUND * u32::try_from(self.sounds).unwrap_or(u32::MAX)
    }

    fn next_picture(&self, began: Instant) -> Instant {
        began + Duration::from_micros(self.pictures * 1_000_000 / RATE)
    }
}

impl Role for Player {
    type Tally = ();

    fn due(&self) -> Option<Instant> {
        let (began, _) = self.began?;
        Some(self.next_sound(began).min(self.next_picture(began)))
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, (): &mut ()) {
        if self.start.as_mut().is_some_and(|start| start.try_recv().is_ok()) {
            self.start = None;
            self.began = Some((now, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()));
        }
        let Some((began, wall)) = self.began else { return };
        if self.report_at.is_none_or(|at| now >= at) {
            self.report_at = Some(now + REPORT_EVERY);
            let since = |next: Instant| wall + (next - began);
            self.sound.report(connection, since(self.next_sound(began)), self.sounds as u32 * SOUND_TICKS);
            self.picture.report(connection, since(self.next_picture(began)), self.pictures as u32 * PICTURE_TICKS);
        }
        while self.next_sound(began) <= now {
            let sound = &self.clip.sounds[self.sounds as usize % self.clip.sounds.len()];
            self.sound.send(connection, self.sounds as u32 * SOUND_TICKS, sound, &mut self.transport_sequence);
            self.sounds += 1;
        }
        while self.next_picture(began) <= now {
            let picture = &self.clip.pictures[self.at];
            self.picture.send(connection, self.pictures as u32 * PICTURE_TICKS, picture, &mut self.transport_sequence);
            self.at = (self.at + 1) % self.clip.pictures.len();
            self.pictures += 1;
        }
    }

    fn take(&mut self, _: &Arrived, _: &Connection, _: &mut [u8], (): &mut ()) {}

    /// A wish for a key frame is met with the next one of the clip.
    fn hear(&mut self, _: Instant, report: &[u8], (): &mut ()) {
        rtcp::read(report, |heard| {
            if let Heard::KeyFrameWanted(ssrc) = heard
                && ssrc == self.picture.ssrc()
            {
                self.at = self.at.next_multiple_of(KEY_EVERY) % self.clip.pictures.len();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_packets_are_taken_out_of_their_files() {
        let ivf =
            [&[0; IVF_HEAD][..], &[2, 0, 0, 0], &[0; 8], b"ab", &[1, 0, 0, 0], &[0; 8], b"c", &[9, 0, 0, 0], &[0; 8], b"cut"];
        assert_eq!(frames_of_ivf(&ivf.concat()), [b"ab".to_vec(), b"c".to_vec()]);
        let page = |table: &[u8], body: &[u8]| [&[0; OGG_HEAD - 1][..], &[table.len() as u8], table, body].concat();
        let long = [7; 300];
        // One packet of 2 bytes, and one of 300 that goes over to the next page.
        let ogg = [page(&[2, 255], &[b"ab", &long[..255]].concat()), page(&[45], &long[255..])].concat();
        assert_eq!(packets_of_ogg(&ogg), [b"ab".to_vec(), long.to_vec()]);
        assert!(packets_of_ogg(b"cut").is_empty() && frames_of_ivf(b"cut").is_empty());
    }
}
