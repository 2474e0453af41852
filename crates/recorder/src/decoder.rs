//! What makes pictures of frames, in a thread for each stream, so that nobody waits for what a stranger's frames take. VP8 is decoded
//! there: what its frames need is known beforehand. Other codecs are decoded by a process for each stream, which is this program
//! again: whatever a stranger's frames do to it, it is ended, and the recording goes on.
//! Invariant: a decoder that answers nothing for `PATIENCE` is dead. Next: `vpx.rs` and `avcodec.rs`, which decode.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use salon_peer::rtp::Codec;

use crate::avcodec;
use crate::frames::{Frame, LARGEST, MOST_PIXELS};
use crate::picture::{Picture, Unshown};
use crate::vpx::{self, Kind, Vpx};

/// A process that takes longer than this to begin, or for a frame, is ended. Recorders give way to calls, so it may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a process may take of memory, in bytes: pictures of the largest size, and some that they need.
const MEMORY: u64 = 768 << 20;

/// What a process says first, if it can do it.
const READY: &str = "ready";

/// What stands for the width where there is no picture and the height is 0.
const NOTHING: u32 = 0;
const BROKEN: u32 = 1;
const OTHER_KIND: u32 = 2;

/// Pictures that are decoded before their time, at most: so many, and so many bytes of them, but two in any case.
const AHEAD: usize = 16;
const AHEAD_BYTES: usize = 4 << 20;

/// How decoders are had.
pub struct Decoders {
    vpx: Arc<Vpx>,
    /// What is started, with its first arguments; the codec's name comes behind.
    program: (PathBuf, Vec<OsString>),
    /// What pictures are shown on, width and height: larger ones are kept no larger than they need to be.
    canvas: (usize, usize),
}

impl Decoders {
    /// # Errors
    /// If nothing can be decoded at all.
    pub fn load(canvas: (usize, usize)) -> anyhow::Result<Self> {
        // The program as it is, also where another one is installed in its place by now.
        let program = ("/proc/self/exe".into(), vec!["recorder".into(), "--decode".into()]);
        Ok(Self { vpx: Vpx::load()?, program, canvas })
    }

    /// A decoder of a new stream.
    ///
    /// # Errors
    /// Why there is none.
    pub fn decoder(&self, codec: Codec) -> anyhow::Result<Decoder> {
        if codec == Codec::Vp8 {
            let mut decoder = vpx::Decoder::new(&self.vpx, Kind::Vp8)?;
            return Decoder::start(None, self.canvas, move || Ok(move |frame: &[u8]| Ok(decoder.decode(frame))));
        }
        let (program, arguments) = &self.program;
        let mut command = Command::new(program);
        command.args(arguments).arg(codec.name());
        apart(command, self.canvas)
    }
}

/// Why a frame is no picture.
#[derive(Debug, PartialEq, Eq)]
pub enum NoPicture {
    Frame(Unshown),
    /// The decoder died, or takes too long.
    Dead,
    /// It does not begin, and another would not.
    Cannot(String),
}

/// A picture as it is to be shown, and how wide it would be as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Decoded {
    pub picture: Picture,
    pub width: usize,
}

/// What became of a frame that was made then.
type Outcome = (i64, Result<Option<Decoded>, NoPicture>);

type Answer = Result<Option<Picture>, Unshown>;

/// The decoder of one stream.
pub struct Decoder {
    /// It ends with this, where it is a process.
    child: Option<Child>,
    frames: SyncSender<(i64, Frame)>,
    outcomes: Receiver<Outcome>,
    /// Frames that it has, and since when it has not answered.
    under_way: usize,
    since: Instant,
    /// How many of these are of no interest any more.
    forgotten: usize,
    /// Bytes of its last picture.
    bytes: usize,
}

impl Decoder {
    /// Starts its thread, which begins with `begin` and then decodes each frame.
    fn start<B, D>(child: Option<Child>, canvas: (usize, usize), begin: B) -> anyhow::Result<Self>
    where
        B: FnOnce() -> Result<D, NoPicture> + Send + 'static,
        D: FnMut(&[u8]) -> io::Result<Answer>,
    {
        let ((frames, to_decode), (outcome, outcomes)) = (sync_channel(AHEAD), sync_channel(AHEAD));
        let decoder = Self { child, frames, outcomes, under_way: 0, since: Instant::now(), forgotten: 0, bytes: 0 };
        let work = move || run(begin, &to_decode, &outcome, canvas);
        thread::Builder::new().name("decoder".to_owned()).spawn(work)?;
        Ok(decoder)
    }

    /// Whether it takes another frame, beside so many pictures of it whose time has not come.
    pub fn has_room(&self, ready: usize) -> bool {
        let most = AHEAD_BYTES.checked_div(self.bytes).map_or(2, |most| most.clamp(2, AHEAD));
        self.under_way + ready < most
    }

    /// Whether it has frames that it has not answered.
    pub fn is_at_work(&self) -> bool {
        self.under_way > 0
    }

    /// Hands over a frame that was made then, if there is room.
    pub fn take(&mut self, made: i64, frame: Frame) {
        if self.under_way == 0 {
            self.since = Instant::now();
        }
        // One that is gone is found out by its answer.
        let _ = self.frames.try_send((made, frame));
        self.under_way += 1;
    }

    /// What becomes of the frames that it has is of no interest any more.
    pub fn forget(&mut self) {
        self.forgotten = self.under_way;
    }

    /// What became of the oldest frame that it has; waits for so long at most. None if that is not known yet.
    pub fn outcome(&mut self, wait: Duration) -> Option<Outcome> {
        if self.under_way == 0 {
            return None;
        }
        let answer = self.outcomes.try_recv().or_else(|error| match error {
            TryRecvError::Empty => self.outcomes.recv_timeout(wait),
            TryRecvError::Disconnected => Err(RecvTimeoutError::Disconnected),
        });
        match answer {
            Ok(outcome) => {
                (self.under_way, self.since) = (self.under_way - 1, Instant::now());
                if let Ok(Some(decoded)) = &outcome.1 {
                    self.bytes = decoded.picture.planes.iter().map(Vec::len).sum();
                }
                if self.forgotten > 0 {
                    self.forgotten -= 1;
                    return self.outcome(wait);
                }
                Some(outcome)
            }
            Err(RecvTimeoutError::Timeout) if self.since.elapsed() < PATIENCE => None,
            Err(_) => Some((i64::MIN, Err(NoPicture::Dead))),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a decoder's thread does, until nobody wants anything of it any more.
fn run<D: FnMut(&[u8]) -> io::Result<Answer>>(
    begin: impl FnOnce() -> Result<D, NoPicture>,
    frames: &Receiver<(i64, Frame)>,
    outcomes: &SyncSender<Outcome>,
    (width, height): (usize, usize),
) {
    let mut decode = match begin() {
        Ok(decode) => decode,
        Err(why) => return drop(outcomes.send((i64::MIN, Err(why)))),
    };
    for (made, frame) in frames {
        let Ok(answer) = decode(&frame.bytes) else { return };
        let shown = |picture: Picture| Decoded {
            width: if frame.turns % 2 == 0 { picture.width } else { picture.height },
            picture: picture.no_larger_than(2 * width.max(height)).turned(frame.turns),
        };
        let outcome = answer.map(|picture| picture.map(shown)).map_err(NoPicture::Frame);
        if outcomes.send((made, outcome)).is_err() {
            return;
        }
    }
}

/// A decoder that is a process.
fn apart(mut command: Command, canvas: (usize, usize)) -> anyhow::Result<Decoder> {
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    // What it takes is a stranger's to say. Before it begins: its allocator fits into what it finds.
    let bound = || {
        let most = libc::rlimit { rlim_cur: MEMORY, rlim_max: MEMORY };
        // SAFETY: the structure lives during the call.
        match unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const most) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec only `setrlimit` is called.
    unsafe { command.pre_exec(bound) };
    let mut child = command.spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else { anyhow::bail!("it has no pipes") };
    Decoder::start(Some(child), canvas, move || {
        let mut output = BufReader::with_capacity(1 << 16, output);
        greeted(&mut output)?;
        Ok(move |frame: &[u8]| write_frame(&mut input, frame).and_then(|()| read_answer(&mut output)))
    })
}

/// Waits until a process is ready.
fn greeted(output: &mut impl BufRead) -> Result<(), NoPicture> {
    let mut greeting = String::new();
    let _ = output.take(1_000).read_line(&mut greeting);
    match greeting.trim_end() {
        READY => Ok(()),
        "" => Err(NoPicture::Dead),
        why => Err(NoPicture::Cannot(why.to_owned())),
    }
}

fn write_frame(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    to.write_all(&(frame.len() as u32).to_le_bytes())?;
    to.write_all(frame)
}

/// The next frame; None at the end.
fn read_frame(from: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    if let Err(error) = from.read_exact(&mut length) {
        return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    from.read_exact(&mut frame)?;
    Ok(Some(frame))
}

fn write_answer(to: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let size = match answer {
        Ok(Some(picture)) => (picture.width as u32, picture.height as u32),
        Ok(None) => (NOTHING, 0),
        Err(Unshown::Broken) => (BROKEN, 0),
        Err(Unshown::Kind) => (OTHER_KIND, 0),
    };
    to.write_all(&size.0.to_le_bytes())?;
    to.write_all(&size.1.to_le_bytes())?;
    if let Ok(Some(picture)) = answer {
        picture.planes.iter().try_for_each(|plane| to.write_all(plane))?;
    }
    to.flush()
}

fn read_answer(from: &mut impl Read) -> io::Result<Answer> {
    let mut number = || {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    };
    let (width, height) = (number()?, number()?);
    match (width, height) {
        (NOTHING, 0) => return Ok(Ok(None)),
        (BROKEN, 0) => return Ok(Err(Unshown::Broken)),
        (OTHER_KIND, 0) => return Ok(Err(Unshown::Kind)),
        _ => {}
    }
    // A process that strangers' frames have taken over may say anything.
    let (width, height) = (width as usize, height as usize);
    if width == 0 || height == 0 || width.saturating_mul(height) > MOST_PIXELS {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut picture = Picture::new(width, height);
    picture.planes.iter_mut().try_for_each(|plane| from.read_exact(plane))?;
    Ok(Ok(Some(picture)))
}

/// What the process does: decodes what comes on standard input until that ends.
///
/// # Errors
/// If it cannot, which it has said.
pub fn decode(name: &str) -> anyhow::Result<()> {
    let decoder = match name {
        "VP9" => {
            Vpx::load().and_then(|vpx| vpx::Decoder::new(&vpx, Kind::Vp9)).map(|mut of| boxed(move |frame| of.decode(frame)))
        }
        "H264" => avcodec::Decoder::h264().map(|mut of| boxed(move |frame| of.decode(frame))),
        "AV1" => avcodec::Decoder::av1().map(|mut of| boxed(move |frame| of.decode(frame))),
        _ => Err(anyhow::anyhow!("{name} is not known")),
    };
    let (mut input, mut output) = (io::stdin().lock(), io::BufWriter::with_capacity(1 << 16, io::stdout().lock()));
    let greeting = decoder.as_ref().map_or_else(|why| format!("{why:#}").replace('\n', " "), |_| READY.to_owned());
    writeln!(output, "{greeting}").and_then(|()| output.flush())?;
    let mut decoder = decoder?;
    while let Some(frame) = read_frame(&mut input)? {
        write_answer(&mut output, &decoder(&frame))?;
    }
    Ok(())
}

type Decode = Box<dyn FnMut(&[u8]) -> Answer>;

fn boxed(decode: impl FnMut(&[u8]) -> Answer + 'static) -> Decode {
    Box::new(decode)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn start(script: &str) -> Decoder {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        apart(command, (64, 64)).unwrap()
    }

    fn frame(length: usize) -> Frame {
        Frame { timestamp: 0, arrived: 0, key: true, turns: 0, bytes: vec![1; length] }
    }

    /// What becomes of a frame in the end, and how long it was waited for.
    fn end_of(decoder: &mut Decoder, frame: Frame) -> Result<Option<Decoded>, NoPicture> {
        decoder.take(1, frame);
        std::iter::from_fn(|| Some(decoder.outcome(Duration::from_millis(50)))).flatten().next().unwrap().1
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        let mut picture = Picture::new(5, 3);
        picture.planes[0][7] = 99;
        for answer in [Ok(Some(picture)), Ok(None), Err(Unshown::Broken), Err(Unshown::Kind)] {
            let mut bytes = Vec::new();
            write_answer(&mut bytes, &answer).unwrap();
            assert_eq!(read_answer(&mut &*bytes).unwrap(), answer);
            assert!(read_answer(&mut &bytes[..bytes.len() - 1]).is_err());
        }
        for size in [[1, 1_000_000_000u32], [0, 7], [7, 0], [u32::MAX; 2]] {
            assert!(read_answer(&mut &size.map(u32::to_le_bytes).concat()[..]).is_err(), "{size:?}");
        }
    }

    #[test]
    fn a_process_that_cannot_says_why_and_one_that_dies_or_hangs_is_dead() {
        assert_eq!(end_of(&mut start("echo no such library"), frame(1)), Err(NoPicture::Cannot("no such library".to_owned())));
        for dies in ["exit 1", "echo ready; exec >&- ; read x"] {
            let mut dies = start(dies);
            assert_eq!(end_of(&mut dies, frame(100_000)), Err(NoPicture::Dead));
            assert_eq!(end_of(&mut dies, frame(1)), Err(NoPicture::Dead));
        }
        for hangs in ["exec sleep 1000", "echo ready; exec sleep 1000"] {
            let (mut hangs, began) = (start(hangs), Instant::now());
            // More than a pipe takes. Nobody waits for it meanwhile.
            hangs.take(1, frame(200_000));
            assert!(hangs.outcome(Duration::ZERO).is_none() && began.elapsed() < PATIENCE);
            assert_eq!(end_of(&mut hangs, frame(1)), Err(NoPicture::Dead));
            assert!(began.elapsed() >= PATIENCE);
        }
    }

    #[test]
    fn a_phone_that_is_turned_is_as_wide_as_it_is_shown() {
        let decode = || Ok(|_: &[u8]| Ok(Ok(Some(Picture::new(64, 36)))));
        for (turns, shown) in [(0, (64, 36)), (1, (36, 64)), (2, (64, 36)), (3, (36, 64))] {
            let mut decoder = Decoder::start(None, (64, 64), decode).unwrap();
            let decoded = end_of(&mut decoder, Frame { turns, ..frame(1) }).unwrap().unwrap();
            assert_eq!(((decoded.picture.width, decoded.picture.height), decoded.width), (shown, shown.0), "{turns} quarters");
        }
    }

    #[test]
    fn what_is_decoded_ahead_is_bounded() {
        let mut slow = start("echo ready; exec sleep 1000");
        let taken = (0..1_000).take_while(|n| slow.has_room(0) && (slow.take(*n, frame(1)), true).1).count();
        assert_eq!(taken, 2, "of one whose size is not known");
        slow.bytes = 100_000;
        let more = (0..1_000).take_while(|n| slow.has_room(3) && (slow.take(*n, frame(1)), true).1).count();
        assert_eq!(more, AHEAD - 3 - taken);
    }
}
