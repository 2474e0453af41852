//! What two nodes say to each other of media: what the one that has the session asks of the one that has the media of some of
//! its people, what that one answers and hears, and what their relays tell each other.
//! Nodes of two adjacent releases talk: what one does not understand ends the connection, and people's media are at the node
//! of their session again.

use std::time::Duration;

use salon_sfu::{
    Consume, Consumed, Error, Event, Guest, LineQuality, News, OwnerId, Produce, ProducerId, Resumed, Role, RoomId, TransportId,
};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest word: a description of many tracks is some hundred KiB, and so is how good all that one receives is.
const WORD_BYTES: usize = 16 << 20;

/// Connections whose figures are said in one word.
pub(super) const LINES_AT_ONCE: usize = 16;

/// Whoever says another one is not understood.
pub(super) const VERSION: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    Hello(Hello),
    Welcome(Welcome),
    Ask {
        number: u64,
        ask: Ask,
    },
    Answer {
        number: u64,
        answer: Result<Answer, Refusal>,
    },
    /// Part of an answer that follows.
    Lines {
        number: u64,
        lines: Vec<LineQuality>,
    },
    Event(Event),
    /// The node that is asked has lost the way to the one whose port for nodes is there, and these connections do not get any
    /// more what comes in there.
    Parted {
        address: String,
        transports: Vec<TransportId>,
    },
    News(News),
    /// The node that is asked becomes another program: what it has not answered by now it has not done.
    Leaving,
    /// Nothing, so that the other side knows that it is heard.
    Here,
}

/// From the node that begins.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hello {
    pub version: u32,
    /// Where its port for nodes is.
    pub address: String,
    /// Its half of the keys.
    pub key: [u8; 32],
    /// What it calls the connection.
    pub link: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Welcome {
    pub key: [u8; 32],
    pub link: u32,
    /// Where it gets datagrams, at the address of its port for nodes.
    pub port: u16,
}

/// Each is a method of the media server, for connections that were opened here; the last few are about which those are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Open {
        guest: Guest,
        room: RoomId,
        transport: TransportId,
        role: Role,
        offer: String,
    },
    Produce(Box<Produce>),
    CloseProducer {
        transport: TransportId,
        producer: ProducerId,
        offer: Option<String>,
    },
    Pause {
        producer: ProducerId,
        paused: bool,
    },
    Consume {
        transport: TransportId,
        wanted: Vec<Consume>,
        from: Vec<(ProducerId, Home)>,
    },
    AcceptAnswer {
        transport: TransportId,
        answer: String,
    },
    CloseConsumers {
        transport: TransportId,
        mids: Vec<String>,
        offer: String,
    },
    SetLayer {
        transport: TransportId,
        producer: ProducerId,
        mid: Option<String>,
        rid: String,
    },
    CloseTransport {
        transport: TransportId,
    },
    Inside {
        owner: OwnerId,
        room: RoomId,
        inside: bool,
    },
    QuietFor {
        transport: TransportId,
    },
    Quality {
        room: RoomId,
    },
    /// From now on these are the asker's, as before, and all of these rooms that nobody asks for.
    Attach {
        have: Vec<TransportId>,
        rooms: Vec<RoomId>,
    },
    /// Nobody asks for these rooms here, whose sessions are at the node that is asked: it is to attach them.
    Lodged {
        rooms: Vec<RoomId>,
    },
    /// What a connection of an earlier run consumed comes in there.
    Fetch {
        transport: TransportId,
        from: Vec<(ProducerId, Home)>,
    },
    /// The session is another node's from now on, which attaches what is here.
    Release {
        room: RoomId,
    },
}

/// Where a producer comes in that is not where it is to be consumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Home {
    /// At the node that asks.
    Asker,
    /// At the node whose port for nodes is there.
    At(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done,
    Sdp(String),
    MaybeSdp(Option<String>),
    Consumed(Consumed),
    QuietFor(Duration),
    Quality(Vec<LineQuality>),
    Attached(Vec<Lodged>),
}

/// A connection of somebody whose session is elsewhere; its note is who.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lodged {
    pub what: Resumed,
    pub connected: bool,
    /// The nodes from which it got something until there was no way to them any more, while no node had it.
    #[serde(default)]
    pub lost: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Refusal {
    /// By the media server.
    Media(Error),
    /// A node that it needs for this cannot be reached from there.
    CutOff,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Media(error)
    }
}

/// Reads one; none if the other side is gone, or says what is none.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Option<Word> {
    let length = usize::try_from(from.read_u32().await.ok()?).ok().filter(|length| *length <= WORD_BYTES)?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes).await.ok()?;
    let word = serde_json::from_slice(&bytes);
    word.inspect_err(|error| tracing::warn!(%error, "another node says of media what is not understood")).ok()
}

pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), word: &Word) -> Option<()> {
    let json = serde_json::to_vec(word).ok().filter(|json| json.len() <= WORD_BYTES)?;
    let mut bytes = u32::try_from(json.len()).ok()?.to_be_bytes().to_vec();
    bytes.extend(json);
    to.write_all(&bytes).await.ok()?;
    to.flush().await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_arrive_as_they_were_said_and_nothing_endless_is_read() {
        let (mut one, mut other) = tokio::io::duplex(64 << 10);
        let ask = Ask::QuietFor { transport: "t".into() };
        write(&mut one, &Word::Ask { number: 7, ask }).await.expect("written");
        let answer = Err(Refusal::Media(Error::UnknownTransport));
        write(&mut one, &Word::Answer { number: 7, answer }).await.expect("written");
        let said = [read(&mut other).await, read(&mut other).await].map(|word| format!("{:?}", word.expect("a word")));
        let expected = [
            "Ask { number: 7, ask: QuietFor { transport: TransportId(t) } }",
            "Answer { number: 7, answer: Err(Media(UnknownTransport)) }",
        ];
        assert_eq!(said, expected);
        one.write_all(&[0xff; 4]).await.unwrap();
        assert!(read(&mut other).await.is_none());
    }
}
