//! One stream to one receiver, as RTMP has it: handshake, commands, then pictures and sound (RTMP 1.0, sections 5.2 and 7.2).
//! Pure: bytes that came go in, bytes to send come out. Invariant: what a receiver says about itself reaches nobody but as the
//! name of a known kind of refusal, because some repeat the key in it.
//! Next: `sender.rs`, which has the connection; `chunks.rs` and `amf.rs`, what it is written in.

use crate::rtmp::address::Address;
use crate::rtmp::amf::{self, Value};
use crate::rtmp::chunks::{self, Incoming, Message};
use crate::rtmp::tags::{Kind, Tag};

/// Half of a handshake, in bytes.
const SHAKE: usize = 1_536;

/// Who we say we are: some receivers go by this beginning.
const VERSION: &str = "FMLE/3.0 (compatible; Salon)";

/// Bytes that may wait to be sent when something comes: a receiver that asks and asks and takes no answer gets none.
const UNSENT: usize = 4 << 20;

/// Numbers of our commands, by which answers are told apart.
const CONNECT: f64 = 1.0;
const CREATE: f64 = 4.0;
const PUBLISH: f64 = 5.0;

/// Why a receiver does not take it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("what is there does not speak RTMP")]
    Nonsense,
    #[error("the receiver does not take it ({0})")]
    Refused(String),
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Waits for so many bytes of the handshake.
    Shaking(usize),
    Asking,
    Streaming,
}

/// A stream to a receiver.
pub struct Publisher {
    address: Address,
    state: State,
    /// What came of the handshake.
    shaken: Vec<u8>,
    incoming: Incoming,
    out: Vec<u8>,
    stream: u32,
    /// Of our chunks, as far as the receiver knows by now.
    size: usize,
    /// Bytes that came, after how many more these are acknowledged, and when that was last.
    came: u32,
    window: u32,
    acknowledged: u32,
}

impl Publisher {
    /// Begins one, with any bytes for the handshake.
    pub fn new(address: Address, any: [u8; 16]) -> Self {
        let mut out = vec![3];
        out.extend([0; 8]);
        out.extend(any.iter().cycle().take(SHAKE - 8));
        let state = State::Shaking(1 + SHAKE);
        let (shaken, incoming) = (Vec::new(), Incoming::default());
        let (stream, size) = (0, chunks::USUAL);
        Self { address, state, shaken, incoming, out, stream, size, came: 0, window: u32::MAX, acknowledged: 0 }
    }

    /// Whether pictures and sound may be sent.
    pub fn is_streaming(&self) -> bool {
        self.state == State::Streaming
    }

    /// What is to be sent by now.
    pub fn out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Takes what came.
    ///
    /// # Errors
    /// If the receiver does not take the stream, or ended it.
    pub fn take(&mut self, mut came: &[u8]) -> Result<(), Refusal> {
        while let State::Shaking(wanted) = self.state {
            let part = came.split_off(..came.len().min(wanted - self.shaken.len())).unwrap_or_default();
            self.shaken.extend_from_slice(part);
            if self.shaken.len() < wanted {
                return Ok(());
            }
            if self.shaken[0] != 3 {
                return Err(Refusal::Nonsense);
            }
            if wanted == 1 + SHAKE {
                // Its own half goes back; then ours comes back.
                self.out.extend_from_slice(&self.shaken[1..]);
                self.state = State::Shaking(1 + 2 * SHAKE);
            } else {
                self.state = State::Asking;
                self.connect();
            }
        }
        self.came = self.came.wrapping_add(came.len() as u32);
        if self.out.len() > UNSENT {
            return Err(Refusal::Nonsense);
        }
        for message in self.incoming.take(came).map_err(|_| Refusal::Nonsense)? {
            self.heard(&message)?;
        }
        if self.came.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.came;
            self.tell(chunks::ACKNOWLEDGE, &self.came.to_be_bytes());
        }
        Ok(())
    }

    fn heard(&mut self, message: &Message) -> Result<(), Refusal> {
        let number = |at: usize| message.body.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four));
        match message.kind {
            chunks::WINDOW => self.window = number(0).unwrap_or(u32::MAX).max(1),
            chunks::BANDWIDTH => self.tell(chunks::WINDOW, &number(0).unwrap_or(2_500_000).to_be_bytes()),
            // It wants to know whether we are there.
            chunks::CONTROL if message.body.starts_with(&[0, 6]) => {
                let answer = [&[0, 7], message.body.get(2..6).unwrap_or_default()].concat();
                self.tell(chunks::CONTROL, &answer);
            }
            chunks::COMMAND => return self.answered(&amf::read(&message.body)),
            _ => {}
        }
        Ok(())
    }

    fn answered(&mut self, values: &[Value]) -> Result<(), Refusal> {
        let (Some(Value::Text(name)), Some(Value::Number(of))) = (values.first(), values.get(1)) else { return Ok(()) };
        let about = values.iter().rev().find(|value| matches!(value, Value::Object(_)));
        let code = about.and_then(|about| about.get("code")).unwrap_or_default();
        match name.as_str() {
            "_result" if *of == CONNECT => {
                self.tell(chunks::SET_SIZE, &(chunks::SIZE as u32).to_be_bytes());
                self.size = chunks::SIZE;
                let named = [Value::text(&self.address.name)];
                // Some receivers want to hear these two first, others do not know them: neither matters.
                self.command("releaseStream", 2.0, Value::Null, &named);
                self.command("FCPublish", 3.0, Value::Null, &named);
                self.command("createStream", CREATE, Value::Null, &[]);
            }
            "_result" if *of == CREATE => {
                let Some(Value::Number(stream)) = values.get(3) else { return Err(Refusal::Nonsense) };
                self.stream = *stream as u32;
                let named = Value::text(&self.address.name);
                self.command("publish", PUBLISH, Value::Null, &[named, Value::text("live")]);
            }
            "_error" if [CONNECT, CREATE, PUBLISH].contains(of) => return Err(refused(code)),
            "onStatus" if code == "NetStream.Publish.Start" => self.state = State::Streaming,
            "onStatus" if about.and_then(|about| about.get("level")) == Some("error") => return Err(refused(code)),
            "onStatus" if code == "NetStream.Unpublish.Success" => return Err(refused(code)),
            "close" => return Err(refused("")),
            _ => {}
        }
        Ok(())
    }

    fn connect(&mut self) {
        let text = |name: &str, value: &str| (name.to_owned(), Value::text(value));
        let who = Value::Object(vec![
            text("app", &self.address.app),
            text("type", "nonprivate"),
            text("flashVer", VERSION),
            text("tcUrl", &self.address.base),
        ]);
        self.command("connect", CONNECT, who, &[]);
    }

    /// Says what the pictures are like.
    pub fn describe(&mut self, width: u16, height: u16) {
        let number = |name: &str, value: f64| (name.to_owned(), Value::Number(value));
        // The numbers of H264 and AAC.
        let about = Value::Object(vec![
            number("width", width.into()),
            number("height", height.into()),
            number("videocodecid", 7.0),
            number("audiocodecid", 10.0),
            ("encoder".to_owned(), Value::text("Salon")),
        ]);
        let body = amf::write(&[Value::text("@setDataFrame"), Value::text("onMetaData"), about]);
        chunks::write(&mut self.out, (chunks::DATA, self.stream, 0), &body, self.size);
    }

    /// Sends a picture or sound, at `ms` of the stream.
    pub fn send(&mut self, tag: &Tag, ms: u32) {
        let kind = match tag.kind {
            Kind::Pictures => chunks::PICTURES,
            Kind::Sound => chunks::SOUND,
        };
        chunks::write(&mut self.out, (kind, self.stream, ms), &tag.body, self.size);
    }

    /// Ends the stream.
    pub fn end(&mut self) {
        let named = Value::text(&self.address.name);
        self.command("FCUnpublish", 6.0, Value::Null, &[named]);
        self.command("deleteStream", 7.0, Value::Null, &[Value::Number(self.stream.into())]);
    }

    fn command(&mut self, name: &str, number: f64, object: Value, more: &[Value]) {
        let body = amf::write(&[&[Value::text(name), Value::Number(number), object], more].concat());
        let stream = if name == "publish" { self.stream } else { 0 };
        chunks::write(&mut self.out, (chunks::COMMAND, stream, 0), &body, self.size);
    }

    fn tell(&mut self, kind: u8, body: &[u8]) {
        chunks::write(&mut self.out, (kind, 0, 0), body, self.size);
    }
}

/// A refusal by its code, if that is one.
fn refused(code: &str) -> Refusal {
    let is_plain = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphabetic() || b == b'.');
    let is_known = is_plain && (code.starts_with("NetStream.") || code.starts_with("NetConnection."));
    Refusal::Refused(if is_known { code.to_owned() } else { "it ends the connection".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a receiver answers, step by step, from one of them up to another.
    fn steps(publisher: &mut Publisher, from: usize, to: usize) -> Result<(), Refusal> {
        let shake: Vec<u8> = [&[3][..], &[9; SHAKE]].concat();
        let answer = |values: &[Value]| {
            let mut out = Vec::new();
            chunks::write(&mut out, (chunks::COMMAND, 0, 0), &amf::write(values), chunks::USUAL);
            out
        };
        let result = |of: f64, value: Value| answer(&[Value::text("_result"), Value::Number(of), Value::Null, value]);
        let code = |code: &str| Value::Object(vec![("code".to_owned(), Value::text(code))]);
        let mut told = Vec::new();
        chunks::write(&mut told, (chunks::WINDOW, 0, 0), &500_u32.to_be_bytes(), chunks::USUAL);
        chunks::write(&mut told, (chunks::CONTROL, 0, 0), &[0, 6, 1, 2, 3, 4], chunks::USUAL);
        let said = [
            shake,
            vec![7; SHAKE],
            result(CONNECT, code("NetConnection.Connect.Success")),
            told,
            result(CREATE, Value::Number(5.0)),
            answer(&[Value::text("onStatus"), Value::Number(0.0), Value::Null, code("NetStream.Publish.Start")]),
        ];
        said[from..to].iter().try_for_each(|said| publisher.take(said))
    }

    fn publisher() -> Publisher {
        Publisher::new(Address::read("rtmp://example.org/live/s3cret?a=b").unwrap(), [1; 16])
    }

    /// The commands that were sent, and what else, by kind.
    fn sent(publisher: &mut Publisher) -> (Vec<String>, Vec<u8>) {
        let messages = Incoming::default().take(&publisher.out()).unwrap();
        let name = |message: &Message| match amf::read(&message.body).first() {
            Some(Value::Text(name)) if message.kind == chunks::COMMAND => Some(name.clone()),
            _ => None,
        };
        let others = messages.iter().map(|message| message.kind).filter(|kind| *kind != chunks::COMMAND).collect();
        (messages.iter().filter_map(name).collect(), others)
    }

    #[test]
    fn a_receiver_that_answers_is_streamed_to() {
        let mut publisher = publisher();
        assert_eq!(publisher.out().len(), 1 + SHAKE);
        steps(&mut publisher, 0, 1).unwrap();
        assert_eq!(publisher.out(), vec![9; SHAKE], "its own half goes back");
        steps(&mut publisher, 1, 2).unwrap();
        let asked = publisher.out();
        let message = Incoming::default().take(&asked).unwrap().remove(0);
        let values = amf::read(&message.body);
        assert_eq!((values[2].get("app"), values[2].get("tcUrl")), (Some("live"), Some("rtmp://example.org/live")));
        steps(&mut publisher, 2, 4).unwrap();
        let (commands, others) = sent(&mut publisher);
        assert_eq!(commands, ["releaseStream", "FCPublish", "createStream"]);
        assert_eq!(others, [chunks::SET_SIZE, chunks::CONTROL], "it says that it is there");
        steps(&mut publisher, 4, 6).unwrap();
        assert_eq!(sent(&mut publisher).0, ["publish"]);
        assert!(publisher.is_streaming());
        publisher.describe(1_280, 720);
        publisher.send(&Tag { kind: Kind::Pictures, ms: 0, body: vec![1; 5_000] }, 17_000_000);
        publisher.end();
        let mut incoming = Incoming::default();
        incoming.take(&[2, 0, 0, 0, 0, 0, 4, chunks::SET_SIZE, 0, 0, 0, 0, 0, 0, 16, 0]).unwrap();
        let kinds: Vec<_> = incoming.take(&publisher.out()).unwrap().iter().map(|m| (m.kind, m.body.len())).collect();
        assert_eq!((kinds[0].0, kinds[1]), (chunks::DATA, (chunks::PICTURES, 5_000)));
        assert_eq!(kinds.len(), 4);
        // So much came that it wants to hear of it.
        publisher.take(&[[2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 0, 1]; 40].concat()).unwrap();
        assert_eq!(sent(&mut publisher).1, [chunks::ACKNOWLEDGE]);
    }

    #[test]
    fn who_refuses_is_told_of_without_what_it_says() {
        for (code, told) in [
            ("NetStream.Publish.BadName", "the receiver does not take it (NetStream.Publish.BadName)"),
            ("s3cret", "the receiver does not take it (it ends the connection)"),
            ("NetStream.Publish.s3cret", "the receiver does not take it (it ends the connection)"),
        ] {
            let mut publisher = publisher();
            steps(&mut publisher, 0, 5).unwrap();
            let about = Value::Object(vec![
                ("level".to_owned(), Value::text("error")),
                ("code".to_owned(), Value::text(code)),
                ("description".to_owned(), Value::text("s3cret is not welcome")),
            ]);
            let mut said = Vec::new();
            let values = [Value::text("onStatus"), Value::Number(0.0), Value::Null, about];
            chunks::write(&mut said, (chunks::COMMAND, 0, 0), &amf::write(&values), chunks::USUAL);
            assert_eq!(publisher.take(&said).unwrap_err().to_string(), told);
        }
        assert_eq!(publisher().take(&[b'H'; 1 + SHAKE]).unwrap_err(), Refusal::Nonsense);
        // One that asks whether we are there, again and again, and never takes the answer.
        let mut publisher = publisher();
        steps(&mut publisher, 0, 6).unwrap();
        let asks = [2, 0, 0, 0, 0, 0, 6, chunks::CONTROL, 0, 0, 0, 0, 0, 6, 1, 2, 3, 4].repeat(1_000);
        let ends = (0..1_000).position(|_| publisher.take(&asks).is_err());
        assert!(ends.is_some() && publisher.out.len() < 2 * UNSENT, "{ends:?}");
    }
}
