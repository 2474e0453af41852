//! Somebody who streams to us, as RTMP has it: handshake, commands, then pictures and sound (RTMP 1.0, sections 5.2 and 7.2).
//! Pure: bytes that came go in, bytes to send come out. Invariant: who has not been let in can have no more than a few words read,
//! and sends no media. The same bytes give the same session: a node that lets somebody in hands on what it has read.
//! Next: `../ingest.rs`, who has the connection; `publisher.rs`, the other side; `chunks.rs` and `amf.rs`, what it is written in.

use crate::rtmp::amf::{self, Value};
use crate::rtmp::chunks::{self, Incoming, Message, Nonsense};
use crate::rtmp::tags::Kind;

/// Half of a handshake, in bytes.
const SHAKE: usize = 1_536;

/// The longest message of whoever was let in: a key frame of the largest picture.
const LONGEST: usize = 8 << 20;

/// Bytes that may wait to be sent: one that asks and asks and takes no answer gets none.
const UNSENT: usize = 64 * 1_024;

/// Bytes after which we want to hear, and are heard to have got them.
const WINDOW: u32 = 2_500_000;

/// The stream that everybody publishes on.
const STREAM: u32 = 1;

/// Commands in AMF3 begin with a byte more; messages of many in one are sent by servers alone.
const COMMAND_3: u8 = 17;
const MANY: u8 = 22;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waits for so many bytes of the handshake.
    Shaking(usize),
    Talking,
    /// Wants to publish, and was not answered yet.
    Asking,
    Publishing,
    Over,
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It wants to stream with this key. Nothing more is heard of it until it is answered.
    Publish(Key),
    /// A picture or sound, as FLV has it, at these milliseconds of a clock that wraps.
    Media { kind: Kind, ms: u32, body: Vec<u8> },
    /// It has ended its stream.
    Over,
}

/// A stream key: it is in no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(pub String);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why somebody is not let in, or is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    /// With this key nobody streams, or not now: encoders know this code.
    Key,
    /// What it sends cannot be taken.
    Media,
}

/// Somebody who streams to us.
pub struct Session {
    state: State,
    shaken: Vec<u8>,
    incoming: Incoming,
    /// Read, but not heard: it waits to be answered.
    unheard: Vec<Message>,
    out: Vec<u8>,
    any: [u8; 16],
    /// Of our chunks, as far as is known there.
    size: usize,
    came: u32,
    acknowledged: u32,
}

impl Session {
    /// Begins one, with any bytes for the handshake.
    pub fn new(any: [u8; 16]) -> Self {
        let (state, size) = (State::Shaking(1 + SHAKE), chunks::USUAL);
        let (shaken, unheard, out) = (Vec::new(), Vec::new(), Vec::new());
        Self { state, shaken, incoming: Incoming::default(), unheard, out, any, size, came: 0, acknowledged: 0 }
    }

    /// What is to be sent by now.
    pub fn out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Takes what came.
    ///
    /// # Errors
    /// If this is no RTMP, or too much of it.
    pub fn take(&mut self, mut came: &[u8]) -> Result<Vec<Heard>, Nonsense> {
        while let State::Shaking(wanted) = self.state {
            let part = came.split_off(..came.len().min(wanted - self.shaken.len())).unwrap_or_default();
            self.shaken.extend_from_slice(part);
            if self.shaken.first().is_some_and(|version| *version != 3) {
                return Err(Nonsense);
            }
            if self.shaken.len() < wanted {
                return Ok(Vec::new());
            }
            if wanted == 1 + SHAKE {
                self.out.push(3);
                self.out.extend([0; 8]);
                self.out.extend(self.any.iter().cycle().take(SHAKE - 8));
                // Its own half goes back; then ours comes back.
                self.out.extend_from_slice(&self.shaken[1..]);
                self.state = State::Shaking(1 + 2 * SHAKE);
            } else {
                (self.state, self.shaken) = (State::Talking, Vec::new());
            }
        }
        self.came = self.came.wrapping_add(came.len() as u32);
        if self.out.len() > UNSENT {
            return Err(Nonsense);
        }
        let messages = self.incoming.take(came)?;
        self.unheard.extend(messages);
        if self.came.wrapping_sub(self.acknowledged) >= WINDOW / 2 {
            self.acknowledged = self.came;
            self.tell(chunks::ACKNOWLEDGE, &self.came.to_be_bytes());
        }
        self.listen()
    }

    /// Lets in who wants to publish; what was heard of it meanwhile.
    ///
    /// # Errors
    /// As [`Session::take`].
    pub fn accept(&mut self) -> Result<Vec<Heard>, Nonsense> {
        if self.state == State::Asking {
            self.state = State::Publishing;
            self.incoming.allow(LONGEST);
            self.status("status", "NetStream.Publish.Start", "Go on");
        }
        self.listen()
    }

    /// Tells why it is not let in, or is ended. It is heard no more.
    pub fn refuse(&mut self, no: No, why: &str) {
        let code = match no {
            No::Key => "NetStream.Publish.BadName",
            No::Media => "NetStream.Publish.Rejected",
        };
        self.status("error", code, why);
        self.end();
    }

    /// It is heard no more.
    pub fn end(&mut self) {
        (self.state, self.unheard) = (State::Over, Vec::new());
    }

    fn listen(&mut self) -> Result<Vec<Heard>, Nonsense> {
        let mut heard = Vec::new();
        let mut unheard = std::mem::take(&mut self.unheard).into_iter();
        while !matches!(self.state, State::Asking | State::Over) {
            let Some(message) = unheard.next() else { return Ok(heard) };
            heard.extend(self.hear(message)?);
        }
        if self.state == State::Asking {
            self.unheard = unheard.collect();
        }
        Ok(heard)
    }

    fn hear(&mut self, message: Message) -> Result<Option<Heard>, Nonsense> {
        let kind = match message.kind {
            // It wants to know whether we are there.
            chunks::CONTROL if message.body.starts_with(&[0, 6]) => {
                let answer = [&[0, 7], message.body.get(2..6).unwrap_or_default()].concat();
                self.tell(chunks::CONTROL, &answer);
                return Ok(None);
            }
            chunks::COMMAND => return self.asked(&amf::read(&message.body)),
            COMMAND_3 => return self.asked(&amf::read(message.body.get(1..).unwrap_or_default())),
            chunks::PICTURES => Kind::Pictures,
            chunks::SOUND => Kind::Sound,
            MANY => return Err(Nonsense),
            _ => return Ok(None),
        };
        // Who was not let in sends none.
        let is_in = self.state == State::Publishing;
        is_in.then_some(Some(Heard::Media { kind, ms: message.ms, body: message.body })).ok_or(Nonsense)
    }

    fn asked(&mut self, values: &[Value]) -> Result<Option<Heard>, Nonsense> {
        let (Some(Value::Text(name)), Some(Value::Number(number))) = (values.first(), values.get(1)) else {
            return Err(Nonsense);
        };
        match (name.as_str(), self.state) {
            ("connect", State::Talking) => {
                self.tell(chunks::WINDOW, &WINDOW.to_be_bytes());
                // As much again that we may send, as it likes.
                self.tell(chunks::BANDWIDTH, &[&WINDOW.to_be_bytes()[..], &[2]].concat());
                self.tell(chunks::SET_SIZE, &(chunks::SIZE as u32).to_be_bytes());
                self.size = chunks::SIZE;
                let text = |name: &str, value: &str| (name.to_owned(), Value::text(value));
                let who = Value::Object(vec![text("fmsVer", "FMS/3,0,1,123"), ("capabilities".to_owned(), Value::Number(31.0))]);
                let about = Value::Object(vec![
                    text("level", "status"),
                    text("code", "NetConnection.Connect.Success"),
                    text("description", "Connected"),
                    ("objectEncoding".to_owned(), Value::Number(0.0)),
                ]);
                self.command(0, &[Value::text("_result"), Value::Number(*number), who, about]);
            }
            ("createStream", State::Talking) => {
                let id = Value::Number(STREAM.into());
                self.command(0, &[Value::text("_result"), Value::Number(*number), Value::Null, id]);
            }
            ("releaseStream" | "FCPublish", _) => {
                self.command(0, &[Value::text("_result"), Value::Number(*number), Value::Null, Value::Null]);
            }
            ("publish", State::Talking) => {
                let Some(Value::Text(key)) = values.get(3) else { return Err(Nonsense) };
                self.state = State::Asking;
                // Some put more behind it.
                let key = key.split('?').next().unwrap_or_default();
                return Ok(Some(Heard::Publish(Key(key.to_owned()))));
            }
            ("FCUnpublish" | "deleteStream" | "closeStream", State::Publishing) => {
                self.status("status", "NetStream.Unpublish.Success", "Over");
                self.end();
                return Ok(Some(Heard::Over));
            }
            ("connect" | "publish", _) => return Err(Nonsense),
            ("play" | "play2", _) => {
                self.status("error", "NetStream.Play.Failed", "It is watched elsewhere");
                return Err(Nonsense);
            }
            _ => {}
        }
        Ok(None)
    }

    fn status(&mut self, level: &str, code: &str, about: &str) {
        let text = |name: &str, value: &str| (name.to_owned(), Value::text(value));
        let about = Value::Object(vec![text("level", level), text("code", code), text("description", about)]);
        self.command(STREAM, &[Value::text("onStatus"), Value::Number(0.0), Value::Null, about]);
    }

    fn command(&mut self, stream: u32, values: &[Value]) {
        chunks::write(&mut self.out, (chunks::COMMAND, stream, 0), &amf::write(values), self.size);
    }

    fn tell(&mut self, kind: u8, body: &[u8]) {
        chunks::write(&mut self.out, (kind, 0, 0), body, self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtmp::address::Address;
    use crate::rtmp::publisher::{Publisher, Refusal};
    use crate::rtmp::tags::Tag;

    /// Our own publisher, and a session to it: what is said goes back and forth until nobody has anything to say.
    struct Bed {
        publisher: Publisher,
        session: Session,
        /// What the session was sent in all.
        sent: Vec<u8>,
    }

    impl Bed {
        fn new() -> Self {
            let address = Address::read("rtmp://example.org/live/s3cret?a=b").unwrap();
            Self { publisher: Publisher::new(address, [1; 16]), session: Session::new([2; 16]), sent: Vec::new() }
        }

        fn talk(&mut self, step: usize) -> Result<Vec<Heard>, Refusal> {
            let mut heard = Vec::new();
            loop {
                let (said, answered) = (self.publisher.out(), self.session.out());
                if said.is_empty() && answered.is_empty() {
                    return Ok(heard);
                }
                for part in said.chunks(step) {
                    self.sent.extend(part);
                    heard.extend(self.session.take(part).expect("it speaks RTMP"));
                }
                self.publisher.take(&answered)?;
            }
        }
    }

    fn asks() -> Heard {
        Heard::Publish(Key("s3cret".to_owned()))
    }

    fn picture(n: u8) -> Tag {
        Tag { kind: Kind::Pictures, ms: 0, body: vec![n; 300_000] }
    }

    #[test]
    fn who_is_let_in_is_heard_until_it_ends() {
        for step in [1, 100, 1 << 20] {
            let mut bed = Bed::new();
            assert_eq!(bed.talk(step).unwrap(), [asks()], "{step} at once");
            assert!(!bed.publisher.is_streaming());
            assert_eq!(bed.session.accept().unwrap(), []);
            assert_eq!(bed.talk(step).unwrap(), []);
            assert!(bed.publisher.is_streaming());
            bed.publisher.describe(1_280, 720);
            bed.publisher.send(&picture(1), 40);
            bed.publisher.send(&Tag { kind: Kind::Sound, ms: 0, body: vec![9; 10] }, 17_000_000);
            bed.publisher.end();
            let expected = [
                Heard::Media { kind: Kind::Pictures, ms: 40, body: vec![1; 300_000] },
                Heard::Media { kind: Kind::Sound, ms: 17_000_000, body: vec![9; 10] },
                Heard::Over,
            ];
            let said = bed.publisher.out();
            let heard = said.chunks(step).flat_map(|part| bed.session.take(part).unwrap());
            assert!(heard.eq(expected), "{step} at once");
        }
    }

    #[test]
    fn what_was_read_before_somebody_is_let_in_makes_the_same_session() {
        let mut bed = Bed::new();
        assert_eq!(bed.talk(1_000).unwrap(), [asks()]);
        let mut second = Session::new([7; 16]);
        assert_eq!(second.take(&bed.sent).unwrap(), [asks()]);
        // What it answered so far was sent already.
        second.out();
        second.accept().unwrap();
        bed.session = second;
        bed.talk(1_000).unwrap();
        assert!(bed.publisher.is_streaming());
        bed.publisher.send(&picture(3), 5);
        assert!(matches!(bed.talk(1_000).unwrap()[..], [Heard::Media { ms: 5, .. }]));
    }

    #[test]
    fn who_is_not_let_in_hears_why_and_sends_nothing() {
        let mut bed = Bed::new();
        bed.talk(1_000).unwrap();
        bed.session.refuse(No::Key, "no such key");
        let told = bed.talk(1_000).unwrap_err().to_string();
        assert_eq!(told, "the receiver does not take it (NetStream.Publish.BadName)");
        // Pictures before that are none of our business.
        let mut bed = Bed::new();
        bed.talk(1_000).unwrap();
        let mut media = Vec::new();
        chunks::write(&mut media, (chunks::SOUND, 1, 0), &[1, 2, 3], chunks::SIZE);
        assert_eq!(bed.session.take(&media), Ok(Vec::new()), "it waits to be answered");
        let mut early = Session::new([2; 16]);
        early.take(&[&[3][..], &[0; 2 * SHAKE]].concat()).unwrap();
        let mut media = Vec::new();
        chunks::write(&mut media, (chunks::SOUND, 1, 0), &[1, 2, 3], chunks::USUAL);
        assert_eq!(early.take(&media), Err(Nonsense));
        assert_eq!(Session::new([2; 16]).take(b"GET / HTTP/1.1"), Err(Nonsense), "the first byte says so");
    }

    #[test]
    fn whatever_comes_holds_little_and_is_never_a_panic() {
        let asks = [2, 0, 0, 0, 0, 0, 6, chunks::CONTROL, 0, 0, 0, 0, 0, 6, 1, 2, 3, 4].repeat(1_000);
        let mut session = Session::new([2; 16]);
        session.take(&[&[3][..], &[0; 2 * SHAKE]].concat()).unwrap();
        assert!((0..100).any(|_| session.take(&asks).is_err()) && session.out.len() < 2 * UNSENT);
        let mut bed = Bed::new();
        bed.talk(1_000).unwrap();
        let whole = bed.sent.clone();
        let mut seed = 7_u32;
        for _ in 0..3_000 {
            let mut noise = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 16) as usize
            };
            let mut broken = whole.clone();
            for _ in 0..4 {
                let at = 2 * SHAKE + noise() % (broken.len() - 2 * SHAKE);
                broken[at] = noise() as u8;
            }
            let mut session = Session::new([2; 16]);
            let _ = session.take(&broken).and_then(|_| session.accept()).and_then(|_| session.take(&broken));
        }
    }
}
